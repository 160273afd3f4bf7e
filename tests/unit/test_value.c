#include "cmd/settings/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_are_printable_without_spaces_up_to_64(void **state)
{
    (void)state;
    char longest[NAME_SIZE + 1];
    memset(longest, 'a', sizeof(longest));
    longest[NAME_SIZE - 1] = '\0';
    assert_true(value_is_name("node-1"));
    assert_true(value_is_name("!~"));
    assert_true(value_is_name(longest));
    longest[NAME_SIZE - 1] = 'a';
    longest[NAME_SIZE] = '\0';
    assert_false(value_is_name(longest));
    static const char *const bad[] = {"", "a b", " a", "a\n", "a\x7f", "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(value_is_name(bad[i]));
    }
}

static void hosts_are_names_or_addresses_and_not_half_of_one(void **state)
{
    (void)state;
    static const char *const good[] = {
        "localhost", "fade.repram.io", "fade.repram.io.", "a",        "10.0.0.1",
        "::1",       "2001:db8::1",    "my_service",      "3com.net", "x-1.example"};
    static const char *const bad[] = {
        "",      ".",   "a..b", "-a",       "a-",    "a b", "300.1.1.1",
        "1.2.3", "123", "a:80", "http://a", "[::1]", "a/b", "caf\xc3\xa9.fr",
        ":::1",  "a.-b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(value_is_host(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(value_is_host(bad[i]));
    }
    char label[70];
    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    assert_true(value_is_host(label));
    label[63] = 'a';
    label[64] = '\0';
    assert_false(value_is_host(label));
}

static void switches_know_eight_words(void **state)
{
    (void)state;
    static const char *const on[] = {"on", "true", "yes", "1"};
    static const char *const off[] = {"off", "false", "no", "0"};
    bool value = false;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(value_bool(on[i], &value), RC_OK);
        assert_true(value);
        assert_int_equal(value_bool(off[i], &value), RC_OK);
        assert_false(value);
    }
    assert_int_equal(value_bool("", &value), RC_MALFORMED);
    assert_int_equal(value_bool("ON", &value), RC_MALFORMED);
    assert_int_equal(value_bool("2", &value), RC_MALFORMED);
}

static void peers_are_hosts_with_ports(void **state)
{
    (void)state;
    struct node_peer peers[3];
    uint32_t count = 0;
    assert_int_equal(value_peers("a.example:1,10.0.0.1:65535,[::1]:8081", 0, peers, 3, &count),
                     RC_OK);
    assert_int_equal(count, 3);
    assert_string_equal(peers[0].host, "a.example");
    assert_int_equal(peers[1].port, 65535);
    assert_string_equal(peers[2].host, "::1");
    assert_int_equal(peers[2].port, 8081);
    assert_int_equal(value_peers("a:1,b:2,c:3,d:4", 0, peers, 3, &count), RC_FULL);
    static const char *const bad[] = {"",      "a",        "a:",     ":1",      "a:1,",
                                      ",a:1",  "a:1,,b:2", "::1:80", "[::1]",   "[::1]80",
                                      "[a]:1", "a:1 ",     "a:-1",   "[::1:80", "[]:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_peers(bad[i], 0, peers, 3, &count), RC_MALFORMED);
    }
    assert_int_equal(value_peers("a:0", 0, peers, 3, &count), RC_RANGE);
    assert_int_equal(value_peers("a:65536", 0, peers, 3, &count), RC_RANGE);
}

static void servers_need_no_port(void **state)
{
    (void)state;
    struct node_peer servers[2];
    uint32_t count = 0;
    assert_int_equal(value_peers("10.0.0.1,[::1]", DNS_PORT, servers, 2, &count), RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(servers[0].port, 53);
    assert_string_equal(servers[1].host, "::1");
    assert_int_equal(servers[1].port, 53);
    assert_int_equal(value_peers("consul:8600", DNS_PORT, servers, 2, &count), RC_OK);
    assert_int_equal(servers[0].port, 8600);
    assert_int_equal(value_peers("a,b,c", DNS_PORT, servers, 2, &count), RC_FULL);
    static const char *const bad[] = {"", "a,", "a:", "::1", "[::1", "a:x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_peers(bad[i], DNS_PORT, servers, 2, &count), RC_MALFORMED);
    }
}

static void trust_is_all_nobody_or_a_list_of_networks(void **state)
{
    (void)state;
    struct node_cidr list[2];
    uint32_t count = 9;
    bool all = false;
    assert_int_equal(value_trust("true", &all, list, 2, &count), RC_OK);
    assert_true(all);
    assert_int_equal(count, 0);
    assert_int_equal(value_trust("false", &all, list, 2, &count), RC_OK);
    assert_false(all);
    assert_int_equal(value_trust("10.0.0.0/8,2001:db8::/32", &all, list, 2, &count), RC_OK);
    assert_false(all);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].prefix_len, 96 + 8);
    assert_int_equal(list[1].prefix_len, 32);
    assert_int_equal(value_trust("10.0.0.1", &all, list, 2, &count), RC_OK);
    assert_int_equal(list[0].prefix_len, 128);
    assert_int_equal(value_trust("10.0.0.0/33", &all, list, 2, &count), RC_RANGE);
    assert_int_equal(value_trust("::/129", &all, list, 2, &count), RC_RANGE);
    assert_int_equal(value_trust("1.1.1.1,2.2.2.2,3.3.3.3", &all, list, 2, &count), RC_FULL);
    static const char *const bad[] = {"",   "maybe",    "10.0.0.0/", "10.0.0.0/x",
                                      "/8", "10.0.0/8", "1.1.1.1,"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_trust(bad[i], &all, list, 2, &count), RC_MALFORMED);
    }
}

static void providers_are_a_set(void **state)
{
    (void)state;
    uint32_t set = 0;
    assert_int_equal(value_providers("port-range,flux,port-range", &set), RC_OK);
    assert_int_equal(set, PROVIDER_PORT_RANGE | PROVIDER_FLUX);
    assert_int_equal(value_providers("dns,static", &set), RC_OK);
    assert_int_equal(set, PROVIDER_DNS | PROVIDER_STATIC);
    assert_int_equal(value_providers("srv,dns,static", &set), RC_OK);
    assert_int_equal(set, PROVIDER_SRV | PROVIDER_DNS | PROVIDER_STATIC);
    assert_int_equal(value_providers("", &set), RC_MALFORMED);
    assert_int_equal(value_providers("dns,", &set), RC_MALFORMED);
    assert_int_equal(value_providers("port-rang", &set), RC_MALFORMED);
    assert_int_equal(set, PROVIDER_SRV | PROVIDER_DNS | PROVIDER_STATIC);
}

static void urls_have_a_scheme_a_host_and_perhaps_a_port_and_a_path(void **state)
{
    (void)state;
    struct value_url url;
    assert_int_equal(value_url("https://api.runonflux.io", &url), RC_OK);
    assert_true(url.is_tls);
    assert_int_equal(url.server.port, 443);
    assert_string_equal(url.path, "");
    assert_int_equal(value_url("http://[::1]:8080/api/v1", &url), RC_OK);
    assert_false(url.is_tls);
    assert_string_equal(url.server.host, "::1");
    assert_int_equal(url.server.port, 8080);
    assert_string_equal(url.path, "/api/v1");
    assert_int_equal(value_url("https://[::1]", &url), RC_OK);
    static const char *const bad[] = {
        "https://:443", "https://x:", "https://[::1",     "https://[::1]x", "http://a/\"b",
        "http://a/{b}", "",           "api.runonflux.io", "ftp://a",        "http://",
        "https://a b",  "http://u@h", "http://a/b?c",     "http://a/#f",    "http://a/b c",
        "HTTP//a",      "http:/a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_url(bad[i], &url), RC_MALFORMED);
    }
    assert_int_equal(value_url("http://a:0", &url), RC_RANGE);
    assert_int_equal(value_url("http://a:65536", &url), RC_RANGE);
    char longest[NODE_TEXT_SIZE + 16] = "http://a/";
    memset(longest + 9, 'b', NODE_TEXT_SIZE - 2);
    assert_int_equal(value_url(longest, &url), RC_OK);
    longest[9 + NODE_TEXT_SIZE - 2] = 'b';
    assert_int_equal(value_url(longest, &url), RC_TOO_LONG);
}

static void paths_of_urls_have_the_characters_that_stand_for_themselves(void **state)
{
    (void)state;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~!$&'()*+,;=:@/%[]";
    struct value_url url;
    for (int c = 1; c < 256; c++) {
        const char text[] = {'h', 't', 't', 'p', ':', '/', '/', 'a', '/', (char)c, '\0'};
        const bool is_allowed = strchr(allowed, c) != NULL;
        if (value_url(text, &url) != (is_allowed ? RC_OK : RC_MALFORMED)) {
            fail_msg("character %d", c);
        }
    }
}

static void names_of_apps_are_plain(void **state)
{
    (void)state;
    static const char *const good[] = {"fade-repram", "Fade2", "a_b.c"};
    static const char *const bad[] = {"", "../x", "a/b", "a b", ".a", "-a", "a%2f", "a?b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(value_is_app(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(value_is_app(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_printable_without_spaces_up_to_64),
        cmocka_unit_test(hosts_are_names_or_addresses_and_not_half_of_one),
        cmocka_unit_test(switches_know_eight_words),
        cmocka_unit_test(peers_are_hosts_with_ports),
        cmocka_unit_test(servers_need_no_port),
        cmocka_unit_test(trust_is_all_nobody_or_a_list_of_networks),
        cmocka_unit_test(providers_are_a_set),
        cmocka_unit_test(urls_have_a_scheme_a_host_and_perhaps_a_port_and_a_path),
        cmocka_unit_test(paths_of_urls_have_the_characters_that_stand_for_themselves),
        cmocka_unit_test(names_of_apps_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
