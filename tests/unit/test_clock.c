#include "gossip/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)

static void a_founded_clock_runs_on_from_the_wall_clock(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    clock_found(&c, 5000 * SECOND, 10 * SECOND);
    assert_int_equal(clock_now_us(&c, 10 * SECOND), 5000 * SECOND);
    assert_int_equal(clock_now_us(&c, 11 * SECOND), 5001 * SECOND);
}

static void a_first_sample_sets_the_clock_with_half_the_round_trip(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    assert_true(clock_sample(&c, 9000 * SECOND, 2000, SECOND, true));
    assert_int_equal(clock_now_us(&c, SECOND), 9000 * SECOND + 1000);
}

static void slow_first_samples_set_the_clock_with_the_best_of_them(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    /* The way there took all of 800 ms, so half of it is 400 ms wrong. */
    assert_false(clock_sample(&c, 9000 * SECOND, 800000, 10 * SECOND, true));
    assert_false(clock_sample(&c, 9001 * SECOND - 100000, 200000, 11 * SECOND, true));
    assert_false(c.is_set);
    assert_true(clock_sample(&c, 9004 * SECOND, 900000, 14 * SECOND, true));
    assert_int_equal(clock_now_us(&c, 14 * SECOND), 9004 * SECOND);
}

static void a_quick_sample_sets_the_clock_after_slow_ones_at_once(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    assert_false(clock_sample(&c, 9000 * SECOND, 800000, 10 * SECOND, true));
    assert_true(clock_sample(&c, 9000 * SECOND, 1000, 10 * SECOND, true));
    assert_int_equal(clock_now_us(&c, 10 * SECOND), 9000 * SECOND + 500);
}

static void slow_first_samples_of_another_clock_start_over(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    assert_false(clock_sample(&c, 9000 * SECOND, 300000, 10 * SECOND, true));
    for (uint32_t i = 1; i < CLOCK_FIRST_SAMPLES; i++) {
        assert_false(clock_sample(&c, 5000 * SECOND, 400000, 10 * SECOND, true));
    }
    assert_true(clock_sample(&c, 5000 * SECOND, 400000, 10 * SECOND, true));
    assert_int_equal(clock_now_us(&c, 10 * SECOND), 5000 * SECOND + 200000);
}

static void first_samples_are_of_one_clock_as_far_as_their_round_trips_tell(void **state)
{
    (void)state;
    enum { RTT_US = 300000, MOST_US = RTT_US + CLOCK_STEP_MIN_US };
    const uint64_t remote_us = 9000 * SECOND;
    for (int more = 0; more < 2; more++) {
        for (int is_behind = 0; is_behind < 2; is_behind++) {
            struct clock c = {.is_set = false};
            const uint64_t off_us = MOST_US + (uint64_t)more;
            const uint64_t second_us = is_behind ? remote_us - off_us : remote_us + off_us;
            assert_false(clock_sample(&c, remote_us, RTT_US, SECOND, true));
            assert_false(clock_sample(&c, second_us, RTT_US, SECOND, true));
            assert_int_equal(c.first_count, more ? 1 : 2);
        }
    }
}

static void a_node_without_records_steps(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    clock_found(&c, 5000 * SECOND, 0);
    assert_true(clock_sample(&c, 5050 * SECOND, 1000, 0, true));
    assert_int_equal(clock_now_us(&c, 0), 5050 * SECOND + 500);
}

static void nobody_follows_a_clock_more_than_a_minute_off(void **state)
{
    (void)state;
    for (int may_step = 0; may_step < 2; may_step++) {
        struct clock c = {.is_set = false};
        clock_found(&c, 5000 * SECOND, 0);
        assert_false(clock_sample(&c, 5061 * SECOND, 1000, 0, may_step));
        assert_false(clock_sample(&c, 4939 * SECOND, 1000, 0, may_step));
        clock_advance(&c, 1000 * SECOND);
        assert_int_equal(clock_now_us(&c, 1000 * SECOND), 6000 * SECOND);
        assert_int_equal(clock_error_us(&c), 0);
    }
}

static void a_clock_a_minute_off_to_the_microsecond_is_followed(void **state)
{
    (void)state;
    enum { RTT_US = 1000 };
    const uint64_t ours_us = 5000 * SECOND;
    for (int is_behind = 0; is_behind < 2; is_behind++) {
        const uint64_t theirs_us =
            is_behind ? ours_us - CLOCK_CONFLICT_US : ours_us + CLOCK_CONFLICT_US;
        struct clock c = {.is_set = false};
        clock_found(&c, ours_us, 0);
        assert_true(clock_sample(&c, theirs_us - RTT_US / 2, RTT_US, 0, true));
        assert_int_equal(clock_now_us(&c, 0), theirs_us);
    }
}

static void a_clock_jumps_to_any_other_by_an_answer_that_was_quick_enough(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    clock_found(&c, 5000 * SECOND, 0);
    assert_false(clock_jump(&c, 9000 * SECOND, CLOCK_RTT_MAX_US + 1, 0));
    assert_int_equal(clock_now_us(&c, 0), 5000 * SECOND);
    assert_true(clock_jump(&c, 9000 * SECOND, 2000, 0));
    assert_int_equal(clock_now_us(&c, 0), 9000 * SECOND + 1000);
    assert_int_equal(clock_error_us(&c), 1000);
}

static void what_is_still_to_be_slewed_is_part_of_the_error(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    clock_found(&c, 5000 * SECOND, 0);
    assert_false(clock_sample(&c, 4990 * SECOND, 2000, 0, false));
    assert_int_equal(clock_error_us(&c), 10 * SECOND);
    clock_advance(&c, 1000 * SECOND);
    assert_int_equal(clock_error_us(&c), 10 * SECOND - SECOND / 2);
    clock_advance(&c, 900 * SECOND); /* by then it was slewed before */
    assert_int_equal(clock_error_us(&c), 10 * SECOND - SECOND / 2);
}

static void a_node_with_records_slews_and_never_goes_back(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    clock_found(&c, 5000 * SECOND, 0);
    assert_false(clock_sample(&c, 4990 * SECOND, 1000, 0, false));
    uint64_t before = clock_now_us(&c, 0);
    for (uint64_t now = 0; now <= 100 * SECOND; now += SECOND / 10) {
        clock_advance(&c, now);
        const uint64_t after = clock_now_us(&c, now);
        assert_true(after >= before);
        before = after;
    }
    /* 500 ppm of 100 s. */
    assert_int_equal(clock_now_us(&c, 100 * SECOND), 5100 * SECOND - 50000);
}

static void a_worse_round_trip_is_ignored_for_a_while(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    assert_true(clock_sample(&c, 5000 * SECOND, 1000, 0, true));
    assert_false(clock_sample(&c, 5030 * SECOND, 90000, SECOND, true));
    assert_int_equal(clock_now_us(&c, SECOND), 5001 * SECOND + 500);
    assert_true(clock_sample(&c, 5050 * SECOND, 90000, 20 * SECOND, true));
}

static void an_answer_that_took_too_long_is_ignored_even_without_a_clock(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    assert_false(clock_sample(&c, 9000 * SECOND, CLOCK_RTT_MAX_US + 1, SECOND, true));
    assert_true(clock_sample(&c, 5000 * SECOND, CLOCK_FIRST_RTT_US, SECOND, true));
    assert_int_equal(clock_now_us(&c, SECOND), 5000 * SECOND + CLOCK_FIRST_RTT_US / 2);
}

static void a_difference_within_the_round_trip_changes_nothing(void **state)
{
    (void)state;
    struct clock c = {.is_set = false};
    clock_found(&c, 5000 * SECOND, 0);
    assert_false(clock_sample(&c, 5000 * SECOND - 3000, 10000, 0, true));
    clock_advance(&c, 100 * SECOND);
    assert_int_equal(clock_now_us(&c, 100 * SECOND), 5100 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_founded_clock_runs_on_from_the_wall_clock),
        cmocka_unit_test(a_first_sample_sets_the_clock_with_half_the_round_trip),
        cmocka_unit_test(slow_first_samples_set_the_clock_with_the_best_of_them),
        cmocka_unit_test(a_quick_sample_sets_the_clock_after_slow_ones_at_once),
        cmocka_unit_test(slow_first_samples_of_another_clock_start_over),
        cmocka_unit_test(first_samples_are_of_one_clock_as_far_as_their_round_trips_tell),
        cmocka_unit_test(a_node_without_records_steps),
        cmocka_unit_test(nobody_follows_a_clock_more_than_a_minute_off),
        cmocka_unit_test(a_clock_a_minute_off_to_the_microsecond_is_followed),
        cmocka_unit_test(a_clock_jumps_to_any_other_by_an_answer_that_was_quick_enough),
        cmocka_unit_test(what_is_still_to_be_slewed_is_part_of_the_error),
        cmocka_unit_test(a_node_with_records_slews_and_never_goes_back),
        cmocka_unit_test(a_worse_round_trip_is_ignored_for_a_while),
        cmocka_unit_test(an_answer_that_took_too_long_is_ignored_even_without_a_clock),
        cmocka_unit_test(a_difference_within_the_round_trip_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
