/* Stories of a node that has no room. */
#include "tests/sim/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 2000, SMALL_BYTES = 64 << 10, SMALL = 2, TTL_MS = 90 * 1000 };

static uint32_t unready(const struct cluster *c, uint32_t node)
{
    return engine_unready(c->nodes[node].engine);
}

/* Three nodes, the last of which has room for a few hundred entries and has met more. */
static struct cluster *overfull(void)
{
    struct cluster *c = cluster_new(3, 1);
    char key[32];
    uint32_t have = 0;
    uint64_t put = 0;
    cluster_start(c, 0);
    cluster_start(c, 1);
    c->config.bytes_max = SMALL_BYTES;
    cluster_start(c, SMALL);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    for (int i = 0; i < ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        put = cluster_put(c, 0, key, "value", TTL_MS);
        assert_int_not_equal(put, UINT64_MAX);
    }
    /* The other two are enough for the quorum. */
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    cluster_run_for(c, 1000);
    return c;
}

static void a_full_node_says_so_and_keeps_serving(void **state)
{
    (void)state;
    struct cluster *c = overfull();
    struct engine_status status;
    assert_int_equal(unready(c, SMALL), READY_FULL);
    assert_int_equal(c->nodes[SMALL].notices[NOTICE_FULL], 1);
    assert_int_equal(c->nodes[0].notices[NOTICE_PEER_FULL], 1);
    engine_status(c->nodes[SMALL].engine, c->net.now_us, &status);
    assert_true(status.store.bytes_used <= SMALL_BYTES);
    assert_true(status.counters.records_refused > 0);
    assert_string_equal(cluster_get(c, SMALL, "key-0"), "value");
    assert_int_equal(cluster_put(c, SMALL, "another", "value", TTL_MS), UINT64_MAX);
    /* A write that does not make the store grow is taken. */
    assert_int_not_equal(cluster_put(c, SMALL, "key-0", "newer", TTL_MS), UINT64_MAX);
    cluster_run_for(c, 100);
    assert_string_equal(cluster_get(c, 1, "key-0"), "newer");
    cluster_free(c);
}

static void a_full_node_is_left_alone_until_it_has_room(void **state)
{
    (void)state;
    struct cluster *c = overfull();
    struct engine_status before, after;
    cluster_run_for(c, 10000);
    engine_status(c->nodes[SMALL].engine, c->net.now_us, &before);
    cluster_run_for(c, 20000);
    engine_status(c->nodes[SMALL].engine, c->net.now_us, &after);
    assert_int_equal(after.counters.records_received, before.counters.records_received);
    /* All of it expires, and the node takes part again. */
    cluster_run_for(c, TTL_MS);
    assert_int_equal(unready(c, SMALL), 0);
    assert_int_equal(c->nodes[SMALL].notices[NOTICE_ROOM], 1);
    assert_int_equal(c->nodes[SMALL].notices[NOTICE_READY], 1); /* it was so all the time */
    assert_int_not_equal(cluster_put(c, 0, "after", "value", TTL_MS), UINT64_MAX);
    cluster_run_for(c, 100);
    assert_string_equal(cluster_get(c, SMALL, "after"), "value");
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_node_says_so_and_keeps_serving),
        cmocka_unit_test(a_full_node_is_left_alone_until_it_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
