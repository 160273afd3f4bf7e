/* Stories about how clusters and enclaves begin: which node may found one, and for which others it
 * waits. */
#include "tests/sim/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS UINT64_C(60000)

static bool is_ready(const struct cluster *c, uint32_t node)
{
    return engine_unready(c->nodes[node].engine) == 0;
}

static uint32_t count_ready(const struct cluster *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        count += c->nodes[i].is_up && is_ready(c, i);
    }
    return count;
}

static uint64_t count_notices(const struct cluster *c, enum notice_kind kind)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        count += c->nodes[i].notices[kind];
    }
    return count;
}

static bool has_clock(struct cluster *c, uint32_t node)
{
    return (engine_unready(c->nodes[node].engine) & READY_NO_CLOCK) == 0;
}

static bool takes_writes(struct cluster *c, uint32_t node)
{
    return cluster_put(c, node, "k", "v", MINUTE_MS) != UINT64_MAX;
}

static struct cluster *expecting(uint32_t count, uint32_t expected, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    c->config.expect_members = expected;
    return c;
}

/* ---- Discovery that fails ---- */

static void nobody_founds_a_cluster_while_discovery_fails(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = cluster_new(4, seed);
        for (uint32_t i = 0; i < c->count; i++) {
            c->nodes[i].providers = PROVIDERS_FAIL;
            c->nodes[i].answers_at_us = c->net.now_us + (4 + i) * SECOND_MS * 1000;
        }
        cluster_start_all(c);
        cluster_run_for(c, 3900);
        for (uint32_t i = 0; i < c->count; i++) {
            assert_false(has_clock(c, i));
        }
        assert_true(cluster_wait_ready(c, 5000));
        assert_true(cluster_has_full_view(c));
        assert_int_equal(count_notices(c, NOTICE_PASS_FAILED), 0);
        cluster_free(c);
    }
}

static void discovery_that_never_answers_is_waited_for_ten_seconds(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1, 11);
    c->nodes[0].providers = PROVIDERS_FAIL;
    cluster_start(c, 0);
    cluster_run_for(c, 9900);
    assert_int_equal(engine_unready(c->nodes[0].engine) & READY_DISCOVERING, READY_DISCOVERING);
    assert_true(cluster_wait_ready(c, 500));
    assert_int_equal(c->nodes[0].notices[NOTICE_PASS_FAILED], 1);
    cluster_free(c);
}

static void neighbours_wait_for_a_provider_that_may_know_others(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 12);
    for (uint32_t i = 0; i < c->count; i++) {
        c->nodes[i].providers = PROVIDERS_HALF;
    }
    cluster_start_all(c);
    cluster_run_for(c, 9900);
    assert_true(cluster_has_full_view(c));
    assert_int_equal(count_ready(c), 0);
    assert_true(cluster_wait_ready(c, 1000));
    cluster_free(c);
}

static void who_joins_a_ready_member_does_not_wait_for_a_failed_provider(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 13);
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 3000));
    c->nodes[2].providers = PROVIDERS_HALF;
    cluster_start(c, 2);
    assert_true(cluster_wait_ready(c, 2000));
    assert_int_equal(c->nodes[2].notices[NOTICE_PASS_FAILED], 0);
    cluster_free(c);
}

static void names_that_come_late_are_asked_before_anybody_founds(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(2, 14);
    c->nodes[1].providers = PROVIDERS_FAIL;
    c->order = CONTACTS_CHAIN; /* the first knows of nobody */
    c->delay_us = UINT64_C(150) * 1000;
    cluster_start(c, 0);
    assert_true(cluster_wait_ready(c, 3000));
    c->nodes[1].answers_at_us = c->net.now_us + 9 * SECOND_MS * 1000;
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 14000));
    assert_true(cluster_has_full_view(c));
    assert_int_equal(c->nodes[1].notices[NOTICE_CLOCK_SET], 1);
    assert_int_equal(c->nodes[1].notices[NOTICE_PASS_FAILED], 0);
    cluster_free(c);
}

/* ---- Members that are expected ---- */

static void enclave_begins_as_soon_as_all_expected_are_there(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 30; seed++) {
        struct cluster *c = expecting(3, 3, seed);
        cluster_start_all(c);
        assert_true(cluster_wait_ready(c, 1000));
        cluster_free(c);
    }
}

static void halves_that_start_apart_make_one_enclave(void **state)
{
    (void)state;
    struct cluster *c = expecting(4, 4, 30);
    cluster_partition(c, 2);
    cluster_start_all(c);
    cluster_run_for(c, 5 * MINUTE_MS);
    for (uint32_t i = 0; i < c->count; i++) {
        assert_int_equal(engine_unready(c->nodes[i].engine) & (READY_JOINING | READY_EXPECTING),
                         READY_JOINING | READY_EXPECTING);
        assert_false(takes_writes(c, i));
    }
    cluster_heal(c);
    assert_true(cluster_wait_ready(c, 40 * SECOND_MS));
    assert_true(cluster_has_full_view(c));
    assert_true(takes_writes(c, 0));
    cluster_free(c);
}

static void more_than_half_begin_after_a_minute(void **state)
{
    (void)state;
    struct cluster *c = expecting(3, 3, 31);
    cluster_start(c, 0);
    cluster_start(c, 1);
    cluster_run_for(c, 59 * SECOND_MS);
    assert_int_equal(count_ready(c), 0);
    assert_true(cluster_wait_ready(c, 3 * SECOND_MS));
    assert_true(count_notices(c, NOTICE_MAJORITY) >= 1);
    assert_true(takes_writes(c, 0));
    cluster_start(c, 2);
    assert_true(cluster_wait_ready(c, 3 * SECOND_MS));
    assert_non_null(cluster_get(c, 2, "k"));
    assert_int_equal(c->nodes[2].notices[NOTICE_MAJORITY], 0);
    cluster_free(c);
}

static void late_third_ends_the_waiting(void **state)
{
    (void)state;
    struct cluster *c = expecting(3, 3, 32);
    cluster_start(c, 0);
    cluster_start(c, 1);
    cluster_run_for(c, 30 * SECOND_MS);
    assert_int_equal(count_ready(c), 0);
    cluster_start(c, 2);
    assert_true(cluster_wait_ready(c, 2 * SECOND_MS));
    assert_int_equal(count_notices(c, NOTICE_MAJORITY), 0);
    cluster_free(c);
}

/* One that sees all is enough, though the others never see each other. */
static void who_has_met_all_lets_the_others_begin(void **state)
{
    (void)state;
    struct cluster *c = expecting(3, 3, 33);
    cluster_block(c, 0, 1, BLOCK_ALL);
    cluster_block(c, 1, 0, BLOCK_ALL);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 10 * SECOND_MS));
    assert_int_equal(count_notices(c, NOTICE_MAJORITY), 0);
    cluster_free(c);
}

static void restarted_member_of_an_enclave_is_not_held_up(void **state)
{
    (void)state;
    struct cluster *c = expecting(3, 3, 34);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 1000));
    assert_true(takes_writes(c, 0));
    cluster_kill(c, 1);
    cluster_kill(c, 2);
    cluster_run_for(c, 10 * SECOND_MS);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 2 * SECOND_MS));
    assert_non_null(cluster_get(c, 1, "k"));
    cluster_free(c);
}

/* The last node that knows of the enclave is leaving when the next one comes. */
static void enclave_of_which_one_is_draining_still_exists(void **state)
{
    (void)state;
    struct cluster *c = expecting(2, 2, 35);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 1000));
    cluster_kill(c, 1);
    cluster_run_for(c, 5 * SECOND_MS);
    cluster_start(c, 1);
    cluster_run_for(c, 20);
    cluster_leave(c, 0);
    cluster_run_for(c, SECOND_MS);
    cluster_kill(c, 0);
    assert_true(cluster_wait_ready(c, 5 * SECOND_MS));
    cluster_free(c);
}

static void members_that_only_links_reach_count_too(void **state)
{
    (void)state;
    struct cluster *c = expecting(3, 3, 38);
    c->barrier.everywhere = BLOCK_UDP;
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 15 * SECOND_MS));
    assert_int_equal(count_notices(c, NOTICE_MAJORITY), 0);
    cluster_kill(c, 2);
    cluster_run_for(c, 10 * SECOND_MS);
    cluster_start(c, 2);
    assert_true(cluster_wait_ready(c, 10 * SECOND_MS));
    cluster_free(c);
}

static void another_enclave_does_not_count(void **state)
{
    (void)state;
    struct cluster *c = expecting(4, 2, 36);
    c->enclave_size = 2;
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 1000));
    cluster_start(c, 2);
    cluster_run_for(c, 2 * MINUTE_MS);
    assert_false(is_ready(c, 2));
    assert_true(has_clock(c, 2));
    assert_false(takes_writes(c, 2));
    cluster_start(c, 3);
    assert_true(cluster_wait_ready(c, 2 * SECOND_MS));
    cluster_free(c);
}

static void enclave_that_is_out_of_reach_is_waited_for(void **state)
{
    (void)state;
    struct cluster *c = expecting(4, 3, 37);
    for (uint32_t i = 0; i < 3; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_ready(c, 1000));
    assert_true(takes_writes(c, 0));
    cluster_partition(c, 3);
    cluster_start(c, 3);
    cluster_run_for(c, 5 * MINUTE_MS);
    assert_false(is_ready(c, 3));
    cluster_heal(c);
    assert_true(cluster_wait_ready(c, 15 * SECOND_MS));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_founds_a_cluster_while_discovery_fails),
        cmocka_unit_test(discovery_that_never_answers_is_waited_for_ten_seconds),
        cmocka_unit_test(neighbours_wait_for_a_provider_that_may_know_others),
        cmocka_unit_test(who_joins_a_ready_member_does_not_wait_for_a_failed_provider),
        cmocka_unit_test(names_that_come_late_are_asked_before_anybody_founds),
        cmocka_unit_test(enclave_begins_as_soon_as_all_expected_are_there),
        cmocka_unit_test(halves_that_start_apart_make_one_enclave),
        cmocka_unit_test(more_than_half_begin_after_a_minute),
        cmocka_unit_test(late_third_ends_the_waiting),
        cmocka_unit_test(who_has_met_all_lets_the_others_begin),
        cmocka_unit_test(restarted_member_of_an_enclave_is_not_held_up),
        cmocka_unit_test(enclave_of_which_one_is_draining_still_exists),
        cmocka_unit_test(members_that_only_links_reach_count_too),
        cmocka_unit_test(another_enclave_does_not_count),
        cmocka_unit_test(enclave_that_is_out_of_reach_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
