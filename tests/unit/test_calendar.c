#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/calendar.h"

#include <stdio.h>
#include <string.h>

static const uint64_t T0 = UINT64_C(1700000000000) / EPOCH_MS * EPOCH_MS; /* an epoch begins */

struct fixture {
    struct entries entries;
    struct calendar calendar;
    uint32_t made;
};

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    entry_init(&f.entries, NULL, 1);
    calendar_init(&f.calendar, &f.entries, 2);
    calendar_advance(&f.calendar, T0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uint64_t epoch = 0;
    struct digest digest;
    while (calendar_next_epoch(&f.calendar, UINT64_MAX, &epoch, &digest) == RC_OK) {
        struct store_walk walk;
        assert_int_equal(calendar_walk_begin(&f.calendar, epoch, &walk), RC_OK);
        for (uint32_t h = 0; (h = calendar_walk_next(&f.calendar, &walk)) != 0;) {
            entry_free(&f.entries, h);
        }
        calendar_walk_end(&f.calendar, &walk);
        epoch++;
    }
    calendar_fini(&f.calendar);
    entry_fini(&f.entries);
    return 0;
}

static uint32_t add(uint64_t version, uint64_t expiry)
{
    char key[16];
    (void)snprintf(key, sizeof(key), "key%u", f.made++);
    const struct record r = {
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .version = {version << VERSION_COUNTER_BITS, {{1}}},
        .expiry_ms = expiry,
    };
    const uint32_t origin = origin_hold(&f.entries.origins, &r.version.origin);
    const uint32_t handle = entry_new(&f.entries, &r, origin);
    calendar_add(&f.calendar, handle, version / 1000);
    return handle;
}

static void drop(uint32_t handle)
{
    calendar_remove(&f.calendar, handle, entry_second(entry_at(&f.entries, handle)));
    entry_free(&f.entries, handle);
}

static size_t expire(uint64_t now_ms, size_t budget)
{
    size_t count = 0;
    calendar_advance(&f.calendar, now_ms);
    while (budget > 0) {
        const uint32_t handle = calendar_due(&f.calendar, now_ms, &budget);
        if (handle == 0) {
            break;
        }
        assert_true(entry_expiry_ms(entry_at(&f.entries, handle)) <= now_ms);
        drop(handle);
        count++;
        budget--;
    }
    return count;
}

static void what_is_due_is_found_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        add(T0, T0 + 1 + i * 100);
    }
    assert_int_equal(expire(T0, 10000), 0);
    assert_int_equal(expire(T0 + 1, 10000), 1);
    assert_int_equal(expire(T0 + 50000, 10000), 499);
    calendar_check(&f.calendar);
    assert_int_equal(expire(T0 + 1000000, 10000), 500);
    assert_int_equal(calendar_deadline(&f.calendar), UINT64_MAX);
}

/* A clock that begins at 0 is a wrong one, but not a reason to keep anything for ever. */
static void the_first_epoch_of_all_is_like_any_other(void **state)
{
    (void)tear_down(state);
    memset(&f, 0, sizeof(f));
    entry_init(&f.entries, NULL, 1);
    calendar_init(&f.calendar, &f.entries, 2);
    add(1, 30000);
    assert_true(calendar_deadline(&f.calendar) <= 30000);
    assert_int_equal(expire(29999, 100), 0);
    assert_int_equal(expire(30000, 100), 1);
    assert_int_equal(calendar_deadline(&f.calendar), UINT64_MAX);
}

static void listing_an_epoch_takes_the_budget_in_slices(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        add(T0, T0 + EPOCH_MS + 60000);
    }
    assert_int_equal(calendar_deadline(&f.calendar), T0 + EPOCH_MS - CALENDAR_LEAD_MS);
    const uint64_t now_ms = T0 + EPOCH_MS - CALENDAR_LEAD_MS;
    for (int calls = 0; calls < 50; calls++) {
        size_t left = 100;
        assert_true(calendar_deadline(&f.calendar) <= now_ms);
        assert_int_equal(calendar_due(&f.calendar, now_ms, &left), 0);
        assert_int_equal(left, 0);
    }
    const uint64_t deadline_ms = calendar_deadline(&f.calendar);
    assert_in_range(deadline_ms, T0 + EPOCH_MS + 60001, T0 + EPOCH_MS + 60064);
    assert_int_equal(expire(deadline_ms, 1000), 1000);
    assert_int_equal(expire(deadline_ms, 10000), 4000);
}

static void entries_added_while_their_epoch_is_listed_are_not_lost(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    size_t count = 0;
    for (uint64_t now_ms = T0; now_ms < T0 + UINT64_C(4) * EPOCH_MS;
         now_ms += rng_below(&rng, 900)) {
        for (int i = 0; i < 10; i++) {
            add(now_ms, now_ms + 1 + rng_below(&rng, rng_below(&rng, 2) ? 1000 : 90000));
            count++;
        }
        count -= expire(now_ms, rng_below(&rng, 30));
    }
    calendar_check(&f.calendar);
    assert_int_equal(expire(T0 + UINT64_C(8) * EPOCH_MS, SIZE_MAX), count);
    assert_int_equal(f.calendar.count, 0);
}

static void hints_of_entries_that_went_are_harmless(void **state)
{
    (void)state;
    uint32_t handles[100];
    for (uint64_t i = 0; i < 100; i++) {
        handles[i] = add(T0, T0 + 1000 + i);
    }
    assert_int_equal(expire(T0 + 1, 1000), 0);
    for (uint64_t i = 0; i < 100; i++) {
        drop(handles[i]);
    }
    /* The freed slots are used again, for what lives longer. */
    for (uint64_t i = 0; i < 100; i++) {
        add(T0, T0 + 30000);
    }
    assert_int_equal(expire(T0 + 2000, 1000), 0);
    assert_int_equal(expire(T0 + 30064, 1000), 100);
}

static void empty_pages_go_once_their_changes_are_old(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 50; i++) {
        drop(add(T0, T0 + i * 40000000 + 1));
    }
    assert_true(f.calendar.page_count > 40);
    struct digest root;
    assert_int_equal(calendar_root(&f.calendar, T0 / 1000 - 5, &root), RC_OK);
    assert_int_equal(root.count, 0);
    for (int i = 0; i < 100; i++) {
        calendar_sweep(&f.calendar);
    }
    assert_true(f.calendar.page_count > 40);
    calendar_advance(&f.calendar, T0 + 30000);
    for (int i = 0; i < 100; i++) {
        calendar_sweep(&f.calendar);
    }
    assert_int_equal(f.calendar.page_count, 0);
    calendar_check(&f.calendar);
}

static void versions_ahead_of_the_clock_are_booked_in_their_second(void **state)
{
    (void)state;
    struct digest root;
    const uint64_t expiry = T0 + 9000000;
    add(T0 + 50000, expiry);
    add(T0 + 10000, expiry);
    add(T0, expiry);
    static const struct {
        uint64_t after_s;
        uint64_t count;
    } cuts[] = {{0, 1}, {9, 1}, {10, 2}, {49, 2}, {50, 3}, {1000, 3}};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        assert_int_equal(calendar_root(&f.calendar, T0 / 1000 + cuts[i].after_s, &root), RC_OK);
        assert_int_equal(root.count, cuts[i].count);
    }
}

static void a_late_arrival_changes_totals_and_refuses_cuts_before_it(void **state)
{
    (void)state;
    struct digest root;
    add(T0 - 100000, T0 + 9000000);
    assert_int_equal(calendar_root(&f.calendar, T0 / 1000 - CUT_SECONDS, &root), RC_OK);
    assert_int_equal(root.count, 1);
    assert_int_equal(calendar_root(&f.calendar, T0 / 1000 - 101, &root), RC_RANGE);
}

static void epochs_about_to_expire_are_left_out_of_a_cut(void **state)
{
    (void)state;
    struct digest d;
    add(T0, T0 + 60000);
    add(T0, T0 + 70000);
    const uint64_t first = calendar_first_epoch(T0 / 1000);
    assert_int_equal(first, T0 / EPOCH_MS + 1);
    assert_int_equal(calendar_root(&f.calendar, T0 / 1000, &d), RC_OK);
    assert_int_equal(d.count, 1);
    uint64_t at = 0;
    assert_int_equal(calendar_next_epoch(&f.calendar, T0 / 1000, &at, &d), RC_OK);
    assert_int_equal(at, first);
    at++;
    assert_int_equal(calendar_next_epoch(&f.calendar, T0 / 1000, &at, &d), RC_NOT_FOUND);
    assert_int_equal(calendar_root(&f.calendar, UINT64_MAX, &d), RC_OK);
    assert_int_equal(d.count, 2);
}

/* Cuts before it are as they were: whoever compares as of then need not have heard of it. */
static void a_later_guard_is_booked_in_the_second_that_brings_it(void **state)
{
    (void)state;
    struct digest before, after;
    const uint64_t second = T0 / 1000 + 20;
    const uint32_t handle = add(T0, T0 + 9000000);
    (void)add(T0, T0 + 9000000);
    assert_int_equal(calendar_root(&f.calendar, UINT64_MAX, &before), RC_OK);
    calendar_set_guard(&f.calendar, handle, T0 + 9500000, second);
    assert_int_equal(calendar_root(&f.calendar, second - 1, &after), RC_OK);
    assert_true(after.sum == before.sum && after.count == before.count);
    assert_int_equal(calendar_root(&f.calendar, second, &after), RC_OK);
    assert_true(after.sum != before.sum && after.count == before.count);
    calendar_check(&f.calendar);
}

static void groups_that_have_entries_are_gone_through_in_order(void **state)
{
    (void)state;
    struct digest d;
    const uint64_t later = T0 + UINT64_C(3) * EPOCHS_PER_GROUP * EPOCH_MS;
    const uint64_t first = T0 / EPOCH_MS / EPOCHS_PER_GROUP;
    uint64_t group = 0;
    assert_int_equal(calendar_next_group(&f.calendar, UINT64_MAX, &group, &d), RC_NOT_FOUND);
    (void)add(T0, T0 + 1);
    (void)add(T0, later);
    (void)add(T0, later);
    assert_int_equal(calendar_next_group(&f.calendar, UINT64_MAX, &group, &d), RC_OK);
    assert_true(group == first && d.count == 1);
    group++;
    assert_int_equal(calendar_next_group(&f.calendar, UINT64_MAX, &group, &d), RC_OK);
    assert_true(group == first + 3 && d.count == 2);
    group++;
    assert_int_equal(calendar_next_group(&f.calendar, UINT64_MAX, &group, &d), RC_NOT_FOUND);
    group = 0; /* nothing was written that early */
    assert_int_equal(calendar_next_group(&f.calendar, T0 / 1000 - 1, &group, &d), RC_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_due_is_found_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_epoch_of_all_is_like_any_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(listing_an_epoch_takes_the_budget_in_slices, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(entries_added_while_their_epoch_is_listed_are_not_lost,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(hints_of_entries_that_went_are_harmless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_pages_go_once_their_changes_are_old, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(versions_ahead_of_the_clock_are_booked_in_their_second,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_arrival_changes_totals_and_refuses_cuts_before_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(epochs_about_to_expire_are_left_out_of_a_cut, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_later_guard_is_booked_in_the_second_that_brings_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_that_have_entries_are_gone_through_in_order, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
