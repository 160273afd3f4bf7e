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
            fail_msg("case %zu: %s", i, rc_text(rc));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_without_their_api_port),
        cmocka_unit_test(unusable_and_repeated_entries_are_left_out),
        cmocka_unit_test(answers_are_judged_by_their_shape),
        cmocka_unit_test(long_lists_are_cut_and_long_answers_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
