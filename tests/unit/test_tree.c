#include "gossip/replication/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LINK_A = 7, LINK_B = 8 };

#define MS UINT64_C(1000) /* in us */

static int set_up(void **state)
{
    *state = tree_new(1);
    return 0;
}

static int tear_down(void **state)
{
    tree_check(*state);
    tree_free(*state);
    return 0;
}

static enum tree_sight see(struct tree *t, uint64_t id, bool is_direct, uint64_t now_us)
{
    const struct tree_seen seen = {.id = id, .handle = 5, .is_direct = is_direct};
    return tree_see(t, &seen, LINK_A, now_us);
}

/* `grafted`: the link that brings it is on trial. */
static enum tree_sight see_on(struct tree *t, uint64_t id, uint32_t link, bool is_grafted)
{
    const struct tree_seen seen = {
        .id = id, .handle = 5, .is_detour = is_grafted, .grafted = is_grafted ? link : 0};
    return tree_see(t, &seen, link, 0);
}

static enum tree_answer announce(struct tree *t, uint64_t id, uint32_t link, bool is_large,
                                 uint64_t now_us)
{
    const struct tree_news news = {.id = id, .tree = 2, .link = link, .is_large = is_large};
    return tree_announced(t, &news, now_us);
}

static void the_second_copy_is_seen_again(void **state)
{
    assert_int_equal(see(*state, 1, false, 0), TREE_FIRST);
    assert_int_equal(see(*state, 1, false, 0), TREE_AGAIN);
    assert_non_null(tree_find(*state, 1));
    assert_null(tree_find(*state, 2));
}

static void a_copy_of_the_tree_after_the_origins_own_is_passed_on_once(void **state)
{
    assert_int_equal(see(*state, 1, true, 0), TREE_DIRECT_FIRST);
    assert_int_equal(see(*state, 1, false, 0), TREE_AFTER_DIRECT);
    assert_int_equal(see(*state, 1, false, 0), TREE_AGAIN);
}

static void what_is_announced_and_comes_is_not_asked_for(void **state)
{
    struct tree_due due;
    assert_int_equal(announce(*state, 1, LINK_A, false, 0), TREE_WAIT);
    assert_true(tree_is_missing(*state, 1));
    assert_int_equal(see(*state, 1, false, 2 * MS), TREE_FIRST);
    assert_false(tree_misses_any(*state));
    assert_false(tree_next_due(*state, UINT64_MAX - 1, &due));
    assert_int_equal(announce(*state, 1, LINK_B, false, 0), TREE_KNOWN);
}

/* A large value that was announced along the tree is of the tree, however it comes. */
static void what_came_from_its_origin_only_is_direct(void **state)
{
    static const struct {
        bool is_large, is_announced_directly, comes_directly;
        enum tree_sight sight;
    } rows[] = {
        {false, false, true, TREE_DIRECT_FIRST}, {false, true, true, TREE_DIRECT_FIRST},
        {false, true, false, TREE_FIRST},        {true, false, true, TREE_FIRST},
        {true, true, true, TREE_DIRECT_FIRST},   {true, true, false, TREE_FIRST},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct tree_news news = {.id = i + 1,
                                       .tree = 2,
                                       .link = LINK_A,
                                       .is_large = rows[i].is_large,
                                       .is_direct = rows[i].is_announced_directly};
        (void)tree_announced(*state, &news, 0);
        if (see(*state, i + 1, rows[i].comes_directly, 0) != rows[i].sight) {
            fail_msg("row %zu", i);
        }
    }
}

static void what_does_not_come_is_asked_of_one_announcer_after_the_other(void **state)
{
    struct tree_due due;
    (void)announce(*state, 1, LINK_A, false, 0);
    (void)announce(*state, 1, LINK_B, false, 0);
    const uint64_t first_us = tree_deadline(*state);
    assert_in_range(first_us, TREE_WAIT_MIN_US, 50 * MS);
    assert_false(tree_next_due(*state, first_us - 1, &due));
    assert_true(tree_next_due(*state, first_us, &due));
    assert_int_equal(due.link, LINK_A);
    assert_int_equal(due.tree, 2);
    assert_true(tree_next_due(*state, tree_deadline(*state), &due));
    assert_int_equal(due.link, LINK_B);
    assert_false(due.is_lost);
}

static void what_nobody_brings_is_given_up(void **state)
{
    struct tree_due due;
    int asked = 0;
    (void)announce(*state, 1, LINK_A, false, 0);
    while (tree_next_due(*state, tree_deadline(*state), &due) && !due.is_lost) {
        asked++;
    }
    assert_int_equal(asked, TREE_ATTEMPTS_MAX);
    assert_true(due.is_lost);
    assert_false(tree_misses_any(*state));
    assert_int_equal(tree_deadline(*state), UINT64_MAX);
}

static void waiting_grows_where_writes_come_long_after_their_announcements(void **state)
{
    (void)announce(*state, 1, LINK_A, false, 0);
    const uint64_t before_us = tree_deadline(*state);
    (void)see(*state, 1, false, before_us - 1);
    for (uint64_t i = 2; i < 60; i++) {
        (void)announce(*state, i, LINK_A, false, 0);
        (void)see(*state, i, false, 100 * MS);
    }
    (void)announce(*state, 100, LINK_A, false, 0);
    assert_in_range(tree_deadline(*state), 100 * MS, TREE_WAIT_MAX_US);
}

static void a_lost_link_is_not_asked_and_what_it_was_asked_for_is_due(void **state)
{
    struct tree_due due;
    (void)announce(*state, 1, LINK_A, false, 0);
    (void)announce(*state, 1, LINK_B, false, 0);
    assert_true(tree_next_due(*state, tree_deadline(*state), &due));
    tree_link_gone(*state, LINK_A, 60 * MS);
    assert_int_equal(tree_deadline(*state), 60 * MS);
    assert_true(tree_next_due(*state, 60 * MS, &due));
    assert_int_equal(due.link, LINK_B);
}

/* A link that is said goodbye to is gone then, and once more when it has been closed. */
static void a_link_that_is_gone_twice_takes_nobody_with_it(void **state)
{
    struct tree_due due;
    (void)announce(*state, 1, LINK_A, false, 0);
    (void)announce(*state, 1, LINK_B, false, 0);
    tree_link_gone(*state, LINK_B, 0);
    tree_link_gone(*state, LINK_B, 0);
    for (int i = 0; i < TREE_ATTEMPTS_MAX; i++) {
        assert_true(tree_next_due(*state, tree_deadline(*state), &due));
        assert_false(due.is_lost);
        assert_int_equal(due.link, LINK_A);
    }
}

static void a_detour_after_the_origins_own_copy_is_one(void **state)
{
    assert_int_equal(see(*state, 1, true, 0), TREE_DIRECT_FIRST);
    assert_int_equal(see_on(*state, 1, LINK_B, true), TREE_AFTER_DIRECT);
    assert_true(tree_find(*state, 1)->is_detour);
    assert_int_equal(tree_find(*state, 1)->grafted, LINK_B);
    assert_int_equal(see_on(*state, 1, LINK_A, false), TREE_AGAIN);
    assert_true(tree_find(*state, 1)->is_detour);
}

static void one_write_in_some_shapes_its_tree(void **state)
{
    (void)state;
    uint32_t count = 0;
    for (uint64_t id = 1; id <= UINT64_C(100) * TREE_SHAPING_EVERY; id++) {
        count += tree_is_shaping(id);
    }
    assert_int_equal(count, 100);
}

static void a_large_value_is_fetched_from_the_first_who_has_it(void **state)
{
    struct tree_due due;
    assert_int_equal(announce(*state, 1, LINK_A, true, 0), TREE_FETCH);
    assert_int_equal(announce(*state, 1, LINK_B, true, 0), TREE_TWICE);
    assert_false(tree_next_due(*state, 1000 * MS, &due));
    tree_link_gone(*state, LINK_A, 1000 * MS);
    assert_true(tree_next_due(*state, 1000 * MS, &due));
    assert_int_equal(due.link, LINK_B);
}

static void what_was_replaced_meanwhile_is_missed_no_more(void **state)
{
    (void)announce(*state, 1, LINK_A, false, 0);
    tree_gone(*state, 1);
    tree_gone(*state, 2);
    assert_false(tree_misses_any(*state));
}

static void missing_and_seen_are_bounded(void **state)
{
    for (uint64_t i = 1; i <= TREE_MISSING_MAX + 10; i++) {
        assert_int_equal(announce(*state, i, LINK_A, false, 0),
                         i <= TREE_MISSING_MAX ? TREE_WAIT : TREE_NO_ROOM);
    }
    assert_false(tree_is_missing(*state, TREE_MISSING_MAX + 1));
    for (uint64_t i = 1; i <= TREE_SEEN_MAX + 10; i++) {
        (void)see(*state, i, false, 0);
    }
    assert_null(tree_find(*state, 1));
    assert_non_null(tree_find(*state, 11));
}

static void the_young_are_remembered_and_the_old_give_room(void **state)
{
    for (uint64_t i = 1; i <= 100; i++) {
        (void)see(*state, i, false, 0);
    }
    assert_non_null(tree_find(*state, 1));
    for (uint64_t i = 101; i <= 200; i++) {
        (void)see(*state, i, false, 2 * (uint64_t)TREE_SEEN_US);
    }
    assert_null(tree_find(*state, 1));
    assert_non_null(tree_find(*state, 200));
}

static void late_announcements_come_in_order_when_they_are_due(void **state)
{
    uint64_t id = 0;
    uint32_t tree = 0;
    assert_true(tree_announce_late(*state, 1, 3, 10));
    assert_true(tree_announce_late(*state, 2, 4, 20));
    assert_int_equal(tree_deadline(*state), 10);
    assert_false(tree_next_late(*state, 9, &id, &tree));
    assert_true(tree_next_late(*state, 10, &id, &tree));
    assert_int_equal(id, 1);
    assert_int_equal(tree, 3);
    assert_false(tree_next_late(*state, 10, &id, &tree));
}

static void only_so_many_late_announcements_wait(void **state)
{
    uint64_t id = 0;
    uint32_t tree = 0;
    for (uint64_t i = 1; i <= TREE_LATE_MAX; i++) {
        assert_true(tree_announce_late(*state, i, 3, i * MS));
    }
    assert_false(tree_announce_late(*state, TREE_LATE_MAX + 1, 3, 1000 * MS));
    /* Where one has gone another has room, and comes last. */
    assert_true(tree_next_late(*state, MS, &id, &tree));
    assert_int_equal(id, 1);
    assert_true(tree_announce_late(*state, 1000, 4, 1000 * MS));
    assert_false(tree_announce_late(*state, 1001, 4, 1000 * MS));
    for (uint64_t i = 2; i <= TREE_LATE_MAX; i++) {
        assert_true(tree_next_late(*state, i * MS, &id, &tree));
        assert_int_equal(id, i);
    }
    assert_true(tree_next_late(*state, 1000 * MS, &id, &tree));
    assert_true(id == 1000 && tree == 4);
    assert_false(tree_next_late(*state, UINT64_MAX, &id, &tree));
}

static void only_so_many_who_announced_a_write_are_asked_for_it(void **state)
{
    struct tree_due due;
    bool is_asked[TREE_ANNOUNCERS_MAX + 2] = {false};
    for (uint32_t link = 1; link <= TREE_ANNOUNCERS_MAX + 1; link++) {
        (void)announce(*state, 1, link, false, 0);
    }
    for (int i = 0; i < TREE_ATTEMPTS_MAX; i++) {
        assert_true(tree_next_due(*state, tree_deadline(*state), &due));
        assert_in_range(due.link, 1, TREE_ANNOUNCERS_MAX);
        is_asked[due.link] = true;
    }
    for (uint32_t link = 1; link <= TREE_ANNOUNCERS_MAX; link++) {
        assert_true(is_asked[link]);
    }
}

static void each_tree_is_eager_on_two_rings(void **state)
{
    (void)state;
    for (uint32_t rings = 3; rings <= 8; rings++) {
        uint32_t eager[TREE_COUNT] = {0};
        for (uint32_t ring = 0; ring < rings; ring++) {
            const uint32_t lazy = tree_lazy(UINT32_C(1) << ring, rings);
            for (uint32_t t = 0; t < TREE_COUNT; t++) {
                eager[t] += (lazy >> t & 1) == 0;
            }
        }
        for (uint32_t t = 0; t < TREE_COUNT; t++) {
            assert_int_equal(eager[t], 2);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_copy_is_seen_again),
        TEST(a_copy_of_the_tree_after_the_origins_own_is_passed_on_once),
        TEST(what_is_announced_and_comes_is_not_asked_for),
        TEST(what_came_from_its_origin_only_is_direct),
        TEST(what_does_not_come_is_asked_of_one_announcer_after_the_other),
        TEST(what_nobody_brings_is_given_up),
        TEST(waiting_grows_where_writes_come_long_after_their_announcements),
        TEST(a_lost_link_is_not_asked_and_what_it_was_asked_for_is_due),
        TEST(a_link_that_is_gone_twice_takes_nobody_with_it),
        TEST(a_detour_after_the_origins_own_copy_is_one),
        TEST(one_write_in_some_shapes_its_tree),
        TEST(a_large_value_is_fetched_from_the_first_who_has_it),
        TEST(what_was_replaced_meanwhile_is_missed_no_more),
        TEST(missing_and_seen_are_bounded),
        TEST(the_young_are_remembered_and_the_old_give_room),
        TEST(late_announcements_come_in_order_when_they_are_due),
        TEST(only_so_many_late_announcements_wait),
        TEST(only_so_many_who_announced_a_write_are_asked_for_it),
        TEST(each_tree_is_eager_on_two_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
