#include "net/out/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

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

static void what_stands_before_an_empty_name_is_not_looked_at(void **state)
{
    (void)state;
    static const char before[] = ".localhost.";
    struct addr addrs[RESOLVE_LOCALHOST_ADDRS];
    assert_int_equal(resolve_localhost(before + sizeof(before) - 1, addrs), 0);
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

/* ---- What the system's resolver says, where the test says it ---- */

static int resolver_error = 1; /* 0 or one of EAI_*; 1: the system's own answer */
static struct addrinfo *resolver_list;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
void __real_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list)
{
    if (resolver_error == 1) {
        return __real_getaddrinfo(node, service, hints, ret_list);
    }
    *ret_list = resolver_list;
    return resolver_error;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    if (resolver_error == 1) {
        __real_freeaddrinfo(list);
    } else {
        assert_ptr_equal(list, resolver_list);
        resolver_list = NULL;
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

/* Resolves while the system's resolver says this. */
static enum rc resolve(int error, struct addrinfo *list, struct addr *ret_addrs, size_t max,
                       size_t *ret_count, const char **ret_error)
{
    resolver_error = error;
    resolver_list = list;
    const enum rc rc = resolve_wait("a.test", 80, ret_addrs, max, ret_count, ret_error);
    resolver_error = 1;
    assert_null(resolver_list); /* what was lent is given back */
    return rc;
}

static void only_who_was_told_that_there_is_no_such_name_says_so(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum rc rc;
    } cases[] = {{EAI_NONAME, RC_NOT_FOUND},
                 {EAI_NODATA, RC_NOT_FOUND},
                 {EAI_AGAIN, RC_AGAIN},
                 {EAI_FAIL, RC_AGAIN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr addr;
        const char *error = NULL;
        size_t count = 0;
        assert_int_equal(resolve(cases[i].error, NULL, &addr, 1, &count, &error), cases[i].rc);
        assert_string_equal(error, gai_strerror(cases[i].error));
        assert_int_equal(count, 0);
    }
}

static void addresses_keep_their_order_and_others_are_left_out(void **state)
{
    (void)state;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct addrinfo second = {.ai_addr = (struct sockaddr *)(void *)&v4, .ai_addrlen = sizeof(v4)};
    struct addrinfo none = {.ai_addr = &other, .ai_addrlen = sizeof(other), .ai_next = &second};
    struct addrinfo first = {
        .ai_addr = (struct sockaddr *)(void *)&v6, .ai_addrlen = sizeof(v6), .ai_next = &none};
    struct addr addrs[3];
    const char *error = NULL;
    size_t count = 0;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(resolve(0, &first, addrs, 3, &count, &error), RC_OK);
    assert_int_equal(count, 2);
    assert_false(addr_is_v4(&addrs[0]));
    assert_true(addr_is_v4(&addrs[1]));
    assert_int_equal(addrs[0].port + addrs[1].port, 160);
    assert_int_equal(resolve(0, &first, addrs, 1, &count, &error), RC_OK);
    assert_int_equal(count, 1);
    none.ai_next = NULL;
    assert_int_equal(resolve(0, &none, addrs, 3, &count, &error), RC_NOT_FOUND);
    assert_string_equal(error, "it has no address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_address_is_itself),
        cmocka_unit_test(a_name_of_this_host_has_at_most_as_many_addresses_as_there_is_room),
        cmocka_unit_test(names_of_loopback_are_told_apart_from_others_without_asking),
        cmocka_unit_test(what_stands_before_an_empty_name_is_not_looked_at),
        cmocka_unit_test(what_cannot_be_a_name_is_not_found_and_says_why),
        cmocka_unit_test(only_who_was_told_that_there_is_no_such_name_says_so),
        cmocka_unit_test(addresses_keep_their_order_and_others_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
