#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/digits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t VALUES[] = {
    0, 7, 10, 99, 100, 1234567890, UINT32_MAX, UINT64_C(10000000000000000000), UINT64_MAX};

enum { VALUE_COUNT = sizeof(VALUES) / sizeof(VALUES[0]) };

static void decimal_digits_are_those_of_printf(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        char expected[32];
        char got[DIGITS_U64_MAX + 1];
        memset(got, 'x', sizeof(got));
        const int len = snprintf(expected, sizeof(expected), "%" PRIu64, VALUES[i]);
        assert_int_equal(digits_decimal(VALUES[i], got), len);
        assert_memory_equal(got, expected, (size_t)len);
        assert_int_equal(got[len], 'x');
    }
}

static void fixed_digits_are_padded_and_cut(void **state)
{
    (void)state;
    char text[] = "......";
    digits_fixed(7, 3, text);
    assert_string_equal(text, "007...");
    digits_fixed(12345, 4, text + 1);
    assert_string_equal(text, "02345.");
    digits_fixed(9, 0, text);
    assert_string_equal(text, "02345.");
}

static void hexadecimal_digits_are_lower_case_and_in_order(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x0f, 0xa5, 0xff};
    char text[] = "..................";
    digits_hex(bytes, sizeof(bytes), text);
    assert_string_equal(text, "000fa5ff..........");
    digits_hex_u64(UINT64_C(0x0123456789abcdef), text + 1);
    assert_string_equal(text, "00123456789abcdef.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_digits_are_those_of_printf),
        cmocka_unit_test(fixed_digits_are_padded_and_cut),
        cmocka_unit_test(hexadecimal_digits_are_lower_case_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
