#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sys/rfc3339.h"

static void instants_are_utc_with_milliseconds(void **state)
{
    (void)state;
    char text[RFC3339_TEXT_SIZE];
    assert_string_equal(rfc3339_format(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(rfc3339_format(UINT64_C(951782400007), text), "2000-02-29T00:00:00.007Z");
    assert_string_equal(rfc3339_format(UINT64_C(1795161600123), text), "2026-11-20T08:00:00.123Z");
    assert_string_equal(rfc3339_format(UINT64_C(253402300799999), text),
                        "9999-12-31T23:59:59.999Z");
}

static void the_last_instant_of_48_bits_fits(void **state)
{
    (void)state;
    char text[RFC3339_TEXT_SIZE];
    assert_string_equal(rfc3339_format((UINT64_C(1) << 48) - 1, text), "10889-08-02T05:31:50.655Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_are_utc_with_milliseconds),
        cmocka_unit_test(the_last_instant_of_48_bits_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
