#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sys/sockaddr.h"

#include <string.h>
#include <sys/un.h>

static struct addr parsed(const char *text, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse_ip(text, port, &addr), RC_OK);
    return addr;
}

static void addresses_survive_both_families(void **state)
{
    (void)state;
    const struct addr v4 = parsed("192.0.2.7", 8081), v6 = parsed("2001:db8::7", 8082);
    struct sockaddr_storage sa;
    struct addr back;
    assert_int_equal(sockaddr_to(&sa, sockaddr_from(&v4, AF_INET, &sa), &back), RC_OK);
    assert_int_equal(sa.ss_family, AF_INET);
    assert_true(addr_equal(&back, &v4));
    assert_int_equal(sockaddr_to(&sa, sockaddr_from(&v4, AF_INET6, &sa), &back), RC_OK);
    assert_int_equal(sa.ss_family, AF_INET6);
    assert_true(addr_equal(&back, &v4));
    assert_int_equal(sockaddr_to(&sa, sockaddr_from(&v6, AF_INET6, &sa), &back), RC_OK);
    assert_true(addr_equal(&back, &v6));
    assert_int_equal(sockaddr_family(&v4), AF_INET);
    assert_int_equal(sockaddr_family(&v6), AF_INET6);
}

static void ipv6_address_does_not_fit_an_ipv4_socket(void **state)
{
    (void)state;
    const struct addr v6 = parsed("::1", 1);
    struct sockaddr_storage sa;
    assert_int_equal(sockaddr_from(&v6, AF_INET, &sa), 0);
}

static void other_families_and_cut_ones_are_refused(void **state)
{
    (void)state;
    const struct addr v6 = parsed("::1", 1);
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_storage sa;
    struct addr addr;
    assert_int_equal(sockaddr_to(&local, sizeof(local), &addr), RC_MALFORMED);
    const socklen_t len = sockaddr_from(&v6, AF_INET6, &sa);
    assert_int_equal(sockaddr_to(&sa, len - 1, &addr), RC_MALFORMED);
    assert_int_equal(sockaddr_to(&sa, 0, &addr), RC_MALFORMED);
    assert_int_equal(sockaddr_to(NULL, 0, &addr), RC_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_both_families),
        cmocka_unit_test(ipv6_address_does_not_fit_an_ipv4_socket),
        cmocka_unit_test(other_families_and_cut_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
