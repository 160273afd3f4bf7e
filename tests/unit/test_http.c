#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/http.h"

#include <string.h>

static const char *headers_of(struct http_response *rs)
{
    static char text[HTTP_RESPONSE_HEADER_BYTES_MAX + 1];
    memcpy(text, buf_data(&rs->headers), rs->headers.len);
    text[rs->headers.len] = '\0';
    return text;
}

static const char *body_of(struct http_response *rs)
{
    static char text[8192];
    assert_true(rs->bytes.len < sizeof(text));
    memcpy(text, buf_data(&rs->bytes), rs->bytes.len);
    text[rs->bytes.len] = '\0';
    return text;
}

static void test_headers_are_found_without_regard_to_case(void **state)
{
    (void)state;
    const struct http_header headers[] = {{{"Host", 4}, {"a", 1}},
                                          {{"X-TTL", 5}, {"5", 1}},
                                          {{"x-ttl", 5}, {"6", 1}},
                                          {{"X-TTLs", 6}, {"7", 1}}};
    const struct http_request rq = {.headers = headers, .header_count = 4};
    assert_ptr_equal(http_find(&rq, "x-Ttl"), &headers[1]);
    assert_int_equal(http_count(&rq, "X-TTL"), 2);
    assert_null(http_find(&rq, "X-TT"));
    assert_int_equal(http_count(&rq, "Accept"), 0);
}

static void test_a_body_replaces_the_one_before_and_its_type(void **state)
{
    (void)state;
    struct http_response rs;
    http_response_init(&rs);
    http_add(&rs, "X-A", "%d", 1);
    http_set_body(&rs, 200, "text/plain", "one", 3);
    http_add(&rs, "X-B", "%s", "2");
    http_set_body(&rs, 404, "text/html", "three", 5);
    assert_int_equal(rs.status, 404);
    assert_string_equal(headers_of(&rs), "X-A: 1\r\nX-B: 2\r\nContent-Type: text/html\r\n");
    assert_string_equal(body_of(&rs), "three");
    http_response_fini(&rs);
}

static void test_a_problem_is_json(void **state)
{
    (void)state;
    struct http_response rs;
    http_response_init(&rs);
    http_problem(&rs, 400, "invalid_ttl", "ttl \"%s\" is\n\\ not\x80 a number", "x");
    assert_string_equal(headers_of(&rs), "Content-Type: application/problem+json\r\n");
    assert_string_equal(body_of(&rs),
                        "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                        "\"detail\":\"ttl \\\"x\\\" is\\u000a\\\\ not? a number\","
                        "\"code\":\"invalid_ttl\"}\n");
    http_response_fini(&rs);
}

static void test_a_problem_keeps_what_was_said_of_retries(void **state)
{
    (void)state;
    struct http_response rs;
    http_response_init(&rs);
    http_problem(&rs, 503, "draining", "bye");
    assert_string_equal(headers_of(&rs), "Content-Type: application/problem+json\r\n"
                                         "Retry-After: 1\r\n");
    http_problem(&rs, 429, "rate_limited", "slower");
    assert_null(strstr(strstr(headers_of(&rs), "Retry-After") + 1, "Retry-After"));
    http_response_fini(&rs);
}

static void test_a_detail_is_cut_not_overrun(void **state)
{
    (void)state;
    static char detail[2000];
    memset(detail, '\x01', sizeof(detail) - 1);
    struct http_response rs;
    http_response_init(&rs);
    http_problem(&rs, 400, "invalid_request", "%s", detail);
    const char *body = body_of(&rs);
    assert_int_equal(rs.bytes.len, strlen(body));
    assert_non_null(strstr(body, "\",\"code\":\"invalid_request\"}"));
    http_response_fini(&rs);
}

static void test_a_refusal_of_events_is_a_stream_that_is_over(void **state)
{
    (void)state;
    struct http_response rs;
    http_response_init(&rs);
    http_events_refuse(&rs, 1000, "draining", "Later.");
    assert_int_equal(rs.status, 200);
    assert_int_equal(rs.kind, HTTP_BODY_BYTES);
    assert_string_equal(headers_of(&rs), "Content-Type: text/event-stream\r\n"
                                         "Cache-Control: no-store\r\n"
                                         "X-Accel-Buffering: no\r\n");
    assert_string_equal(body_of(&rs), "retry: 1000\nevent: end\n"
                                      "data: {\"code\":\"draining\",\"detail\":\"Later.\"}\n\n");
    http_response_fini(&rs);
}

static void test_last_words_without_room_are_none(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 30);
    assert_int_equal(http_events_end(&out, 1000, "draining", "Later."), RC_FULL);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void test_clearing_lets_go_of_blob_and_stream(void **state)
{
    (void)state;
    int done = 0;
    struct blob *blob = blob_new(NULL, 10);
    struct http_response rs;
    http_response_init(&rs);
    http_add(&rs, "A", "b");
    rs.kind = HTTP_BODY_BLOB;
    rs.blob = blob_hold(blob);
    rs.done = count;
    rs.arg = &done;
    http_response_clear(&rs);
    assert_int_equal(done, 1);
    assert_int_equal(rs.headers.len, 0);
    assert_int_equal(rs.kind, HTTP_BODY_BYTES);
    assert_int_equal(blob_append(blob, "x", 1), RC_OK); /* asserts that it is held once */
    http_response_fini(&rs);
    assert_int_equal(done, 1);
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_found_without_regard_to_case),
        cmocka_unit_test(test_a_body_replaces_the_one_before_and_its_type),
        cmocka_unit_test(test_a_problem_is_json),
        cmocka_unit_test(test_a_problem_keeps_what_was_said_of_retries),
        cmocka_unit_test(test_a_detail_is_cut_not_overrun),
        cmocka_unit_test(test_a_refusal_of_events_is_a_stream_that_is_over),
        cmocka_unit_test(test_last_words_without_room_are_none),
        cmocka_unit_test(test_clearing_lets_go_of_blob_and_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
