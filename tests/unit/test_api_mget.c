#include "api_fixture.h"

static int read_many(struct fixture *f, const char *body)
{
    with_body(f, body);
    return ask(f, HTTP_POST_, "/v1/mget");
}

static void each_key_is_answered_in_the_order_of_the_request(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/a?ttl=600", "hello");
    write_text(f, "/data/%ff", "");
    f->now_us += 1500000;
    assert_int_equal(read_many(f, "{\"keys\":[\"b\",\"a\"],\"keys_base64\":[\"/w==\",\"YQ==\"]}"),
                     200);
    assert_header(f, "Content-Type", "application/json");
    assert_header(f, "Cache-Control", "no-store");
    assert_header(f, "Access-Control-Allow-Origin", "*");
    const char *text = body_text(f);
    assert_int_equal(
        strncmp(
            text,
            "{\"entries\":[{\"key\":\"b\",\"found\":false},{\"key\":\"a\","
            "\"found\":true,\"created_at\":\"2026-11-20T08:00:01.000Z\","
            "\"expires_at\":\"2026-11-20T08:10:01.000Z\",\"ttl_ms\":598500,\"size\":5,\"etag\":\"",
            172),
        0);
    assert_non_null(
        strstr(text, "\",\"value\":\"aGVsbG8=\"},{\"key_base64\":\"/w==\",\"found\":true,"));
    assert_non_null(strstr(text, ",\"value\":\"\"},{\"key_base64\":\"YQ==\",\"found\":true,"));
    assert_string_equal(text + strlen(text) - 3, "}]}");
    assert_int_equal(read_many(f, "{\"keys\":[]}"), 200);
    assert_string_equal(body_text(f), "{\"entries\":[]}");
}

static void what_has_expired_is_not_found(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/a?ttl=300", "hello");
    f->now_us += 300 * UINT64_C(1000000);
    assert_int_equal(read_many(f, "{\"keys\":[\"a\"]}"), 200);
    assert_string_equal(body_text(f), "{\"entries\":[{\"key\":\"a\",\"found\":false}]}");
}

static void a_large_value_is_left_out(void **state)
{
    struct fixture *f = *state;
    enum { LEN = 16 * 1024 + 1 };
    static uint8_t bytes[LEN];
    struct blob *blob = blob_new(NULL, LEN);
    assert_int_equal(blob_append(blob, bytes, LEN), RC_OK);
    f->blob = blob;
    f->body_len = LEN;
    assert_int_equal(ask(f, HTTP_PUT_, "/data/large"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    blob_release(blob);
    assert_int_equal(read_many(f, "{\"keys\":[\"large\"]}"), 200);
    assert_non_null(strstr(body_text(f), "\"size\":16385,"));
    assert_non_null(strstr(body_text(f), "\"value_omitted\":true}"));
}

static void a_long_answer_comes_in_pieces(void **state)
{
    struct fixture *f = *state;
    static char body[20000] = "{\"keys\":[\"k\"";
    write_text(f, "/data/k", "hello");
    size_t len = strlen(body);
    for (int i = 1; i < 1000; i++) {
        len += (size_t)snprintf(body + len, sizeof(body) - len, ",\"k\"");
    }
    (void)snprintf(body + len, sizeof(body) - len, "]}");
    assert_int_equal(read_many(f, body), 200);
    assert_true(f->pieces >= 4);
    size_t found = 0;
    for (const char *at = body_text(f); (at = strstr(at, "aGVsbG8=")) != NULL; at++) {
        found++;
    }
    assert_int_equal(found, 1000);
}

static void what_cannot_be_answered_says_why(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_many(f, "{\"key\":[\"a\"]}"), 400);
    assert_problem(f, "invalid_request");
    assert_int_equal(read_many(f, "{\"keys\":[\"\"]}"), 400);
    assert_problem(f, "invalid_key");
    assert_int_equal(ask(f, HTTP_GET_, "/mget"), 405);
    assert_problem(f, "method_not_allowed");
    assert_header(f, "Allow", "POST, OPTIONS");
    f->engine.status.unready = READY_JOINING;
    assert_int_equal(read_many(f, "{\"keys\":[\"a\"]}"), 503);
    assert_problem(f, "joining");
}

static void its_body_may_be_as_long_as_its_limit(void **state)
{
    struct fixture *f = *state;
    const struct http_request post = fixture_request(f, HTTP_POST_, "/v1/mget");
    const struct http_request put = fixture_request(f, HTTP_PUT_, "/v1/mget");
    assert_int_equal(post.route.body_max, 256 * 1024);
    assert_int_equal(put.route.body_max, 64 * 1024);
}

int main(void)
{
#define API(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        API(each_key_is_answered_in_the_order_of_the_request),
        API(what_has_expired_is_not_found),
        API(a_large_value_is_left_out),
        API(a_long_answer_comes_in_pieces),
        API(what_cannot_be_answered_says_why),
        API(its_body_may_be_as_long_as_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
