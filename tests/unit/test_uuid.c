#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/uuid.h"

#include <string.h>

static void order_is_bytewise_and_unsigned(void **state)
{
    (void)state;
    const struct uuid low = {{0x7f, 0xff}};
    const struct uuid high = {{0x80}};
    const struct uuid last = {{0x80, [15] = 1}};
    assert_true(uuid_compare(&low, &high) < 0);
    assert_true(uuid_compare(&last, &high) > 0);
    assert_int_equal(uuid_compare(&high, &high), 0);
    assert_true(uuid_equal(&high, &high));
    assert_false(uuid_equal(&high, &last));
}

static void only_all_zero_is_nil(void **state)
{
    (void)state;
    const struct uuid nil = {{0}};
    const struct uuid one = {{[15] = 1}};
    assert_true(uuid_is_nil(&nil));
    assert_false(uuid_is_nil(&one));
}

static void text_is_32_lower_case_digits(void **state)
{
    (void)state;
    const struct uuid uuid = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, [15] = 0xf0}};
    char text[UUID_TEXT_SIZE];
    assert_string_equal(uuid_format(&uuid, text), "0123456789abcdef00000000000000f0");
    assert_int_equal(strlen(text), UUID_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_bytewise_and_unsigned),
        cmocka_unit_test(only_all_zero_is_nil),
        cmocka_unit_test(text_is_32_lower_case_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
