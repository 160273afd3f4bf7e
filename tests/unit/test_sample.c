#include "core/base/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_empty_sample_has_zeroes(void **state)
{
    (void)state;
    struct sample s = {.count = 0};
    assert_int_equal(sample_percentile(&s, 500), 0);
    assert_int_equal(sample_mean(&s), 0);
    sample_clear(&s);
    assert_int_equal(s.count, 0);
    sample_fini(&s);
}

static void small_values_are_exact_at_every_rank(void **state)
{
    (void)state;
    struct sample s = {.count = 0};
    for (uint64_t value = 1; value <= 100; value++) {
        sample_add(&s, value);
    }
    assert_int_equal(sample_percentile(&s, 0), 1);
    assert_int_equal(sample_percentile(&s, 10), 1);
    assert_int_equal(sample_percentile(&s, 11), 2);
    assert_int_equal(sample_percentile(&s, 500), 50);
    assert_int_equal(sample_percentile(&s, 990), 99);
    assert_int_equal(sample_percentile(&s, 999), 100);
    assert_int_equal(sample_percentile(&s, 1000), 100);
    assert_int_equal(s.count, 100);
    assert_int_equal(s.sum, 5050);
    assert_int_equal(s.max, 100);
    assert_int_equal(sample_mean(&s), 50);
    sample_fini(&s);
}

static void large_values_are_at_most_one_step_too_high_and_never_too_low(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + 1) {
        struct sample s = {.count = 0};
        sample_add(&s, value);
        sample_add(&s, UINT64_MAX);
        const uint64_t found = sample_percentile(&s, 500);
        assert_true(found >= value);
        assert_true(found - value <= value / SAMPLE_STEPS);
        assert_true(sample_percentile(&s, 1000) == UINT64_MAX);
        sample_fini(&s);
    }
}

static void both_sides_of_a_power_of_two_keep_their_order(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < 64; bit++) {
        struct sample s = {.count = 0};
        const uint64_t power = 1ULL << bit;
        sample_add(&s, power - 1);
        sample_add(&s, power);
        sample_add(&s, power | (power >> 1));
        assert_true(sample_percentile(&s, 333) == power - 1);
        assert_true(sample_percentile(&s, 666) >= power);
        assert_true(sample_percentile(&s, 666) - power <= power / SAMPLE_STEPS);
        assert_true(sample_percentile(&s, 1000) == (power | (power >> 1)));
        sample_fini(&s);
    }
}

static void no_percentile_is_above_the_largest_value(void **state)
{
    (void)state;
    struct sample s = {.count = 0};
    sample_add(&s, 1000001);
    assert_int_equal(sample_percentile(&s, 1), 1000001);
    assert_int_equal(sample_percentile(&s, 1000), 1000001);
    sample_fini(&s);
}

static void many_of_one_value_are_as_one_after_the_other(void **state)
{
    (void)state;
    struct sample one = {.count = 0};
    struct sample many = {.count = 0};
    sample_add_many(&many, 1234567, 0);
    assert_null(many.places);
    sample_add_many(&many, 1234567, 3);
    sample_add_many(&many, 5, 97);
    for (int i = 0; i < 100; i++) {
        sample_add(&one, i < 3 ? 1234567 : 5);
    }
    assert_int_equal(many.count, one.count);
    assert_int_equal(many.sum, one.sum);
    assert_int_equal(many.max, one.max);
    assert_memory_equal(many.places, one.places, SAMPLE_PLACES * sizeof(*one.places));
    sample_fini(&one);
    sample_fini(&many);
}

static void merged_samples_are_one_of_all_values(void **state)
{
    (void)state;
    struct sample all = {.count = 0}, odd = {.count = 0}, even = {.count = 0};
    for (uint64_t value = 1; value <= 5000; value++) {
        sample_add(&all, value);
        sample_add(value % 2 == 1 ? &odd : &even, value);
    }
    struct sample merged = {.count = 0};
    const struct sample empty = {.count = 0};
    sample_merge(&merged, &empty);
    assert_int_equal(merged.count, 0);
    sample_merge(&merged, &even);
    sample_merge(&merged, &odd);
    sample_merge(&merged, &empty);
    for (uint32_t permille = 0; permille <= 1000; permille++) {
        assert_int_equal(sample_percentile(&merged, permille), sample_percentile(&all, permille));
    }
    assert_true(merged.count == all.count && merged.sum == all.sum && merged.max == all.max);
    sample_fini(&all);
    sample_fini(&odd);
    sample_fini(&even);
    sample_fini(&merged);
}

static void a_percentile_needs_a_value_beyond_it(void **state)
{
    (void)state;
    static const struct {
        uint32_t permille;
        uint64_t least;
    } cases[] = {{900, 10}, {990, 100}, {999, 1000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample s = {.count = 0};
        assert_false(sample_resolves(&s, cases[i].permille));
        for (uint64_t value = 1; value < cases[i].least; value++) {
            sample_add(&s, value);
        }
        assert_false(sample_resolves(&s, cases[i].permille));
        sample_add(&s, cases[i].least);
        assert_true(sample_resolves(&s, cases[i].permille));
        assert_true(sample_percentile(&s, cases[i].permille) < s.max);
        sample_fini(&s);
    }
    assert_true(sample_resolves(&(const struct sample){.count = UINT64_MAX / 2}, 900));
}

static void a_cleared_sample_has_forgotten_all(void **state)
{
    (void)state;
    struct sample s = {.count = 0};
    sample_add(&s, 7000);
    sample_clear(&s);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.sum, 0);
    assert_int_equal(s.max, 0);
    assert_int_equal(sample_percentile(&s, 500), 0);
    sample_add(&s, 3);
    assert_int_equal(sample_percentile(&s, 1000), 3);
    sample_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_sample_has_zeroes),
        cmocka_unit_test(small_values_are_exact_at_every_rank),
        cmocka_unit_test(large_values_are_at_most_one_step_too_high_and_never_too_low),
        cmocka_unit_test(both_sides_of_a_power_of_two_keep_their_order),
        cmocka_unit_test(no_percentile_is_above_the_largest_value),
        cmocka_unit_test(many_of_one_value_are_as_one_after_the_other),
        cmocka_unit_test(merged_samples_are_one_of_all_values),
        cmocka_unit_test(a_percentile_needs_a_value_beyond_it),
        cmocka_unit_test(a_cleared_sample_has_forgotten_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
