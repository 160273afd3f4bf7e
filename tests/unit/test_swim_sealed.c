/* How nodes with keys meet and stay together: rings that change, what is lost. (INTROs:
 * test_swim_intro.c.) */
#include "sealed_rig.h"

#include "gossip/membership/packet_out.h"
#include "gossip/membership/refusal.h"
#include "gossip/membership/swim_state.h"

static bool has_name_in_clear;

static bool look_for_names(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)c;
    (void)from;
    has_name_in_clear = has_name_in_clear || memmem(f->data, f->len, "node-", 5) != NULL ||
                        (f->data[KEY_AT] == 0 && f->data[KEY_AT + 1] == 0);
    return true;
}

static void sealed_nodes_meet_as_fast_as_open_ones_and_nothing_is_in_clear(void **state)
{
    (void)state;
    uint64_t open_ms = 0, sealed_ms = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster *c = sealed_new(seed, 8, NULL);
        hint_all(c);
        open_ms += wait_full(c, 5000);
        cluster_free(c);
        c = sealed_new(seed, 8, "A");
        has_name_in_clear = false;
        c->on_datagram = look_for_names;
        hint_all(c);
        sealed_ms += wait_full(c, 5000);
        run_for(c, 5000);
        assert_false(has_name_in_clear);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
    assert_in_range(sealed_ms, 1, open_ms + open_ms / 5 + 25);
}

static void same_secret_other_network_is_stranger(void **state)
{
    (void)state;
    struct cluster *c = sealed_formed(2, 2, "A");
    const uint32_t other = cluster_start_at(c, 2, "another", "node-2");
    hint(c, other, &c->nodes[0].addr);
    hint(c, 0, &c->nodes[other].addr);
    run_for(c, 3000);
    assert_int_equal(c->nodes[0].strangers, 1);
    assert_int_equal(c->nodes[other].strangers, 1);
    assert_int_equal(swim_counts(c->nodes[other].swim).alive, 0);
    assert_int_equal(swim_counts(c->nodes[0].swim).alive, 1);
    cluster_free(c);
}

/* ---- Rings that change ---- */

static void who_shares_a_key_meets_and_others_do_not(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool meet;
    } cases[] = {
        {"A", "A", true},    {"A", "B", false},  {"AB", "B", true},  {"AB", "BA", true},
        {"B", "AB", true},   {"AO", "O", true},  {"OA", "", true},   {"", "AO", true},
        {"OA", "A", true},   {"AO", "A", true},  {"A", "", false},   {"ABCD", "D", true},
        {"D", "ABCD", true}, {"OA", "OB", true}, {"AO", "BO", true}, {"AB", "CD", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cluster *c = sealed_new(10 + i, 2, NULL);
        set_ring(c, 0, cases[i].a);
        set_ring(c, 1, cases[i].b);
        c->has_links = true;
        c->tcp_cut[0][1] = c->tcp_cut[1][0] = true;
        for (uint32_t round = 0; round < 2; round++) {
            hint(c, 0, &c->nodes[1].addr);
            run_for(c, 3000);
        }
        if (is_full(c) != cases[i].meet) {
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        }
        run_for(c, 10000);
        assert_int_equal(is_full(c), cases[i].meet);
        assert_int_equal(c->false_deaths, 0);
        cluster_free(c);
    }
}

/* Each node gets the rings one after the other, in an order and at times of its own, but all have
 * one before any gets the next. */
static void step_through(struct cluster *c, const char *const *rings, uint32_t ring_count)
{
    for (uint32_t r = 0; r < ring_count; r++) {
        uint32_t order[NODES_MAX];
        for (uint32_t i = 0; i < c->count; i++) {
            const uint32_t at = (uint32_t)rng_below(&c->rng, i + 1);
            order[i] = order[at];
            order[at] = i;
        }
        for (uint32_t i = 0; i < c->count; i++) {
            set_ring(c, order[i], rings[r]);
            drain(c, order[i]);
            run_for(c, rng_below(&c->rng, 700));
        }
        run_for(c, 3000);
        assert_true(is_full(c));
    }
    assert_int_equal(c->false_deaths, 0);
}

static uint32_t lacking_first(const struct cluster *c)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < c->count; at++) {
        for (uint32_t of = 0; of < c->count; of++) {
            count +=
                of != at && !sealing_has(swim_sealing(c->nodes[at].swim), member_of(c, at, of), 0);
        }
    }
    return count;
}

static void hup_in_any_order_and_all_at_once(void **state)
{
    (void)state;
    static const char *const rings[] = {"AB", "BA", "B"};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct cluster *c = sealed_formed(seed, 6, "A");
        step_through(c, rings, 3);
        assert_int_equal(lacking_first(c), 0);
        /* All at once, and even to a ring that shares nothing with the one before. */
        for (uint32_t i = 0; i < c->count; i++) {
            set_ring(c, i, "C");
            drain(c, i);
        }
        run_for(c, 5000);
        assert_true(is_full(c));
        assert_int_equal(c->false_deaths, 0);
        assert_int_equal(lacking_first(c), 0);
        cluster_free(c);
    }
}

static void from_open_to_sealed_and_back_nobody_dies(void **state)
{
    (void)state;
    static const char *const rings[] = {"OA", "AO", "A", "AO", "OA", ""};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct cluster *c = sealed_formed(seed, 6, NULL);
        c->loss_percent = seed == 3 ? 5 : 0;
        step_through(c, rings, 3);
        for (uint32_t i = 0; i < c->count; i++) {
            assert_int_equal(swim_sealing(c->nodes[i].swim)->state, SEALING_SEALED);
        }
        step_through(c, rings + 3, 3);
        cluster_free(c);
    }
}

static void skipped_step_only_delays(void **state)
{
    (void)state;
    /* Node 3 sleeps through each first step, and has the next one at once. */
    static const char *const others[] = {"AB", "BA", "B"};
    struct cluster *c = sealed_formed(7, 5, "A");
    for (uint32_t r = 0; r < 3; r++) {
        for (uint32_t i = 0; i < c->count; i++) {
            if (i != 3 || r == 1) {
                set_ring(c, i, others[r]);
                drain(c, i);
                run_for(c, 200);
            }
        }
        run_for(c, 3000);
        assert_true(is_full(c));
    }
    /* From B,A to B last, while the others have removed A long since. */
    set_ring(c, 3, "B");
    drain(c, 3);
    run_for(c, 3000);
    assert_true(is_full(c));
    assert_int_equal(c->false_deaths, 0);
    assert_int_equal(lacking_first(c), 0);
    cluster_free(c);
}

static void a_member_that_skips_ahead_is_written_to_with_what_it_uses(void **state)
{
    (void)state;
    struct cluster *c = sealed_formed(8, 4, "AB");
    set_ring(c, 2, "B"); /* the others' cards of it still name A, which is their first */
    drain(c, 2);
    run_for(c, 5000);
    assert_true(is_full(c));
    assert_int_equal(c->false_deaths, 0);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct sealing *x = swim_sealing(c->nodes[i].swim);
        const uint16_t b = swim_sealing(c->nodes[2].swim)->ring.keys[0].id;
        assert_true(i == 2 || sealing_key_to(x, member_of(c, i, 2)) == b);
    }
    cluster_free(c);
}

/* ---- What is lost ---- */

static bool drop_short_to_0(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)c;
    (void)from;
    return f->to != 0 || (f->data[FLAGS_AT] & FLAG_LONG) != 0;
}

static void lost_tag_is_no_death(void **state)
{
    (void)state;
    /* Node 0 opens nothing with a short header, as if it had lost everybody's tag. */
    struct cluster *c = sealed_formed(9, 5, "A");
    run_for(c, 5000);
    c->on_datagram = drop_short_to_0;
    run_for(c, 60000);
    assert_int_equal(c->false_deaths, 0);
    assert_true(is_full(c));
    for (uint32_t i = 1; i < c->count; i++) {
        assert_int_equal(c->nodes[i].counters.suspicions, 0);
    }
    cluster_free(c);
}

static void who_has_lost_our_tag_is_asked_at_once_with_the_long_header(void **state)
{
    (void)state;
    struct cluster *c = sealed_formed(14, 2, "A");
    run_for(c, 3000);
    struct member *m = member_of(c, 1, 0);
    assert_true(m->knows_us);
    c->udp_cut[0][1] = true; /* its answers are lost */
    start_recording(c, 1, 0);
    while (m->probe == NULL || !m->probe->is_open) {
        run_for(c, 10);
    }
    assert_int_equal(recorded[recorded_count - 1].data[FLAGS_AT] & FLAG_LONG, 0);
    const struct probe_try *t = &m->probe->tries[(m->probe->try_count - 1) % PROBE_TRIES_MAX];
    const uint32_t before = recorded_count;
    refusal_unread(c->nodes[1].swim, &t->to, m, t->mark + 1); /* of another datagram */
    assert_true(m->knows_us);
    refusal_unread(c->nodes[1].swim, &t->to, m, t->mark);
    swim_tick(c->nodes[1].swim, c->now_us, c->now_us);
    drain(c, 1);
    assert_false(m->knows_us);
    assert_int_equal(recorded_count, before + 1);
    assert_int_equal(recorded[before].data[FLAGS_AT] & FLAG_LONG, FLAG_LONG);
    assert_int_equal(m->state, MEMBER_ALIVE);
    c->udp_cut[0][1] = false;
    run_for(c, 3000);
    assert_true(m->knows_us);
    assert_int_equal(c->nodes[1].counters.suspicions, 0);
    cluster_free(c);
}

static void what_does_not_open_is_answered_within_a_budget_and_by_no_more(void **state)
{
    (void)state;
    struct cluster *c = sealed_formed(15, 2, "A");
    start_recording(c, 1, 0);
    c->on_datagram = record_and_drop;
    run_for(c, 700);
    c->on_datagram = NULL;
    c->has_refusals = false;
    c->bytes_elsewhere = c->datagrams_elsewhere = 0;
    struct flight *f = &recorded[0];
    for (uint32_t i = 1; i < recorded_count; i++) {
        f = recorded[i].len > f->len ? &recorded[i] : f;
    }
    f->data[f->len - 1] ^= 1;
    const uint8_t net[4] = {10, 9, 9, 0};
    for (uint32_t second = 1; second <= 2; second++) {
        for (uint8_t i = 0; i < 100; i++) {
            struct addr from = addr_v4(net, 99);
            from.ip[15] = i;
            bring(c, 0, &from, f->data, f->len);
        }
        assert_int_equal(c->datagrams_elsewhere, second * BUDGET_NET_FAILED);
        run_for(c, BUDGET_PERIOD_US / MS);
    }
    assert_true(c->bytes_elsewhere <= c->datagrams_elsewhere * f->len);
    /* What is shorter than the answer gets none. */
    const struct addr other = addr_v4(elsewhere, 99);
    const uint32_t before = c->datagrams_elsewhere;
    bring(c, 0, &other, f->data, PACKET_LONG_BYTES + 1 + 4 + SEAL_TAG_BYTES - 1);
    assert_int_equal(c->datagrams_elsewhere, before);
    bring(c, 0, &other, f->data, PACKET_LONG_BYTES + 1 + 4 + SEAL_TAG_BYTES);
    assert_int_equal(c->datagrams_elsewhere, before + 1);
    cluster_free(c);
}

static size_t longest;

static bool measure(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)c;
    (void)from;
    longest = f->len > longest ? f->len : longest;
    return true;
}

static void a_full_datagram_has_room_for_its_seal(void **state)
{
    (void)state;
    struct cluster *c = sealed_new(16, 40, "ABCD");
    longest = 0;
    c->on_datagram = measure;
    for (uint32_t i = 1; i < c->count; i++) {
        hint(c, i, &c->nodes[0].addr);
    }
    (void)wait_full(c, 10000);
    assert_in_range(longest, DATAGRAM_BYTES_MAX - 100, DATAGRAM_BYTES_MAX);
    const size_t sealed = packet_out_entries_max(c->nodes[0].swim);
    set_ring(c, 0, "");
    assert_int_equal(packet_out_entries_max(c->nodes[0].swim), sealed + SEAL_TAG_BYTES);
    cluster_free(c);
}

/* How long all hold a node for alive after it was replaced by another on its port. */
static uint64_t replaced_ms(uint64_t seed, const char *ring, bool is_hinted)
{
    struct cluster *c = sealed_formed(seed, 6, ring);
    run_for(c, 3000);
    kill_node(c, 2);
    const uint32_t child = cluster_start_at(c, 2, "private", "node-2");
    for (uint32_t i = 0; is_hinted && i < c->count; i++) {
        hint(c, child, &c->nodes[i].addr);
    }
    const uint64_t ms = wait_gone(c, 2, 10000);
    assert_int_equal(c->false_deaths, 0);
    cluster_free(c);
    return ms;
}

static void restarted_child_on_the_old_port_is_noticed_as_fast_as_open(void **state)
{
    (void)state;
    for (uint32_t hinted = 0; hinted < 2; hinted++) {
        uint64_t open_ms = 0, sealed_ms = 0;
        for (uint64_t seed = 1; seed <= 8; seed++) {
            open_ms += replaced_ms(seed, NULL, hinted == 1);
            sealed_ms += replaced_ms(seed, "A", hinted == 1);
        }
        assert_in_range(sealed_ms, 1, open_ms + open_ms / 5);
    }
}

static void what_comes_by_a_link_has_no_seal(void **state)
{
    (void)state;
    struct cluster *c = sealed_new(12, 2, "A");
    c->has_links = true;
    c->udp_cut[0][1] = c->udp_cut[1][0] = true;
    hint_all(c);
    (void)wait_full(c, 20000);
    run_for(c, 10000);
    assert_true(is_full(c));
    assert_true(c->bytes_by_link > 0);
    struct member *via = member_of(c, 0, 1);
    uint8_t data[PACKET_SHORT_BYTES + SEAL_TAG_BYTES + 1] = {PROTOCOL_VERSION_MAX};
    struct cursor w = cursor_writer(data + KEY_AT, 6);
    cursor_put_u16(&w, swim_sealing(c->nodes[0].swim)->ring.keys[0].id);
    cursor_put_u32(&w, via->tag);
    const uint64_t malformed = c->nodes[0].counters.datagrams_malformed;
    swim_packet(c->nodes[0].swim, NULL, via, data, sizeof(data), c->now_us);
    assert_int_equal(c->nodes[0].counters.datagrams_malformed, malformed + 1);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_nodes_meet_as_fast_as_open_ones_and_nothing_is_in_clear),
        cmocka_unit_test(same_secret_other_network_is_stranger),
        cmocka_unit_test(who_shares_a_key_meets_and_others_do_not),
        cmocka_unit_test(hup_in_any_order_and_all_at_once),
        cmocka_unit_test(from_open_to_sealed_and_back_nobody_dies),
        cmocka_unit_test(skipped_step_only_delays),
        cmocka_unit_test(a_member_that_skips_ahead_is_written_to_with_what_it_uses),
        cmocka_unit_test(lost_tag_is_no_death),
        cmocka_unit_test(who_has_lost_our_tag_is_asked_at_once_with_the_long_header),
        cmocka_unit_test(what_does_not_open_is_answered_within_a_budget_and_by_no_more),
        cmocka_unit_test(a_full_datagram_has_room_for_its_seal),
        cmocka_unit_test(restarted_child_on_the_old_port_is_noticed_as_fast_as_open),
        cmocka_unit_test(what_comes_by_a_link_has_no_seal),
    };
    return cmocka_run_group_tests(tests, sealed_set_up, sealed_tear_down);
}
