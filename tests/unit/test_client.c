#include "cmd/client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_key_is_percent_encoded_but_for_its_slashes(void **state)
{
    (void)state;
    char target[64];
    assert_int_equal(client_data_target("a b/c?d%\xff", "", target, sizeof(target)), RC_OK);
    assert_string_equal(target, "/v1/data/a%20b/c%3Fd%25%FF");
    assert_int_equal(client_data_target("k", "ttl=5", target, sizeof(target)), RC_OK);
    assert_string_equal(target, "/v1/data/k?ttl=5");
}

static void only_what_is_unreserved_stays_as_it_is(void **state)
{
    (void)state;
    static const char unreserved[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "-._~"; /* RFC 3986 section 2.3 */
    for (int c = 1; c < 256; c++) {
        const char text[] = {(char)c, '\0'};
        char target[8] = "", expected[8];
        (void)snprintf(expected, sizeof(expected), strchr(unreserved, c) != NULL ? "%c" : "%%%02X",
                       c);
        assert_int_equal(client_encode(target, sizeof(target), text, ""), RC_OK);
        assert_string_equal(target, expected);
    }
}

static void what_does_not_fit_is_refused_whole(void **state)
{
    (void)state;
    char target[16];
    assert_int_equal(client_data_target("123456", "", target, sizeof(target)), RC_TOO_LONG);
    assert_int_equal(client_data_target("  ", "", target, sizeof(target)), RC_TOO_LONG);
    assert_int_equal(client_data_target("1234", "ttl=5", target, sizeof(target)), RC_TOO_LONG);
    assert_int_equal(client_data_target("12", "", target, sizeof(target)), RC_OK);
    char text[8] = "ab";
    assert_int_equal(client_encode(text, sizeof(text), "  ", ""), RC_TOO_LONG);
    assert_string_equal(text, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_percent_encoded_but_for_its_slashes),
        cmocka_unit_test(only_what_is_unreserved_stays_as_it_is),
        cmocka_unit_test(what_does_not_fit_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
