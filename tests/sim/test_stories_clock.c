/* Stories of how nodes get the cluster's clock where old datagrams and slow links mislead them.
 */
#include "tests/sim/cluster.h"
#include "tests/sim/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WALL_APART_MS = 3600 * 1000 };

static int64_t clock_ms(const struct cluster *c, uint32_t node)
{
    return (int64_t)engine_clock_ms(c->nodes[node].engine, c->net.now_us);
}

/* The clock's error, in a story whose wall clocks are right: its time minus the time since the
 * start. */
static int64_t clock_error_ms(const struct cluster *c, uint32_t node)
{
    return clock_ms(c, node) - (int64_t)(CLUSTER_WALL_MS + c->net.now_us / 1000);
}

/* The cluster restarts at once, and its nodes hear old datagrams, with clocks and members that no
 * longer exist.
 */
static void old_datagrams_of_a_cluster_that_ended_found_no_clocks_apart(void **state)
{
    (void)state;
    enum { NODES = 12, SEEDS = 20 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct cluster *c = cluster_new(NODES, seed);
        c->order = CONTACTS_RANDOM;
        c->contacts = 3;
        c->replay_ppm = 100000;
        for (uint32_t i = 0; i < NODES; i++) {
            c->nodes[i].wall_offset_ms = (int64_t)(i * 7 % NODES) * WALL_APART_MS;
        }
        cluster_start_all(c);
        assert_true(cluster_wait_ready(c, 6000));
        for (uint32_t i = 0; i < NODES; i++) {
            cluster_kill(c, i);
        }
        cluster_start_all(c);
        assert_true(cluster_wait_ready(c, 12000));
        for (uint32_t i = 1; i < NODES; i++) {
            assert_in_range(clock_ms(c, i) - clock_ms(c, 0) + 1000, 0, 2000);
        }
        cluster_free(c);
    }
}

/* Nobody answers for a member that only a rumour knows: the cluster does not wait for it for long.
 */
static void a_rumour_of_somebody_gone_holds_up_no_founding(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(4, 5);
    c->replay_ppm = 500000;
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 4000));
    for (uint32_t i = 0; i < 4; i++) {
        cluster_crash_silently(c, i);
    }
    cluster_start(c, 1);
    cluster_start(c, 2);
    assert_true(cluster_wait_ready(c, 12000));
    cluster_free(c);
}

/* A loss delays a stream by 200 ms and more, one way. A node that takes such an answer for the time
 * is wrong by half of that; it joins, leads, and hands the error on. */
static void links_that_stall_make_no_wrong_clocks(void **state)
{
    (void)state;
    enum { NODES = 6, RESTARTS = 3 * NODES, ALLOWED_MS = 250 };
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct cluster *c = cluster_new(NODES, seed);
        c->stream_loss_ppm = 250000;
        c->barrier.everywhere = BLOCK_UDP;
        cluster_start_all(c);
        assert_true(cluster_wait_ready(c, 30000));
        for (uint32_t turn = 0; turn < RESTARTS; turn++) {
            cluster_kill(c, turn % NODES);
            cluster_run_for(c, 1000);
            cluster_start(c, turn % NODES);
            assert_true(cluster_wait_ready(c, 60000));
            assert_in_range(clock_error_ms(c, turn % NODES) + ALLOWED_MS, 0, 2 * ALLOWED_MS);
        }
        cluster_free(c);
    }
}

/* Nobody can have founded it within the first seconds, so there is hardly anything to ask for. */
static void many_that_start_at_once_ask_seldom(void **state)
{
    (void)state;
    /* Datagrams of a node in two seconds; 8 are the failure detector's. */
    enum { NODES = 100, EACH_MAX = 30 };
    struct cluster *c = cluster_new(NODES, 1);
    c->enclave_size = 1;
    cluster_start_all(c);
    cluster_run_for(c, 1000);
    assert_true(cluster_has_full_view(c));
    assert_int_equal(c->nodes[0].notices[NOTICE_CLOCK_SET], 0);
    const uint64_t before = c->traffic.datagrams;
    cluster_run_for(c, 2000);
    assert_in_range(c->traffic.datagrams - before, NODES, EACH_MAX * NODES);
    assert_true(cluster_wait_ready(c, 3000));
    for (uint32_t i = 1; i < NODES; i++) {
        assert_in_range(clock_ms(c, i) - clock_ms(c, 0) + 10, 0, 20);
    }
    cluster_free(c);
}

/* ---- Clocks that were founded apart ---- */

enum { LONER = 3, NEWCOMER = 4, ORDERS = 6 };

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define TEN_YEARS_MS (INT64_C(10) * 365 * 24 * 60 * MINUTE_MS)

static enum rc get(struct cluster *c, uint32_t node, const char *key)
{
    struct record r;
    return engine_get(c->nodes[node].engine, (const uint8_t *)key, strlen(key),
                      stage_now_us(c, node), &r);
}

/* What passes between a node and all others. */
static void set_ways(struct cluster *c, uint32_t node, uint8_t blocked)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (i != node) {
            cluster_block(c, i, node, blocked);
            cluster_block(c, node, i, blocked);
        }
    }
}

/* Three healthy nodes, and a fourth that was started alone with a wrong wall clock and holds a key
 * of its own. */
static struct cluster *with_a_loner(uint64_t seed, int64_t wrong_ms, bool has_records)
{
    struct cluster *c = cluster_new(NEWCOMER + 1, seed);
    uint32_t have = 0;
    c->nodes[LONER].wall_offset_ms = wrong_ms;
    set_ways(c, LONER, BLOCK_ALL);
    for (uint32_t i = 0; i <= LONER; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_ready(c, 6000));
    cluster_run_for(c, SECOND_MS);
    if (has_records) {
        const uint64_t put = cluster_put(c, 0, "healthy", "v", 10 * MINUTE_MS);
        assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    }
    const uint64_t put = cluster_put(c, LONER, "lonely", "v", 10 * MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    return c;
}

/* Whether the loner's uuid would make its clock lead. */
static bool is_loner_first(const struct cluster *c)
{
    bool is_first = true;
    for (uint32_t i = 0; i < LONER; i++) {
        is_first = is_first && uuid_compare(&c->nodes[LONER].uuid, &c->nodes[i].uuid) < 0;
    }
    return is_first;
}

static void let_in(struct cluster *c, uint8_t blocked)
{
    set_ways(c, LONER, blocked);
    cluster_run_for(c, 40 * SECOND_MS);
    assert_int_equal(cluster_view(c, 0, LONER), MEMBER_ALIVE);
}

static void assert_right_clock(const struct cluster *c, uint32_t node)
{
    assert_in_range(clock_error_ms(c, node) + 20, 0, 40);
}

/* The newcomer takes the clock and the data of the three, and nothing from the loner. */
static void a_newcomer_takes_clock_and_data_of_the_many_and_not_of_a_loner(void **state)
{
    (void)state;
    static const int64_t wrong_ms[] = {-120 * SECOND_MS, 300 * SECOND_MS};
    uint32_t first = 0;
    for (uint64_t seed = 1; seed <= (uint64_t)4 * ORDERS; seed++) {
        struct cluster *c = with_a_loner(seed, wrong_ms[seed % 2], true);
        first += is_loner_first(c);
        let_in(c, 0);
        assert_int_not_equal(c->nodes[0].notices[NOTICE_CLOCK_CONFLICT], 0);
        assert_int_not_equal(c->nodes[LONER].notices[NOTICE_CLOCK_CONFLICT], 0);
        assert_int_not_equal(cluster_put(c, 0, "short", "v", 5000), UINT64_MAX);
        cluster_run_for(c, SECOND_MS);
        cluster_start(c, NEWCOMER);
        assert_true(cluster_wait_ready(c, 3000));
        assert_right_clock(c, NEWCOMER);
        assert_int_equal(get(c, NEWCOMER, "healthy"), RC_OK);
        assert_int_equal(get(c, NEWCOMER, "lonely"), RC_NOT_FOUND);
        cluster_run_for(c, 5000);
        assert_int_equal(get(c, NEWCOMER, "short"), RC_NOT_FOUND);
        cluster_run_for(c, MINUTE_MS);
        for (uint32_t i = 0; i <= NEWCOMER; i++) {
            assert_int_equal(get(c, i, "lonely"), i == LONER ? RC_OK : RC_NOT_FOUND);
        }
        cluster_free(c);
    }
    assert_in_range(first, ORDERS / 2, (uint64_t)3 * ORDERS);
}

/* The others are farther away: they are waited for, as the loner says that they are there. */
static void a_newcomer_that_hears_the_loner_first_waits_for_the_others(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed <= ORDERS + 1; seed++) {
        struct cluster *c = with_a_loner(seed, -120 * SECOND_MS, true);
        let_in(c, 0);
        set_ways(c, NEWCOMER, BLOCK_ALL);
        cluster_block(c, LONER, NEWCOMER, 0);
        cluster_block(c, NEWCOMER, LONER, 0);
        cluster_start(c, NEWCOMER);
        cluster_run_for(c, 600);
        assert_int_equal(get(c, NEWCOMER, "lonely"), RC_JOINING);
        set_ways(c, NEWCOMER, 0);
        assert_true(cluster_wait_ready(c, 6000));
        assert_right_clock(c, NEWCOMER);
        assert_int_equal(get(c, NEWCOMER, "healthy"), RC_OK);
        assert_int_equal(get(c, NEWCOMER, "lonely"), RC_NOT_FOUND);
        cluster_free(c);
    }
}

/* Some answers are under way for longer than others: who has asked us meanwhile is waited for. */
static void a_newcomer_whose_answers_are_late_waits_for_the_others(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= (uint64_t)10 * ORDERS; seed++) {
        struct cluster *c = with_a_loner(seed, -120 * SECOND_MS, true);
        let_in(c, 0);
        c->delay_us = 1000;
        c->jitter_us = 250000;
        cluster_start(c, NEWCOMER);
        assert_true(cluster_wait_ready(c, 9000));
        assert_in_range(clock_error_ms(c, NEWCOMER) + 250, 0, 500);
        assert_int_equal(get(c, NEWCOMER, "healthy"), RC_OK);
        cluster_free(c);
    }
}

/* It has a clock and no data, as only datagrams reach it: it stays with the many. */
static void a_node_without_data_does_not_jump_to_a_loner(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ORDERS; seed++) {
        struct cluster *c = with_a_loner(seed, 300 * SECOND_MS, seed % 2 == 0);
        set_ways(c, NEWCOMER, BLOCK_TCP);
        cluster_block(c, LONER, NEWCOMER, BLOCK_ALL);
        cluster_block(c, NEWCOMER, LONER, BLOCK_ALL);
        cluster_start(c, NEWCOMER);
        cluster_run_for(c, 5000);
        assert_right_clock(c, NEWCOMER);
        set_ways(c, NEWCOMER, BLOCK_TCP);
        let_in(c, 0);
        for (uint32_t i = 0; i <= NEWCOMER; i++) {
            if (i != LONER) {
                assert_right_clock(c, i);
                assert_int_equal(get(c, i, "lonely") == RC_OK, false);
            }
        }
        cluster_free(c);
    }
}

/* No link shows it, and its uuid is the smallest: no clock follows its. */
static void a_member_ten_years_off_steers_nobody_by_datagrams(void **state)
{
    (void)state;
    uint32_t first = 0;
    for (uint64_t seed = 1; first < ORDERS; seed++) {
        struct cluster *c = with_a_loner(seed, TEN_YEARS_MS, seed % 2 == 0);
        if (is_loner_first(c)) {
            struct engine_status status;
            first++;
            let_in(c, BLOCK_TCP);
            cluster_run_for(c, MINUTE_MS);
            for (uint32_t i = 0; i < LONER; i++) {
                assert_right_clock(c, i);
                engine_status(c->nodes[i].engine, stage_now_us(c, i), &status);
                assert_in_range(status.clock_error_ms, 0, 20);
                assert_int_equal(status.clock_conflicts, 1);
                assert_int_equal(status.quorum, 2);
                assert_int_equal(c->nodes[i].notices[NOTICE_CLOCK_CONFLICT], 1);
            }
        }
        cluster_free(c);
    }
}

/* A clock that should be followed but is far off is reported. */
static void a_clock_that_is_being_slewed_says_how_far_it_is_off(void **state)
{
    (void)state;
    struct cluster *c = NULL;
    for (uint64_t seed = 1; c == NULL; seed++) {
        c = with_a_loner(seed, 30 * SECOND_MS, true);
        if (!is_loner_first(c)) {
            cluster_free(c);
            c = NULL;
        }
    }
    struct engine_status status;
    let_in(c, BLOCK_TCP);
    engine_status(c->nodes[0].engine, stage_now_us(c, 0), &status);
    assert_in_range(status.clock_error_ms, 29 * SECOND_MS, 31 * SECOND_MS);
    assert_int_equal(status.clock_conflicts, 0);
    cluster_free(c);
}

/* Two that hold nothing of each other: each counts itself alone. */
static void members_in_conflict_count_in_no_quorum(void **state)
{
    (void)state;
    struct cluster *c = with_a_loner(7, -120 * SECOND_MS, true);
    uint32_t have = 0;
    let_in(c, 0);
    uint64_t put = cluster_put(c, LONER, "more", "v", MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    assert_int_equal(c->puts[put].done.members, 1);
    put = cluster_put(c, 0, "more", "v", MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    assert_int_equal(c->puts[put].done.members, 3);
    cluster_free(c);
}

/* A side without records is judged as well: neither side may get the other's data. */
static void records_of_one_side_only_are_in_conflict_too(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= ORDERS; seed++) {
        struct cluster *c = with_a_loner(seed, 120 * SECOND_MS, false);
        let_in(c, 0);
        for (uint32_t i = 0; i < LONER; i++) {
            assert_right_clock(c, i);
            assert_int_equal(get(c, i, "lonely"), RC_NOT_FOUND);
            assert_int_not_equal(c->nodes[i].notices[NOTICE_CLOCK_CONFLICT], 0);
        }
        cluster_free(c);
    }
}

/* Nobody has a clock but the loner: it is everybody's. */
static void nodes_that_start_beside_a_loner_all_take_one_clock(void **state)
{
    (void)state;
    enum { NODES = 4 };
    for (uint64_t seed = 1; seed <= (uint64_t)2 * ORDERS; seed++) {
        struct cluster *c = cluster_new(NODES, seed);
        uint32_t have = 0;
        c->nodes[0].wall_offset_ms = -120 * SECOND_MS;
        cluster_start(c, 0);
        assert_true(cluster_wait_ready(c, 4000));
        const uint64_t put = cluster_put(c, 0, "lonely", "v", 10 * MINUTE_MS);
        assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
        for (uint32_t i = 1; i < NODES; i++) {
            cluster_start(c, i);
        }
        assert_true(cluster_wait_ready(c, 4000));
        for (uint32_t i = 1; i < NODES; i++) {
            assert_in_range(clock_ms(c, i) - clock_ms(c, 0) + 10, 0, 20);
            assert_int_equal(get(c, i, "lonely"), RC_OK);
            assert_int_equal(c->nodes[i].notices[NOTICE_CLOCK_CONFLICT], 0);
        }
        cluster_free(c);
    }
}

/* It answers, has the smallest uuid, and a clock beyond the year 4000, which no node can have. */
static void a_member_whose_clock_nobody_can_have_holds_up_no_founding_for_ever(void **state)
{
    (void)state;
    enum { NODES = 4 };
    uint32_t first = 0;
    for (uint64_t seed = 1; first < 2; seed++) {
        struct cluster *c = cluster_new(NODES, seed);
        c->nodes[LONER].wall_offset_ms = 300 * TEN_YEARS_MS;
        set_ways(c, LONER, BLOCK_ALL);
        cluster_start(c, LONER);
        cluster_run_for(c, 3000);
        set_ways(c, LONER, 0);
        for (uint32_t i = 0; i < LONER; i++) {
            cluster_start(c, i);
        }
        if (is_loner_first(c)) {
            first++;
            assert_true(cluster_wait_ready(c, 40000));
            cluster_run_for(c, 5000);
            for (uint32_t i = 0; i < NODES; i++) {
                assert_right_clock(c, i);
            }
        }
        cluster_free(c);
    }
}

/* Neither has anything to lose: the smaller one follows the larger one, and writes reach all. */
static void clusters_without_data_become_one_with_the_clock_of_the_larger(void **state)
{
    (void)state;
    enum { NODES = 7, LEFT = 3 };
    for (uint64_t seed = 1; seed <= ORDERS; seed++) {
        struct cluster *c = cluster_new(NODES, seed);
        uint32_t have = 0;
        for (uint32_t i = 0; i < LEFT; i++) {
            c->nodes[i].wall_offset_ms = 3600 * SECOND_MS;
        }
        cluster_partition(c, LEFT);
        cluster_start_all(c);
        assert_true(cluster_wait_ready(c, 6000));
        /* A write by a clock that is ahead does not date later ones. */
        assert_int_not_equal(cluster_put(c, 0, "key", "v", 2000), UINT64_MAX);
        cluster_run_for(c, 5000);
        cluster_heal(c);
        assert_true(cluster_wait_full_view(c, 60000));
        cluster_run_for(c, 10000);
        for (uint32_t i = 0; i < NODES; i++) {
            assert_right_clock(c, i);
        }
        const uint64_t put = cluster_put(c, 0, "key", "v", MINUTE_MS);
        assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
        cluster_run_for(c, 1000);
        for (uint32_t i = 0; i < NODES; i++) {
            assert_int_equal(get(c, i, "key"), RC_OK);
        }
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_datagrams_of_a_cluster_that_ended_found_no_clocks_apart),
        cmocka_unit_test(a_rumour_of_somebody_gone_holds_up_no_founding),
        cmocka_unit_test(links_that_stall_make_no_wrong_clocks),
        cmocka_unit_test(many_that_start_at_once_ask_seldom),
        cmocka_unit_test(a_newcomer_takes_clock_and_data_of_the_many_and_not_of_a_loner),
        cmocka_unit_test(a_newcomer_that_hears_the_loner_first_waits_for_the_others),
        cmocka_unit_test(a_newcomer_whose_answers_are_late_waits_for_the_others),
        cmocka_unit_test(a_node_without_data_does_not_jump_to_a_loner),
        cmocka_unit_test(a_member_ten_years_off_steers_nobody_by_datagrams),
        cmocka_unit_test(a_clock_that_is_being_slewed_says_how_far_it_is_off),
        cmocka_unit_test(members_in_conflict_count_in_no_quorum),
        cmocka_unit_test(records_of_one_side_only_are_in_conflict_too),
        cmocka_unit_test(nodes_that_start_beside_a_loner_all_take_one_clock),
        cmocka_unit_test(a_member_whose_clock_nobody_can_have_holds_up_no_founding_for_ever),
        cmocka_unit_test(clusters_without_data_become_one_with_the_clock_of_the_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
