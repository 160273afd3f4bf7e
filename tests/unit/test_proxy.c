#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/proxy.h"

#include <string.h>

static struct addr ip(const char *text)
{
    struct addr addr = {.port = 0};
    assert_int_equal(addr_parse_ip(text, 0, &addr), RC_OK);
    return addr;
}

static struct node_cidr cidr(const char *text, uint8_t prefix_len)
{
    return (struct node_cidr){ip(text), prefix_len};
}

static void test_a_network_has_the_addresses_that_share_its_prefix(void **state)
{
    (void)state;
    const struct node_cidr ten = cidr("10.0.0.0", 96 + 8);
    const struct node_cidr odd = cidr("192.168.4.0", 96 + 22);
    const struct node_cidr v6 = cidr("2001:db8::", 32);
    const struct node_cidr one = cidr("::1", 128);
    const struct node_cidr all = cidr("::", 0);
    const struct addr a = ip("10.255.0.1"), b = ip("11.0.0.1"), c = ip("192.168.7.255");
    const struct addr d = ip("192.168.8.0"), e = ip("2001:db8:ffff::1"), f = ip("::1");
    assert_true(proxy_cidr_has(&ten, &a));
    assert_false(proxy_cidr_has(&ten, &b));
    assert_true(proxy_cidr_has(&odd, &c));
    assert_false(proxy_cidr_has(&odd, &d));
    assert_true(proxy_cidr_has(&v6, &e));
    assert_false(proxy_cidr_has(&v6, &f));
    assert_true(proxy_cidr_has(&one, &f));
    assert_true(proxy_cidr_has(&all, &a));
}

struct hop {
    const char *name;
    const char *peer;
    const char *first, *second; /* the values of up to two headers */
    const char *client;
};

static void test_the_client_is_the_rightmost_hop_that_is_not_trusted(void **state)
{
    (void)state;
    static const struct hop table[] = {
        {"no header", "10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"peer not trusted", "9.9.9.9", "1.2.3.4", NULL, "9.9.9.9"},
        {"one hop", "10.0.0.1", "1.2.3.4", NULL, "1.2.3.4"},
        {"of the first network", "127.0.0.1", "1.2.3.4", NULL, "1.2.3.4"},
        {"over both networks", "127.0.0.1", "1.2.3.4, 10.0.0.2, 127.0.0.1", NULL, "1.2.3.4"},
        {"forged on the left", "10.0.0.1", "6.6.6.6, 1.2.3.4", NULL, "1.2.3.4"},
        {"two proxies", "10.0.0.1", "6.6.6.6,1.2.3.4 , 10.0.0.2", NULL, "1.2.3.4"},
        {"two headers", "10.0.0.1", "6.6.6.6, 1.2.3.4", "10.0.0.2", "1.2.3.4"},
        {"all trusted", "10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"},
        {"with a port", "10.0.0.1", "1.2.3.4:567", NULL, "1.2.3.4"},
        {"IPv6", "10.0.0.1", "2001:db8::5", NULL, "2001:db8::5"},
        {"IPv6 with a port", "10.0.0.1", "[2001:db8::5]:80", NULL, "2001:db8::5"},
        {"IPv6 in brackets", "10.0.0.1", "[2001:db8::5]", NULL, "2001:db8::5"},
        {"not an address", "10.0.0.1", "1.2.3.4, unknown", NULL, "10.0.0.1"},
        {"not an address behind a proxy", "10.0.0.1", "_x, 10.0.0.2", NULL, "10.0.0.2"},
        {"empty", "10.0.0.1", "", NULL, "10.0.0.1"},
        {"empty entry", "10.0.0.1", "1.2.3.4,", NULL, "10.0.0.1"},
        {"nothing but a colon", "10.0.0.1", ":", NULL, "10.0.0.1"},
        {"overlong", "10.0.0.1",
         "1111111111111111111111111111111111111111111111111111111111111111111111", NULL,
         "10.0.0.1"},
    };
    const struct node_cidr trust[] = {cidr("127.0.0.1", 128), cidr("10.0.0.0", 104)};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct http_header headers[3] = {{{"Host", 4}, {"a", 1}}};
        struct http_request rq = {.headers = headers, .header_count = 1};
        const char *values[] = {table[i].first, table[i].second};
        for (size_t k = 0; k < 2 && values[k] != NULL; k++) {
            headers[rq.header_count].name = (struct http_text){"x-forwarded-for", 15};
            headers[rq.header_count++].value = (struct http_text){values[k], strlen(values[k])};
        }
        const struct addr peer = ip(table[i].peer);
        const struct addr wanted = ip(table[i].client);
        const struct addr client = proxy_client(&rq, &peer, false, trust, 2);
        if (!addr_same_ip(&client, &wanted)) {
            char text[ADDR_TEXT_SIZE];
            fail_msg("%s: %s", table[i].name, addr_format_ip(&client, text));
        }
    }
}

static void test_trusting_everybody_believes_the_last_hop_only(void **state)
{
    (void)state;
    const struct http_header header = {{"X-Forwarded-For", 15}, {"6.6.6.6, 1.2.3.4", 16}};
    const struct http_request rq = {.headers = &header, .header_count = 1};
    const struct addr peer = ip("9.9.9.9");
    const struct addr wanted = ip("1.2.3.4");
    const struct addr client = proxy_client(&rq, &peer, true, NULL, 0);
    assert_true(addr_same_ip(&client, &wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_network_has_the_addresses_that_share_its_prefix),
        cmocka_unit_test(test_the_client_is_the_rightmost_hop_that_is_not_trusted),
        cmocka_unit_test(test_trusting_everybody_believes_the_last_hop_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
