/* Stories of links that somebody else claims, and of links that only one side has lost. */
#include "tests/sim/cluster.h"
#include "tests/sim/memory.h"
#include "tests/sim/pipe.h"
#include "tests/sim/stage.h"
#include "tests/sim/stranger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS UINT64_C(60000)

static struct cluster *formed(uint32_t count, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    c->is_checked_often = true;
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    cluster_run_for(c, 5000);
    return c;
}

static struct engine_counters counters_of(struct cluster *c, uint32_t node)
{
    struct engine_status status;
    engine_status(c->nodes[node].engine, stage_now_us(c, node), &status);
    return status.counters;
}

/* The link of a node to another one; false when it has none. */
static bool link_to(const struct cluster *c, uint32_t node, uint32_t to,
                    struct engine_link_view *ret_view)
{
    uint32_t slot = 0;
    for (; engine_next_link(c->nodes[node].engine, &slot, ret_view); slot++) {
        if (uuid_equal(&ret_view->member, &c->nodes[to].uuid)) {
            return true;
        }
    }
    return false;
}

static void a_strangers_hello_with_a_members_uuid_ends_no_link(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = formed(3, seed);
        const struct engine_counters before = counters_of(c, 0);
        struct engine_link_view old;
        struct engine_link_view now;
        assert_true(link_to(c, 0, 1, &old));
        for (uint32_t i = 0; i < 20; i++) {
            stranger_claim(c, 0, 1);
            uint32_t have = 0;
            const uint64_t put = cluster_put(c, 0, "k", "v", MINUTE_MS);
            assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
            cluster_run_for(c, UINT64_C(100) * i);
        }
        cluster_run_for(c, 5000);
        const struct engine_counters after = counters_of(c, 0);
        assert_int_equal(after.links_opened, before.links_opened);
        assert_int_equal(after.links_lost, before.links_lost);
        assert_true(link_to(c, 0, 1, &now));
        assert_int_equal(now.up_since_us, old.up_since_us);
        assert_int_equal(now.value_max, old.value_max);
        assert_true(cluster_has_full_view(c));
        assert_true(cluster_is_converged(c));
        cluster_free(c);
    }
}

static void a_member_whose_link_is_silent_is_linked_again_within_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = formed(3, seed);
        struct engine_link_view old;
        struct engine_link_view here;
        struct engine_link_view there;
        assert_true(link_to(c, 0, 1, &old));
        pipe_lose_end(c, 1, 0);
        cluster_run_for(c, 50);
        assert_true(link_to(c, 0, 1, &here));
        assert_int_equal(here.up_since_us, old.up_since_us); /* it knows of nothing */
        assert_int_not_equal(cluster_put(c, 0, "here", "v", MINUTE_MS), UINT64_MAX);
        assert_int_not_equal(cluster_put(c, 1, "there", "v", MINUTE_MS), UINT64_MAX);
        cluster_run_for(c, 1250);
        assert_true(link_to(c, 0, 1, &here));
        assert_true(link_to(c, 1, 0, &there));
        assert_true(here.up_since_us > old.up_since_us);
        cluster_run_for(c, 1000);
        assert_non_null(cluster_get(c, 1, "here"));
        assert_non_null(cluster_get(c, 0, "there"));
        assert_true(cluster_has_full_view(c));
        assert_int_equal(counters_of(c, 0).member_deaths, 0);
        assert_int_equal(counters_of(c, 0).frames_malformed, 0);
        cluster_free(c);
    }
}

/* The member sends more on the waiting link than is kept. */
static void a_silent_link_makes_way_for_a_member_with_much_to_say(void **state)
{
    (void)state;
    static uint8_t value[1 << 20];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = formed(2, seed);
        struct engine_link_view old;
        struct engine_link_view here;
        assert_true(link_to(c, 0, 1, &old));
        pipe_lose_end(c, 1, 0);
        cluster_run_for(c, 50);
        assert_int_not_equal(cluster_put_bytes(c, 1, "k", value, sizeof(value), MINUTE_MS),
                             UINT64_MAX);
        cluster_run_for(c, 2000);
        assert_true(link_to(c, 0, 1, &here));
        assert_true(here.up_since_us > old.up_since_us);
        cluster_run_for(c, 1000);
        assert_int_equal(cluster_keys(c, 0), 1);
        assert_int_equal(counters_of(c, 0).member_deaths, 0);
        cluster_free(c);
    }
}

/* Each of the two has a link from somebody who claims to be the other, and no reason to dial. */
static void a_link_of_who_says_no_more_than_hello_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = formed(2, seed);
        struct engine_link_view view;
        cluster_block(c, 0, 1, BLOCK_TCP);
        pipe_lose_end(c, 0, 1);
        pipe_lose_end(c, 1, 0);
        cluster_run_for(c, 1000);
        for (uint32_t i = 0; i < 2; i++) {
            assert_false(link_to(c, i, 1 - i, &view));
            stranger_claim(c, i, 1 - i);
            assert_true(link_to(c, i, 1 - i, &view));
        }
        barrier_open_pairs(&c->barrier, c->net.now_us);
        assert_int_not_equal(cluster_put(c, 0, "here", "v", MINUTE_MS), UINT64_MAX);
        assert_int_not_equal(cluster_put(c, 1, "there", "v", MINUTE_MS), UINT64_MAX);
        cluster_run_for(c, 8000);
        for (uint32_t i = 0; i < 2; i++) {
            const struct addr at = stage_addr(1 - i);
            assert_true(link_to(c, i, 1 - i, &view));
            assert_true(addr_equal(&view.addr, &at));
            assert_int_equal(counters_of(c, i).member_deaths, 0);
        }
        assert_non_null(cluster_get(c, 1, "here"));
        assert_non_null(cluster_get(c, 0, "there"));
        cluster_free(c);
    }
}

/* Members that have nothing to say to each other keep their links all the same. */
static void a_quiet_link_of_a_member_stays(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 1);
    const struct engine_counters before = counters_of(c, 0);
    cluster_run_for(c, 2 * MINUTE_MS);
    assert_int_equal(counters_of(c, 0).links_opened, before.links_opened);
    assert_int_equal(before.links_opened, 2);
    cluster_free(c);
}

/* What a link begins with is not said then: it ends, and another takes its place. */
static void nodes_meet_whichever_call_for_memory_fails(void **state)
{
    (void)state;
    for (uint64_t calls = 0; calls < 8; calls++) {
        struct cluster *c = cluster_new(3, calls + 1);
        const uint64_t failed = memory_failures();
        memory_fail(calls, 2);
        cluster_start_all(c);
        assert_true(cluster_wait_ready(c, MINUTE_MS));
        assert_true(cluster_wait_full_view(c, MINUTE_MS));
        assert_int_equal(memory_failures(), failed + 2);
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_strangers_hello_with_a_members_uuid_ends_no_link),
        cmocka_unit_test(a_member_whose_link_is_silent_is_linked_again_within_a_second),
        cmocka_unit_test(a_silent_link_makes_way_for_a_member_with_much_to_say),
        cmocka_unit_test(a_link_of_who_says_no_more_than_hello_ends),
        cmocka_unit_test(a_quiet_link_of_a_member_stays),
        cmocka_unit_test(nodes_meet_whichever_call_for_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
