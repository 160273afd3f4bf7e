#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/version.h"

#include <string.h>

static void the_stamp_decides_and_then_the_origin(void **state)
{
    (void)state;
    const struct version a = {1, {{9}}};
    const struct version b = {2, {{1}}};
    const struct version c = {2, {{2}}};
    assert_true(version_compare(&a, &b) < 0);
    assert_true(version_compare(&c, &b) > 0);
    assert_int_equal(version_compare(&b, &b), 0);
}

static void milliseconds_are_the_upper_48_bits(void **state)
{
    (void)state;
    const struct version v = {UINT64_C(1700000000123) << VERSION_COUNTER_BITS | 0xffff, {{0}}};
    assert_true(version_ms(&v) == UINT64_C(1700000000123));
}

static void text_is_the_stamp_and_the_origin_in_hex(void **state)
{
    (void)state;
    const struct version v = {0x1a2b, {{0xff}}};
    char text[VERSION_TEXT_SIZE];
    assert_string_equal(version_format(&v, text),
                        "0000000000001a2bff000000000000000000000000000000");
}

static void the_clock_goes_on_when_time_stands_still_or_goes_back(void **state)
{
    (void)state;
    struct hlc hlc = {0};
    const uint64_t first = version_next(&hlc, 1000);
    assert_true(first == UINT64_C(1000) << VERSION_COUNTER_BITS);
    assert_true(version_next(&hlc, 1000) == first + 1);
    assert_true(version_next(&hlc, 900) == first + 2);
    assert_true(version_next(&hlc, 1001) == UINT64_C(1001) << VERSION_COUNTER_BITS);
}

static void the_counter_runs_over_into_the_milliseconds(void **state)
{
    (void)state;
    struct hlc hlc = {0};
    uint64_t last = 0;
    for (int i = 0; i < 70000; i++) {
        const uint64_t stamp = version_next(&hlc, 5);
        assert_true(stamp > last);
        last = stamp;
    }
    assert_true(last >> VERSION_COUNTER_BITS == 6);
}

static void what_was_seen_elsewhere_is_surpassed(void **state)
{
    (void)state;
    struct hlc hlc = {0};
    version_see(&hlc, 77);
    assert_true(version_next(&hlc, 0) == 78);
    version_see(&hlc, 10);
    assert_true(version_next(&hlc, 0) == 79);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stamp_decides_and_then_the_origin),
        cmocka_unit_test(milliseconds_are_the_upper_48_bits),
        cmocka_unit_test(text_is_the_stamp_and_the_origin_in_hex),
        cmocka_unit_test(the_clock_goes_on_when_time_stands_still_or_goes_back),
        cmocka_unit_test(the_counter_runs_over_into_the_milliseconds),
        cmocka_unit_test(what_was_seen_elsewhere_is_surpassed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
