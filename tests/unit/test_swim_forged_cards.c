/* What strangers can do who forge cards, or send again what they have recorded: they make no
 * members, give nobody an address, and keep nobody alive. Ends and accusations are in
 * test_swim_forged.c. */
#include "forged_rig.h"

#include "gossip/membership/hearsay.h"
#include "gossip/membership/view.h"

static void cards_of_nobody_make_no_members(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(7, 3, true);
    const struct addr none = {.port = 0};
    const struct addr nobody = node_addr(c, 50);
    const uint64_t digest = swim_digest(c->nodes[0].swim);
    run_for(c, 2000);
    for (uint32_t i = 0; i < 8000; i++) {
        forge_card(c, i % 3, i % 2 == 0 ? &none : &nobody);
        assert_int_equal(swim_counts(c->nodes[i % 3].swim).alive, 2);
        assert_true(swim_counts(c->nodes[i % 3].swim).named <= 64);
        if (i % 100 == 0) {
            run_for(c, 10);
        }
    }
    assert_int_equal(swim_digest(c->nodes[0].swim), digest);
    const uint32_t newcomer = cluster_start(c);
    hint(c, newcomer, &c->nodes[0].addr);
    (void)wait_full(c, 2000);
    run_for(c, 5000);
    for (uint32_t at = 0; at < 4; at++) {
        assert_int_equal(swim_counts(c->nodes[at].swim).named, 0);
        assert_int_equal(swim_counts(c->nodes[at].swim).dead, 0);
    }
    assert_true(c->nodes[1].counters.members_unanswered > 2000);
    assert_true(is_full(c));
    cluster_free(c);
}

/* Of two that are left one asks the other to ask them, and hears from none. */
static void cards_of_nobody_do_not_make_a_death_wait(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster *c = cluster_formed(seed, 2, true);
        const struct addr none = {.port = 0};
        uint32_t ms = 0;
        run_for(c, 3000);
        c->has_refusals = false;
        kill_node(c, 1);
        for (; ms < 20000 && swim_counts(c->nodes[0].swim).dead == 0; ms += 100) {
            forge_card(c, 0, &none);
            run_for(c, 100);
        }
        assert_in_range(ms, 1000, 10000);
        cluster_free(c);
    }
}

/* Whatever number the strangers have given it. */
static void one_who_is_named_is_a_member_once_a_page_says_so(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(12, 3, false);
    uint8_t bytes[CARD_WIRE_MAX];
    struct member_card card = {
        .uuid = {{9}},
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .name = "somebody",
        .enclave = "default",
    };
    const uint64_t numbers[] = {7000, 5};
    for (uint32_t i = 0; i < 2; i++) {
        card.incarnation = numbers[i];
        struct cursor w = cursor_writer(bytes, sizeof(bytes));
        member_card_write(&w, &card);
        const struct entry e = {.kind = ENTRY_ALIVE,
                                .uuid = card.uuid,
                                .incarnation = card.incarnation,
                                .card = bytes,
                                .card_len = w.pos};
        const struct view_teller teller = {.uuid = &c->nodes[1].uuid, .is_sure = i == 1};
        hearsay_entry(c->nodes[0].swim, &e, &teller);
        const struct swim_counts counts = swim_counts(c->nodes[0].swim);
        assert_int_equal(counts.named, 1 - i);
        assert_int_equal(counts.alive, 2 + i);
    }
    assert_int_equal(swim_find(c->nodes[0].swim, &card.uuid)->incarnation, 5);
    swim_check(c->nodes[0].swim);
    cluster_free(c);
}

/* Three pings each in the first 200 ms, in bursts of 32. */
static void few_of_those_named_are_asked_at_a_time(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(8, 3, false);
    run_for(c, 2000);
    c->has_refusals = false;
    const uint64_t before = c->nodes[0].counters.probes_sent;
    for (uint32_t i = 0; i < 1000; i++) {
        const struct addr nobody = node_addr(c, 1000 + i);
        forge_card(c, 0, &nobody);
    }
    run_for(c, 99);
    assert_in_range(c->nodes[0].counters.probes_sent - before, 1, 33);
    cluster_free(c);
}

static void a_lone_node_is_alone_whatever_it_is_told(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(9, 3, false);
    const uint32_t lone = cluster_start(c);
    const struct addr none = {.port = 0};
    for (uint32_t i = 0; i < 10; i++) {
        forge_card(c, lone, &none);
    }
    assert_int_equal(swim_counts(c->nodes[lone].swim).alive, 0);
    run_for(c, 5000);
    assert_int_equal(swim_counts(c->nodes[lone].swim).named, 0);
    cluster_free(c);
}

/* A card of a member that only relays reach may show the address of a node: that does not make the
 * member the node's predecessor. */
static void nobody_who_has_answered_was_where_this_node_is(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(16, 5, false);
    run_for(c, 3000);
    cut(c, 0, 1, true);
    run_for(c, 4000);
    forge_card_of(c, 0, 1, 1, &c->nodes[0].addr);
    forge_end(c, 0, 2, 1, ENTRY_DEAD, member_of(c, 0, 1)->incarnation);
    assert_true(member_of(c, 0, 1)->state <= MEMBER_SUSPECT);
    run_for(c, 5000);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

/* At the address in the card of a member that has never answered, another node answers. */
static void an_address_that_proved_nothing_proves_no_end(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(17);
    c->is_many_hosts = true;
    for (uint32_t i = 0; i < 4; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    (void)wait_full(c, 5000);
    const uint32_t hidden = cluster_start(c);
    for (uint32_t i = 1; i < 4; i++) {
        cut(c, hidden, i, true);
    }
    hint(c, hidden, &c->nodes[0].addr);
    run_for(c, 10000);
    assert_false(member_of(c, 1, hidden)->has_answered);
    const struct addr own = c->nodes[hidden].addr;
    for (uint32_t i = 0; i < 20; i++) {
        forge_card_of(c, 1, hidden, 1, &c->nodes[3].addr);
        c->nodes[hidden].addr = c->nodes[3].addr; /* from where the stranger claims to be */
        forge(c, 1, hidden, PACKET_GOSSIP, NULL, 0);
        c->nodes[hidden].addr = own;
        run_for(c, 1000);
    }
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
}

/* Those who have met it are gone too, and a member lied about its address. */
static void a_member_without_an_address_dies(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(18, 4, false);
    const uint32_t hidden = cluster_start(c);
    for (uint32_t i = 1; i < 4; i++) {
        cut(c, hidden, i, true);
    }
    hint(c, hidden, &c->nodes[0].addr);
    run_for(c, 10000);
    for (uint32_t at = 1; at < 4; at++) {
        struct member_card card;
        struct member *m = NULL;
        member_card(member_of(c, at, hidden), &card);
        card.incarnation++;
        card.addr_count = 0;
        const struct view_teller liar = {&c->nodes[at == 1 ? 2 : 1].uuid, true};
        assert_int_equal(view_alive(c->nodes[at].swim, &card, &liar, &m), RC_OK);
        assert_int_equal(m->addr_count, 0);
    }
    kill_node(c, 0);
    kill_node(c, hidden);
    (void)wait_gone(c, hidden, 15000);
    cluster_free(c);
}

static void what_others_say_changes_neither_a_members_number_nor_its_enclave(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(11, 3, true);
    const uint64_t held = member_of(c, 0, 2)->incarnation;
    struct member_card card;
    uint8_t bytes[CARD_WIRE_MAX];
    member_card(swim_self(c->nodes[2].swim), &card);
    card.incarnation += 5;
    (void)snprintf(card.enclave, NAME_SIZE, "another");
    struct cursor w = cursor_writer(bytes, sizeof(bytes));
    member_card_write(&w, &card);
    const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
    forge(c, 0, 1, PACKET_GOSSIP, &e, 1);
    assert_int_equal(member_of(c, 0, 2)->incarnation, held);
    assert_true(member_of(c, 0, 2)->is_mate);
    run_for(c, 3000);
    assert_true(is_full(c));
    cluster_free(c);
}

static bool has_addr(const struct member *m, const struct addr *addr)
{
    for (uint32_t i = 0; i < m->addr_count; i++) {
        const struct member_addr own = member_addr_at(m, i);
        if (addr_equal(&own.addr, addr)) {
            return true;
        }
    }
    return false;
}

static void an_own_address_takes_two_witnesses_where_there_are_two(void **state)
{
    (void)state;
    for (uint32_t count = 2; count <= 4; count++) {
        struct cluster *c = cluster_new(12);
        c->is_many_hosts = true;
        for (uint32_t i = 0; i < count; i++) {
            (void)cluster_start(c);
        }
        hint_all(c);
        (void)wait_full(c, 5000);
        run_for(c, 2000);
        struct swim *s = c->nodes[0].swim;
        const struct addr false_addr = node_addr(c, 100);
        for (uint32_t i = 0; i < 3; i++) {
            swim_seen_as(s, &false_addr, member_of(c, 0, 1), c->now_us);
        }
        assert_int_equal(has_addr(swim_self(s), &false_addr), count == 2);
        if (count > 2) {
            swim_seen_as(s, &false_addr, member_of(c, 0, 2), c->now_us);
        }
        assert_true(has_addr(swim_self(s), &false_addr));
        cluster_free(c);
    }
}

/* An ack that repeats no number of ours may be anybody's. */
static void who_answers_what_was_not_asked_is_no_witness(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(13);
    c->is_many_hosts = true;
    (void)cluster_start(c);
    (void)cluster_start(c);
    hint_all(c);
    (void)wait_full(c, 5000);
    run_for(c, 2000);
    const struct packet p = {
        .kind = PACKET_ACK,
        .seq = 77,
        .has_seen_as = true,
        .seen_as = node_addr(c, 100),
    };
    forge_packet(c, 0, 1, p);
    assert_false(has_addr(swim_self(c->nodes[0].swim), &p.seen_as));
    cluster_free(c);
}

/* Its own word gives its address, or a page from another member. */
static void cards_of_anybody_add_no_address_to_who_lives(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct cluster *c = cluster_new(9);
    for (uint32_t i = 0; i < MANY; i++) {
        (void)cluster_start(c);
        hint(c, i, &c->nodes[i - i % 4].addr);
        hint(c, i, &c->nodes[0].addr);
    }
    (void)wait_full(c, 5000);
    uint32_t unmet = 0;
    for (uint32_t of = 1; of < MANY; of++) {
        const struct member *m = member_of(c, 0, of);
        const uint32_t held = m->addr_count;
        unmet += !m->has_answered;
        struct member_card card;
        uint8_t bytes[CARD_WIRE_MAX];
        member_card(m, &card);
        card.addr_count = MEMBER_ADDRS_MAX;
        for (uint32_t i = 0; i < MEMBER_ADDRS_MAX; i++) {
            card.addrs[i] =
                (struct member_addr){.scope = SCOPE_GLOBAL, .addr = node_addr(c, MANY + i)};
        }
        struct cursor w = cursor_writer(bytes, sizeof(bytes));
        member_card_write(&w, &card);
        const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
        forge(c, 0, of == 2 ? 3 : 2, PACKET_GOSSIP, &e, 1);
        assert_int_equal(member_of(c, 0, of)->addr_count, held);
        forge(c, 0, of, PACKET_GOSSIP, &e, 1);
        assert_int_equal(member_of(c, 0, of)->addr_count, held);
    }
    assert_int_not_equal(unmet, 0);
    cluster_free(c);
}

/* The numbers of its last answers, which somebody has recorded, say nothing more of it. */
static void recorded_answers_keep_no_dead_member(void **state)
{
    (void)state;
    enum { NODES = 5, LIFE_MS = 5000 };
    struct cluster *c = cluster_formed(11, NODES, false);
    uint32_t seqs[NODES][PROBE_TRIES_MAX] = {{0}};
    run_for(c, 2500);
    for (uint32_t at = 1; at < NODES; at++) {
        const struct swim_probe_state *st = member_of(c, at, 0)->probe;
        for (uint32_t i = 0; st != NULL && i < PROBE_TRIES_MAX; i++) {
            seqs[at][i] = st->tries[i].seq;
        }
    }
    c->has_refusals = false;
    kill_node(c, 0);
    uint32_t ms = 0;
    for (; ms < LIFE_MS && !is_gone(c, 0); ms += 5) {
        for (uint32_t at = 1; at < NODES; at++) {
            const uint32_t seq = seqs[at][ms / 5 % PROBE_TRIES_MAX];
            if (seq != 0) {
                forge_packet(c, at, 0, (struct packet){.kind = PACKET_ACK, .seq = seq});
                forge_packet(c, at, 0,
                             (struct packet){.kind = PACKET_COOKIE, .seq = seq, .cookie = 1});
            }
        }
        run_for(c, 5);
    }
    assert_true(is_gone(c, 0));
    assert_in_range(ms, 1000, LIFE_MS - 1);
    cluster_free(c);
}

/* Nor does it say anew how far away it is, or that datagrams come from there. */
static void a_recorded_cookie_measures_no_round_trip(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(12, 2, false);
    run_for(c, 2500);
    const struct member *m = member_of(c, 0, 1);
    const uint32_t near_us = m->rtt_us;
    cut(c, 0, 1, true);
    for (uint32_t ms = 0; ms < 2000 && (m->probe == NULL || !m->probe->is_open); ms++) {
        run_for(c, 1);
    }
    assert_true(m->probe->is_open);
    const struct packet cookie = {
        .kind = PACKET_COOKIE,
        .seq = m->probe->tries[(m->probe->try_count - 1) % PROBE_TRIES_MAX].seq,
        .cookie = 1,
    };
    assert_int_equal(m->misses, 1);
    run_for(c, 20);
    forge_packet(c, 0, 1, cookie); /* this one it may have sent */
    const uint32_t rtt_us = m->rtt_us;
    assert_true(rtt_us > near_us);
    assert_int_equal(m->misses, 0);
    for (uint32_t ms = 0; ms < 2000 && m->misses == 0; ms++) {
        run_for(c, 1);
    }
    assert_int_equal(m->misses, 1);
    forge_packet(c, 0, 1, cookie);
    assert_int_equal(m->rtt_us, rtt_us);
    assert_int_equal(m->misses, 1);
    cluster_free(c);
}

/* Its own answer, or its word with our cookie, gives its condition: no other word steers anything.
 */
static void a_ping_in_a_members_name_changes_none_of_its_flags(void **state)
{
    (void)state;
    struct cluster *c = cluster_formed(50, 3, false);
    run_for(c, 3000);
    const uint32_t flags = member_of(c, 0, 2)->flags;
    assert_int_equal(flags, MEMBER_HAS_CLOCK | MEMBER_IS_CAUGHT_UP);
    forge(c, 0, 2, PACKET_PING, NULL, 0);
    assert_int_equal(member_of(c, 0, 2)->flags, flags);
    forge(c, 0, 2, PACKET_ACK, NULL, 0);
    assert_int_equal(member_of(c, 0, 2)->flags, flags);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_own_address_takes_two_witnesses_where_there_are_two),
        cmocka_unit_test(who_answers_what_was_not_asked_is_no_witness),
        cmocka_unit_test(cards_of_nobody_make_no_members),
        cmocka_unit_test(cards_of_nobody_do_not_make_a_death_wait),
        cmocka_unit_test(one_who_is_named_is_a_member_once_a_page_says_so),
        cmocka_unit_test(few_of_those_named_are_asked_at_a_time),
        cmocka_unit_test(a_lone_node_is_alone_whatever_it_is_told),
        cmocka_unit_test(nobody_who_has_answered_was_where_this_node_is),
        cmocka_unit_test(an_address_that_proved_nothing_proves_no_end),
        cmocka_unit_test(a_member_without_an_address_dies),
        cmocka_unit_test(what_others_say_changes_neither_a_members_number_nor_its_enclave),
        cmocka_unit_test(cards_of_anybody_add_no_address_to_who_lives),
        cmocka_unit_test(recorded_answers_keep_no_dead_member),
        cmocka_unit_test(a_recorded_cookie_measures_no_round_trip),
        cmocka_unit_test(a_ping_in_a_members_name_changes_none_of_its_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
