/* What strangers can do who forge ends, accusations and numbers of members: they cost a probe. What
 * they can do with cards and addresses is in test_swim_forged_cards.c. */
#include "forged_rig.h"

#include "gossip/membership/hearsay.h"
#include "gossip/membership/self.h"

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
        /* Each step is small, so no number of packets brings the maximum into reach. */
        assert_true(member_of(c, 0, 2)->incarnation < UINT64_C(20) * SWIM_RAISE_MAX);
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

/* Nobody but the member says that it leaves, and anybody can name it as the sender. */
static void a_leave_in_a_members_own_name_ends_it_nowhere(void **state)
{
    (void)state;
    const enum packet_kind kinds[] = {PACKET_GOSSIP, PACKET_PING, PACKET_ACK, PACKET_CARDS};
    for (uint32_t i = 0; i < 8; i++) {
        struct cluster *c = cluster_formed(41 + i, 5, i >= 4);
        run_for(c, 3000);
        for (uint32_t at = 0; at < 5; at++) {
            if (at != 2) {
                forge_end(c, at, 2, 2, ENTRY_LEFT, member_of(c, at, 2)->incarnation);
                const struct entry e = {.kind = ENTRY_LEFT,
                                        .uuid = c->nodes[2].uuid,
                                        .incarnation = member_of(c, at, 2)->incarnation + 1};
                forge(c, at, 2, kinds[i % 4], &e, 1);
                assert_int_equal(swim_counts(c->nodes[at].swim).alive, 4);
            }
        }
        run_for(c, 2000);
        assert_true(is_full(c));
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
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

static void forged_cards_raise_no_incarnation(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(4, 4, true);
    run_for(c, 2000);
    struct member_card card;
    uint8_t bytes[CARD_WIRE_MAX];
    member_card(swim_self(c->nodes[2].swim), &card);
    const uint64_t raises[] = {65537, 1 << 24, UINT64_MAX / 2, 40000};
    for (uint32_t i = 0; i < 4; i++) {
        const uint64_t before = member_of(c, 0, 2)->incarnation;
        card.incarnation = before + raises[i];
        struct cursor w = cursor_writer(bytes, sizeof(bytes));
        member_card_write(&w, &card);
        const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
        for (uint32_t at = 0; at < 4; at++) {
            forge(c, at, (at + 1) % 4, PACKET_GOSSIP, &e, 1);
        }
        run_for(c, 3000);
        assert_true(is_full(c));
        /* Nor does the member itself: no node knows it, so none need hear of another number. */
        assert_int_equal(member_of(c, 0, 2)->incarnation, before);
    }
    cluster_free(c);
}

/* It has missed what the others have heard. */
static void who_is_far_behind_asks_the_member_itself(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(13, 4, true);
    run_for(c, 2000);
    for (uint32_t i = 0; i < 3; i++) {
        cut(c, 0, i + 1, true);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const uint64_t now = swim_self(c->nodes[2].swim)->incarnation;
        forge_end(c, 2, 1, 2, ENTRY_SUSPECT, now + 60000);
        run_for(c, 700); /* it contradicts at most this often */
    }
    assert_true(member_of(c, 1, 2)->incarnation > member_of(c, 0, 2)->incarnation + 70000);
    for (uint32_t i = 0; i < 3; i++) {
        cut(c, 0, i + 1, false);
    }
    (void)wait_full(c, 5000);
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
    member_card_write(&w, &card);
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

/* A member that only the first node reaches is in all tables, and stays where a relay reaches
 * it. */
static void a_member_that_only_some_reach_is_declared_dead_to_nobody(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(10, 4, false);
    const uint32_t hidden = cluster_start(c);
    for (uint32_t i = 1; i < 4; i++) {
        cut(c, hidden, i, true);
    }
    hint(c, hidden, &c->nodes[0].addr);
    run_for(c, 30000);
    for (uint32_t i = 1; i < 4; i++) {
        const struct member *m = member_of(c, i, hidden);
        assert_non_null(m);
        assert_false(m->has_answered);
        assert_int_equal(m->state, MEMBER_ALIVE);
    }
    assert_true(member_of(c, 0, hidden)->has_answered);
    assert_int_equal(member_of(c, 0, hidden)->state, MEMBER_ALIVE);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

static void what_is_said_in_a_nodes_own_name_tells_it_nothing(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(15, 5, false);
    run_for(c, 3000);
    cut(c, 0, 1, true);
    run_for(c, 3000);
    const struct member *m = member_of(c, 0, 1);
    const uint64_t probes = c->nodes[0].counters.probes_sent;
    const enum entry_kind kinds[] = {ENTRY_SUSPECT, ENTRY_DEAD};
    for (uint32_t i = 0; i < 2; i++) {
        const struct entry e = {.kind = kinds[i],
                                .uuid = c->nodes[1].uuid,
                                .by = c->nodes[0].uuid,
                                .incarnation = m->incarnation};
        forge(c, 0, 2, PACKET_GOSSIP, &e, 1);
        assert_int_equal(m->state, MEMBER_ALIVE);
    }
    assert_int_equal(c->nodes[0].counters.suspicions, 0);
    assert_int_equal(c->nodes[0].counters.probes_sent, probes);
    cluster_free(c);
}

/* A card of nobody, with which the table is filled. */
static struct member_card card_of(uint32_t number)
{
    struct member_card card = {
        .uuid = {{1, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}},
        .host_tag = 1,
        .incarnation = 1,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .name = "nobody",
        .enclave = "default",
    };
    return card;
}

/* A count of a member made by the events about it would stay for ever. */
static void a_full_table_forgets_nobody_whose_end_is_untold(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(13, 2, true);
    struct swim *s = c->nodes[0].swim;
    struct member *m = NULL;
    for (uint32_t i = 0; i < MEMBERS_MAX - 2; i++) {
        const struct member_card card = card_of(i);
        assert_int_equal(swim_meet(s, &card, NULL, c->now_us, &m), RC_OK);
    }
    drain(c, 0);
    const uint32_t alive = swim_counts(s).alive;
    assert_int_equal(alive, MEMBERS_MAX - 1);
    c->now_us += UINT64_C(10) * SECOND;

    uint8_t said[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor e = cursor_writer(said, sizeof(said));
    const struct entry end = {.kind = ENTRY_DEAD,
                              .uuid = card_of(5).uuid,
                              .by = c->nodes[1].uuid,
                              .incarnation = 1,
                              .state = MEMBER_DEAD};
    const struct member_card newcomer = card_of(MEMBERS_MAX);
    packet_entry_write(&e, &end);
    cursor_put_u8(&e, ENTRY_ALIVE);
    member_card_write(&e, &newcomer);
    const struct member *via = member_of(c, 0, 1);
    const struct packet p = {
        .kind = PACKET_GOSSIP,
        .version = PROTOCOL_VERSION_MAX,
        .knows_you = true,
        .tag = via->tag,
        .entries = said,
        .entries_len = e.pos,
    };
    struct cursor w = cursor_writer(data, sizeof(data));
    packet_write(&w, &p);
    assert_true(cursor_ok(&e) && cursor_ok(&w));
    swim_packet(s, NULL, member_of(c, 0, 1), data, w.pos, c->now_us);

    bool is_told = false;
    struct swim_event event;
    while (swim_next_event(s, &event)) {
        is_told = is_told || (event.kind == SWIM_MEMBER_STATE && event.was == MEMBER_ALIVE &&
                              uuid_equal(&event.member->uuid, &end.uuid));
    }
    assert_true(is_told);
    assert_int_equal(swim_counts(s).dead, 1);
    swim_check(s);
    cluster_free(c);
}

/* It has a link then, but only its answer sets its number. */
static void a_hello_in_a_members_name_raises_its_number_no_further_than_hearsay(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(70, 4, true);
    run_for(c, 3000);
    struct member_card card;
    member_card(swim_self(c->nodes[2].swim), &card);
    const uint64_t own = card.incarnation;
    const uint64_t raises[] = {1, SWIM_RAISE_MAX + 1, UINT64_C(1) << 40, UINT64_MAX - own};
    for (uint32_t i = 0; i < 4; i++) {
        struct member *m = NULL;
        const uint64_t before = member_of(c, 0, 2)->incarnation;
        card.incarnation = raises[i] < UINT64_MAX - before ? before + raises[i] : UINT64_MAX;
        assert_int_equal(swim_meet(c->nodes[0].swim, &card, NULL, c->now_us, &m), RC_OK);
        assert_int_equal(m->incarnation, i == 0 ? card.incarnation : before);
        drain(c, 0);
        run_for(c, 2000);
        assert_true(is_full(c));
    }
    assert_in_range(member_of(c, 0, 2)->incarnation, own, own + SWIM_RAISE_MAX);
    cluster_free(c);
}

/* A card in the member's name, raised as far as nodes believe, again and again. */
static void a_number_that_is_raised_many_times_at_once_is_outdone(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 68; seed++) {
        struct cluster *c = cluster_formed(seed, 4, seed % 2 == 0);
        run_for(c, 3000);
        for (uint32_t i = 0; i < 40; i++) {
            uint8_t bytes[CARD_WIRE_MAX];
            struct member_card card;
            struct cursor w = cursor_writer(bytes, sizeof(bytes));
            const uint32_t at = 1 + i % 3;
            member_card(member_of(c, at, 0), &card);
            card.incarnation += SWIM_RAISE_MAX;
            member_card_write(&w, &card);
            const struct entry raised = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
            forge(c, at, 0, PACKET_GOSSIP, &raised, 1);
            run_for(c, 10);
        }
        run_for(c, 2000);
        assert_true(is_full(c));
        const uint64_t own = swim_self(c->nodes[0].swim)->incarnation;
        for (uint32_t at = 1; at < 4; at++) {
            assert_int_equal(member_of(c, at, 0)->incarnation, own);
        }
        cluster_free(c);
    }
}

/* Two accusations in one datagram, before any answer can have come, and one that names no accuser.
 */
static void an_accusation_that_is_repeated_at_once_makes_no_suspect(void **state)
{
    (void)state;
    const struct uuid nobody = {{9, 9, 9}};
    for (uint32_t i = 0; i < 2; i++) {
        struct cluster *c = cluster_formed(7, 16, true);
        run_for(c, 5000);
        struct entry e = {.kind = ENTRY_SUSPECT,
                          .uuid = c->nodes[1].uuid,
                          .by = i == 0 ? nobody : (struct uuid){{0}},
                          .incarnation = member_of(c, 0, 1)->incarnation};
        const struct entry both[] = {e, e};
        const uint64_t held = member_of(c, 0, 1)->incarnation;
        forge(c, 0, 2, PACKET_GOSSIP, both, 2);
        run_until(c, c->now_us + 10);
        assert_int_equal(member_of(c, 0, 1)->state, MEMBER_ALIVE);
        run_for(c, 2000);
        assert_int_equal(member_of(c, 0, 1)->state, MEMBER_ALIVE);
        assert_true(member_of(c, 0, 1)->incarnation <= held + 1);
        cluster_free(c);
    }
}

/* Among so many that not each can ask each. */
static void a_forged_end_among_many_is_refuted_before_it_is_believed(void **state)
{
    (void)state;
    enum { MANY = 100 };
    const enum entry_kind kinds[] = {ENTRY_DEAD, ENTRY_LEFT};
    for (uint32_t i = 0; i < 2; i++) {
        struct cluster *c = cluster_formed(20 + i, MANY, false);
        run_for(c, 5000);
        for (uint32_t turn = 0; turn < 20; turn++) {
            forge_end(c, turn, MANY - 1, 50, kinds[i], member_of(c, turn, 50)->incarnation);
            run_for(c, 100);
            for (uint32_t at = 0; at < MANY; at++) {
                assert_true(at == 50 || member_is_live(member_of(c, at, 50)));
            }
        }
        cluster_free(c);
    }
}

/* A stranger drives its number up all the time; a newcomer must meet it all the same. */
static void a_number_beyond_what_strangers_are_believed_keeps_nobody_out(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(8, 5, false);
    run_for(c, 3000);
    forge_end(c, 1, 2, 1, ENTRY_SUSPECT, UINT64_MAX);
    run_for(c, 3000);
    assert_true(swim_self(c->nodes[1].swim)->incarnation <= 2 + SWIM_RAISE_MAX);
    self_renew(c->nodes[1].swim, MEMBER_ALIVE, HEARSAY_UNKNOWN_MAX + 5);
    run_for(c, 5000);
    const uint32_t newcomer = cluster_start(c);
    hint(c, newcomer, &c->nodes[0].addr);
    (void)wait_full(c, 20000);
    cluster_free(c);
}

static uint64_t bytes_sent(const struct cluster *c)
{
    uint64_t bytes = c->bytes_by_link;
    for (uint32_t i = 0; i < c->count; i++) {
        bytes += c->nodes[i].bytes_out;
    }
    return bytes;
}

/* What strangers say of members, 100 times a second for ten seconds, some with the incarnation that
 * the member has just taken to refute them. */
static void forged_accusations_cost_bounded_traffic(void **state)
{
    (void)state;
    enum { MANY = 16, TURNS = 1000, DATAGRAM = 150 };
    const enum entry_kind kinds[] = {ENTRY_SUSPECT, ENTRY_DEAD, ENTRY_LEFT, ENTRY_PAST};
    for (uint32_t i = 0; i < 5; i++) {
        struct cluster *c = cluster_formed(40 + i, MANY, true);
        run_for(c, 5000);
        const uint64_t before = bytes_sent(c);
        run_for(c, 10000);
        const uint64_t idle = bytes_sent(c) - before;
        for (uint32_t turn = 0; turn < TURNS; turn++) {
            const uint32_t of = (uint32_t)rng_below(&c->rng, MANY);
            const uint32_t as = (of + 1 + (uint32_t)rng_below(&c->rng, MANY - 1)) % MANY;
            const uint32_t at = (as + 1 + (uint32_t)rng_below(&c->rng, MANY - 1)) % MANY;
            const struct member *m = at == of ? swim_self(c->nodes[at].swim) : member_of(c, at, of);
            forge_end(c, at, as, of, kinds[i < 4 ? i : turn % 4], m->incarnation);
            run_for(c, 10);
        }
        const uint64_t more = bytes_sent(c) - before - 2 * idle;
        assert_in_range(more, 0, 24 * TURNS * DATAGRAM);
        assert_int_equal(c->false_deaths, 0);
        run_for(c, 5000);
        assert_true(is_full(c));
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_death_at_any_incarnation_splits_a_cluster),
        cmocka_unit_test(forged_ends_of_members_just_heard_cost_a_probe_and_no_more),
        cmocka_unit_test(an_accusation_before_it_does_not_make_a_death_believed),
        cmocka_unit_test(forged_cards_raise_no_incarnation),
        cmocka_unit_test(who_is_far_behind_asks_the_member_itself),
        cmocka_unit_test(nobody_is_met_at_an_incarnation_beyond_reach),
        cmocka_unit_test(a_leave_in_a_members_own_name_ends_it_nowhere),
        cmocka_unit_test(a_member_that_only_some_reach_is_declared_dead_to_nobody),
        cmocka_unit_test(what_is_said_in_a_nodes_own_name_tells_it_nothing),
        cmocka_unit_test(the_end_of_somebody_unknown_keeps_nobody_out),
        cmocka_unit_test(a_full_table_forgets_nobody_whose_end_is_untold),
        cmocka_unit_test(a_hello_in_a_members_name_raises_its_number_no_further_than_hearsay),
        cmocka_unit_test(a_number_that_is_raised_many_times_at_once_is_outdone),
        cmocka_unit_test(an_accusation_that_is_repeated_at_once_makes_no_suspect),
        cmocka_unit_test(a_forged_end_among_many_is_refuted_before_it_is_believed),
        cmocka_unit_test(a_number_beyond_what_strangers_are_believed_keeps_nobody_out),
        cmocka_unit_test(forged_accusations_cost_bounded_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
