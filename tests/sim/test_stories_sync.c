/* Stories about reconciliation and joining: what they bring, what they cost, and how soon. */
#include "core/base/mem.h"
#include "tests/sim/cluster.h"
#include "tests/sim/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static struct cluster *formed(uint32_t count, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    return c;
}

/* Writes `count` keys on a node, named by `prefix`, at `per_s` a second. */
static void put_many(struct cluster *c, uint32_t node, const char *prefix, uint32_t count,
                     uint32_t per_s)
{
    const uint32_t per_10_ms = per_s < 100 ? 1 : per_s / 100;
    for (uint32_t i = 0; i < count; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "%s-%u", prefix, i);
        assert_int_not_equal(cluster_put(c, node, key, "value", HOUR_MS + i % 500 * MINUTE_MS),
                             UINT64_MAX);
        if (i % per_10_ms == per_10_ms - 1) {
            cluster_run_for(c, 10);
        }
    }
}

static struct engine_status status_of(struct cluster *c, uint32_t node)
{
    struct engine_status status;
    engine_status(c->nodes[node].engine, stage_now_us(c, node), &status);
    return status;
}

static void block_streams(struct cluster *c, uint32_t a, uint32_t b, bool is_blocked)
{
    cluster_block(c, a, b, is_blocked ? BLOCK_TCP : 0);
    cluster_block(c, b, a, is_blocked ? BLOCK_TCP : 0);
}

static void a_node_that_joins_under_writes_ends_with_all_of_them(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(4, 51);
    for (uint32_t i = 0; i < 3; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_ready(c, 4000));
    put_many(c, 0, "before", 10000, 20000);
    cluster_start(c, 3);
    put_many(c, 1, "while", 10000, 5000);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    assert_true(cluster_wait_converged(c, 10000));
    assert_int_equal(cluster_keys(c, 3), 20000);
    cluster_free(c);
}

static void a_donor_that_dies_in_the_middle_of_a_join_is_replaced(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(4, 52);
    for (uint32_t i = 0; i < 3; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_ready(c, 4000));
    put_many(c, 0, "key", 60000, 60000);
    assert_true(cluster_wait_converged(c, 10000));
    cluster_start(c, 3);
    while (cluster_keys(c, 3) < 10000) {
        cluster_run_for(c, 1);
    }
    assert_true((status_of(c, 3).unready & READY_JOINING) != 0);
    cluster_crash_silently(c, 1);
    assert_true(cluster_wait_ready(c, 30000));
    assert_int_equal(cluster_keys(c, 3), 60000);
    cluster_free(c);
}

static void ten_thousand_differences_are_settled_within_seconds_of_a_heal(void **state)
{
    (void)state;
    struct cluster *c = formed(4, 53);
    struct engine_counters before, after;
    put_many(c, 0, "both", 20000, 50000);
    assert_true(cluster_wait_converged(c, 10000));
    cluster_partition(c, 2);
    cluster_run_for(c, 15000);
    put_many(c, 0, "left", 5000, 50000);
    put_many(c, 2, "right", 5000, 50000);
    cluster_counters(c, &before);
    cluster_heal(c);
    assert_true(cluster_wait_converged(c, 20000));
    cluster_counters(c, &after);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(cluster_keys(c, i), 30000);
    }
    /* Each of the four lacked 5,000, which both on the other side have. A node that meets both at
     * once may get them twice. */
    assert_in_range(after.sync_records_received - before.sync_records_received, 20000, 35000);
    cluster_free(c);
}

/*
 * B holds a version without knowing that it replaced one that lives longer; A has learned so, and
 * the message about it is lost with A's overflowing queue. Reconciliation must bring the guard:
 * when the version's time is over, the older one must not come back.
 */
static void an_overflow_that_loses_a_guard_is_made_good(void **state)
{
    (void)state;
    enum { A, B, C };
    struct cluster *c = formed(3, 54);
    block_streams(c, A, C, true);
    block_streams(c, B, C, true);
    cluster_run_for(c, 12000);
    assert_int_not_equal(cluster_put(c, C, "key", "old", HOUR_MS), UINT64_MAX);
    cluster_run_for(c, 100);
    assert_int_not_equal(cluster_put(c, A, "key", "new", 2 * MINUTE_MS), UINT64_MAX);
    cluster_run_for(c, 1000);
    assert_string_equal(cluster_get(c, B, "key"), "new");
    assert_string_equal(cluster_get(c, C, "key"), "old");
    /* A meets C, and learns of the longer life, while nothing gets through to B. */
    block_streams(c, A, C, false);
    for (int i = 0; i < 50 && status_of(c, A).store.guards == 0; i++) {
        if (i == 0) {
            /* More than the stream takes in, so that what comes later waits in the queue. */
            block_streams(c, A, B, true);
            put_many(c, A, "first", 12000, 1200000);
        }
        cluster_run_for(c, 100);
    }
    assert_int_equal(status_of(c, A).store.guards, 1);
    assert_int_equal(status_of(c, B).store.guards, 0);
    put_many(c, A, "flood", 36000, 1000000);
    assert_true(status_of(c, A).counters.link_overflows > 0);
    block_streams(c, A, B, false);
    assert_true(cluster_wait_converged(c, 30000));
    assert_int_equal(status_of(c, B).store.guards, 1);
    cluster_run_for(c, 2 * MINUTE_MS);
    assert_int_equal(status_of(c, B).store.guards, 0);
    assert_int_equal(status_of(c, B).store.shadows, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_null(cluster_get(c, i, "key"));
    }
    cluster_free(c);
}

static void a_node_without_a_link_to_anybody_is_not_ready_and_knows_no_misses(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(2, 55);
    cluster_start(c, 0);
    assert_true(cluster_wait_ready(c, 4000));
    put_many(c, 0, "key", 10, 1000);
    block_streams(c, 0, 1, true);
    cluster_start(c, 1);
    cluster_run_for(c, UINT64_C(200) * 1000);
    struct record r;
    assert_int_equal(status_of(c, 1).unready, READY_JOINING | READY_NO_QUORUM);
    assert_int_equal(
        engine_get(c->nodes[1].engine, (const uint8_t *)"none", 4, stage_now_us(c, 1), &r),
        RC_JOINING);
    assert_int_equal(cluster_keys(c, 1), 0);
    block_streams(c, 0, 1, false);
    assert_true(cluster_wait_converged(c, 10000));
    assert_true(cluster_wait_ready(c, 10000));
    assert_int_equal(cluster_keys(c, 1), 10);
    cluster_free(c);
}

static void steady_writes_start_no_session(void **state)
{
    (void)state;
    struct cluster *c = formed(5, 56);
    struct engine_counters before, after;
    c->delay_us = 1000;
    c->jitter_us = 2000;
    put_many(c, 0, "warm", 5000, 5000);
    cluster_run_for(c, 3000);
    cluster_counters(c, &before);
    for (uint32_t i = 0; i < 10; i++) {
        char prefix[8];
        (void)snprintf(prefix, sizeof(prefix), "%u", i / 2); /* new keys and overwrites in turn */
        put_many(c, i % 5, prefix, 5000, 5000);
    }
    cluster_counters(c, &after);
    assert_int_equal(after.syncs_started - before.syncs_started, 0);
    cluster_free(c);
}

/* A line of nodes, each linked with its neighbours only, as in a partial view; and the first one
 * for now with nobody. */
static void draw_line(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        for (uint32_t j = i + 1; j < c->count; j++) {
            block_streams(c, i, j, j > i + 1 || i == 0);
        }
    }
}

/* Milliseconds from when the second has what the first wrote until all have. */
static uint64_t cross_a_line(uint64_t seed)
{
    enum { NODES = 6 };
    struct cluster *c = formed(NODES, seed);
    draw_line(c);
    cluster_run_for(c, 20000);
    put_many(c, 0, "key", 2000, 20000);
    cluster_run_for(c, 5000);
    assert_int_equal(cluster_keys(c, 1), 0);
    block_streams(c, 0, 1, false);
    while (cluster_keys(c, 1) < 2000) {
        cluster_run_for(c, 10);
    }
    const uint64_t from_us = c->net.now_us;
    assert_true(cluster_wait_converged(c, 10000));
    assert_int_equal(cluster_keys(c, NODES - 1), 2000);
    const uint64_t took_ms = (c->net.now_us - from_us) / 1000;
    cluster_free(c);
    return took_ms;
}

/* Four hops; by the periodic comparison alone they take more than four seconds on average. */
static void what_one_learns_by_reconciliation_crosses_a_line_of_nodes_at_once(void **state)
{
    (void)state;
    enum { SEEDS = 6 };
    uint64_t sum_ms = 0;
    for (uint64_t seed = 57; seed < 57 + SEEDS; seed++) {
        sum_ms += cross_a_line(seed);
    }
    assert_in_range(sum_ms, 0, SEEDS * 2500);
}

/* Written with so short a life that the periodic comparison never looks at it. */
enum { FLEETING_MS = 30000 };

static void a_fleeting_write_reaches_a_member_that_its_origin_has_no_link_to(void **state)
{
    (void)state;
    enum { A, B, C };
    struct cluster *c = formed(3, 58);
    assert_int_not_equal(cluster_put(c, B, "key", "old", FLEETING_MS), UINT64_MAX);
    block_streams(c, A, B, true);
    put_many(c, A, "lasting", 1, 1000); /* a link that carries nothing is not missed */
    cluster_run_for(c, 12000);
    assert_int_not_equal(cluster_put(c, A, "key", "new", FLEETING_MS), UINT64_MAX);
    cluster_run_for(c, 1000);
    assert_string_equal(cluster_get(c, C, "key"), "new");
    assert_string_equal(cluster_get(c, B, "key"), "new");
    cluster_free(c);
}

static void what_is_about_to_expire_crosses_a_line_of_nodes_too(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct cluster *c = formed(NODES, 59);
    draw_line(c);
    for (uint32_t i = 0; i < NODES; i++) {
        put_many(c, i, "lasting", 1, 1000); /* a link that carries nothing is not missed */
    }
    cluster_run_for(c, 20000);
    assert_int_not_equal(cluster_put(c, 0, "key", "new", FLEETING_MS), UINT64_MAX);
    block_streams(c, 0, 1, false);
    while (cluster_get(c, 1, "key") == NULL) {
        cluster_run_for(c, 10);
    }
    cluster_run_for(c, 2000);
    for (uint32_t i = 2; i < NODES; i++) {
        assert_string_equal(cluster_get(c, i, "key"), "new");
    }
    cluster_free(c);
}

/* Overwrites with a shorter life, which not all nodes have got. */
static void a_shadow_about_to_expire_crosses_a_line_of_nodes_too(void **state)
{
    (void)state;
    enum { NODES = 5, BRIEFLY_MS = 4000 };
    struct cluster *c = formed(NODES, 61);
    assert_int_not_equal(cluster_put(c, 0, "key", "old", UINT64_C(2) * FLEETING_MS), UINT64_MAX);
    cluster_run_for(c, 1000);
    draw_line(c);
    for (uint32_t i = 0; i < NODES; i++) {
        put_many(c, i, "lasting", 1, 1000);
    }
    cluster_run_for(c, 20000);
    assert_int_not_equal(cluster_put(c, 0, "key", "new", BRIEFLY_MS), UINT64_MAX);
    cluster_run_for(c, UINT64_C(2) * BRIEFLY_MS);
    assert_null(cluster_get(c, 0, "key"));
    assert_string_equal(cluster_get(c, NODES - 1, "key"), "old");
    block_streams(c, 0, 1, false);
    while (cluster_get(c, 1, "key") != NULL) {
        cluster_run_for(c, 10);
    }
    cluster_run_for(c, 2000);
    for (uint32_t i = 2; i < NODES; i++) {
        assert_null(cluster_get(c, i, "key"));
    }
    cluster_free(c);
}

/* The first byte of a large value on a node; 0 when it has none. */
static uint8_t first_byte(struct cluster *c, uint32_t node, const char *key)
{
    struct record r;
    const uint8_t *run = NULL;
    if (engine_get(c->nodes[node].engine, (const uint8_t *)key, strlen(key), c->net.now_us, &r) !=
        RC_OK) {
        return 0;
    }
    (void)blob_run(r.blob, 0, &run);
    return run[0];
}

/* The other side's version of the key raises the guard of the record that it then asks for. */
static void a_large_value_that_two_sides_wrote_apart_crosses_an_older_one(void **state)
{
    (void)state;
    enum { SIZE = VALUE_INLINE_MAX + 1 };
    static const uint8_t old[SIZE] = "old", new[SIZE] = "new";
    struct cluster *c = formed(2, 62);
    cluster_partition(c, 1);
    cluster_run_for(c, 15000);
    assert_int_not_equal(cluster_put_bytes(c, 1, "key", old, SIZE, FLEETING_MS), UINT64_MAX);
    cluster_run_for(c, 100);
    assert_int_not_equal(cluster_put_bytes(c, 0, "key", new, SIZE, FLEETING_MS / 2), UINT64_MAX);
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 12000));
    cluster_run_for(c, 1500);
    assert_int_equal(first_byte(c, 0, "key"), 'n');
    assert_int_equal(first_byte(c, 1, "key"), 'n');
    cluster_free(c);
}

static void links_between_empty_nodes_start_no_session(void **state)
{
    (void)state;
    struct cluster *c = formed(16, 60);
    struct engine_counters counters;
    cluster_run_for(c, 3000);
    cluster_counters(c, &counters);
    assert_int_equal(counters.syncs_started, 0);
    cluster_free(c);
}

/* Kills four of nine at once, which ends 20 links; how many sessions that starts. */
static uint64_t sessions_after_losses(uint64_t seed)
{
    enum { NODES = 9, LOST = 4 };
    struct cluster *c = formed(NODES, seed);
    struct engine_counters before, after;
    put_many(c, 0, "key", 100, 1000);
    cluster_run_for(c, 3000);
    for (uint32_t i = NODES - LOST; i < NODES; i++) {
        cluster_kill(c, i);
    }
    cluster_counters(c, &before);
    cluster_run_for(c, 5000);
    cluster_counters(c, &after);
    assert_int_equal(after.links_lost - before.links_lost, LOST * (NODES - LOST));
    cluster_free(c);
    return after.syncs_started - before.syncs_started;
}

/* Each of the five that live has one, and of two that meet on a link one is put off and tried
 * again: so not five each time, but far from the 20 links either. */
static void one_session_makes_good_for_several_links_lost_at_once(void **state)
{
    enum { STORIES = 8, LIVING = 5 };
    (void)state;
    uint64_t sessions = 0;
    for (uint64_t seed = 61; seed < 61 + STORIES; seed++) {
        sessions += sessions_after_losses(seed);
    }
    assert_in_range(sessions, STORIES * LIVING, STORIES * LIVING * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_joins_under_writes_ends_with_all_of_them),
        cmocka_unit_test(a_donor_that_dies_in_the_middle_of_a_join_is_replaced),
        cmocka_unit_test(ten_thousand_differences_are_settled_within_seconds_of_a_heal),
        cmocka_unit_test(an_overflow_that_loses_a_guard_is_made_good),
        cmocka_unit_test(a_node_without_a_link_to_anybody_is_not_ready_and_knows_no_misses),
        cmocka_unit_test(steady_writes_start_no_session),
        cmocka_unit_test(what_one_learns_by_reconciliation_crosses_a_line_of_nodes_at_once),
        cmocka_unit_test(a_fleeting_write_reaches_a_member_that_its_origin_has_no_link_to),
        cmocka_unit_test(what_is_about_to_expire_crosses_a_line_of_nodes_too),
        cmocka_unit_test(a_shadow_about_to_expire_crosses_a_line_of_nodes_too),
        cmocka_unit_test(a_large_value_that_two_sides_wrote_apart_crosses_an_older_one),
        cmocka_unit_test(links_between_empty_nodes_start_no_session),
        cmocka_unit_test(one_session_makes_good_for_several_links_lost_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
