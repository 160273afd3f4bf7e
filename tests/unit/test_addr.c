#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/addr.h"

#include <string.h>

static struct addr parse(const char *text, uint16_t port)
{
    struct addr addr = {.port = 0};
    assert_int_equal(addr_parse_ip(text, port, &addr), RC_OK);
    return addr;
}

static void addresses_are_written_as_they_are_read(void **state)
{
    (void)state;
    char text[ADDR_TEXT_SIZE];
    struct addr addr = parse("10.1.2.3", 8081);
    assert_true(addr_is_v4(&addr));
    assert_string_equal(addr_format(&addr, text), "10.1.2.3:8081");
    assert_string_equal(addr_format_ip(&addr, text), "10.1.2.3");
    addr = parse("[2001:db8::1]", 80);
    assert_false(addr_is_v4(&addr));
    assert_string_equal(addr_format(&addr, text), "[2001:db8::1]:80");
    assert_string_equal(addr_format_ip(&addr, text), "2001:db8::1");
    addr = parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
    assert_string_equal(addr_format(&addr, text),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    (void)state;
    const struct addr a = parse("::ffff:10.0.0.1", 5);
    const struct addr b = parse("10.0.0.1", 5);
    const struct addr c = addr_v4((const uint8_t[]){10, 0, 0, 1}, 5);
    const struct addr d = parse("10.0.0.1", 6);
    assert_true(addr_equal(&a, &b));
    assert_true(addr_equal(&b, &c));
    assert_false(addr_equal(&c, &d));
    assert_true(addr_same_ip(&c, &d));
}

static void a_network_is_an_ipv4_address_or_an_ipv6_64(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::1", "10.0.0.1", false}, /* which is ::ffff:10.0.0.1 */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct addr a = parse(cases[i].a, 5), b = parse(cases[i].b, 6);
        assert_int_equal(addr_same_net(&a, &b), cases[i].is_same);
        assert_int_equal(addr_same_net(&b, &a), cases[i].is_same);
        const struct addr net_a = addr_net(&a), net_b = addr_net(&b); /* ports are no part of it */
        assert_int_equal(addr_equal(&net_a, &net_b), cases[i].is_same);
    }
}

static void loopback_and_any_are_known_in_both_families(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_loopback;
        bool is_any;
    } cases[] = {
        {"127.0.0.1", true, false}, {"127.255.0.9", true, false}, {"::1", true, false},
        {"0.0.0.0", false, true},   {"::", false, true},          {"128.0.0.1", false, false},
        {"::2", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct addr addr = parse(cases[i].text, 1);
        assert_int_equal(addr_is_loopback(&addr), cases[i].is_loopback);
        assert_int_equal(addr_is_any(&addr), cases[i].is_any);
    }
}

static void what_is_no_address_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *bad[] = {"",
                                "10.0.0",
                                "10.0.0.256",
                                "localhost",
                                "[10.0.0.1]",
                                "[::1",
                                "::1]",
                                "[]",
                                "10.0.0.1:80",
                                "fe80::1%eth0",
                                " ::1",
                                ":::",
                                "1111111111111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct addr addr = addr_v4((const uint8_t[]){1, 2, 3, 4}, 5);
        const struct addr before = addr;
        assert_int_equal(addr_parse_ip(bad[i], 9, &addr), RC_MALFORMED);
        assert_true(addr_equal(&addr, &before));
    }
}

static void the_wire_form_reads_back(void **state)
{
    (void)state;
    static const char *texts[] = {"10.0.0.1", "2001:db8::7"};
    for (int i = 0; i < 2; i++) {
        const struct addr addr = parse(texts[i], 4711);
        uint8_t bytes[ADDR_WIRE_MAX];
        struct cursor w = cursor_writer(bytes, sizeof(bytes));
        addr_write(&w, &addr);
        assert_true(cursor_ok(&w));
        assert_int_equal(w.pos, i == 0 ? 7 : 19);
        struct cursor r = cursor_reader(bytes, w.pos);
        const struct addr back = addr_read(&r);
        assert_true(cursor_ok(&r));
        assert_true(addr_equal(&addr, &back));
        for (size_t len = 0; len < w.pos; len++) {
            r = cursor_reader(bytes, len);
            (void)addr_read(&r);
            assert_false(cursor_ok(&r));
        }
    }
}

static void another_family_and_port_0_are_refused_on_the_wire(void **state)
{
    (void)state;
    static const uint8_t family[] = {5, 1, 2, 3, 4, 0, 80};
    static const uint8_t port[] = {4, 1, 2, 3, 4, 0, 0};
    struct cursor c = cursor_reader(family, sizeof(family));
    (void)addr_read(&c);
    assert_false(cursor_ok(&c));
    c = cursor_reader(port, sizeof(port));
    (void)addr_read(&c);
    assert_false(cursor_ok(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_as_they_are_read),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(a_network_is_an_ipv4_address_or_an_ipv6_64),
        cmocka_unit_test(loopback_and_any_are_known_in_both_families),
        cmocka_unit_test(what_is_no_address_is_refused_and_changes_nothing),
        cmocka_unit_test(the_wire_form_reads_back),
        cmocka_unit_test(another_family_and_port_0_are_refused_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
