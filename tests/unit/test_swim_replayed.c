/* What was recorded on the way and comes once more, or changed, to whomever. */
#include "sealed_rig.h"

/* A cluster of three, of which some seconds from node 1 to node 0 were recorded. */
static struct cluster *recorded_cluster(uint64_t seed)
{
    struct cluster *c = sealed_new(seed, 3, "A");
    start_recording(c, 1, 0);
    hint_all(c);
    (void)wait_full(c, 5000);
    run_for(c, 20000);
    c->on_datagram = NULL;
    assert_in_range(recorded_count, 20, RECORDED_MAX - 1);
    return c;
}

/* What node `at` answered is on its way in this network; it counts what it has sent. */
static uint64_t sent(const struct cluster *c, uint32_t at)
{
    return c->nodes[at].counters.datagrams_out;
}

static void replay_to_the_same_receiver_is_known_as_such(void **state)
{
    (void)state;
    struct cluster *c = recorded_cluster(1);
    const uint64_t digest = swim_digest(c->nodes[0].swim), before = sent(c, 0);
    const uint64_t vitals = c->nodes[0].vitals_seen;
    replay(c, 0);
    assert_int_equal(refused(c, 0, SEALING_REFUSED_REPLAY), recorded_count);
    assert_int_equal(c->nodes[0].vitals_seen, vitals);
    assert_int_equal(swim_digest(c->nodes[0].swim), digest);
    assert_int_equal(sent(c, 0), before);
    cluster_free(c);
}

static void replay_to_another_does_not_open(void **state)
{
    (void)state;
    struct cluster *c = recorded_cluster(2);
    const uint64_t digest = swim_digest(c->nodes[2].swim);
    const uint64_t vitals = c->nodes[2].vitals_seen;
    replay(c, 2);
    assert_int_equal(refused(c, 2, SEALING_REFUSED_FORGED), recorded_pairs());
    assert_int_equal(c->nodes[2].vitals_seen, vitals);
    run_for(c, 5000); /* it told node 1 of what it could not open, which no ping of it was */
    assert_int_equal(swim_digest(c->nodes[2].swim), digest);
    assert_true(is_full(c));
    for (uint32_t i = 0; i < c->count; i++) {
        assert_int_equal(c->nodes[i].counters.suspicions, 0);
    }
    cluster_free(c);
}

static void replay_after_the_receivers_restart_does_not_open(void **state)
{
    (void)state;
    struct cluster *c = recorded_cluster(3);
    kill_node(c, 0);
    const uint32_t again = cluster_start_at(c, 0, "private", "node-0");
    replay(c, again);
    assert_int_equal(refused(c, again, SEALING_REFUSED_FORGED) +
                         refused(c, again, SEALING_REFUSED_SENDER),
                     recorded_pairs());
    assert_int_equal(swim_counts(c->nodes[again].swim).alive, 0);
    assert_int_equal(swim_counts(c->nodes[again].swim).named, 0);
    assert_int_equal(swim_sealing(c->nodes[again].swim)->windows.count, 0);
    cluster_free(c);
}

static void replay_after_the_senders_restart_revives_nobody(void **state)
{
    (void)state;
    struct cluster *c = recorded_cluster(4);
    kill_node(c, 1);
    const uint32_t again = cluster_start_at(c, 1, "private", "node-1");
    hint(c, again, &c->nodes[0].addr);
    (void)wait_gone(c, 1, 10000);
    (void)wait_full(c, 10000);
    const uint64_t before = refused(c, 0, SEALING_REFUSED_REPLAY);
    replay(c, 0);
    run_for(c, 1000);
    assert_int_equal(refused(c, 0, SEALING_REFUSED_REPLAY) - before, recorded_count);
    assert_int_equal(member_of(c, 0, 1)->state, MEMBER_DEAD);
    assert_true(is_full(c));
    cluster_free(c);
}

static void an_old_word_that_another_is_there_proves_nothing(void **state)
{
    (void)state;
    /* Node 2 takes the place of node 1, and tells node 0 that it opens nothing that was for that
     * one. Then node 3 takes the place, and what node 2 said comes again. */
    struct cluster *c = sealed_formed(5, 2, "A");
    kill_node(c, 1);
    const uint32_t second = cluster_start_at(c, 1, "private", "node-1");
    start_recording(c, second, 0);
    hint(c, second, &c->nodes[0].addr);
    (void)wait_gone(c, 1, 10000);
    (void)wait_full(c, 10000);
    kill_node(c, second);
    c->on_datagram = NULL;
    const uint32_t third = cluster_start_at(c, 1, "private", "node-1");
    hint(c, third, &c->nodes[0].addr);
    (void)wait_gone(c, second, 10000);
    (void)wait_full(c, 10000);
    uint32_t for_anybody = 0;
    for (uint32_t i = 0; i < recorded_count; i++) {
        for_anybody += is_intro(&recorded[i]);
    }
    assert_true(for_anybody > 1);
    const uint64_t suspicions = c->nodes[0].counters.suspicions;
    uint64_t probes = c->nodes[0].counters.probes_sent;
    replay(c, 0);
    assert_int_equal(c->nodes[0].counters.probes_sent, probes);
    /* Nor while a ping is out that nobody has acked yet. */
    c->udp_cut[0][third] = true;
    for (uint32_t i = 0; i < 300 && c->nodes[0].counters.probes_sent == probes; i++) {
        run_for(c, 10);
    }
    assert_int_equal(c->nodes[0].counters.probes_sent, probes + 1);
    for (uint32_t i = 0; i < 6; i++) {
        replay(c, 0);
        run_for(c, 60);
    }
    c->udp_cut[0][third] = false;
    run_for(c, 3000);
    assert_int_equal(c->nodes[0].counters.suspicions, suspicions);
    assert_true(is_full(c));
    cluster_free(c);
}

static void counter_not_reset_when_member_is_forgotten(void **state)
{
    (void)state;
    /* Node 1 sleeps until node 0 has forgotten it, and remembers all itself. Had node 0 begun its
     * counter anew, or forgotten what it has had of node 1, they would not go on so. */
    enum { HOURS = 25, HOUR_MS = 3600 * 1000 };
    struct cluster *c = sealed_new(6, 2, "A");
    start_recording(c, 1, 0);
    hint_all(c);
    (void)wait_full(c, 5000);
    run_for(c, 5000);
    c->on_datagram = NULL;
    const uint64_t before = refused(c, 0, SEALING_REFUSED_REPLAY);
    c->udp_cut[0][1] = true;
    c->nodes[1].paused_until_us = c->now_us + (uint64_t)HOURS * HOUR_MS * MS;
    c->false_deaths = 0;
    run_for(c, (uint64_t)HOURS * HOUR_MS - 1000);
    assert_null(member_of(c, 0, 1));
    replay(c, 0);
    const uint64_t again = refused(c, 0, SEALING_REFUSED_REPLAY) - before;
    assert_int_equal(again + refused(c, 0, SEALING_REFUSED_SENDER), recorded_count);
    assert_true(again > 0); /* those with a long header, which says who */
    assert_null(member_of(c, 0, 1));
    c->udp_cut[0][1] = false;
    run_for(c, 2000);
    hint(c, 1, &c->nodes[0].addr);
    hint(c, 0, &c->nodes[1].addr);
    (void)wait_full(c, 30000);
    assert_int_equal(refused(c, 1, SEALING_REFUSED_REPLAY), 0);
    cluster_free(c);
}

static bool is_held_back;

/* Keeps the next short datagram and the next long one from node 1 to node 0, which gets none of
 * either until there are both. */
static bool hold_back(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)c;
    const uint32_t place = f->data[FLAGS_AT] & FLAG_LONG;
    if (from != 1 || f->to != 0 || is_intro(f) || is_held_back) {
        return true;
    }
    recorded[place] = recorded[place].len == 0 ? *f : recorded[place];
    is_held_back = recorded[0].len != 0 && recorded[1].len != 0;
    return false;
}

static void flipped_bit_in_each_header_byte(void **state)
{
    (void)state;
    struct cluster *c = sealed_formed(7, 3, "A");
    memset(recorded, 0, 2 * sizeof(recorded[0]));
    is_held_back = false;
    c->on_datagram = hold_back;
    for (uint32_t i = 0; i < 1000 && !is_held_back; i++) {
        run_for(c, 10); /* a retry of the probe whose ping was kept is long */
    }
    assert_true(is_held_back);
    c->on_datagram = NULL;
    const uint64_t digest = swim_digest(c->nodes[0].swim);
    for (uint32_t place = 0; place < 2; place++) {
        struct flight *f = &recorded[place];
        const size_t head = place == 1 ? PACKET_LONG_BYTES : PACKET_SHORT_BYTES;
        const uint64_t opened = swim_sealing(c->nodes[0].swim)->uses[0].received;
        const uint64_t vitals = c->nodes[0].vitals_seen;
        for (size_t at = 0; at < head; at++) {
            for (uint32_t bit = 0; bit < 8; bit++) {
                f->data[at] ^= (uint8_t)(1U << bit);
                bring(c, 0, &f->addr, f->data, f->len);
                f->data[at] ^= (uint8_t)(1U << bit);
            }
        }
        assert_int_equal(swim_sealing(c->nodes[0].swim)->uses[0].received, opened);
        assert_int_equal(swim_digest(c->nodes[0].swim), digest);
        assert_int_equal(c->nodes[0].vitals_seen, vitals);
        /* And no window was moved: the true one is still new, once. */
        for (uint32_t again = 0; again < 2; again++) {
            bring(c, 0, &f->addr, f->data, f->len);
            assert_int_equal(swim_sealing(c->nodes[0].swim)->uses[0].received, opened + 1);
        }
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_to_the_same_receiver_is_known_as_such),
        cmocka_unit_test(replay_to_another_does_not_open),
        cmocka_unit_test(replay_after_the_receivers_restart_does_not_open),
        cmocka_unit_test(replay_after_the_senders_restart_revives_nobody),
        cmocka_unit_test(an_old_word_that_another_is_there_proves_nothing),
        cmocka_unit_test(counter_not_reset_when_member_is_forgotten),
        cmocka_unit_test(flipped_bit_in_each_header_byte),
    };
    return cmocka_run_group_tests(tests, sealed_set_up, sealed_tear_down);
}
