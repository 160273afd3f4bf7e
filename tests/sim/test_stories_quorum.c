/* Stories about the quorum of a write: who counts in it, and when its client is told. */
#include "tests/sim/cluster.h"
#include "tests/sim/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MINUTE_MS UINT64_C(60000)

static struct cluster *formed(uint32_t count, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    return c;
}

static uint64_t put_or_fail(struct cluster *c, uint32_t node, const char *key)
{
    const uint64_t put = cluster_put(c, node, key, "v", 10 * MINUTE_MS);
    assert_int_not_equal(put, UINT64_MAX);
    return put;
}

static uint32_t counted(struct cluster *c, uint32_t node)
{
    struct engine_status status;
    engine_status(c->nodes[node].engine, stage_now_us(c, node), &status);
    return status.enclave_members;
}

static void block_pair(struct cluster *c, uint32_t a, uint32_t b)
{
    cluster_block(c, a, b, BLOCK_ALL);
    cluster_block(c, b, a, BLOCK_ALL);
}

static void who_is_known_by_hearsay_only_does_not_count(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 901);
    uint32_t have = 0;
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 3000));
    block_pair(c, 0, 2);
    cluster_start(c, 2);
    cluster_run_for(c, 10000);
    assert_int_equal(cluster_view(c, 0, 2), MEMBER_ALIVE);
    assert_int_equal(counted(c, 0), 2);
    assert_int_equal(counted(c, 1), 3);
    assert_int_equal(counted(c, 2), 2);
    const uint64_t put = put_or_fail(c, 0, "a");
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    assert_int_equal(c->puts[put].done.members, 2);
    cluster_block(c, 0, 2, 0);
    cluster_block(c, 2, 0, 0);
    cluster_run_for(c, 10000);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(counted(c, i), 3);
    }
    cluster_free(c);
}

static void who_was_dead_counts_again_once_it_has_answered(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 902);
    cluster_partition(c, 1);
    /* Who hears nobody at all doubts itself, and takes its time. */
    cluster_run_for(c, 90000);
    assert_int_equal(cluster_view(c, 0, 1), MEMBER_DEAD);
    assert_int_equal(cluster_view(c, 0, 2), MEMBER_DEAD);
    assert_int_equal(counted(c, 0), 1);
    assert_int_equal(counted(c, 1), 2);
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    cluster_run_for(c, 3000);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(counted(c, i), 3);
    }
    cluster_free(c);
}

static void members_in_clock_conflict_do_not_count(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(4, 903);
    uint32_t have = 0;
    c->nodes[3].wall_offset_ms = (int64_t)(2 * MINUTE_MS);
    cluster_partition(c, 3);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 4000));
    (void)put_or_fail(c, 0, "left");
    (void)put_or_fail(c, 3, "right");
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    cluster_run_for(c, 5000);
    assert_int_equal(counted(c, 0), 3);
    assert_int_equal(counted(c, 3), 1);
    const uint64_t put = put_or_fail(c, 3, "alone");
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    assert_int_equal(c->puts[put].done.members, 1);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_known_by_hearsay_only_does_not_count),
        cmocka_unit_test(who_was_dead_counts_again_once_it_has_answered),
        cmocka_unit_test(members_in_clock_conflict_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
