#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sys/hostinfo.h"
#include "net/sys/proc_figures.h"
#include "net/sys/sockaddr.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const struct addr any = {.port = 0};

static struct addr parsed(const char *text, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse_ip(text, port, &addr), RC_OK);
    return addr;
}

static void tag_is_the_same_each_time(void **state)
{
    (void)state;
    assert_true(hostinfo_tag() == hostinfo_tag());
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    assert_int_equal(hostinfo_random(a, sizeof(a)), RC_OK);
    assert_int_equal(hostinfo_random(b, sizeof(b)), RC_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

/* A generator that gives nothing, or fewer bytes than it is asked for; -1: the kernel's. */
static ssize_t random_given = -1;

ssize_t __real_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);

ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    assert_int_equal(flags, 0); /* it waits until the generator is seeded */
    return random_given < 0 ? __real_getrandom(bytes, len, flags) : random_given;
}

static void bytes_that_did_not_come_are_none(void **state)
{
    (void)state;
    uint8_t bytes[16];
    for (random_given = 0; random_given < (ssize_t)sizeof(bytes); random_given++) {
        assert_int_equal(hostinfo_random(bytes, sizeof(bytes)), RC_IO);
    }
    assert_int_equal(hostinfo_random(bytes, sizeof(bytes)), RC_OK);
    random_given = -1;
}

static void loopback_is_own_and_a_documentation_address_is_not(void **state)
{
    (void)state;
    const struct addr loopback = parsed("127.0.0.1", 1), v6 = parsed("::1", 1);
    const struct addr foreign = parsed("192.0.2.1", 1);
    assert_true(hostinfo_is_own(&loopback));
    assert_true(hostinfo_is_own(&v6));
    assert_false(hostinfo_is_own(&foreign));
}

static void every_interface_address_is_own(void **state)
{
    (void)state;
    struct addr own[HOSTINFO_ADDRS_MAX];
    const size_t count = hostinfo_addrs(own);
    assert_true(count > 0 && count <= HOSTINFO_ADDRS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(own[i].port, 0);
        assert_true(hostinfo_is_own(&own[i]));
    }
}

static void card_has_loopback_first_interface_and_advertised_address(void **state)
{
    (void)state;
    const struct addr own[] = {parsed("127.0.0.1", 0), parsed("2001:db8::5", 0),
                               parsed("10.1.2.3", 0), parsed("10.9.9.9", 0)};
    const struct addr advertise = parsed("198.51.100.7", 0);
    struct member_addr addrs[MEMBER_ADDRS_MAX];
    assert_int_equal(hostinfo_card_addrs(&any, &advertise, 8081, own, 4, addrs), 3);
    const struct addr expected[] = {parsed("127.0.0.1", 8081), parsed("10.1.2.3", 8081),
                                    parsed("198.51.100.7", 8081)};
    const enum addr_scope scopes[] = {SCOPE_HOST, SCOPE_HOST, SCOPE_GLOBAL};
    for (size_t i = 0; i < 3; i++) {
        assert_true(addr_equal(&addrs[i].addr, &expected[i]));
        assert_int_equal(addrs[i].scope, scopes[i]);
    }
}

static void loopback_on_the_card_is_ipv6_only_where_there_is_no_other(void **state)
{
    (void)state;
    const struct addr own[] = {parsed("::1", 0), parsed("2001:db8::5", 0), parsed("127.0.0.1", 0)};
    const struct addr v4 = parsed("127.0.0.1", 9), v6 = parsed("::1", 9);
    struct member_addr addrs[MEMBER_ADDRS_MAX];
    for (size_t own_count = 0; own_count <= 3; own_count++) {
        (void)hostinfo_card_addrs(&any, &any, 9, own, own_count, addrs);
        const bool is_v6 = own_count == 1 || own_count == 2;
        assert_true(addr_equal(&addrs[0].addr, is_v6 ? &v6 : &v4));
    }
    const struct addr here = hostinfo_loopback();
    assert_true(addr_is_loopback(&here));
}

static void card_takes_ipv6_where_there_is_no_ipv4_interface(void **state)
{
    (void)state;
    const struct addr own[] = {parsed("127.0.0.1", 0), parsed("2001:db8::5", 0)};
    const struct addr expected = parsed("2001:db8::5", 9);
    struct member_addr addrs[MEMBER_ADDRS_MAX];
    assert_int_equal(hostinfo_card_addrs(&any, &any, 9, own, 2, addrs), 2);
    assert_true(addr_equal(&addrs[1].addr, &expected));
}

static void card_of_a_bound_address_has_only_that(void **state)
{
    (void)state;
    const struct addr own[] = {parsed("127.0.0.1", 0), parsed("10.1.2.3", 0)};
    const struct addr bound = parsed("::1", 0), expected = parsed("::1", 8081);
    struct member_addr addrs[MEMBER_ADDRS_MAX];
    assert_int_equal(hostinfo_card_addrs(&bound, &any, 8081, own, 2, addrs), 1);
    assert_true(addr_equal(&addrs[0].addr, &expected));
    assert_int_equal(addrs[0].scope, SCOPE_HOST);
}

static void figures_of_this_process_are_plausible(void **state)
{
    (void)state;
    struct proc_figures figures;
    proc_figures_read(&figures);
    assert_true(figures.resident_bytes > 102400);
    assert_true(figures.cpu_us > 0);
    assert_true(figures.open_fds >= 1 && figures.open_fds < 1000);
}

/* ---- Interfaces of the test's own ---- */

enum { INTERFACES_MAX = HOSTINFO_ADDRS_MAX + 8 };

static struct ifaddrs interfaces[INTERFACES_MAX];
static struct sockaddr_storage interface_addrs[INTERFACES_MAX];
static size_t interface_count;
static bool has_own_interfaces;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
int __real_getifaddrs(struct ifaddrs **ret_list);
int __wrap_getifaddrs(struct ifaddrs **ret_list);
void __real_freeifaddrs(struct ifaddrs *list);
void __wrap_freeifaddrs(struct ifaddrs *list);

int __wrap_getifaddrs(struct ifaddrs **ret_list)
{
    if (!has_own_interfaces) {
        return __real_getifaddrs(ret_list);
    }
    *ret_list = interface_count > 0 ? interfaces : NULL;
    return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *list)
{
    if (!has_own_interfaces) {
        __real_freeifaddrs(list);
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

/* One more interface; `text` NULL: it has no address. */
static void add_interface(const char *text, unsigned flags)
{
    struct ifaddrs *last = &interfaces[interface_count];
    *last = (struct ifaddrs){.ifa_flags = flags};
    if (text != NULL) {
        const struct addr addr = parsed(text, 7);
        (void)sockaddr_from(&addr, sockaddr_family(&addr), &interface_addrs[interface_count]);
        last->ifa_addr = (struct sockaddr *)(void *)&interface_addrs[interface_count];
    }
    if (interface_count > 0) {
        interfaces[interface_count - 1].ifa_next = last;
    }
    interface_count++;
}

static void interfaces_that_are_up_count_and_addresses_of_one_link_do_not(void **state)
{
    (void)state;
    static struct sockaddr other = {.sa_family = AF_UNIX};
    struct addr own[HOSTINFO_ADDRS_MAX];
    has_own_interfaces = true;
    interface_count = 0;
    assert_int_equal(hostinfo_addrs(own), 0);
    add_interface("10.1.2.3", IFF_UP);
    add_interface("10.1.2.4", IFF_LOOPBACK); /* down */
    add_interface(NULL, IFF_UP);
    add_interface("169.254.0.1", IFF_UP);
    add_interface("169.253.255.255", IFF_UP);
    add_interface("fe80::1", IFF_UP);
    add_interface("febf::1", IFF_UP);
    add_interface("fec0::1", IFF_UP);
    add_interface("10.1.2.5", IFF_UP);
    interfaces[interface_count - 1].ifa_addr = &other;
    add_interface("2001:db8::1", IFF_UP);
    const size_t count = hostinfo_addrs(own);
    has_own_interfaces = false;
    static const char *const wanted[] = {"10.1.2.3", "169.253.255.255", "fec0::1", "2001:db8::1"};
    assert_int_equal(count, sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < count; i++) {
        const struct addr addr = parsed(wanted[i], 0);
        assert_true(addr_equal(&own[i], &addr));
    }
}

static void of_many_interfaces_the_first_are_taken(void **state)
{
    (void)state;
    struct addr own[HOSTINFO_ADDRS_MAX];
    has_own_interfaces = true;
    interface_count = 0;
    for (unsigned i = 0; i < INTERFACES_MAX; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
        add_interface(text, IFF_UP);
    }
    const size_t count = hostinfo_addrs(own);
    char text[32];
    (void)snprintf(text, sizeof(text), "10.0.0.%d", HOSTINFO_ADDRS_MAX - 1);
    const struct addr last = parsed(text, 0);
    const struct addr none = parsed("192.0.2.1", 0);
    const bool is_last_own = hostinfo_is_own(&last);
    const bool is_none_own = hostinfo_is_own(&none); /* a look past the end is the sanitizers' */
    has_own_interfaces = false;
    assert_int_equal(count, HOSTINFO_ADDRS_MAX);
    assert_true(is_last_own);
    assert_false(is_none_own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tag_is_the_same_each_time),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(bytes_that_did_not_come_are_none),
        cmocka_unit_test(loopback_is_own_and_a_documentation_address_is_not),
        cmocka_unit_test(every_interface_address_is_own),
        cmocka_unit_test(card_has_loopback_first_interface_and_advertised_address),
        cmocka_unit_test(card_takes_ipv6_where_there_is_no_ipv4_interface),
        cmocka_unit_test(loopback_on_the_card_is_ipv6_only_where_there_is_no_other),
        cmocka_unit_test(card_of_a_bound_address_has_only_that),
        cmocka_unit_test(figures_of_this_process_are_plausible),
        cmocka_unit_test(interfaces_that_are_up_count_and_addresses_of_one_link_do_not),
        cmocka_unit_test(of_many_interfaces_the_first_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
