/* Stories of who sees whom, on virtual time: starting, failing, coming back, being forgotten. Each
 * node is an enclave of its own unless the story is about links. */
#include "tests/sim/burst.h"
#include "tests/sim/cluster.h"
#include "tests/sim/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)

enum { QUARTER_PPM = 250000 };

static struct cluster *cluster_apart(uint32_t count, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    c->enclave_size = 1;
    return c;
}

static struct cluster *formed(uint32_t count, uint64_t seed)
{
    struct cluster *c = cluster_apart(count, seed);
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 3000));
    return c;
}

static struct engine_status status_of(struct cluster *c, uint32_t node)
{
    struct engine_status status;
    engine_status(c->nodes[node].engine, stage_now_us(c, node), &status);
    return status;
}

/* How often running nodes have reported a death. */
static uint64_t deaths_told(const struct cluster *c)
{
    uint64_t deaths = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        deaths += c->nodes[i].notices[NOTICE_MEMBER_DEAD];
    }
    return deaths;
}

static void block_datagrams(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        for (uint32_t j = 0; j < c->count; j++) {
            cluster_block(c, i, j, BLOCK_UDP);
        }
    }
}

/* ---- Starting ---- */

static void a_burst_is_a_full_view_in_any_order_of_discovery(void **state)
{
    (void)state;
    static const enum contact_order orders[] = {CONTACTS_ALL, CONTACTS_RANDOM, CONTACTS_CHAIN,
                                                CONTACTS_RING, CONTACTS_ONE};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        for (uint64_t seed = 1; seed <= 6; seed++) {
            const uint32_t nodes = seed % 3 == 0 ? 64 : 16;
            struct cluster *c = cluster_apart(nodes, seed);
            c->order = orders[i];
            c->contacts = 3;
            c->loss_ppm = seed % 2 == 0 ? QUARTER_PPM : 0;
            cluster_start_all(c);
            assert_true(cluster_wait_full_view(c, nodes == 16 ? 2000 : 3000));
            cluster_free(c);
        }
    }
}

static void a_newcomer_is_told_of_everybody_and_everybody_of_it(void **state)
{
    (void)state;
    struct cluster *c = cluster_apart(64, 2);
    c->order = CONTACTS_ONE;
    for (uint32_t i = 0; i + 1 < c->count; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_full_view(c, 3000));
    cluster_run_for(c, MINUTE_MS);
    cluster_start(c, c->count - 1);
    assert_true(cluster_wait_full_view(c, 1000));
    cluster_free(c);
}

/* All begin at one seed, and later one more does. */
static void a_star_of_1000_forms_and_all_know_one_more_within_a_second(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1000, 14);
    c->enclave_size = 16;
    c->order = CONTACTS_ONE;
    for (uint32_t i = 0; i + 1 < c->count; i++) {
        cluster_start(c, i);
    }
    assert_true(cluster_wait_full_view(c, 5000));
    cluster_run_for(c, 5 * SECOND_MS);
    const uint64_t from_us = c->net.now_us;
    cluster_start(c, c->count - 1);
    assert_true(cluster_wait_full_view(c, 1000));
    print_message("one more of 1,000: known to all after %u ms\n",
                  (unsigned)((c->net.now_us - from_us) / 1000));
    cluster_free(c);
}

static void idle_nodes_send_little_however_many_they_are(void **state)
{
    (void)state;
    enum { BYTES_PER_SECOND_MAX = 450 };
    static const uint32_t sizes[] = {2, 16, 128};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct cluster *c = formed(sizes[i], 3);
        cluster_run_for(c, 5 * SECOND_MS);
        const uint64_t before = c->traffic.datagram_bytes + c->traffic.stream_bytes;
        cluster_run_for(c, MINUTE_MS);
        const uint64_t bytes = c->traffic.datagram_bytes + c->traffic.stream_bytes - before;
        print_message("%u nodes: %u bytes per node and second\n", sizes[i],
                      (unsigned)(bytes / 60 / sizes[i]));
        assert_true(bytes / 60 / sizes[i] <= BYTES_PER_SECOND_MAX);
        cluster_free(c);
    }
}

/* ---- Failing ---- */

static void a_silent_crash_is_known_to_all_in_time_under_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = formed(16, seed);
        c->loss_ppm = seed % 2 == 0 ? QUARTER_PPM : 0;
        cluster_run_for(c, 5 * SECOND_MS);
        cluster_crash_silently(c, 3);
        assert_true(cluster_wait_noticed(c, 3, 5500));
        cluster_free(c);
    }
}

/* A loss delays a stream by 200 ms, 600 ms, 1.4 s. A member that only links reach is not dead
 * because of that. */
static void lost_segments_are_no_deaths_where_only_links_work(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct cluster *c = cluster_new(16, seed);
        c->stream_loss_ppm = QUARTER_PPM;
        block_datagrams(c);
        cluster_start_all(c);
        cluster_run_for(c, MINUTE_MS);
        assert_int_equal(deaths_told(c), 0);
        cluster_free(c);
    }
}

static void a_crash_is_noticed_where_only_links_work(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(8, 5);
    block_datagrams(c);
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 5000));
    cluster_run_for(c, MINUTE_MS);
    cluster_crash_silently(c, 2);
    assert_true(cluster_wait_noticed(c, 2, 15 * SECOND_MS));
    cluster_free(c);
}

/* ---- Coming back ---- */

static void a_pause_shorter_than_the_windows_is_no_death(void **state)
{
    (void)state;
    struct cluster *c = formed(8, 6);
    cluster_pause(c, 3, 1000);
    cluster_run_for(c, MINUTE_MS);
    assert_int_equal(deaths_told(c), 0);
    assert_true(cluster_has_full_view(c));
    cluster_free(c);
}

static void one_that_was_paused_for_long_is_back_at_once_and_accuses_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct cluster *c = formed(8, seed);
        cluster_pause(c, 3, (seed == 3 ? 60 : 20) * SECOND_MS);
        assert_true(cluster_wait_noticed(c, 3, 10 * SECOND_MS));
        cluster_run_until(c, c->nodes[3].paused_until_us);
        assert_true(cluster_wait_full_view(c, 5 * SECOND_MS));
        cluster_run_for(c, MINUTE_MS);
        assert_int_equal(c->nodes[3].notices[NOTICE_MEMBER_DEAD], 0);
        assert_int_equal(deaths_told(c), 7);
        assert_true(cluster_has_full_view(c));
        cluster_free(c);
    }
}

static void a_restart_on_the_same_port_replaces_its_predecessor_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster *c = formed(8, seed);
        cluster_run_for(c, 10 * SECOND_MS);
        const struct uuid before = c->nodes[5].uuid;
        cluster_kill(c, 5);
        cluster_start(c, 5);
        assert_false(uuid_equal(&before, &c->nodes[5].uuid));
        assert_true(cluster_wait_full_view(c, 1500));
        cluster_run_for(c, MINUTE_MS);
        assert_true(cluster_has_full_view(c));
        for (uint32_t i = 0; i < c->count; i++) {
            const struct engine_status status = status_of(c, i);
            assert_int_equal(status.alive, 7);
            assert_int_equal(status.dead, 0); /* one row, not two */
            assert_int_equal(cluster_view(c, i, 5), MEMBER_ALIVE);
        }
        cluster_free(c);
    }
}

/* Whether some member of one half holds one of the other for alive again. */
static bool have_halves_met(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (status_of(c, i).alive >= c->count / 2) {
            return true;
        }
    }
    return false;
}

/* Runs for as long with the cluster in two halves, and says how long the views took after that.
 * Chance says when the halves meet. After that no period of a quiet network is waited for. */
static uint64_t heal_ms(struct cluster *c, uint64_t parted_ms)
{
    cluster_partition(c, c->count / 2);
    cluster_run_for(c, parted_ms);
    for (uint32_t i = 0; i < c->count; i++) {
        assert_int_equal(status_of(c, i).alive, c->count / 2 - 1);
        assert_int_equal(status_of(c, i).dead, c->count / 2);
    }
    cluster_heal(c);
    const uint64_t from_us = c->net.now_us;
    while (!have_halves_met(c)) {
        assert_true(c->net.now_us - from_us < 10 * SECOND_MS * 1000);
        cluster_run_for(c, 10);
    }
    assert_true(cluster_wait_full_view(c, 1000));
    return (c->net.now_us - from_us) / 1000;
}

static void a_partition_heals_unattended_after_minutes_and_after_23_hours(void **state)
{
    (void)state;
    static const struct {
        uint32_t nodes;
        uint64_t parted_ms;
    } cases[] = {{16, 2 * MINUTE_MS}, {128, MINUTE_MS}, {4, 23 * HOUR_MS}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cluster *c = formed(cases[i].nodes, 7);
        /* Discovery names nobody of the other side: the remembered dead are the only way. */
        c->order = CONTACTS_RANDOM;
        c->contacts = 0;
        print_message("%u nodes after %u min: %u ms\n", cases[i].nodes,
                      (unsigned)(cases[i].parted_ms / MINUTE_MS),
                      (unsigned)heal_ms(c, cases[i].parted_ms));
        const uint64_t deaths = deaths_told(c);
        cluster_run_for(c, MINUTE_MS);
        assert_true(cluster_has_full_view(c));
        assert_int_equal(deaths_told(c), deaths);
        cluster_free(c);
    }
}

/* ---- Being forgotten ---- */

static void the_dead_are_remembered_for_a_day_and_dropped_then(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 8);
    cluster_run_for(c, 5 * SECOND_MS);
    cluster_crash_silently(c, 2);
    assert_true(cluster_wait_noticed(c, 2, 10 * SECOND_MS));
    cluster_run_for(c, 24 * HOUR_MS - MINUTE_MS);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(status_of(c, i).dead, 1);
    }
    cluster_run_for(c, 2 * MINUTE_MS);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(status_of(c, i).dead, 0);
        assert_int_equal(status_of(c, i).alive, 1);
    }
    cluster_free(c);
}

/* ---- Who is who ---- */

static void two_of_one_name_are_both_shown_and_told_of(void **state)
{
    (void)state;
    struct cluster *c = cluster_apart(3, 9);
    (void)snprintf(c->config.name, sizeof(c->config.name), "twin");
    cluster_start(c, 0);
    cluster_start(c, 1);
    c->config.name[0] = '\0';
    cluster_start(c, 2);
    assert_true(cluster_wait_full_view(c, 2000));
    cluster_run_for(c, MINUTE_MS);
    uint32_t twins = 0;
    uint32_t slot = 0;
    for (const struct member *m; (m = engine_next_member(c->nodes[2].engine, &slot)) != NULL;
         slot++) {
        twins += m->state == MEMBER_ALIVE && strcmp(member_name(m), "twin") == 0;
    }
    assert_int_equal(twins, 2);
    for (uint32_t i = 0; i < c->count; i++) {
        assert_int_equal(c->nodes[i].notices[NOTICE_NAME_TWICE], i < 2 ? 1 : 0);
    }
    assert_true(cluster_has_full_view(c));
    cluster_free(c);
}

static void nodes_of_another_cluster_stay_strangers(void **state)
{
    (void)state;
    struct cluster *c = cluster_apart(6, 10);
    for (uint32_t i = 0; i < c->count; i++) {
        (void)snprintf(c->config.network, sizeof(c->config.network), i < 3 ? "ours" : "theirs");
        cluster_start(c, i);
    }
    cluster_run_for(c, 5 * MINUTE_MS);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct engine_status status = status_of(c, i);
        assert_int_equal(status.alive, 2);
        assert_int_equal(status.suspect + status.dead, 0);
        assert_true(status.counters.datagrams_stranger > 0);
        assert_true(c->nodes[i].notices[NOTICE_STRANGER] >= 1);
        assert_int_equal(cluster_view(c, i, (i + 3) % 6), MEMBER_LEFT);
    }
    cluster_free(c);
}

/* The oracle excuses a death by what this says. */
static void a_long_burst_is_an_outage_until_shortly_after_its_end(void **state)
{
    (void)state;
    struct burst b;
    struct rng rng;
    rng_init(&rng, 1);
    burst_init(&b, 2);
    burst_set(&b, 500000, BURST_MEAN_US);
    uint64_t now_us = 1;
    while (burst_left_us(&b, &rng, 0, 0, now_us) < 500000) {
        now_us += 1000;
    }
    /* It has just begun, and ends after half a second. */
    const uint64_t from_us = b.lines[0].bad_from_us;
    const uint64_t to_us = b.lines[0].bad_to_us;
    assert_in_range(now_us, from_us, from_us + 1000);
    assert_int_equal(to_us, b.lines[0].until_us);
    assert_false(burst_was_outage(&b, 0, 500000, from_us + 499999));
    assert_true(burst_was_outage(&b, 0, 500000, from_us + 500000));
    assert_true(burst_was_outage(&b, 0, 500000, to_us + 300000));
    assert_false(burst_was_outage(&b, 0, 500000, to_us + 300001));
    assert_false(burst_was_outage(&b, 0, to_us - from_us + 1, to_us));
    assert_false(burst_was_outage(&b, 1, 500000, from_us + 500000));
    burst_fini(&b);
}

/* And one between two that a cut kept apart until just now. */
static void a_way_that_was_opened_is_known_until_the_next_is_closed(void **state)
{
    (void)state;
    struct barrier b;
    barrier_init(&b, 3);
    barrier_set_pair(&b, 0, 1, BLOCK_UDP);
    assert_false(barrier_was_closed(&b, 0, 1, 0));
    barrier_open_pairs(&b, 500);
    assert_int_equal(barrier_of(&b, 0, 1), 0);
    assert_true(barrier_was_closed(&b, 0, 1, 500));
    assert_false(barrier_was_closed(&b, 0, 1, 501));
    assert_false(barrier_was_closed(&b, 1, 0, 500));
    barrier_set_pair(&b, 1, 2, BLOCK_TCP);
    assert_int_equal(barrier_of(&b, 0, 1), 0);
    assert_int_equal(barrier_of(&b, 1, 2), BLOCK_TCP);
    assert_false(barrier_was_closed(&b, 0, 1, 500));
    barrier_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_a_full_view_in_any_order_of_discovery),
        cmocka_unit_test(a_newcomer_is_told_of_everybody_and_everybody_of_it),
        cmocka_unit_test(a_star_of_1000_forms_and_all_know_one_more_within_a_second),
        cmocka_unit_test(idle_nodes_send_little_however_many_they_are),
        cmocka_unit_test(a_silent_crash_is_known_to_all_in_time_under_loss),
        cmocka_unit_test(lost_segments_are_no_deaths_where_only_links_work),
        cmocka_unit_test(a_crash_is_noticed_where_only_links_work),
        cmocka_unit_test(a_pause_shorter_than_the_windows_is_no_death),
        cmocka_unit_test(one_that_was_paused_for_long_is_back_at_once_and_accuses_nobody),
        cmocka_unit_test(a_restart_on_the_same_port_replaces_its_predecessor_at_once),
        cmocka_unit_test(a_partition_heals_unattended_after_minutes_and_after_23_hours),
        cmocka_unit_test(the_dead_are_remembered_for_a_day_and_dropped_then),
        cmocka_unit_test(two_of_one_name_are_both_shown_and_told_of),
        cmocka_unit_test(nodes_of_another_cluster_stay_strangers),
        cmocka_unit_test(a_long_burst_is_an_outage_until_shortly_after_its_end),
        cmocka_unit_test(a_way_that_was_opened_is_known_until_the_next_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
