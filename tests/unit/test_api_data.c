#include "api_fixture.h"

#define TAG_OTHER "\"0123456789abcdef000102030405060708090a0b0c0d0e0f\""

/* Keeps the answer's ETag for a later request. */
static void save_etag(struct fixture *f, char ret_tag[static 64])
{
    assert_int_equal(fixture_header(f, "ETag", ret_tag, 64), 1);
    assert_int_equal(strlen(ret_tag), 50);
}

static void a_write_is_answered_when_its_quorum_holds_it(void **state)
{
    struct fixture *f = *state;
    with_body(f, "hello");
    assert_int_equal(ask(f, HTTP_PUT_, "/v1/data/greeting?ttl=10m"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 2, 3), 201);
    assert_string_equal(body_text(f), "OK");
    assert_header(f, "X-Replicas", "2/3");
    assert_header(f, "X-Original-TTL", "600");
    assert_header(f, "X-Remaining-TTL", "600");
    char tag[64], held[64];
    save_etag(f, tag);
    assert_int_equal(ask(f, HTTP_GET_, "/data/greeting"), 200);
    save_etag(f, held);
    assert_string_equal(tag, held);
}

static void a_write_whose_quorum_is_late_is_accepted(void **state)
{
    struct fixture *f = *state;
    with_body(f, "hello");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/greeting"), 0);
    f->now_us += 5000000;
    assert_int_equal(settle(f, PUT_PENDING, 1, 3), 202);
    assert_string_equal(body_text(f), "Accepted (quorum pending)");
    assert_header(f, "X-Replicas", "1/3");
    assert_header(f, "X-Original-TTL", "3600");
    assert_header(f, "X-Remaining-TTL", "3595");
}

static void the_answer_is_of_the_write_that_is_settled_whatever_came_behind_it(void **state)
{
    struct fixture *f = *state;
    char first[64], second[64];
    with_body(f, "one");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k?ttl=300"), 0);
    const struct put_done done = f->engine.done;
    f->now_us += 1000000;
    with_body(f, "two");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k?ttl=900"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 2, 3), 201);
    assert_header(f, "X-Original-TTL", "900");
    save_etag(f, second);
    f->last_id--;
    f->engine.done = done;
    assert_int_equal(settle(f, PUT_PENDING, 1, 3), 202);
    assert_header(f, "X-Original-TTL", "300");
    assert_header(f, "X-Remaining-TTL", "299");
    save_etag(f, first);
    assert_string_not_equal(first, second);
}

static void a_read_gives_the_bytes_and_what_is_known_of_them(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/k?ttl=300", "a value");
    char tag[64];
    save_etag(f, tag);
    f->now_us += 1500000;
    assert_int_equal(ask(f, HTTP_GET_, "/v1/data/k"), 200);
    assert_string_equal(body_text(f), "a value");
    assert_header(f, "Content-Type", "application/octet-stream");
    assert_header(f, "X-Created-At", "2026-11-20T08:00:01.000Z");
    assert_header(f, "X-Original-TTL", "300");
    assert_header(f, "X-Remaining-TTL", "298");
    assert_header(f, "ETag", tag);
    assert_header(f, "Cache-Control", "no-store");
    assert_header(f, "X-Content-Type-Options", "nosniff");
    assert_header(f, "Access-Control-Allow-Origin", "*");
    assert_int_equal(ask(f, HTTP_HEAD_, "/data/k"), 200);
    assert_header(f, "ETag", tag);
}

static void a_large_value_is_shared_and_not_copied(void **state)
{
    struct fixture *f = *state;
    struct blob *blob = blob_new(NULL, 5000);
    char bytes[5000];
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(blob_append(blob, bytes, sizeof(bytes)), RC_OK);
    f->blob = blob;
    f->body_len = sizeof(bytes);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/large"), 0);
    blob_release(blob);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    assert_int_equal(ask(f, HTTP_GET_, "/data/large"), 200);
    assert_int_equal(f->rs.kind, HTTP_BODY_BLOB);
    assert_ptr_equal(f->rs.blob, blob);
    assert_int_equal(f->text.len - 1, sizeof(bytes));
    assert_header(f, "Content-Type", "application/octet-stream");
}

static void an_empty_value_is_a_value(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_PUT_, "/data/empty"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    assert_int_equal(ask(f, HTTP_GET_, "/data/empty"), 200);
    assert_string_equal(body_text(f), "");
}

static void the_times_of_the_answers_are_the_clocks_although_the_version_runs_ahead(void **state)
{
    struct fixture *f = *state;
    f->engine.skew_ms = 55123;
    write_text(f, "/data/k?ttl=300", "v");
    assert_header(f, "X-Original-TTL", "300");
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 200);
    assert_header(f, "X-Original-TTL", "300");
    assert_header(f, "X-Remaining-TTL", "300");
    assert_header(f, "X-Created-At", "2026-11-20T08:00:01.000Z");
}

static void an_entry_is_gone_in_the_millisecond_of_its_expiry(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/k?ttl=300", "v");
    f->now_us += 299999000;
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 200);
    assert_header(f, "X-Remaining-TTL", "0");
    f->now_us += 1000;
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 404);
    assert_problem(f, "not_found");
}

static void a_miss_while_joining_is_unavailable_and_a_hit_is_served(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/k", "v");
    f->engine.is_joining = true;
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 200);
    assert_int_equal(ask(f, HTTP_GET_, "/data/other"), 503);
    assert_problem(f, "joining");
    assert_header(f, "Retry-After", "1");
}

/* ---- Keys ---- */

static void assert_key(struct fixture *f, const char *target, const char *key, size_t len)
{
    assert_int_equal(ask(f, HTTP_PUT_, target), 0);
    assert_non_null(fake_find(&f->engine, (const uint8_t *)key, len));
    assert_int_equal(ask(f, HTTP_GET_, target), 200);
}

static void keys_are_the_decoded_bytes_and_nothing_is_normalised(void **state)
{
    struct fixture *f = *state;
    assert_key(f, "/data/a/b", "a/b", 3);
    assert_key(f, "/data//", "/", 1);
    assert_key(f, "/data/../../etc", "../../etc", 9);
    assert_key(f, "/data/.", ".", 1);
    assert_key(f, "/v1/data/a+b%2Bc", "a+b+c", 5);
    assert_key(f, "/data/v1/data/x", "v1/data/x", 9);
    assert_key(f, "/data/%ff%20%0a", "\xff \n", 3);
    assert_key(f, "/data/a%3Fb%23", "a?b#", 4);
    assert_int_equal(f->engine.entry_count, 8);
}

static void a_bad_key_is_refused_for_reads_and_writes(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"/data/",    "/v1/data/",  "/data/%",
                                        "/data/a%0", "/data/a%zz", "/data/a%00b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ask(f, HTTP_PUT_, wrong[i]), 400);
        assert_problem(f, "invalid_key");
        assert_int_equal(ask(f, HTTP_GET_, wrong[i]), 400);
        assert_problem(f, "invalid_key");
    }
    assert_int_equal(f->engine.entry_count, 0);
}

static void a_key_has_at_most_1024_bytes(void **state)
{
    struct fixture *f = *state;
    char target[6 + 3 * 1025 + 1] = "/data/";
    for (size_t i = 0; i < 1024; i++) {
        memcpy(target + 6 + 3 * i, "%6b", 4);
    }
    assert_int_equal(ask(f, HTTP_PUT_, target), 0);
    memcpy(target + 6 + 3072, "k", 2);
    assert_int_equal(ask(f, HTTP_PUT_, target), 414);
    assert_problem(f, "key_too_long");
    assert_int_equal(ask(f, HTTP_HEAD_, target), 414);
}

/* ---- Time to live ---- */

static void assert_ttl(struct fixture *f, const char *target, const char *header, uint64_t ttl_s)
{
    if (header != NULL) {
        with_header(f, "x-ttl", header);
    }
    assert_int_equal(ask(f, HTTP_PUT_, target), 0);
    assert_int_equal(f->engine.put.ttl_ms, ttl_s * 1000);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
}

static void the_ttl_comes_from_the_query_then_the_header_then_the_default(void **state)
{
    struct fixture *f = *state;
    assert_ttl(f, "/data/k", NULL, 3600);
    assert_ttl(f, "/data/k", "400", 400);
    assert_ttl(f, "/data/k?ttl=500", "400", 500);
    assert_ttl(f, "/data/k?ttl=10m", NULL, 600);
    assert_ttl(f, "/data/k?a=b&ttl=2h&x", "nonsense", 7200);
    assert_ttl(f, "/data/k?ttl=1d", NULL, 86400);
    assert_ttl(f, "/data/k?ttl=%36%30%30s", NULL, 600);
}

static void a_ttl_outside_the_bounds_is_clamped(void **state)
{
    struct fixture *f = *state;
    assert_ttl(f, "/data/k?ttl=0", NULL, 300);
    assert_ttl(f, "/data/k?ttl=299", NULL, 300);
    assert_ttl(f, "/data/k?ttl=86401", NULL, 86400);
    assert_ttl(f, "/data/k?ttl=2d", NULL, 86400);
    assert_ttl(f, "/data/k?ttl=99999999999999999999999999", NULL, 86400);
    assert_ttl(f, "/data/k", "4294967296d", 86400);
    assert_ttl(f, "/data/k?ttl=0d0h0m0s", NULL, 300);
    assert_ttl(f, "/data/k?ttl=1d0h0m1s", NULL, 86400);
    assert_ttl(f, "/data/k?ttl=99999999999d99999999999h", NULL, 86400);
}

static void a_malformed_ttl_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"",     "-1",    "+5",   "5%20", "600.5", "5x", "5ms",
                                        "1h30", "30m1h", "5m5m", "0x10", "abc",   "%",  "5M"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char target[64];
        (void)snprintf(target, sizeof(target), "/data/k?ttl=%s", wrong[i]);
        assert_int_equal(ask(f, HTTP_PUT_, target), 400);
        assert_problem(f, "invalid_ttl");
        with_header(f, "X-TTL", wrong[i]);
        assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 400);
        assert_problem(f, "invalid_ttl");
    }
    with_header(f, "X-TTL", "%36%30%30"); /* headers are not percent-encoded */
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 400);
    assert_int_equal(f->engine.entry_count, 0);
}

static void a_ttl_given_twice_is_refused_even_when_equal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k?ttl=600&ttl=600"), 400);
    assert_problem(f, "invalid_ttl");
    with_header(f, "X-TTL", "600");
    with_header(f, "x-ttl", "600");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k?ttl=600"), 400);
    assert_problem(f, "invalid_ttl");
}

/* ---- Conditions ---- */

static void a_conditional_write_goes_by_what_the_node_holds(void **state)
{
    struct fixture *f = *state;
    char tag[64];
    with_header(f, "If-Match", "*");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    assert_problem(f, "precondition_failed");
    with_header(f, "If-None-Match", "*");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
    save_etag(f, tag);
    with_header(f, "If-None-Match", "*");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    with_header(f, "If-Match", TAG_OTHER);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    with_header(f, "If-None-Match", tag);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    with_header(f, "If-Match", TAG_OTHER);
    with_header(f, "If-Match", tag);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 0);
}

static void a_weak_tag_never_meets_if_match(void **state)
{
    struct fixture *f = *state;
    char weak[70] = "W/";
    write_text(f, "/data/k", "v");
    assert_int_equal(fixture_header(f, "ETag", weak + 2, 64), 1);
    with_header(f, "If-Match", weak);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    with_header(f, "If-None-Match", weak);
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 304);
}

static void both_conditions_of_one_write_must_hold(void **state)
{
    struct fixture *f = *state;
    char tag[64];
    write_text(f, "/data/k", "v");
    save_etag(f, tag);
    with_header(f, "If-Match", "*");
    with_header(f, "If-None-Match", tag);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    with_header(f, "If-Match", TAG_OTHER);
    with_header(f, "If-None-Match", TAG_OTHER);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 412);
    with_header(f, "If-Match", "*");
    with_header(f, "If-None-Match", TAG_OTHER);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/absent"), 412);
    with_header(f, "If-Match", tag);
    with_header(f, "If-None-Match", TAG_OTHER);
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 0);
}

static void a_read_is_not_modified_when_the_client_has_the_version(void **state)
{
    struct fixture *f = *state;
    char tag[64];
    write_text(f, "/data/k", "v");
    save_etag(f, tag);
    with_header(f, "If-None-Match", tag);
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 304);
    assert_string_equal(body_text(f), "");
    assert_header(f, "ETag", tag);
    assert_header(f, "X-Remaining-TTL", "3600");
    assert_no_header(f, "Content-Type");
    with_header(f, "If-None-Match", TAG_OTHER);
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 200);
    with_header(f, "If-Match", TAG_OTHER);
    assert_int_equal(ask(f, HTTP_HEAD_, "/data/k"), 412);
    with_header(f, "If-None-Match", "*");
    assert_int_equal(ask(f, HTTP_GET_, "/data/absent"), 404);
}

static void a_malformed_condition_is_refused(void **state)
{
    struct fixture *f = *state;
    with_header(f, "If-Match", "unquoted");
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 400);
    assert_problem(f, "invalid_request");
    with_header(f, "If-None-Match", "*, \"a\"");
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 400);
    assert_problem(f, "invalid_request");
}

/* ---- Refusals ---- */

static void every_refusal_of_the_engine_has_its_status_and_code(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum rc rc;
        int status;
        const char *code;
    } cases[] = {
        {RC_JOINING, 503, "joining"},
        {RC_DRAINING, 503, "draining"},
        {RC_OVERLOADED, 503, "overloaded"},
        {RC_AHEAD, 503, "clock_ahead"},
        {RC_FULL, 507, "storage_full"},
        {RC_NO_MEMORY, 507, "storage_full"},
        {RC_PRECONDITION, 412, "precondition_failed"},
        {RC_TOO_LONG, 413, "value_too_large"},
        {RC_MALFORMED, 400, "invalid_request"},
        {RC_RANGE, 400, "invalid_ttl"},
        {RC_IO, 500, "internal"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->engine.put_rc = cases[i].rc;
        with_body(f, "secret");
        assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), cases[i].status);
        assert_problem(f, cases[i].code);
        assert_null(strstr(body_text(f), "secret"));
        if (cases[i].status == 503) {
            assert_header(f, "Retry-After", "1");
        }
    }
}

static void only_a_write_and_a_mistaken_post_may_have_a_large_body(void **state)
{
    struct fixture *f = *state;
    const struct http_request put = fixture_request(f, HTTP_PUT_, "/v1/data/k");
    const struct http_request post = fixture_request(f, HTTP_POST_, "/data/k");
    const struct http_request other = fixture_request(f, HTTP_PUT_, "/keys");
    assert_int_equal(put.route.body_max, 10 << 20);
    assert_int_equal(post.route.body_max, 10 << 20);
    assert_int_equal(other.route.body_max, 64 << 10);
    f->body_len = (10 << 20) + 1;
    assert_int_equal(ask(f, HTTP_PUT_, "/data/k"), 413);
    assert_problem(f, "value_too_large");
}

static void there_is_no_delete_and_the_answer_says_why(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/k", "v");
    static const enum http_method methods[] = {HTTP_DELETE_, HTTP_POST_, HTTP_PATCH_, HTTP_OTHER_};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        assert_int_equal(ask(f, methods[i], "/v1/data/k"), 405);
        assert_problem(f, "method_not_allowed");
        assert_header(f, "Allow", "GET, HEAD, PUT, OPTIONS");
    }
    assert_int_equal(ask(f, HTTP_DELETE_, "/data/k"), 405);
    assert_non_null(strstr(body_text(f), "no delete, by design"));
    assert_int_equal(ask(f, HTTP_GET_, "/data/k"), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_answered_when_its_quorum_holds_it),
        TEST(a_write_whose_quorum_is_late_is_accepted),
        TEST(the_answer_is_of_the_write_that_is_settled_whatever_came_behind_it),
        TEST(a_read_gives_the_bytes_and_what_is_known_of_them),
        TEST(a_large_value_is_shared_and_not_copied),
        TEST(an_empty_value_is_a_value),
        TEST(the_times_of_the_answers_are_the_clocks_although_the_version_runs_ahead),
        TEST(an_entry_is_gone_in_the_millisecond_of_its_expiry),
        TEST(a_miss_while_joining_is_unavailable_and_a_hit_is_served),
        TEST(keys_are_the_decoded_bytes_and_nothing_is_normalised),
        TEST(a_bad_key_is_refused_for_reads_and_writes),
        TEST(a_key_has_at_most_1024_bytes),
        TEST(the_ttl_comes_from_the_query_then_the_header_then_the_default),
        TEST(a_ttl_outside_the_bounds_is_clamped),
        TEST(a_malformed_ttl_is_refused),
        TEST(a_ttl_given_twice_is_refused_even_when_equal),
        TEST(a_conditional_write_goes_by_what_the_node_holds),
        TEST(a_weak_tag_never_meets_if_match),
        TEST(both_conditions_of_one_write_must_hold),
        TEST(a_read_is_not_modified_when_the_client_has_the_version),
        TEST(a_malformed_condition_is_refused),
        TEST(every_refusal_of_the_engine_has_its_status_and_code),
        TEST(only_a_write_and_a_mistaken_post_may_have_a_large_body),
        TEST(there_is_no_delete_and_the_answer_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
