#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/flux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum rc parse(const char *body, struct addr *addrs, size_t *count)
{
    return flux_parse_locations(body, strlen(body), addrs, count);
}

static void addresses_come_without_their_api_port(void **state)
{
    (void)state;
    struct addr addrs[FLUX_INSTANCES_MAX];
    size_t count = 0;
    char text[ADDR_TEXT_SIZE];
    assert_int_equal(parse("{\"status\":\"success\",\"data\":["
                           "{\"name\":\"fade\",\"hash\":\"x\",\"ip\":\"198.51.100.1:16127\"},"
                           "{\"ip\":\"198.51.100.2\"},"
                           "{\"ip\":\"[2001:db8::1]:16137\"},"
                           "{\"ip\":\"2001:db8::2\"}]}",
                           addrs, &count),
                     RC_OK);
    assert_int_equal(count, 4);
    static const char *const expected[] = {"198.51.100.1", "198.51.100.2", "2001:db8::1",
                                           "2001:db8::2"};
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(addr_format_ip(&addrs[i], text), expected[i]);
        assert_int_equal(addrs[i].port, 0);
    }
}

static void unusable_and_repeated_entries_are_left_out(void **state)
{
    (void)state;
    struct addr addrs[FLUX_INSTANCES_MAX];
    size_t count = 0;
    assert_int_equal(parse("{\"status\":\"success\",\"data\":["
                           "{\"ip\":\"0.0.0.0\"},{\"ip\":\"224.0.0.1\"},{\"ip\":\"ff02::1\"},"
                           "{\"ip\":\"255.255.255.255:1\"},{\"ip\":\"host.example\"},{\"ip\":7},"
                           "{\"ip\":null},{},3,\"198.51.100.1\",null,{\"ip\":\"1.2.3\"},"
                           "{\"ip\":\"198.51.100.1:99999\"},{\"ip\":\"198.51.100.1:\"},"
                           "{\"ip\":\"198.51.100.1 \"},{\"ip\":\"::\"},"
                           "{\"ip\":\"198.51.100.9:1\"},{\"ip\":\"198.51.100.9:2\"}]}",
                           addrs, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(addrs[0].ip[15], 9);
}

static void answers_are_judged_by_their_shape(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum rc rc;
    } cases[] = {
        {"{\"status\":\"success\",\"data\":[]}", RC_OK},
        {"{\"status\":\"error\",\"data\":{\"message\":\"x\"}}", RC_REFUSED},
        {"{\"status\":\"success\"}", RC_MALFORMED},
        {"{\"status\":\"success\",\"data\":{}}", RC_MALFORMED},
        {"{\"status\":\"success\",\"data\":null}", RC_MALFORMED},
        {"{\"Status\":\"success\",\"data\":[]}", RC_MALFORMED},
        {"{\"data\":[]}", RC_MALFORMED},
        {"[]", RC_MALFORMED},
        {"\"success\"", RC_MALFORMED},
        {"", RC_MALFORMED},
        {"<html>busy</html>", RC_MALFORMED},
        {"{\"status\":\"success\",\"data\":[", RC_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr addrs[FLUX_INSTANCES_MAX];
        size_t count = 0;
        const enum rc rc = parse(cases[i].body, addrs, &count);
        if (rc != cases[i].rc) {
            fail_msg("case %zu: %s", i, rc_name(rc));
        }
    }
}

static void long_lists_are_cut_and_long_answers_refused(void **state)
{
    (void)state;
    char *body = malloc(FLUX_BODY_BYTES_MAX + 1);
    assert_non_null(body);
    size_t len = (size_t)snprintf(body, 64, "{\"status\":\"success\",\"data\":[");
    for (int i = 0; i < 1000; i++) {
        len += (size_t)snprintf(body + len, 64, "%s{\"ip\":\"10.0.%d.%d\"}", i == 0 ? "" : ",",
                                i / 250, i % 250 + 1);
    }
    len += (size_t)snprintf(body + len, 8, "]}");
    struct addr addrs[FLUX_INSTANCES_MAX];
    size_t count = 0;
    assert_int_equal(flux_parse_locations(body, len, addrs, &count), RC_OK);
    assert_int_equal(count, FLUX_INSTANCES_MAX);
    assert_int_equal(flux_parse_locations(body, FLUX_BODY_BYTES_MAX + 1, addrs, &count),
                     RC_TOO_LONG);
    free(body);
}

static void apis_are_parsed_whole_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *host;
        const char *path;
        enum rc rc;
        uint16_t port;
        bool is_tls;
    } cases[] = {
        {"https://api.runonflux.io", "api.runonflux.io", "", RC_OK, 443, true},
        {"https://api.runonflux.io/", "api.runonflux.io", "", RC_OK, 443, true},
        {"http://127.0.0.1:8080/mock/v1/", "127.0.0.1", "/mock/v1", RC_OK, 8080, false},
        {"http://[::1]:8080", "::1", "", RC_OK, 8080, false},
        {"https://[::1]", "::1", "", RC_OK, 443, true},
        {"ftp://x", "", "", RC_MALFORMED, 0, false},
        {"api.runonflux.io", "", "", RC_MALFORMED, 0, false},
        {"https://", "", "", RC_MALFORMED, 0, false},
        {"https://:443", "", "", RC_MALFORMED, 0, false},
        {"https://x:0", "", "", RC_MALFORMED, 0, false},
        {"https://x:65536", "", "", RC_MALFORMED, 0, false},
        {"https://x:", "", "", RC_MALFORMED, 0, false},
        {"https://user@x", "", "", RC_MALFORMED, 0, false},
        {"https://x/a b", "", "", RC_MALFORMED, 0, false},
        {"https://x/?q", "", "", RC_MALFORMED, 0, false},
        {"https://[::1", "", "", RC_MALFORMED, 0, false},
        {"https://[::1]x", "", "", RC_MALFORMED, 0, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flux_api api;
        const enum rc rc = flux_parse_api(cases[i].url, &api);
        if (rc != cases[i].rc) {
            fail_msg("case %zu: %s", i, rc_name(rc));
        }
        if (rc == RC_OK) {
            assert_string_equal(api.host, cases[i].host);
            assert_string_equal(api.path, cases[i].path);
            assert_int_equal(api.port, cases[i].port);
            assert_int_equal(api.is_tls, cases[i].is_tls);
        }
    }
}

static void app_names_are_plain(void **state)
{
    (void)state;
    assert_true(flux_is_app_name("fade-repram"));
    assert_true(flux_is_app_name("Fade2"));
    assert_false(flux_is_app_name(""));
    assert_false(flux_is_app_name("../x"));
    assert_false(flux_is_app_name("a/b"));
    assert_false(flux_is_app_name("a b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_without_their_api_port),
        cmocka_unit_test(unusable_and_repeated_entries_are_left_out),
        cmocka_unit_test(answers_are_judged_by_their_shape),
        cmocka_unit_test(long_lists_are_cut_and_long_answers_refused),
        cmocka_unit_test(apis_are_parsed_whole_or_refused),
        cmocka_unit_test(app_names_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
