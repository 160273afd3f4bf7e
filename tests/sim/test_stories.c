/* Stories of a cluster on virtual time. Each is what an operator could live through. */
#include "tests/sim/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static struct cluster *formed(uint32_t count, uint64_t seed)
{
    struct cluster *c = cluster_new(count, seed);
    c->is_checked_often = count <= 5;
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    return c;
}

static void assert_everywhere(struct cluster *c, const char *key, const char *value)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->nodes[i].is_up) {
            continue;
        }
        const char *found = cluster_get(c, i, key);
        if (value == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found, value);
        }
    }
}

static void three_nodes_form_within_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = cluster_new(3, seed);
        cluster_start_all(c);
        assert_true(cluster_wait_full_view(c, 1000));
        assert_true(cluster_wait_ready(c, 1000));
        cluster_free(c);
    }
}

static void a_lone_node_founds_the_cluster_and_takes_writes(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = cluster_new(1, 1);
    cluster_start(c, 0);
    assert_true(cluster_wait_ready(c, 2500));
    const uint64_t put = cluster_put(c, 0, "k", "v", MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    assert_int_equal(have, 1);
    assert_everywhere(c, "k", "v");
    cluster_free(c);
}

static void a_late_starter_joins_and_gets_everything(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 2);
    cluster_start(c, 0);
    assert_true(cluster_wait_ready(c, 2500));
    char key[32];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        assert_int_not_equal(cluster_put(c, 0, key, "v", MINUTE_MS * (uint64_t)(2 + i % 100)),
                             UINT64_MAX);
    }
    cluster_start(c, 1);
    cluster_start(c, 2);
    assert_true(cluster_wait_full_view(c, 2000));
    assert_true(cluster_wait_ready(c, 3000));
    assert_true(cluster_wait_converged(c, 3000));
    assert_int_equal(cluster_keys(c, 2), 3000);
    cluster_free(c);
}

static void a_write_is_on_every_node_and_counts_its_holders(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = formed(3, 3);
    const uint64_t put = cluster_put(c, 1, "k", "v", MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
    assert_int_equal(have, 2);
    cluster_run_for(c, 10);
    assert_everywhere(c, "k", "v");
    cluster_free(c);
}

static void a_killed_node_is_noticed_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = formed(3, seed);
        cluster_kill(c, 2);
        assert_true(cluster_wait_noticed(c, 2, 1500));
        cluster_free(c);
    }
}

static void a_silent_crash_is_noticed(void **state)
{
    (void)state;
    struct cluster *c = formed(16, 4);
    cluster_crash_silently(c, 5);
    assert_true(cluster_wait_noticed(c, 5, 8000));
    cluster_free(c);
}

static void a_false_suspicion_is_refuted(void **state)
{
    (void)state;
    struct cluster *c = formed(5, 5);
    /* Node 4 hangs for long enough to be suspected, and is back before the verdict. */
    uint64_t suspicions = 0;
    for (int i = 0; i < 20 && suspicions == 0; i++) {
        cluster_pause(c, 4, 1300);
        cluster_run_for(c, 3000);
        for (uint32_t n = 0; n < 4; n++) {
            suspicions += c->nodes[n].notices[NOTICE_MEMBER_SUSPECT];
        }
    }
    assert_int_not_equal(suspicions, 0);
    assert_true(cluster_wait_full_view(c, 5000));
    cluster_free(c);
}

static void no_healthy_node_is_declared_dead_under_loss(void **state)
{
    (void)state;
    struct cluster *c = formed(16, 6);
    c->loss_ppm = 250000;
    c->stream_loss_ppm = 250000;
    cluster_run_for(c, 5 * MINUTE_MS);
    for (uint32_t n = 0; n < 16; n++) {
        assert_int_equal(c->nodes[n].notices[NOTICE_MEMBER_DEAD], 0);
    }
    cluster_free(c);
}

static void a_restarted_node_holds_every_live_entry_again(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 7);
    char key[32];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        assert_int_not_equal(
            cluster_put(c, (uint32_t)i % 3, key, "v", MINUTE_MS * (uint64_t)(1 + i % 60)),
            UINT64_MAX);
        cluster_run_for(c, 1);
    }
    cluster_kill(c, 1);
    cluster_run_for(c, 100);
    cluster_start(c, 1);
    assert_true(cluster_wait_ready(c, 3000));
    assert_true(cluster_wait_converged(c, 3000));
    assert_int_equal(cluster_keys(c, 1), 1000);
    cluster_free(c);
}

static void a_partition_heals_and_both_halves_converge(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = formed(6, 8);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "before", "1", 10 * MINUTE_MS), &have),
                     PUT_QUORUM);
    cluster_partition(c, 3);
    cluster_run_for(c, 60000);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(cluster_view(c, i, (i + 3) % 6), MEMBER_DEAD);
    }
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "left", "2", 10 * MINUTE_MS), &have),
                     PUT_QUORUM);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 5, "right", "3", 10 * MINUTE_MS), &have),
                     PUT_QUORUM);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 2, "both", "old", 10 * MINUTE_MS), &have),
                     PUT_QUORUM);
    cluster_run_for(c, 5);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 4, "both", "new", 10 * MINUTE_MS), &have),
                     PUT_QUORUM);
    assert_null(cluster_get(c, 0, "right"));
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    assert_true(cluster_wait_converged(c, 15000));
    assert_everywhere(c, "before", "1");
    assert_everywhere(c, "left", "2");
    assert_everywhere(c, "right", "3");
    assert_everywhere(c, "both", "new");
    cluster_free(c);
}

static void concurrent_writes_settle_alike_in_every_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct cluster *c = formed(4, seed);
        char value[32];
        c->jitter_us = 20000;
        for (uint32_t i = 0; i < 40; i++) {
            (void)snprintf(value, sizeof(value), "value-%u", i);
            assert_int_not_equal(
                cluster_put(c, i % 4, i % 2 == 0 ? "a" : "b", value, MINUTE_MS * (1 + i % 5)),
                UINT64_MAX);
        }
        cluster_run_for(c, 2000);
        assert_true(cluster_wait_converged(c, 5000));
        char settled[32];
        (void)snprintf(settled, sizeof(settled), "%s", cluster_get(c, 0, "a"));
        assert_everywhere(c, "a", settled);
        cluster_free(c);
    }
}

static void an_entry_expires_everywhere_and_no_replay_brings_it_back(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = formed(3, 9);
    cluster_record(c, 1);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "r", "v", 2000), &have), PUT_QUORUM);
    cluster_run_for(c, 1900);
    assert_everywhere(c, "r", "v");
    cluster_run_for(c, 200);
    assert_everywhere(c, "r", NULL);
    assert_true(c->kept.len > 0);
    cluster_replay(c, 0);
    assert_everywhere(c, "r", NULL);
    cluster_run_for(c, 2000);
    assert_everywhere(c, "r", NULL);
    assert_true(cluster_wait_full_view(c, 5000));
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "k", "v", 5000), &have), PUT_QUORUM);
    cluster_run_for(c, 4500);
    assert_everywhere(c, "k", "v");
    /* A node that was cut off still has it when the others do not, and is back later. */
    cluster_partition(c, 2);
    cluster_run_for(c, 1000);
    assert_everywhere(c, "k", NULL);
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    cluster_run_for(c, 5000);
    assert_everywhere(c, "k", NULL);
    cluster_free(c);
}

static void an_overwritten_longer_lived_value_does_not_come_back(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = formed(4, 10);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "k", "old", 10 * MINUTE_MS), &have),
                     PUT_QUORUM);
    cluster_run_for(c, 100);
    /* Node 3 keeps the old value while the others overwrite it with one that expires first. */
    cluster_partition(c, 3);
    cluster_run_for(c, 15000);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 1, "k", "new", 5000), &have), PUT_QUORUM);
    cluster_run_for(c, 6000);
    assert_null(cluster_get(c, 0, "k"));
    assert_string_equal(cluster_get(c, 3, "k"), "old");
    cluster_heal(c);
    for (int i = 0; i < 600; i++) {
        cluster_run_for(c, 100);
        for (uint32_t n = 0; n < 3; n++) {
            assert_null(cluster_get(c, n, "k"));
        }
    }
    assert_null(cluster_get(c, 3, "k"));
    cluster_free(c);
}

static void clock_offsets_of_an_hour_change_nothing(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = cluster_new(3, 11);
    c->nodes[0].wall_offset_ms = -(int64_t)HOUR_MS;
    c->nodes[1].wall_offset_ms = (int64_t)HOUR_MS;
    c->nodes[1].boot_offset_us = 12345678;
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 2000));
    assert_true(cluster_wait_ready(c, 3000));
    for (uint32_t i = 0; i < 3; i++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "k%u", i);
        assert_int_equal(cluster_wait_put(c, cluster_put(c, i, key, "v", 3000), &have), PUT_QUORUM);
        cluster_run_for(c, 20);
        assert_everywhere(c, key, "v");
        cluster_run_for(c, 2800);
        assert_everywhere(c, key, "v");
        cluster_run_for(c, 250);
        assert_everywhere(c, key, NULL);
    }
    cluster_free(c);
}

static void a_newcomer_takes_the_clock_that_is_there_and_founds_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct cluster *c = cluster_new(2, seed);
        c->nodes[1].wall_offset_ms = (int64_t)HOUR_MS;
        cluster_start(c, 0);
        assert_true(cluster_wait_ready(c, 4000));
        cluster_start(c, 1);
        for (int ms = 0; ms < 400; ms++) {
            cluster_run_for(c, 1);
            const struct engine *there = c->nodes[0].engine;
            const struct engine *here = c->nodes[1].engine;
            if ((engine_unready(here) & READY_NO_CLOCK) == 0) {
                const uint64_t now_us = c->net.now_us;
                const uint64_t want = engine_clock_ms(there, now_us);
                assert_in_range(engine_clock_ms(here, now_us), want - 100, want + 100);
            }
        }
        assert_true(cluster_wait_ready(c, 2000));
        cluster_free(c);
    }
}

static void newcomers_never_found_a_clock_beside_the_clusters(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct cluster *c = cluster_new(4, seed);
        uint32_t have = 0;
        for (uint32_t i = 1; i < 4; i++) {
            c->nodes[i].wall_offset_ms = (int64_t)HOUR_MS * (int64_t)i;
        }
        cluster_start(c, 0);
        assert_true(cluster_wait_ready(c, 2500));
        for (uint32_t i = 1; i < 4; i++) {
            cluster_start(c, i);
            cluster_run_for(c, seed % 7);
        }
        assert_true(cluster_wait_full_view(c, 3000));
        assert_true(cluster_wait_ready(c, 3000));
        for (uint32_t i = 0; i < 4; i++) {
            const uint64_t put = cluster_put(c, i, i % 2 == 0 ? "a" : "b", "v", MINUTE_MS);
            assert_int_equal(cluster_wait_put(c, put, &have), PUT_QUORUM);
        }
        assert_true(cluster_wait_converged(c, 2000));
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(c->nodes[i].notices[NOTICE_CLOCK_CONFLICT], 0);
        }
        cluster_free(c);
    }
}

static void clusters_founded_apart_an_hour_off_do_not_mix_their_data(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = cluster_new(4, 12);
    c->nodes[2].wall_offset_ms = (int64_t)HOUR_MS;
    c->nodes[3].wall_offset_ms = (int64_t)HOUR_MS;
    cluster_partition(c, 2);
    cluster_start_all(c);
    assert_true(cluster_wait_ready(c, 4000));
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "left", "1", 600000), &have),
                     PUT_QUORUM);
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 2, "right", "2", 600000), &have),
                     PUT_QUORUM);
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 60000));
    cluster_run_for(c, 10000);
    assert_null(cluster_get(c, 0, "right"));
    assert_null(cluster_get(c, 3, "left"));
    uint64_t conflicts = 0;
    for (uint32_t i = 0; i < 4; i++) {
        conflicts += c->nodes[i].notices[NOTICE_CLOCK_CONFLICT];
    }
    assert_int_not_equal(conflicts, 0);
    cluster_free(c);
}

static void a_slow_peers_queue_stays_bounded_and_it_catches_up(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 13);
    char key[32];
    c->is_checked_often = false;
    /* Streams to node 2 stand still, datagrams pass: it is alive, and takes nothing. */
    for (uint32_t i = 0; i < 2; i++) {
        cluster_block(c, i, 2, BLOCK_TCP);
    }
    for (int i = 0; i < 80000; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        (void)cluster_put(c, 0, key, "v", 20 * MINUTE_MS);
        if (i % 100 == 0) {
            cluster_run_for(c, 5);
        }
    }
    uint32_t slot = 0;
    struct engine_link_view view;
    for (; engine_next_link(c->nodes[0].engine, &slot, &view); slot++) {
        assert_true(view.queued <= UINT64_C(2) * 32768);
    }
    cluster_heal(c);
    assert_true(cluster_wait_full_view(c, 30000));
    assert_true(cluster_wait_converged(c, 60000));
    assert_int_equal(cluster_keys(c, 2), cluster_keys(c, 0));
    cluster_free(c);
}

static void a_large_value_arrives_whole_and_small_writes_pass_it(void **state)
{
    (void)state;
    enum { LARGE = 10 << 20 };
    uint32_t have = 0;
    struct cluster *c = formed(3, 14);
    char *large = test_malloc(LARGE);
    memset(large, 'x', LARGE);
    c->is_checked_often = false;
    c->delay_us = 2000;
    const uint64_t big = cluster_put_bytes(c, 0, "big", large, LARGE, 10 * MINUTE_MS);
    const uint64_t small = cluster_put(c, 0, "small", "v", 10 * MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, small, &have), PUT_QUORUM);
    assert_false(c->puts[big].is_done);
    assert_int_equal(cluster_wait_put(c, big, &have), PUT_QUORUM);
    assert_true(cluster_wait_converged(c, 5000));
    struct record r;
    assert_int_equal(engine_get(c->nodes[2].engine, (const uint8_t *)"big", 3,
                                c->net.now_us + c->nodes[2].boot_offset_us, &r),
                     RC_OK);
    assert_int_equal(r.value_len, LARGE);
    test_free(large);
    cluster_free(c);
}

static void a_write_without_its_quorum_is_pending_and_arrives_later(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = formed(3, 15);
    cluster_block(c, 0, 1, BLOCK_TCP);
    cluster_block(c, 0, 2, BLOCK_TCP);
    const uint64_t put = cluster_put(c, 0, "k", "v", 10 * MINUTE_MS);
    assert_int_equal(cluster_wait_put(c, put, &have), PUT_PENDING);
    assert_int_equal(have, 1);
    cluster_heal(c);
    assert_true(cluster_wait_converged(c, 20000));
    assert_everywhere(c, "k", "v");
    cluster_free(c);
}

static void without_datagrams_membership_lives_on_links(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = cluster_new(4, 16);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < 4; j++) {
            cluster_block(c, i, j, BLOCK_UDP);
        }
    }
    cluster_start_all(c);
    assert_true(cluster_wait_full_view(c, 5000));
    assert_true(cluster_wait_ready(c, 5000));
    cluster_run_for(c, MINUTE_MS);
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(c->nodes[n].notices[NOTICE_MEMBER_DEAD], 0);
    }
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "k", "v", MINUTE_MS), &have),
                     PUT_QUORUM);
    cluster_kill(c, 3);
    assert_true(cluster_wait_noticed(c, 3, 5000));
    cluster_free(c);
}

static void enclaves_share_membership_and_no_data(void **state)
{
    (void)state;
    uint32_t have = 0;
    struct cluster *c = cluster_new(4, 17);
    for (uint32_t i = 0; i < 4; i++) {
        (void)snprintf(c->config.enclave, sizeof(c->config.enclave), i < 2 ? "red" : "blue");
        cluster_start(c, i);
    }
    assert_true(cluster_wait_full_view(c, 3000));
    assert_true(cluster_wait_ready(c, 3000));
    assert_int_equal(cluster_wait_put(c, cluster_put(c, 0, "k", "v", MINUTE_MS), &have),
                     PUT_QUORUM);
    assert_int_equal(have, 2);
    cluster_run_for(c, 5000);
    assert_string_equal(cluster_get(c, 1, "k"), "v");
    assert_null(cluster_get(c, 2, "k"));
    cluster_free(c);
}

static void a_node_that_leaves_is_no_death(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 18);
    cluster_leave(c, 1);
    cluster_run_for(c, 1000);
    cluster_kill(c, 1);
    cluster_run_for(c, 3000);
    assert_int_equal(cluster_view(c, 0, 1), MEMBER_LEFT);
    assert_int_equal(c->nodes[0].notices[NOTICE_MEMBER_DEAD], 0);
    cluster_free(c);
}

static void a_crash_in_the_middle_of_a_push_leaves_no_gap(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *c = formed(4, seed + 100);
        char key[32];
        /* Node 0's last message reaches node 1 only, and then node 0 is gone. */
        cluster_block(c, 0, 2, BLOCK_TCP);
        cluster_block(c, 0, 3, BLOCK_TCP);
        for (int i = 0; i < 50; i++) {
            (void)snprintf(key, sizeof(key), "key-%d", i);
            assert_int_not_equal(cluster_put(c, 0, key, "v", 10 * MINUTE_MS), UINT64_MAX);
        }
        cluster_run_for(c, 50);
        cluster_kill(c, 0);
        assert_true(cluster_wait_converged(c, 15000));
        assert_int_equal(cluster_keys(c, 3), 50);
        cluster_free(c);
    }
}

static void the_same_seed_tells_the_same_story(void **state)
{
    (void)state;
    uint64_t hashes[2];
    for (int i = 0; i < 2; i++) {
        struct cluster *c = cluster_new(8, 19);
        c->loss_ppm = 100000;
        c->stream_loss_ppm = 100000;
        cluster_start_all(c);
        cluster_run_for(c, 20000);
        (void)cluster_put(c, 3, "k", "v", MINUTE_MS);
        cluster_run_for(c, 5000);
        hashes[i] = cluster_hash(c);
        cluster_free(c);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

static void an_idle_node_sends_little(void **state)
{
    (void)state;
    struct cluster *c = formed(3, 20);
    cluster_run_for(c, 5000);
    const uint64_t before = c->traffic.datagram_bytes;
    cluster_run_for(c, 5 * MINUTE_MS);
    const uint64_t rate = (c->traffic.datagram_bytes - before) / 3 / 300;
    print_message("idle node: %lu bytes/s by datagram\n", (unsigned long)rate);
    assert_true(rate < 500);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_nodes_form_within_a_second),
        cmocka_unit_test(a_lone_node_founds_the_cluster_and_takes_writes),
        cmocka_unit_test(a_late_starter_joins_and_gets_everything),
        cmocka_unit_test(a_write_is_on_every_node_and_counts_its_holders),
        cmocka_unit_test(a_killed_node_is_noticed_at_once),
        cmocka_unit_test(a_silent_crash_is_noticed),
        cmocka_unit_test(a_false_suspicion_is_refuted),
        cmocka_unit_test(no_healthy_node_is_declared_dead_under_loss),
        cmocka_unit_test(a_restarted_node_holds_every_live_entry_again),
        cmocka_unit_test(a_partition_heals_and_both_halves_converge),
        cmocka_unit_test(concurrent_writes_settle_alike_in_every_order),
        cmocka_unit_test(an_entry_expires_everywhere_and_no_replay_brings_it_back),
        cmocka_unit_test(an_overwritten_longer_lived_value_does_not_come_back),
        cmocka_unit_test(clock_offsets_of_an_hour_change_nothing),
        cmocka_unit_test(a_newcomer_takes_the_clock_that_is_there_and_founds_none),
        cmocka_unit_test(newcomers_never_found_a_clock_beside_the_clusters),
        cmocka_unit_test(clusters_founded_apart_an_hour_off_do_not_mix_their_data),
        cmocka_unit_test(a_slow_peers_queue_stays_bounded_and_it_catches_up),
        cmocka_unit_test(a_large_value_arrives_whole_and_small_writes_pass_it),
        cmocka_unit_test(a_write_without_its_quorum_is_pending_and_arrives_later),
        cmocka_unit_test(without_datagrams_membership_lives_on_links),
        cmocka_unit_test(enclaves_share_membership_and_no_data),
        cmocka_unit_test(a_node_that_leaves_is_no_death),
        cmocka_unit_test(a_crash_in_the_middle_of_a_push_leaves_no_gap),
        cmocka_unit_test(the_same_seed_tells_the_same_story),
        cmocka_unit_test(an_idle_node_sends_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
