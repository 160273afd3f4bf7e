#include "net/out/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_literal_address_is_itself(void **state)
{
    (void)state;
    static const char *const literals[] = {"127.0.0.1", "::1", "[::1]"};
    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        struct addr addrs[2];
        const char *error = NULL;
        size_t count = 0;
        assert_int_equal(resolve_wait(literals[i], 80, addrs, 2, &count, &error), RC_OK);
        assert_int_equal(count, 1);
        assert_true(addr_is_loopback(&addrs[0]));
        assert_int_equal(addrs[0].port, 80);
    }
}

static void a_name_of_this_host_has_at_most_as_many_addresses_as_there_is_room(void **state)
{
    (void)state;
    struct addr addrs[2];
    const char *error = NULL;
    size_t count = 0;
    addrs[1].port = 7;
    assert_int_equal(resolve_wait("localhost", 81, addrs, 1, &count, &error), RC_OK);
    assert_int_equal(count, 1);
    assert_true(addr_is_loopback(&addrs[0]));
    assert_int_equal(addrs[0].port, 81);
    assert_int_equal(addrs[1].port, 7);
}

static void names_of_loopback_are_told_apart_from_others_without_asking(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost", "LocalHost", "localhost.", "fade.localhost",
                                        "a.b.LOCALHOST."};
    static const char *const others[] = {"",           ".",           "localhos",    "xlocalhost",
                                         ".localhost", "localhost.x", "localhost..", "ocalhost"};
    struct addr addrs[RESOLVE_LOCALHOST_ADDRS];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(resolve_localhost(names[i], addrs), 2);
        assert_true(addr_is_v4(&addrs[0]) && addr_is_loopback(&addrs[0]));
        assert_true(!addr_is_v4(&addrs[1]) && addr_is_loopback(&addrs[1]));
        assert_int_equal(addrs[0].port + addrs[1].port, 0);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(resolve_localhost(others[i], addrs), 0);
    }
}

static void what_cannot_be_a_name_is_not_found_and_says_why(void **state)
{
    (void)state;
    struct addr addrs[2];
    const char *error = NULL;
    size_t count = 5;
    assert_int_equal(resolve_wait("no such name", 81, addrs, 2, &count, &error), RC_NOT_FOUND);
    assert_non_null(error);
    assert_int_equal(count, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_address_is_itself),
        cmocka_unit_test(a_name_of_this_host_has_at_most_as_many_addresses_as_there_is_room),
        cmocka_unit_test(names_of_loopback_are_told_apart_from_others_without_asking),
        cmocka_unit_test(what_cannot_be_a_name_is_not_found_and_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
