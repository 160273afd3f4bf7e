/* What strangers say, who send datagrams of their own making in others' names and receive nothing.
 * They know everything but the numbers under way. */
#include "swim_cluster.h"

#include "gossip/packet.h"

/* A datagram in the name of node `as`, with the entries given, reaches node `at`. */
static void forge(struct cluster *c, uint32_t at, uint32_t as, enum packet_kind kind,
                  const struct entry *entries, uint32_t count)
{
    uint8_t said[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor e = cursor_writer(said, sizeof(said));
    struct cursor w = cursor_writer(data, sizeof(data));
    for (uint32_t i = 0; i < count; i++) {
        entry_write(&e, &entries[i]);
    }
    assert_true(cursor_ok(&e));
    const uint64_t cluster = swim_cluster_hash("private");
    const struct packet p = {
        .kind = kind,
        .version = PROTOCOL_VERSION_MAX,
        .is_long = true,
        .knows_you = true,
        .cluster = cluster,
        .uuid = c->nodes[as].uuid,
        .tag = packet_tag(&c->nodes[as].uuid, cluster),
        .counter = rng_next(&c->rng),
        .member_digest = swim_digest(c->nodes[at].swim),
        .entries = said,
        .entries_len = e.pos,
    };
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    const struct engine_counters *k = &c->nodes[at].counters;
    const uint64_t refused = k->datagrams_malformed + k->datagrams_stranger;
    swim_packet(c->nodes[at].swim, &c->nodes[as].addr, NULL, data, w.pos, c->now_us);
    assert_int_equal(k->datagrams_malformed + k->datagrams_stranger, refused);
    drain(c, at);
}

static void forge_end(struct cluster *c, uint32_t at, uint32_t as, uint32_t of,
                      enum entry_kind kind, uint64_t incarnation)
{
    const struct entry e = {
        .kind = kind,
        .uuid = c->nodes[of].uuid,
        .by = c->nodes[as].uuid,
        .incarnation = incarnation,
        .state = MEMBER_DEAD,
    };
    forge(c, at, as, kind == ENTRY_PAST ? PACKET_CARDS : PACKET_GOSSIP, &e, 1);
}

/* At each of `count` nodes, in the name of the next. */
static void forge_ends(struct cluster *c, uint32_t count, uint32_t of, enum entry_kind kind,
                       uint64_t raise)
{
    for (uint32_t at = 0; at < count; at++) {
        const struct member *m = member_of(c, at, of);
        if (at != of) {
            const uint32_t as = (at + 1) % count == of ? (at + 2) % count : (at + 1) % count;
            forge_end(c, at, as, of, kind, m->incarnation + raise);
        }
    }
}

static void no_death_at_any_incarnation_splits_a_cluster(void **state)
{
    (void)state;
    const enum entry_kind kinds[] = {ENTRY_DEAD, ENTRY_LEFT, ENTRY_SUSPECT, ENTRY_PAST};
    const uint64_t raises[] = {0, 1, 70000, UINT64_MAX - 10};
    for (uint32_t i = 0; i < 32; i++) {
        struct cluster *c = cluster_formed(1 + i, 5, i >= 16);
        run_for(c, 10000);
        forge_ends(c, 5, 2, kinds[i % 4], raises[i / 4 % 4]);
        forge_end(c, 2, 1, 2, kinds[i % 4], member_of(c, 1, 2)->incarnation + raises[i / 4 % 4]);
        run_for(c, 2000);
        assert_true(is_full(c));
        assert_true(member_of(c, 0, 2)->incarnation < 20);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

static void forged_ends_of_members_just_heard_cost_a_probe_and_no_more(void **state)
{
    (void)state;
    for (int has_links = 0; has_links <= 1; has_links++) {
        for (int is_left = 0; is_left <= 1; is_left++) {
            struct cluster *c = cluster_formed(2, 5, has_links == 1);
            run_for(c, 3000);
            for (uint32_t i = 0; i < 50 * 6; i++) {
                const uint32_t of = i % 5;
                forge_ends(c, 5, of, is_left ? ENTRY_LEFT : ENTRY_DEAD, i % 2);
                for (uint32_t at = 0; at < 5; at++) {
                    assert_int_equal(swim_counts(c->nodes[at].swim).alive, 4);
                }
                run_for(c, 20);
            }
            assert_int_equal(c->false_deaths, 0);
            assert_true(is_full(c));
            cluster_free(c);
        }
    }
}

/* First an accusation, and when it has been silent for a second, the death. */
static void an_accusation_before_it_does_not_make_a_death_believed(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(3, 5, true);
    run_for(c, 3000);
    for (uint32_t i = 0; i < 10; i++) {
        forge_ends(c, 5, 1, ENTRY_SUSPECT, 0);
        run_for(c, 1200);
        forge_ends(c, 5, 1, ENTRY_DEAD, 0);
        run_for(c, 100);
        assert_int_equal(c->false_deaths, 0);
    }
    run_for(c, 2000);
    assert_true(is_full(c));
    cluster_free(c);
}

static void forged_cards_raise_an_incarnation_by_little(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(4, 4, true);
    run_for(c, 2000);
    struct member_card card;
    uint8_t bytes[CARD_WIRE_MAX];
    member_card(swim_self(c->nodes[2].swim), &card);
    const uint64_t raises[] = {65537, 1 << 24, UINT64_MAX - 10, 40000};
    for (uint32_t i = 0; i < 4; i++) {
        const uint64_t before = member_of(c, 0, 2)->incarnation;
        card.incarnation = before + raises[i];
        struct cursor w = cursor_writer(bytes, sizeof(bytes));
        card_write(&w, &card);
        const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
        for (uint32_t at = 0; at < 4; at++) {
            forge(c, at, (at + 1) % 4, PACKET_GOSSIP, &e, 1);
        }
        run_for(c, 3000);
        assert_true(is_full(c));
        const uint64_t after = member_of(c, 0, 2)->incarnation;
        assert_true(i < 3 ? after == before : after == card.incarnation + 1);
    }
    cluster_free(c);
}

static void nobody_is_met_at_an_incarnation_beyond_reach(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(6, 3, true);
    const uint32_t newcomer = cluster_start(c);
    struct member_card card;
    uint8_t bytes[CARD_WIRE_MAX];
    member_card(swim_self(c->nodes[newcomer].swim), &card);
    card.incarnation = (UINT64_C(1) << 32) + 1;
    struct cursor w = cursor_writer(bytes, sizeof(bytes));
    card_write(&w, &card);
    const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
    forge(c, 0, 1, PACKET_GOSSIP, &e, 1);
    assert_null(member_of(c, 0, newcomer));
    hint(c, newcomer, &c->nodes[0].addr);
    (void)wait_full(c, 3000);
    cluster_free(c);
}

static void the_end_of_somebody_unknown_keeps_nobody_out(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(5, 3, true);
    const uint32_t newcomer = cluster_start(c);
    for (uint32_t at = 0; at < 3; at++) {
        forge_end(c, at, (at + 1) % 3, newcomer, ENTRY_DEAD, UINT64_MAX - 10);
    }
    hint(c, newcomer, &c->nodes[0].addr);
    (void)wait_full(c, 3000);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_death_at_any_incarnation_splits_a_cluster),
        cmocka_unit_test(forged_ends_of_members_just_heard_cost_a_probe_and_no_more),
        cmocka_unit_test(an_accusation_before_it_does_not_make_a_death_believed),
        cmocka_unit_test(forged_cards_raise_an_incarnation_by_little),
        cmocka_unit_test(nobody_is_met_at_an_incarnation_beyond_reach),
        cmocka_unit_test(the_end_of_somebody_unknown_keeps_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
