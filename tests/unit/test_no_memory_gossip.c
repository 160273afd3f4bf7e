/* What whole engines do when memory ends, in a simulated cluster. What they cannot keep they
 * refuse, end a link over, or put off; once there is memory again they hold the same as each other,
 * and every write that a client was told of. Places of core/base/mem.h end the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/sim/cluster.h"
#include "tests/unit/failing_alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 3, WRITES = 12, VALUE_MAX = 150000, KEY_SIZE = 32 };

#define TTL_MS UINT64_C(600000)

struct writes {
    struct cluster *cluster;
    char keys[WRITES][KEY_SIZE]; /* of those that were taken */
    uint64_t puts[WRITES];
    uint32_t count, tried;
};

/* Small values, inline ones at their limit, and large ones of several segments. */
static void write_some(struct writes *w, uint32_t node, uint32_t count)
{
    static const uint32_t lens[] = {5, 2048, VALUE_MAX, 2049};
    static uint8_t value[VALUE_MAX];
    for (uint32_t i = 0; i < count; i++) {
        char *key = w->keys[w->count];
        (void)snprintf(key, KEY_SIZE, "key-%" PRIu32, w->tried);
        const uint64_t put = cluster_put_bytes(
            w->cluster, node, key, value, lens[w->tried % (sizeof(lens) / sizeof(*lens))], TTL_MS);
        w->tried++;
        if (put != UINT64_MAX) {
            w->puts[w->count++] = put;
        } else {
            assert_true(failing_alloc_has_failed());
        }
    }
}

static void expect_written(const struct writes *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        assert_true(w->cluster->puts[w->puts[i]].is_done);
        for (uint32_t node = 0; node < NODES; node++) {
            assert_non_null(cluster_get(w->cluster, node, w->keys[i]));
        }
    }
}

/* That a node has no memory for what it hears is no fault of who said it. */
static void expect_nobody_blamed(struct cluster *c)
{
    struct engine_counters counters;
    cluster_counters(c, &counters);
    assert_int_equal(counters.frames_malformed, 0);
    assert_int_equal(counters.datagrams_malformed, 0);
}

/* A cluster forms, is written to, parts and heals, loses a node and gets it back. */
static void live(void *arg)
{
    struct writes *w = mem_new(1, sizeof(*w));
    struct cluster *c = cluster_new(NODES, 7);
    (void)arg;
    w->cluster = c;
    cluster_start_all(c);
    cluster_run_for(c, 1500);
    write_some(w, 0, 4);
    cluster_partition(c, 1);
    cluster_run_for(c, 9000);
    write_some(w, 0, 2);
    write_some(w, 1, 4);
    cluster_run_for(c, 1000);
    cluster_heal(c);
    cluster_run_for(c, 1500);
    cluster_kill(c, 2);
    cluster_start(c, 2);
    cluster_run_for(c, 1000);
    write_some(w, 1, 2);
    cluster_run_for(c, 100);
    failing_alloc_recover();
    assert_true(cluster_wait_full_view(c, 60000));
    assert_true(cluster_wait_ready(c, 60000));
    assert_true(cluster_wait_converged(c, 120000));
    cluster_run_for(c, c->config.write_timeout_ms);
    expect_written(w);
    expect_nobody_blamed(c);
    cluster_free(c);
    free(w);
}

/* Two nodes with long names that each began alone, and whose clocks are two minutes apart, meet. */
static void meet_apart(void *arg)
{
    struct cluster *c = cluster_new(2, 9);
    (void)arg;
    memset(c->config.name, 'n', sizeof(c->config.name) - 1);
    c->nodes[1].wall_offset_ms = 120000;
    cluster_partition(c, 1);
    cluster_start_all(c);
    cluster_run_for(c, 5000);
    cluster_heal(c);
    cluster_run_for(c, 45000);
    failing_alloc_recover();
    assert_true(cluster_wait_full_view(c, 60000));
    expect_nobody_blamed(c);
    cluster_free(c);
}

static void a_cluster_whose_memory_ended_for_a_while_is_whole_afterwards(void **state)
{
    (void)state;
    assert_true(failing_alloc_some(live, NULL, failing_alloc_step(13)) > 30);
}

static void nodes_whose_clocks_are_apart_meet_without_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_some(meet_apart, NULL, failing_alloc_step(13)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_whose_memory_ended_for_a_while_is_whole_afterwards),
        cmocka_unit_test(nodes_whose_clocks_are_apart_meet_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
