/* Stories about the quorum of a write: who counts in it, and when its client gets an answer. */
#include "core/base/mem.h"
#include "tests/sim/cluster.h"
#include "tests/sim/pipe.h"
#include "tests/sim/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE_MS UINT64_C(60000)

enum { LARGE = 100 * 1000, NO_ROOM = 64 };

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

static void break_streams(struct cluster *c)
{
    for (uint32_t i = 0; i < c->streams.count; i++) {
        if (c->streams.all[i].is_used) {
            pipe_end(c, i, 0, LINK_END_RESET, c->net.now_us);
            pipe_end(c, i, 1, LINK_END_RESET, c->net.now_us);
        }
    }
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
    /* A node that hears nobody at all doubts itself, and takes its time. */
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

/* ---- Refused for good ---- */

/* A cluster of `count` of which `taking` nodes from 0 on have room. */
static struct cluster *mostly_full(uint32_t count, uint32_t taking, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    const uint64_t bytes_max = c->config.bytes_max;
    for (uint32_t i = 0; i < count; i++) {
        c->config.bytes_max = i < taking ? bytes_max : NO_ROOM;
        cluster_start(c, i);
    }
    assert_true(cluster_wait_full_view(c, 5000));
    cluster_run_for(c, 5000);
    return c;
}

/* Writes a small or a large value and returns how it was answered, and after how many ms. */
static enum put_status put_timed(struct cluster *c, uint32_t node, uint64_t value_len,
                                 uint64_t *ret_ms)
{
    static uint32_t keys;
    char key[32];
    char *value = mem_new(1, value_len);
    (void)snprintf(key, sizeof(key), "timed-%u", keys++);
    const uint64_t put = cluster_put_bytes(c, node, key, value, value_len, 10 * MINUTE_MS);
    assert_int_not_equal(put, UINT64_MAX);
    free(value);
    *ret_ms = 0;
    while (!c->puts[put].is_done) {
        cluster_run_for(c, 1);
        (*ret_ms)++;
    }
    return c->puts[put].done.status;
}

static void where_too_many_are_full_the_client_is_told_at_once(void **state)
{
    (void)state;
    static const uint64_t lens[] = {100, LARGE};
    uint64_t ms = 0;
    struct cluster *c = mostly_full(3, 1, 911);
    for (size_t i = 0; i < 2; i++) {
        for (int times = 0; times < 3; times++) {
            assert_int_equal(put_timed(c, 0, lens[i], &ms), PUT_PENDING);
            assert_true(ms < 100);
        }
    }
    cluster_free(c);
}

static void where_enough_have_room_the_full_ones_do_no_harm(void **state)
{
    (void)state;
    static const uint64_t lens[] = {100, LARGE};
    uint64_t ms = 0;
    struct cluster *c = mostly_full(5, 2, 912);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(put_timed(c, 0, lens[i], &ms), PUT_QUORUM);
        assert_true(ms < 100);
    }
    cluster_free(c);
}

static void in_a_large_enclave_others_are_asked_in_place_of_the_full(void **state)
{
    (void)state;
    static const uint64_t lens[] = {100, LARGE};
    uint64_t ms = 0;
    struct cluster *c = mostly_full(16, 6, 914);
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t node = 0; node < 6; node++) {
            assert_int_equal(put_timed(c, node, lens[i], &ms), PUT_QUORUM);
            assert_true(ms < 500);
        }
    }
    cluster_free(c);
}

static void in_a_large_enclave_of_full_members_the_client_is_told_at_once(void **state)
{
    (void)state;
    static const uint64_t lens[] = {100, LARGE};
    uint64_t ms = 0;
    struct cluster *c = mostly_full(16, 1, 914);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(put_timed(c, 0, lens[i], &ms), PUT_PENDING);
        assert_true(ms < 1000);
    }
    cluster_free(c);
}

/* ---- Put off ---- */

/* Lets a node start so far away that it takes seconds to find the cluster's clock, and runs until
 * node 0 counts it and has a link to it. */
static void start_slowly(struct cluster *c, uint32_t node, uint64_t one_way_ms)
{
    struct engine_link_view view;
    const uint32_t before = counted(c, 0);
    c->delay_us = one_way_ms * 1000;
    cluster_start(c, node);
    for (bool is_linked = false; !is_linked || counted(c, 0) == before;) {
        cluster_run_for(c, 10);
        is_linked = false;
        for (uint32_t slot = 0; engine_next_link(c->nodes[0].engine, &slot, &view); slot++) {
            is_linked = is_linked || uuid_equal(&view.member, &c->nodes[node].uuid);
        }
    }
    assert_true((engine_unready(c->nodes[node].engine) & READY_NO_CLOCK) != 0);
}

static void what_a_newcomer_has_no_clock_for_is_sent_again_once_it_has(void **state)
{
    (void)state;
    static const uint64_t lens[] = {100, LARGE};
    for (size_t i = 0; i < 2; i++) {
        uint64_t ms = 0;
        struct cluster *c = cluster_new(2, 921 + i);
        cluster_start(c, 0);
        assert_true(cluster_wait_ready(c, 5000));
        start_slowly(c, 1, 400);
        assert_int_equal(put_timed(c, 0, lens[i], &ms), PUT_QUORUM);
        assert_true(c->nodes[1].engine != NULL && ms < 4900);
        struct engine_counters counters;
        cluster_counters(c, &counters);
        assert_true(counters.nacks_received > 0);
        cluster_free(c);
    }
}

/* The link that a write was put off on is lost: the next one brings it. */
static void what_was_put_off_is_sent_on_the_next_link(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(2, 923);
    cluster_start(c, 0);
    assert_true(cluster_wait_ready(c, 5000));
    start_slowly(c, 1, 150);
    const uint64_t put = put_or_fail(c, 0, "a");
    cluster_run_for(c, 350);
    assert_false(c->puts[put].is_done);
    break_streams(c);
    uint32_t have = 0;
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    cluster_free(c);
}

/* ---- Lost while it waits ---- */

static void a_member_that_dies_while_a_write_waits_is_not_waited_for(void **state)
{
    (void)state;
    struct cluster *c = formed(2, 931);
    uint32_t have = 0;
    cluster_block(c, 0, 1, BLOCK_TCP);
    const uint64_t put = put_or_fail(c, 0, "a");
    const uint64_t begun_us = c->net.now_us;
    cluster_kill(c, 1);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_PENDING);
    assert_int_equal(have, 1);
    assert_true(c->net.now_us - begun_us < 2500 * UINT64_C(1000));
    cluster_free(c);
}

static void a_member_that_leaves_while_a_write_waits_is_not_waited_for(void **state)
{
    (void)state;
    struct cluster *c = formed(2, 932);
    uint32_t have = 0;
    cluster_block(c, 0, 1, BLOCK_TCP);
    const uint64_t put = put_or_fail(c, 0, "a");
    const uint64_t begun_us = c->net.now_us;
    cluster_leave(c, 1);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_PENDING);
    assert_true(c->net.now_us - begun_us < 2500 * UINT64_C(1000));
    cluster_free(c);
}

/* ---- Ready ---- */

static bool is_ready(struct cluster *c, uint32_t node)
{
    return c->nodes[node].is_up && engine_unready(c->nodes[node].engine) == 0;
}

/* Runs until all nodes are ready, and writes on each in the ms in which it becomes so: all must be
 * answered 201, and at once. */
static void put_on_each_as_soon_as_it_is_ready(struct cluster *c, uint64_t stagger_ms)
{
    enum { MOST = 16, SOON_MS = 100 };
    uint64_t puts[MOST] = {0}; /* numbers plus 1 */
    uint64_t put_us[MOST] = {0};
    uint32_t done = 0;
    assert_true(c->count <= MOST);
    for (uint64_t ms = 0; done < c->count; ms++) {
        assert_true(ms < 8000);
        for (uint32_t i = 0; i < c->count; i++) {
            if (!c->nodes[i].is_up && ms >= i * stagger_ms) {
                cluster_start(c, i);
            }
            if (puts[i] == 0 && is_ready(c, i)) {
                puts[i] = put_or_fail(c, i, "a") + 1;
                put_us[i] = c->net.now_us;
                done++;
            }
        }
        cluster_run_for(c, 1);
        for (uint32_t i = 0; i < c->count; i++) {
            const bool is_due =
                puts[i] != 0 && c->net.now_us - put_us[i] >= (uint64_t)SOON_MS * 1000;
            assert_true(!is_due || c->puts[puts[i] - 1].is_done);
        }
    }
    cluster_run_for(c, SOON_MS);
    for (uint32_t i = 0; i < c->count; i++) {
        assert_true(c->puts[puts[i] - 1].is_done);
        assert_int_equal(c->puts[puts[i] - 1].done.status, PUT_QUORUM);
    }
}

static void who_is_ready_takes_writes_with_its_quorum_at_once(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 3, 5, 14};
    static const uint64_t staggers_ms[] = {0, 3, 40, 300};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (size_t i = 0; i < 16; i++) {
            struct cluster *c = cluster_new(counts[i / 4], 940 + seed);
            put_on_each_as_soon_as_it_is_ready(c, staggers_ms[i % 4]);
            cluster_free(c);
        }
    }
}

static void who_loses_its_quorum_stays_ready_and_says_so(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 951);
    struct engine_status status;
    for (uint32_t i = 1; i < 3; i++) {
        cluster_block(c, 0, i, BLOCK_TCP);
        cluster_block(c, i, 0, BLOCK_TCP);
    }
    break_streams(c);
    cluster_run_for(c, 20000);
    engine_status(c->nodes[0].engine, stage_now_us(c, 0), &status);
    assert_int_equal(status.unready, 0);
    assert_int_equal(status.enclave_members, 3);
    assert_false(status.has_quorum);
    cluster_heal(c);
    for (uint32_t i = 1; i < 3; i++) {
        cluster_block(c, 0, i, 0);
        cluster_block(c, i, 0, 0);
    }
    cluster_run_for(c, 20000);
    engine_status(c->nodes[0].engine, stage_now_us(c, 0), &status);
    assert_true(status.has_quorum);
    cluster_free(c);
}

/* They count in the quorum until they are dead, and none of them answers. */
static void whose_others_all_fall_silent_says_that_it_has_no_quorum(void **state)
{
    (void)state;
    for (uint64_t seed = 961; seed <= 965; seed++) {
        struct cluster *c = formed(3, seed);
        struct engine_status status;
        cluster_pause(c, 1, 60000);
        cluster_pause(c, 2, 60000);
        cluster_run_for(c, 5000);
        engine_status(c->nodes[0].engine, stage_now_us(c, 0), &status);
        assert_int_equal(status.quorum, 2);
        assert_false(status.has_quorum);
        cluster_free(c);
    }
}

/* One that others name and reach may answer at any moment, and raise the quorum. It is waited for,
 * but not for ever. */
static void who_is_told_of_somebody_that_does_not_answer_waits_for_it(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 954);
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 3000));
    cluster_block(c, 1, 2, BLOCK_TCP | BLOCK_UDP);
    cluster_block(c, 2, 1, BLOCK_TCP | BLOCK_UDP);
    cluster_start(c, 2);
    cluster_run_for(c, 3000);
    assert_int_equal(engine_unready(c->nodes[2].engine), READY_NO_QUORUM);
    cluster_run_for(c, 2000);
    assert_true(is_ready(c, 2));
    cluster_free(c);
}

/* A newcomer that meets all by datagrams, and has a link to one that it caught up from, is not a
 * quorum of three. */
static void who_has_links_to_too_few_for_its_quorum_is_not_ready(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(5, 953);
    c->config.replication_factor = 5;
    for (uint32_t i = 0; i < 4; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_ready(c, 3000));
    for (uint32_t i = 1; i < 4; i++) {
        cluster_block(c, 4, i, BLOCK_TCP);
        cluster_block(c, i, 4, BLOCK_TCP);
    }
    cluster_start(c, 4);
    cluster_run_for(c, 10000);
    assert_int_equal(engine_unready(c->nodes[4].engine), READY_NO_QUORUM);
    for (uint32_t i = 1; i < 4; i++) {
        cluster_block(c, 4, i, 0);
        cluster_block(c, i, 4, 0);
    }
    put_on_each_as_soon_as_it_is_ready(c, 0);
    cluster_free(c);
}

/* A newcomer hears of a node whose death nobody knows of yet: it waits for it no longer than for an
 * answer. */
static void who_is_told_of_somebody_gone_is_ready_soon(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 952);
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 3000));
    cluster_crash_silently(c, 1);
    cluster_start(c, 2);
    cluster_run_for(c, 4500);
    /* Of the two that it knows by hearsay one counts, which is enough. */
    assert_true(is_ready(c, 2));
    cluster_free(c);
}

/* Three nodes, the first of which is told to stop. The others take it for one of them till it
 * leaves, and so its writes and theirs are 201. */
static void who_drains_takes_writes_with_its_quorum_until_it_leaves(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 917);
    struct engine_status status;
    uint32_t have = 0;
    engine_drain(c->nodes[0].engine, stage_now_us(c, 0));
    stage_drain(c, 0);
    cluster_run_for(c, 1000);
    assert_int_equal(engine_unready(c->nodes[0].engine), READY_DRAINING);
    assert_int_equal(cluster_view(c, 1, 0), MEMBER_ALIVE);
    cluster_kill(c, 2);
    cluster_run_for(c, 100);
    /* One link is left, and it leads to the node that drains. */
    engine_status(c->nodes[1].engine, stage_now_us(c, 1), &status);
    assert_true(status.has_quorum);
    for (uint32_t node = 0; node < 2; node++) {
        const uint64_t put = put_or_fail(c, node, node == 0 ? "a" : "b");
        assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    }
    cluster_leave(c, 0);
    assert_int_equal(cluster_put(c, 0, "c", "v", MINUTE_MS), UINT64_MAX);
    cluster_run_for(c, 100);
    assert_int_equal(cluster_view(c, 1, 0), MEMBER_LEFT);
    cluster_free(c);
}

/* The clock shows when: the write timeout is longer than what a node that leaves gives it. */
static void a_write_that_waits_is_answered_two_seconds_after_its_node_leaves(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 918);
    assert_true(c->config.write_timeout_ms > LEAVE_WAIT_MS + 1000);
    block_pair(c, 0, 1);
    block_pair(c, 0, 2);
    const uint64_t put = put_or_fail(c, 0, "a");
    cluster_run_for(c, 10);
    const uint64_t left_us = c->net.now_us;
    uint32_t have = 0;
    cluster_leave(c, 0);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_PENDING);
    assert_int_equal(have, 1);
    assert_in_range(c->net.now_us - left_us, LEAVE_WAIT_MS * 1000, LEAVE_WAIT_MS * 1000 + 100000);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_known_by_hearsay_only_does_not_count),
        cmocka_unit_test(who_was_dead_counts_again_once_it_has_answered),
        cmocka_unit_test(members_in_clock_conflict_do_not_count),
        cmocka_unit_test(where_too_many_are_full_the_client_is_told_at_once),
        cmocka_unit_test(where_enough_have_room_the_full_ones_do_no_harm),
        cmocka_unit_test(in_a_large_enclave_others_are_asked_in_place_of_the_full),
        cmocka_unit_test(in_a_large_enclave_of_full_members_the_client_is_told_at_once),
        cmocka_unit_test(what_a_newcomer_has_no_clock_for_is_sent_again_once_it_has),
        cmocka_unit_test(what_was_put_off_is_sent_on_the_next_link),
        cmocka_unit_test(a_member_that_dies_while_a_write_waits_is_not_waited_for),
        cmocka_unit_test(a_member_that_leaves_while_a_write_waits_is_not_waited_for),
        cmocka_unit_test(who_is_ready_takes_writes_with_its_quorum_at_once),
        cmocka_unit_test(who_loses_its_quorum_stays_ready_and_says_so),
        cmocka_unit_test(whose_others_all_fall_silent_says_that_it_has_no_quorum),
        cmocka_unit_test(who_has_links_to_too_few_for_its_quorum_is_not_ready),
        cmocka_unit_test(who_is_told_of_somebody_that_does_not_answer_waits_for_it),
        cmocka_unit_test(who_is_told_of_somebody_gone_is_ready_soon),
        cmocka_unit_test(who_drains_takes_writes_with_its_quorum_until_it_leaves),
        cmocka_unit_test(a_write_that_waits_is_answered_two_seconds_after_its_node_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
