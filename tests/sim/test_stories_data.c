/* Stories about the data: how it fares when nodes join, fail and leave. */
#include "core/base/mem.h"
#include "gossip/membership/swim.h"
#include "tests/sim/cluster.h"
#include "tests/sim/pipe.h"
#include "tests/sim/stage.h"
#include "tests/unit/twins.h"

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

static enum rc get(struct cluster *c, uint32_t node, const char *key)
{
    struct record r;
    return engine_get(c->nodes[node].engine, (const uint8_t *)key, strlen(key),
                      stage_now_us(c, node), &r);
}

static void put_or_fail(struct cluster *c, uint32_t node, const char *key, uint64_t ttl_ms)
{
    assert_int_not_equal(cluster_put(c, node, key, "v", ttl_ms), UINT64_MAX);
}

static void a_joining_node_never_says_that_a_large_value_is_not_there(void **state)
{
    (void)state;
    enum { LARGE = 4 << 20, VALUES = 6 };
    struct cluster *c = cluster_new(2, 31);
    char *large = mem_new(1, LARGE);
    char key[32];
    c->delay_us = 3000;
    cluster_start(c, 0);
    assert_true(cluster_wait_ready(c, 3000));
    for (int i = 0; i < VALUES; i++) {
        (void)snprintf(key, sizeof(key), "large-%d", i);
        assert_int_not_equal(cluster_put_bytes(c, 0, key, large, LARGE, 10 * MINUTE_MS),
                             UINT64_MAX);
    }
    cluster_start(c, 1);
    for (int step = 0; step < 400; step++) {
        cluster_run_for(c, 10);
        for (int i = 0; i < VALUES; i++) {
            (void)snprintf(key, sizeof(key), "large-%d", i);
            assert_int_not_equal(get(c, 1, key), RC_NOT_FOUND);
        }
    }
    assert_int_equal(engine_unready(c->nodes[1].engine), 0);
    free(large);
    cluster_free(c);
}

static void a_large_value_is_not_reconciled_again_while_it_is_on_its_way(void **state)
{
    (void)state;
    enum { LARGE = 8 << 20, VALUES = 4 };
    struct cluster *c = formed(2, 32);
    char *large = mem_new(1, LARGE);
    char key[32];
    cluster_partition(c, 1);
    cluster_run_for(c, 15000);
    for (int i = 0; i < VALUES; i++) {
        (void)snprintf(key, sizeof(key), "large-%d", i);
        assert_int_not_equal(cluster_put_bytes(c, 0, key, large, LARGE, 10 * MINUTE_MS),
                             UINT64_MAX);
    }
    cluster_run_for(c, 6000);
    /* 256 KiB a round trip of 100 ms: each value takes about 3 s. */
    c->delay_us = 50000;
    const uint64_t before = c->traffic.stream_bytes;
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    assert_true(cluster_wait_converged(c, 60000));
    cluster_run_for(c, 20000);
    assert_true(c->traffic.stream_bytes - before < (VALUES + 1) * (uint64_t)LARGE);
    free(large);
    cluster_free(c);
}

/* Four writes that once ended every node, as the shadow of one key was taken for the other's, and
 * had a newcomer refuse the one for the other. */
static void keys_of_one_digest_are_two_keys_to_every_node_and_to_a_newcomer(void **state)
{
    (void)state;
    enum { NEWCOMER = 3, NODES };
    struct cluster *c = cluster_new(NODES, 34);
    char one[TWIN_KEY_LEN + 1] = "";
    char two[TWIN_KEY_LEN + 1] = "";
    twin_key(swim_cluster_hash(c->config.network), false, (uint8_t *)one);
    twin_key(swim_cluster_hash(c->config.network), true, (uint8_t *)two);
    for (uint32_t i = 0; i < NEWCOMER; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    put_or_fail(c, 0, two, 20000);
    put_or_fail(c, 0, two, 1000);
    put_or_fail(c, 0, one, 4000);
    cluster_run_for(c, 1600);
    put_or_fail(c, 0, one, 60000);
    cluster_run_for(c, 1000);
    cluster_start(c, NEWCOMER);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    assert_true(cluster_wait_converged(c, 10000));
    for (uint32_t i = 0; i < NODES; i++) {
        struct engine_status status;
        engine_status(c->nodes[i].engine, stage_now_us(c, i), &status);
        assert_int_equal(get(c, i, one), RC_OK);
        assert_int_equal(get(c, i, two), RC_NOT_FOUND);
        assert_int_equal(status.store.keys, 1);
        assert_int_equal(status.store.shadows, 1);
    }
    cluster_run_for(c, 20000);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(get(c, i, one), RC_OK);
        assert_int_equal(get(c, i, two), RC_NOT_FOUND);
    }
    cluster_run_for(c, MINUTE_MS);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(cluster_keys(c, i), 0);
    }
    cluster_free(c);
}

static void clusters_founded_apart_do_not_mix_data_that_would_live(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = cluster_new(4, 33);
    c->nodes[2].wall_offset_ms = (int64_t)(2 * MINUTE_MS);
    c->nodes[3].wall_offset_ms = (int64_t)(2 * MINUTE_MS);
    cluster_partition(c, 2);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 4000));
    for (uint32_t i = 0; i < 4; i += 2) {
        const uint64_t put = cluster_put(c, i, i == 0 ? "left" : "right", "v", HOUR_MS);
        assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    }
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    cluster_run_for(c, 30000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(get(c, i, "right"), RC_NOT_FOUND);
        assert_int_equal(get(c, i + 2, "left"), RC_NOT_FOUND);
    }
    /* Both sides say so, for every link between them. */
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t conflicts = 0;
        struct engine_link_view view;
        for (uint32_t slot = 0; engine_next_link(c->nodes[i].engine, &slot, &view); slot++) {
            conflicts += view.is_clock_conflict;
            assert_true(!view.is_clock_conflict || llabs(view.clock_difference_ms) > 60000);
        }
        assert_int_equal(conflicts, 2);
        assert_int_not_equal(c->nodes[i].notices[NOTICE_CLOCK_CONFLICT], 0);
    }
    cluster_free(c);
}

static void a_silent_crash_in_the_middle_of_a_push_leaves_no_gap(void **state)
{
    (void)state;
    struct cluster *c = formed(4, 34);
    char key[32];
    cluster_block(c, 0, 2, BLOCK_TCP);
    cluster_block(c, 0, 3, BLOCK_TCP);
    /* Too short-lived for the periodic comparison. */
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        put_or_fail(c, 0, key, 30000);
    }
    cluster_run_for(c, 50);
    cluster_crash_silently(c, 0);
    assert_true(cluster_wait_noticed(c, 0, 15000));
    cluster_run_for(c, 3000);
    assert_int_equal(cluster_keys(c, 2) + cluster_keys(c, 3), 100);
    cluster_free(c);
}

/* Short-lived, so that only the sessions after the loss can bring it to the others in time. */
static void a_fleeting_write_that_some_have_of_a_dead_writer_reaches_all(void **state)
{
    (void)state;
    enum { NODES = 5, WRITER = 4, LEFT_OUT = 2, SEEDS = 160 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct cluster *c = formed(NODES, seed);
        cluster_run_for(c, 2500); /* all know that all are ready */
        for (uint32_t i = 0; i < LEFT_OUT; i++) {
            cluster_block(c, WRITER, i, BLOCK_TCP);
        }
        put_or_fail(c, WRITER, "key", 5000);
        cluster_run_for(c, 50);
        cluster_kill(c, WRITER);
        cluster_run_for(c, 2000);
        for (uint32_t i = 0; i < WRITER; i++) {
            assert_int_equal(get(c, i, "key"), RC_OK);
        }
        cluster_free(c);
    }
}

/* What the pages say of promise 4. An older write of the one side and a newer one of the other that
 * ends before they meet are not ordered. Where the newer one has replaced the older, it stays so.
 */
static void after_a_split_an_older_value_may_follow_a_newer_one_that_has_ended(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(2, 57);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 3000));
    put_or_fail(c, 1, "met", 600000);
    cluster_run_for(c, 500);
    cluster_partition(c, 1);
    cluster_run_for(c, 90000); /* no bytes are on their way by then */
    put_or_fail(c, 1, "apart", 600000);
    cluster_run_for(c, 500);
    put_or_fail(c, 0, "met", 1000);
    put_or_fail(c, 0, "apart", 1000);
    assert_non_null(cluster_get(c, 0, "apart"));
    cluster_run_for(c, 1500);
    assert_null(cluster_get(c, 0, "met"));
    assert_null(cluster_get(c, 0, "apart"));
    cluster_heal(c);
    cluster_run_for(c, 60000);
    for (uint32_t node = 0; node < 2; node++) {
        assert_non_null(cluster_get(c, node, "apart"));
        assert_null(cluster_get(c, node, "met"));
    }
    cluster_free(c);
}

static void enclaves_without_datagrams_become_ready(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(4, 35);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < 4; j++) {
            cluster_block(c, i, j, BLOCK_UDP);
        }
    }
    (void)snprintf(c->config.enclave, sizeof(c->config.enclave), "red");
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 5000));
    put_or_fail(c, 0, "k", 10 * MINUTE_MS);
    (void)snprintf(c->config.enclave, sizeof(c->config.enclave), "blue");
    cluster_start(c, 2);
    cluster_start(c, 3);
    assert_true(cluster_wait_full_view(c, 8000));
    assert_true(cluster_wait_ready(c, 8000));
    cluster_run_for(c, 5000);
    assert_int_equal(get(c, 2, "k"), RC_NOT_FOUND);
    for (uint32_t i = 0; i < 4; i++) {
        struct engine_status status;
        engine_status(c->nodes[i].engine, stage_now_us(c, i), &status);
        assert_int_equal(status.counters.frames_malformed, 0);
    }
    cluster_free(c);
}

static void nodes_that_restart_together_wait_for_the_one_that_has_the_data(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = formed(5, 400 + seed);
        put_or_fail(c, 0, "k", 10 * MINUTE_MS);
        cluster_run_for(c, 100);
        for (uint32_t i = 1; i < 5; i++) {
            cluster_kill(c, i);
        }
        /* Links to the survivor take long to come up; its datagrams pass. */
        for (uint32_t i = 1; i < 5; i++) {
            cluster_block(c, 0, i, BLOCK_TCP);
            cluster_start(c, i);
        }
        for (int step = 0; step < 400; step++) {
            cluster_run_for(c, 10);
            if (step == 100) {
                cluster_heal(c);
            }
            for (uint32_t i = 1; i < 5; i++) {
                assert_int_not_equal(get(c, i, "k"), RC_NOT_FOUND);
            }
        }
        assert_true(cluster_wait_ready(c, 8000));
        cluster_free(c);
    }
}

static void writes_of_a_leaving_node_arrive(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = formed(3, 500 + seed);
        uint32_t have = 0;
        uint64_t puts[20];
        char key[32];
        c->jitter_us = 5000;
        for (int i = 0; i < 20; i++) {
            (void)snprintf(key, sizeof(key), "k%d", i);
            puts[i] = cluster_put(c, 1, key, "v", 10 * MINUTE_MS);
            assert_int_not_equal(puts[i], UINT64_MAX);
        }
        cluster_leave(c, 1);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(cluster_wait_put(c, puts[i], &have), PUT_QUORUM);
        }
        cluster_kill(c, 1);
        cluster_run_for(c, 1500);
        assert_int_equal(cluster_keys(c, 0), 20);
        assert_int_equal(cluster_keys(c, 2), 20);
        assert_int_equal(c->nodes[0].notices[NOTICE_MEMBER_DEAD], 0);
        cluster_free(c);
    }
}

static void a_waiting_write_is_sent_again_when_the_link_is_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = formed(2, 600 + seed);
        uint32_t have = 0;
        for (uint32_t writer = 0; writer < 2; writer++) {
            /* The link breaks with the write on it; datagrams pass all the time. */
            for (uint32_t i = 0; i < c->streams.count; i++) {
                if (c->streams.all[i].is_used) {
                    pipe_end(c, i, 0, LINK_END_RESET, c->net.now_us);
                    pipe_end(c, i, 1, LINK_END_RESET, c->net.now_us);
                }
            }
            const uint64_t put =
                cluster_put(c, writer, writer == 0 ? "a" : "b", "v", 10 * MINUTE_MS);
            const uint64_t before_us = c->net.now_us;
            assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
            assert_true(c->net.now_us - before_us < UINT64_C(1500) * 1000);
            cluster_run_for(c, 10000);
        }
        cluster_free(c);
    }
}

/* Founded apart by less than a minute, both sides merge, and the stamps of the side that is ahead
 * push those of the other. */
static void stamps_of_a_clock_that_is_ahead_lengthen_no_life(void **state)
{
    (void)state;
    enum { AHEAD_MS = 55000, SLOW = 0, OTHER = 1, FAST = 2, NODES };
    struct cluster *c = cluster_new(NODES, 35);
    struct record r;
    c->nodes[FAST].wall_offset_ms = AHEAD_MS;
    cluster_partition(c, FAST);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 4000));
    put_or_fail(c, FAST, "fast", HOUR_MS);
    put_or_fail(c, SLOW, "slow", HOUR_MS);
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    cluster_run_for(c, 10000);
    assert_int_equal(get(c, SLOW, "fast"), RC_OK);
    assert_int_equal(get(c, FAST, "slow"), RC_OK);
    /* The fast node's write is so old that its stamp is no longer ahead: it writes another. */
    put_or_fail(c, FAST, "fast", HOUR_MS);
    cluster_run_for(c, 1000);
    assert_int_equal(cluster_put(c, SLOW, "brief", "v", 1000), UINT64_MAX);
    assert_int_equal(get(c, SLOW, "brief"), RC_NOT_FOUND);
    const uint64_t taken_ms = engine_clock_ms(c->nodes[SLOW].engine, stage_now_us(c, SLOW));
    put_or_fail(c, SLOW, "minute", MINUTE_MS);
    cluster_run_for(c, 1000);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(
            engine_get(c->nodes[i].engine, (const uint8_t *)"minute", 6, stage_now_us(c, i), &r),
            RC_OK);
        assert_in_range(r.ahead_ms, AHEAD_MS - 3000, AHEAD_MS + 1000);
        assert_true(record_written_ms(&r) == taken_ms);
        assert_true(r.expiry_ms == taken_ms + MINUTE_MS);
    }
    cluster_run_for(c, MINUTE_MS - 3000);
    assert_int_equal(get(c, SLOW, "minute"), RC_OK);
    cluster_run_for(c, 2500); /* clocks slew toward each other */
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(get(c, i, "minute"), RC_NOT_FOUND);
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_joining_node_never_says_that_a_large_value_is_not_there),
        cmocka_unit_test(a_large_value_is_not_reconciled_again_while_it_is_on_its_way),
        cmocka_unit_test(keys_of_one_digest_are_two_keys_to_every_node_and_to_a_newcomer),
        cmocka_unit_test(stamps_of_a_clock_that_is_ahead_lengthen_no_life),
        cmocka_unit_test(clusters_founded_apart_do_not_mix_data_that_would_live),
        cmocka_unit_test(a_silent_crash_in_the_middle_of_a_push_leaves_no_gap),
        cmocka_unit_test(a_fleeting_write_that_some_have_of_a_dead_writer_reaches_all),
        cmocka_unit_test(after_a_split_an_older_value_may_follow_a_newer_one_that_has_ended),
        cmocka_unit_test(enclaves_without_datagrams_become_ready),
        cmocka_unit_test(nodes_that_restart_together_wait_for_the_one_that_has_the_data),
        cmocka_unit_test(writes_of_a_leaving_node_arrive),
        cmocka_unit_test(a_waiting_write_is_sent_again_when_the_link_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
