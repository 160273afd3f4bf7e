/* Stories of how nodes come by the cluster's clock where old datagrams and slow links mislead them.
 */
#include "tests/sim/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WALL_APART_MS = 3600 * 1000 };

static int64_t clock_ms(const struct cluster *c, uint32_t node)
{
    return (int64_t)engine_clock_ms(c->nodes[node].engine, c->net.now_us);
}

/* What the clock says beyond what has passed since the start; the wall clocks are right. */
static int64_t clock_error_ms(const struct cluster *c, uint32_t node)
{
    const int64_t wall_2026_ms = INT64_C(1767225600000);
    return clock_ms(c, node) - wall_2026_ms - (int64_t)(c->net.now_us / 1000);
}

/* Restarted at once, its nodes hear datagrams of before, with clocks and members that are no more.
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

/* What a stream loses comes 200 ms and more later, one way: who takes such an answer for the time
 * is wrong by half of that, and joins, leads, and hands it on. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_datagrams_of_a_cluster_that_ended_found_no_clocks_apart),
        cmocka_unit_test(a_rumour_of_somebody_gone_holds_up_no_founding),
        cmocka_unit_test(links_that_stall_make_no_wrong_clocks),
        cmocka_unit_test(many_that_start_at_once_ask_seldom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
