#include "net/out/response_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static enum rc feed(struct response_parser *p, const char *text)
{
    return response_parser_feed(p, text, strlen(text));
}

static void assert_body(const struct response_parser *p, const char *expected)
{
    size_t len = 0;
    const uint8_t *body = response_parser_body(p, &len);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(body, expected, len);
}

static void length_ends_the_body_and_headers_are_found_without_case(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 100);
    assert_int_equal(feed(p, "HTTP/1.1 201 Created\r\nETag: \"ab\"\r\nX-Empty:\r\nContent-Length: 2"
                             "\r\n\r\nO"),
                     RC_AGAIN);
    assert_int_equal(feed(p, "K"), RC_OK);
    assert_int_equal(response_parser_status(p), 201);
    assert_body(p, "OK");
    assert_string_equal(response_parser_header(p, "etag"), "\"ab\"");
    assert_string_equal(response_parser_header(p, "X-Empty"), "");
    assert_null(response_parser_header(p, "X-Absent"));
    response_parser_free(p);
}

static void bytes_one_at_a_time_give_the_same_answer(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n";
    struct response_parser *p = response_parser_new(false, 100);
    for (size_t i = 0; i + 2 < sizeof(text); i++) {
        assert_int_equal(response_parser_feed(p, text + i, 1), RC_AGAIN);
    }
    assert_int_equal(response_parser_feed(p, text + sizeof(text) - 2, 1), RC_OK);
    assert_body(p, "abcde");
    assert_null(response_parser_header(p, "X-Trailer"));
    response_parser_free(p);
}

static void head_answer_has_no_body_whatever_its_length_says(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(true, 10);
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), RC_OK);
    assert_body(p, "");
    assert_string_equal(response_parser_header(p, "Content-Length"), "5000");
    response_parser_free(p);
}

static void interim_answers_are_skipped(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 10);
    assert_int_equal(feed(p, "HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n"), RC_AGAIN);
    assert_false(response_parser_has_head(p));
    assert_int_equal(feed(p, "HTTP/1.1 204 No Content\r\nX-B: 2\r\n\r\n"), RC_OK);
    assert_int_equal(response_parser_status(p), 204);
    assert_null(response_parser_header(p, "X-A"));
    assert_string_equal(response_parser_header(p, "X-B"), "2");
    response_parser_free(p);
}

static void body_without_length_lasts_until_the_end(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 10);
    assert_int_equal(feed(p, "HTTP/1.0 200 OK\r\n\r\nabc"), RC_AGAIN);
    assert_int_equal(response_parser_end(p), RC_OK);
    assert_body(p, "abc");
    response_parser_free(p);
}

static void answer_cut_short_is_closed(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 10);
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), RC_AGAIN);
    assert_int_equal(response_parser_end(p), RC_CLOSED);
    response_parser_free(p);
    p = response_parser_new(false, 10);
    assert_int_equal(response_parser_end(p), RC_CLOSED);
    response_parser_free(p);
}

static void body_beyond_the_maximum_is_too_long_announced_or_not(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 4);
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), RC_TOO_LONG);
    response_parser_free(p);
    p = response_parser_new(false, 4);
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\n\r\nabcde"), RC_TOO_LONG);
    response_parser_free(p);
}

static void headers_beyond_their_limits_are_too_long(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 4);
    enum rc rc = feed(p, "HTTP/1.1 200 OK\r\n");
    /* The 101st is refused when the line after it shows that it is complete. */
    for (int i = 0; i < 102 && rc == RC_AGAIN; i++) {
        rc = feed(p, "A: b\r\n");
    }
    assert_int_equal(rc, RC_TOO_LONG);
    response_parser_free(p);
    p = response_parser_new(false, 4);
    rc = feed(p, "HTTP/1.1 200 OK\r\nA: ");
    for (int i = 0; i < 17 * 64 && rc == RC_AGAIN; i++) {
        rc = feed(p, "0123456789abcdef");
    }
    assert_int_equal(rc, RC_TOO_LONG);
    response_parser_free(p);
}

static void what_is_not_http_is_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct response_parser *p = response_parser_new(false, 4);
        assert_int_equal(feed(p, bad[i]), RC_MALFORMED);
        response_parser_free(p);
    }
}

/* Feeds what is left of the text; the answer's end moves *text on. */
static enum rc feed_next(struct response_parser *p, const char **text)
{
    const size_t before = response_parser_length(p);
    const enum rc rc = feed(p, *text);
    *text += response_parser_length(p) - before;
    return rc;
}

static void answers_of_one_connection_are_read_one_after_the_other(void **state)
{
    (void)state;
    const char *text = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc"
                       "HTTP/1.1 100 Continue\r\n\r\n"
                       "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "2\r\nde\r\n0\r\n\r\n"
                       "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    struct response_parser *p = response_parser_new(false, 3);
    assert_int_equal(feed_next(p, &text), RC_OK);
    assert_int_equal(response_parser_status(p), 200);
    assert_true(response_parser_is_keep_alive(p));
    assert_body(p, "abc");
    response_parser_next(p);
    assert_int_equal(feed_next(p, &text), RC_OK);
    assert_int_equal(response_parser_status(p), 404);
    assert_true(response_parser_is_keep_alive(p));
    assert_body(p, "de");
    assert_null(response_parser_header(p, "X-A"));
    response_parser_next(p);
    assert_int_equal(feed_next(p, &text), RC_OK);
    assert_int_equal(response_parser_status(p), 201);
    assert_false(response_parser_is_keep_alive(p));
    assert_string_equal(text, "");
    response_parser_free(p);
}

static void what_ends_with_its_connection_does_not_keep_it_alive(void **state)
{
    (void)state;
    struct response_parser *p = response_parser_new(false, 10);
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\n\r\nab"), RC_AGAIN);
    assert_int_equal(response_parser_end(p), RC_OK);
    assert_false(response_parser_is_keep_alive(p));
    response_parser_free(p);
    p = response_parser_new(false, 10);
    assert_int_equal(feed(p, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), RC_OK);
    assert_false(response_parser_is_keep_alive(p));
    response_parser_free(p);
}

static struct response_parser *new_that_keeps_nothing(size_t bytes_max)
{
    struct response_parser *p = response_parser_new(false, bytes_max);
    response_parser_keep_nothing(p);
    return p;
}

static void what_is_not_kept_is_bounded_all_the_same(void **state)
{
    (void)state;
    struct response_parser *p = new_that_keeps_nothing(4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 4\r\n\r\nab"),
                         RC_AGAIN);
        assert_int_equal(feed(p, "cd"), RC_OK);
        assert_int_equal(response_parser_status(p), 200);
        assert_body(p, "");
        assert_null(response_parser_header(p, "A"));
        response_parser_next(p);
    }
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), RC_TOO_LONG);
    response_parser_free(p);
    p = new_that_keeps_nothing(4);
    assert_int_equal(feed(p, "HTTP/1.1 200 OK\r\n\r\nabcde"), RC_TOO_LONG);
    response_parser_free(p);
    p = new_that_keeps_nothing(4);
    enum rc rc = feed(p, "HTTP/1.1 200 OK\r\nA: ");
    for (int i = 0; i < 17 * 64 && rc == RC_AGAIN; i++) {
        rc = feed(p, "0123456789abcdef");
    }
    assert_int_equal(rc, RC_TOO_LONG);
    response_parser_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(length_ends_the_body_and_headers_are_found_without_case),
        cmocka_unit_test(bytes_one_at_a_time_give_the_same_answer),
        cmocka_unit_test(head_answer_has_no_body_whatever_its_length_says),
        cmocka_unit_test(interim_answers_are_skipped),
        cmocka_unit_test(body_without_length_lasts_until_the_end),
        cmocka_unit_test(answer_cut_short_is_closed),
        cmocka_unit_test(body_beyond_the_maximum_is_too_long_announced_or_not),
        cmocka_unit_test(headers_beyond_their_limits_are_too_long),
        cmocka_unit_test(what_is_not_http_is_malformed),
        cmocka_unit_test(answers_of_one_connection_are_read_one_after_the_other),
        cmocka_unit_test(what_ends_with_its_connection_does_not_keep_it_alive),
        cmocka_unit_test(what_is_not_kept_is_bounded_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
