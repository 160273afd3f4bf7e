/* Stories of what an operator reads in the logs of a small cluster: each thing once, on the nodes
 * that it concerns. */
#include "tests/sim/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 3, TTL_MS = 3600 * 1000 };

/* What the nodes have said since they started, or since the last question. */
static void expect_said(struct cluster *c, enum notice_kind kind, uint64_t first, uint64_t second,
                        uint64_t third)
{
    const uint64_t counts[NODES] = {first, second, third};
    for (uint32_t i = 0; i < NODES; i++) {
        if (c->nodes[i].notices[kind] != counts[i]) {
            fail_msg("node %u has said notice %d %u times, not %u", i, (int)kind,
                     (unsigned)c->nodes[i].notices[kind], (unsigned)counts[i]);
        }
        c->nodes[i].notices[kind] = 0;
    }
}

/* Nothing but what was asked for. */
static void expect_no_more(struct cluster *c)
{
    for (int kind = 0; kind < NOTICE_KINDS; kind++) {
        expect_said(c, (enum notice_kind)kind, 0, 0, 0);
    }
}

/* All are ready, and what they said on their way is forgotten. */
static struct cluster *at_rest(uint64_t seed)
{
    struct cluster *c = cluster_new(NODES, seed);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 5000));
    assert_true(cluster_wait_full_view(c, 5000));
    cluster_run_for(c, 20000);
    for (uint32_t i = 0; i < NODES; i++) {
        memset(c->nodes[i].notices, 0, sizeof(c->nodes[i].notices));
    }
    return c;
}

static void those_who_begin_and_who_joins_say_whom_they_met_and_that_they_are_ready(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(NODES, 1);
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 5000));
    expect_said(c, NOTICE_MEMBER_JOINED, 1, 1, 0);
    expect_said(c, NOTICE_LINK_UP, 1, 1, 0);
    expect_said(c, NOTICE_CLOCK_SET, 1, 1, 0);
    expect_said(c, NOTICE_JOIN_STARTED, 1, 1, 0);
    expect_said(c, NOTICE_JOIN_DONE, 1, 1, 0);
    expect_said(c, NOTICE_READY, 1, 1, 0);
    expect_no_more(c);
    cluster_start(c, 2);
    assert_true(cluster_wait_ready(c, 5000));
    cluster_run_for(c, 10000);
    expect_said(c, NOTICE_MEMBER_JOINED, 1, 1, 2);
    expect_said(c, NOTICE_LINK_UP, 1, 1, 2);
    expect_said(c, NOTICE_CLOCK_SET, 0, 0, 1);
    expect_said(c, NOTICE_JOIN_STARTED, 0, 0, 1);
    expect_said(c, NOTICE_JOIN_DONE, 0, 0, 1);
    expect_said(c, NOTICE_READY, 0, 0, 1);
    expect_no_more(c);
    cluster_free(c);
}

static void who_leaves_is_said_to_have_left_and_neither_suspected_nor_lost(void **state)
{
    (void)state;
    struct cluster *c = at_rest(2);
    cluster_leave(c, 2);
    cluster_run_for(c, 10000);
    expect_said(c, NOTICE_MEMBER_LEFT, 1, 1, 0);
    expect_no_more(c);
    cluster_free(c);
}

static void a_crash_is_a_suspicion_and_a_death(void **state)
{
    (void)state;
    struct cluster *c = at_rest(3);
    cluster_crash_silently(c, 2);
    cluster_run_for(c, 30000);
    expect_said(c, NOTICE_MEMBER_SUSPECT, 1, 1, 0);
    expect_said(c, NOTICE_MEMBER_DEAD, 1, 1, 0);
    expect_no_more(c);
    cluster_free(c);
}

static void a_killed_process_also_loses_its_links(void **state)
{
    (void)state;
    struct cluster *c = at_rest(4);
    cluster_kill(c, 2);
    cluster_run_for(c, 30000);
    expect_said(c, NOTICE_MEMBER_SUSPECT, 1, 1, 0);
    expect_said(c, NOTICE_MEMBER_DEAD, 1, 1, 0);
    expect_said(c, NOTICE_LINK_DOWN, 1, 1, 0);
    expect_no_more(c);
    cluster_free(c);
}

static void who_only_paused_is_alive_after_all(void **state)
{
    (void)state;
    struct cluster *c = at_rest(3);
    cluster_pause(c, 2, 2500);
    cluster_run_for(c, 30000);
    expect_said(c, NOTICE_MEMBER_SUSPECT, 1, 1, 0);
    expect_said(c, NOTICE_MEMBER_ALIVE, 1, 1, 0);
    expect_no_more(c);
    cluster_free(c);
}

static void what_a_cut_kept_apart_is_reconciled_over_each_link_and_said_by_who_began(void **state)
{
    (void)state;
    struct cluster *c = at_rest(4);
    uint64_t done = 0;
    cluster_partition(c, 2);
    cluster_run_for(c, 40000);
    assert_int_not_equal(cluster_put(c, 0, "here", "value", TTL_MS), UINT64_MAX);
    assert_int_not_equal(cluster_put(c, 2, "there", "value", TTL_MS), UINT64_MAX);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(c->nodes[i].notices[NOTICE_SYNC_DONE], 0);
    }
    cluster_heal(c);
    cluster_run_for(c, 60000);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(c->nodes[i].notices[NOTICE_MEMBER_ALIVE], i == 2 ? 2 : 1);
        done += c->nodes[i].notices[NOTICE_SYNC_DONE];
        assert_int_equal(cluster_keys(c, i), 2);
    }
    assert_int_equal(done, 2);
    cluster_free(c);
}

static void who_waits_for_others_says_so_whenever_one_has_come(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(NODES, 5);
    c->config.expect_members = NODES;
    cluster_start(c, 0);
    cluster_run_for(c, 5000);
    expect_said(c, NOTICE_EXPECTING, 1, 0, 0);
    cluster_start(c, 1);
    cluster_run_for(c, 5000);
    expect_said(c, NOTICE_EXPECTING, 1, 1, 0);
    expect_said(c, NOTICE_READY, 0, 0, 0);
    cluster_start(c, 2);
    cluster_run_for(c, 5000);
    expect_said(c, NOTICE_EXPECTING, 0, 0, 0);
    expect_said(c, NOTICE_READY, 1, 1, 1);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_begin_and_who_joins_say_whom_they_met_and_that_they_are_ready),
        cmocka_unit_test(who_leaves_is_said_to_have_left_and_neither_suspected_nor_lost),
        cmocka_unit_test(a_crash_is_a_suspicion_and_a_death),
        cmocka_unit_test(a_killed_process_also_loses_its_links),
        cmocka_unit_test(who_only_paused_is_alive_after_all),
        cmocka_unit_test(what_a_cut_kept_apart_is_reconciled_over_each_link_and_said_by_who_began),
        cmocka_unit_test(who_waits_for_others_says_so_whenever_one_has_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
