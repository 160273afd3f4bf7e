#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/access/cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void an_origin_is_one_that_a_browser_can_send(void **state)
{
    static const struct {
        const char *text;
        enum rc rc;
    } cases[] = {
        {"any", RC_OK},
        {"none", RC_OK},
        {"https://a.example", RC_OK},
        {"http://localhost:3000", RC_OK},
        {"http://[::1]:8080", RC_OK},
        {"https://[2001:db8::1]", RC_OK},
        {"http://a:443,https://b:80", RC_OK},
        {"moz-extension://0123-45", RC_OK},
        {"", RC_MALFORMED},
        {"null", RC_MALFORMED},
        {"*", RC_MALFORMED},
        {"a.example", RC_MALFORMED},
        {"https://", RC_MALFORMED},
        {"://a", RC_MALFORMED},
        {"9http://a", RC_MALFORMED},
        {"https://a.example/", RC_MALFORMED},
        {"https://a.example/x", RC_MALFORMED},
        {"https://u@a.example", RC_MALFORMED},
        {"https://A.example", RC_MALFORMED},
        {"HTTPS://a.example", RC_MALFORMED},
        {"https://a.example:443", RC_MALFORMED},
        {"http://a.example:80", RC_MALFORMED},
        {"http://a.example:080", RC_MALFORMED},
        {"http://a:0", RC_MALFORMED},
        {"http://a:65536", RC_MALFORMED},
        {"http://a:", RC_MALFORMED},
        {"http://[::1", RC_MALFORMED},
        {"http://[]", RC_MALFORMED},
        {"http://[::1]x", RC_MALFORMED},
        {"https://a, https://b", RC_MALFORMED},
        {"https://a,", RC_MALFORMED},
        {"any,https://a", RC_MALFORMED},
        {"https://a\r\nX: y", RC_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(cors_check(cases[i].text), cases[i].rc);
    }
}

static void a_list_has_limits(void **state)
{
    static char text[CORS_TEXT_MAX + 2];
    size_t len = 0;
    (void)state;
    for (int i = 0; i < CORS_ORIGINS_MAX; i++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%shttp://a%d", i > 0 ? "," : "", i);
        assert_int_equal(cors_check(text), RC_OK);
    }
    (void)snprintf(text + len, sizeof(text) - len, ",http://more");
    assert_int_equal(cors_check(text), RC_FULL);
    memset(text, 'a', CORS_TEXT_MAX + 1);
    memcpy(text, "http://", 7);
    assert_int_equal(cors_check(text), RC_TOO_LONG);
    text[CORS_TEXT_MAX] = '\0';
    assert_int_equal(cors_check(text), RC_OK);
}

static const char *lines_for(const struct cors *c, const char *origin)
{
    const struct http_header header = {{"Origin", 6}, {origin, strlen(origin)}};
    const struct http_request rq = {.headers = &header, .header_count = *origin == '\0' ? 0 : 1};
    return cors_lines(c, &rq);
}

static void each_origin_of_a_list_gets_lines_of_its_own_and_others_none(void **state)
{
    static const char own[] = "Access-Control-Allow-Origin: https://b.example\r\nVary: Origin\r\n"
                              "Access-Control-Expose-Headers: ETag,";
    struct cors *c = cors_new("https://a.example,https://b.example");
    (void)state;
    assert_int_equal(strncmp(lines_for(c, "https://b.example"), own, sizeof(own) - 1), 0);
    assert_true(cors_allows(lines_for(c, "https://a.example")));
    assert_string_equal(lines_for(c, "https://c.example"), "Vary: Origin\r\n");
    assert_string_equal(lines_for(c, "https://b.example.evil"), "Vary: Origin\r\n");
    assert_string_equal(lines_for(c, "null"), "Vary: Origin\r\n");
    assert_string_equal(lines_for(c, ""), "Vary: Origin\r\n");
    assert_false(cors_allows(lines_for(c, "https://c.example")));
    assert_string_equal(cors_lines_blind(c), "Vary: Origin\r\n");
    cors_free(c);
    cors_free(NULL);
}

static void any_is_a_star_and_none_is_nothing(void **state)
{
    struct cors *any = cors_new("any");
    struct cors *none = cors_new("none");
    (void)state;
    assert_string_equal(lines_for(any, "https://a.example"), HTTP_CORS_LINES);
    assert_string_equal(lines_for(NULL, ""), HTTP_CORS_LINES);
    assert_string_equal(cors_lines_blind(NULL), HTTP_CORS_LINES);
    assert_true(cors_allows(HTTP_CORS_LINES));
    assert_null(lines_for(none, "https://a.example"));
    assert_null(cors_lines_blind(none));
    assert_false(cors_allows(NULL));
    cors_free(any);
    cors_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_one_that_a_browser_can_send),
        cmocka_unit_test(a_list_has_limits),
        cmocka_unit_test(each_origin_of_a_list_gets_lines_of_its_own_and_others_none),
        cmocka_unit_test(any_is_a_star_and_none_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
