/* Stories of clusters with keys: forming and idling beside open ones, and keys that change under
 * load. What goes wrong meanwhile is for `repram-sim --sealing any`. */
#include "tests/sim/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)

static struct cluster *cluster_with(enum rings_plan plan, uint32_t count, uint32_t step)
{
    struct cluster *c = cluster_new(count, 18);
    c->plan = plan;
    c->front = step;
    for (uint32_t i = 0; i < count; i++) {
        c->nodes[i].step = step;
    }
    return c;
}

static uint64_t deaths_told(const struct cluster *c)
{
    uint64_t deaths = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        deaths += c->nodes[i].notices[NOTICE_MEMBER_DEAD];
    }
    return deaths;
}

/* ---- Beside open clusters ---- */

struct forming {
    uint64_t us;
    struct traffic traffic;
};

static struct forming form_star(enum rings_plan plan, uint32_t count)
{
    struct cluster *c = cluster_with(plan, count, RINGS_STEP_SEALED);
    c->enclave_size = 1;
    c->order = CONTACTS_ONE;
    cluster_start_all(c);
    const uint64_t from_us = c->net.now_us;
    assert_true(cluster_wait_full_view(c, 5 * SECOND_MS));
    const struct forming forming = {.us = c->net.now_us - from_us, .traffic = c->traffic};
    print_message("%u ms, %u datagrams, %u bytes\n", (unsigned)(forming.us / 1000),
                  (unsigned)forming.traffic.datagrams, (unsigned)forming.traffic.datagram_bytes);
    cluster_free(c);
    return forming;
}

static void star_of_1000_sealed(void **state)
{
    (void)state;
    enum { OPEN_US = 560000 }; /* as long as it takes an open one */
    assert_true(2 * form_star(RINGS_SEALED, 1000).us <= 3 * (uint64_t)OPEN_US);
}

static void forming_sealed_costs_at_most_half_more(void **state)
{
    (void)state;
    const struct forming open = form_star(RINGS_OPEN, 200);
    const struct forming sealed = form_star(RINGS_SEALED, 200);
    assert_true(2 * sealed.us <= 3 * open.us);
    assert_true(2 * sealed.traffic.datagrams <= 3 * open.traffic.datagrams);
    assert_true(2 * sealed.traffic.datagram_bytes <= 3 * open.traffic.datagram_bytes);
}

static void an_idle_sealed_node_sends_little(void **state)
{
    (void)state;
    enum { BYTES_PER_SECOND_MAX = 550 };
    struct cluster *c = cluster_with(RINGS_SEALED, 16, RINGS_STEP_SEALED);
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 3 * SECOND_MS));
    cluster_run_for(c, 5 * SECOND_MS);
    const struct traffic before = c->traffic;
    cluster_run_for(c, MINUTE_MS);
    const uint64_t bytes = c->traffic.datagram_bytes - before.datagram_bytes +
                           c->traffic.stream_bytes - before.stream_bytes +
                           c->traffic.stream_headers - before.stream_headers;
    print_message("%u bytes per node and second\n", (unsigned)(bytes / 60 / c->count));
    assert_true(bytes / 60 / c->count <= BYTES_PER_SECOND_MAX);
    cluster_free(c);
}

/* ---- Keys that change under load ---- */

/* For so long each node writes in turn, and none of the writes finds no quorum. */
static void write_for(struct cluster *c, uint64_t ms)
{
    const uint64_t until_us = c->net.now_us + ms * 1000;
    for (uint32_t turn = 0; c->net.now_us < until_us; turn++) {
        char key[16];
        uint32_t have = 0;
        (void)snprintf(key, sizeof(key), "k%u", turn % 32);
        const uint32_t node = turn % c->count;
        if (c->nodes[node].is_up && engine_unready(c->nodes[node].engine) == 0) {
            const uint64_t put = cluster_put(c, node, key, "value", MINUTE_MS);
            assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
        }
        cluster_run_for(c, 20);
    }
}

static void rotate_4_nodes_under_load_no_202_no_death(void **state)
{
    (void)state;
    struct cluster *c = cluster_with(RINGS_ROTATE, 4, 0);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 10 * SECOND_MS));
    for (uint32_t step = 1; step <= RINGS_STEPS; step++) {
        for (uint32_t i = 0; i < c->count; i++) {
            /* In another order each time, and once all at once. */
            cluster_set_step(c, (i * 3 + step) % c->count, step % RINGS_STEPS);
            write_for(c, step == 2 ? 0 : SECOND_MS);
        }
        write_for(c, 3 * SECOND_MS);
    }
    assert_true(cluster_wait_full_view(c, SECOND_MS));
    assert_true(cluster_wait_converged(c, 10 * SECOND_MS));
    assert_int_equal(deaths_told(c), 0);
    cluster_free(c);
}

static void rotate_with_one_node_down_then_back(void **state)
{
    (void)state;
    enum { OLD = 3, FRONT = 5, NEW = 6 }; /* one key, another before it, that one alone */
    struct cluster *c = cluster_with(RINGS_ROTATE, 4, OLD);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 10 * SECOND_MS));
    cluster_kill(c, 3);
    for (uint32_t step = OLD + 1; step <= FRONT; step++) {
        for (uint32_t i = 0; i < 3; i++) {
            cluster_set_step(c, i, step);
        }
        write_for(c, 5 * SECOND_MS);
    }
    const uint64_t deaths = deaths_told(c); /* of the one that is down */
    cluster_start(c, 3);                    /* with the ring that it had */
    assert_true(cluster_wait_full_view(c, 3 * SECOND_MS));
    write_for(c, 5 * SECOND_MS);
    cluster_set_step(c, 3, FRONT);
    write_for(c, 5 * SECOND_MS);
    for (uint32_t i = 0; i < c->count; i++) {
        cluster_set_step(c, i, NEW);
        write_for(c, SECOND_MS);
    }
    assert_true(cluster_wait_full_view(c, SECOND_MS));
    assert_true(cluster_wait_converged(c, 10 * SECOND_MS));
    assert_int_equal(deaths_told(c), deaths);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(star_of_1000_sealed),
        cmocka_unit_test(forming_sealed_costs_at_most_half_more),
        cmocka_unit_test(an_idle_sealed_node_sends_little),
        cmocka_unit_test(rotate_4_nodes_under_load_no_202_no_death),
        cmocka_unit_test(rotate_with_one_node_down_then_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
