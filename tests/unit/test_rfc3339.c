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

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static const uint64_t instants[] = {0,
                                        7,
                                        UINT64_C(951782400007),
                                        UINT64_C(951868799999),
                                        UINT64_C(1795161600123),
                                        UINT64_C(253402300799999)};
    for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
        char text[RFC3339_TEXT_SIZE];
        uint64_t ms = 1;
        assert_int_equal(rfc3339_parse(rfc3339_format(instants[i], text), &ms), RC_OK);
        assert_int_equal(ms, instants[i]);
    }
    uint64_t ms = 1;
    assert_int_equal(rfc3339_parse("2026-11-20T08:00:00Z", &ms), RC_OK);
    assert_int_equal(ms, UINT64_C(1795161600000));
}

static void what_is_no_instant_of_this_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "Z",
                                      "2026-11-20",
                                      "2026-11-20T08:00:00",
                                      "2026-11-20 08:00:00Z",
                                      "2026-11-20T08:00:00+01:00",
                                      "2026-11-20T08:00:00.12Z",
                                      "2026-11-20T08:00:00,123Z",
                                      "2026-11-20T08:00:00.1234Z",
                                      "2026-13-20T08:00:00Z",
                                      "2026-00-20T08:00:00Z",
                                      "2026-02-29T08:00:00Z",
                                      "2026-11-00T08:00:00Z",
                                      "2026-11-20T24:00:00Z",
                                      "2026-11-20T08:60:00Z",
                                      "2026-11-20T08:00:60Z",
                                      "1969-12-31T23:59:59Z",
                                      "-026-11-20T08:00:00Z",
                                      "10889-08-02T05:31:50.655Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t ms = 1;
        assert_int_equal(rfc3339_parse(bad[i], &ms), RC_MALFORMED);
        assert_int_equal(ms, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_are_utc_with_milliseconds),
        cmocka_unit_test(the_last_instant_of_48_bits_fits),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(what_is_no_instant_of_this_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
