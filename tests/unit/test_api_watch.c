#include "api_fixture.h"

#include "net/watch/watch.h"

static uint64_t on_now(void *arg)
{
    return ((struct fixture *)arg)->now_us;
}

static void on_wake(void *arg, uint64_t id)
{
    (void)arg;
    (void)id;
}

static struct watch *watch;

static int setup(void **state)
{
    const int rc = fixture_setup(state);
    struct fixture *f = *state;
    const struct watch_config config = {.engine = &f->engine,
                                        .boot = 1,
                                        .watchers_max = 1,
                                        .arg = f,
                                        .now_us = on_now,
                                        .wake = on_wake,
                                        .turn_by = on_wake};
    watch = watch_new(&config);
    api_free(f->api);
    f->api_config.watch = watch;
    f->api = api_new(&f->api_config, f->now_us);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fixture_reset(f);
    watch_free(watch);
    return fixture_teardown(state);
}

/* Asks without running the stream, which has no end. */
static int open_watch(struct fixture *f, enum http_method method, const char *target)
{
    const struct http_request rq = fixture_request(f, method, target);
    fixture_reset(f);
    api_handle(f->api, &rq, &f->rs, f->now_us, f->now_us, NULL, NULL);
    fixture_end(f, &rq);
    assert_int_equal(buf_append(&f->rs.headers, "", 1),
                     RC_OK); /* ends what fixture_header() reads */
    f->header_count = 0;
    return f->rs.status;
}

/* The first piece of the stream. */
static const char *first_piece(struct fixture *f)
{
    struct buf piece;
    buf_init(&piece, 1 << 16);
    assert_int_equal(f->rs.kind, HTTP_BODY_STREAM);
    assert_true(f->rs.produce(f->rs.arg, &piece));
    buf_clear(&f->text);
    assert_int_equal(buf_append(&f->text, buf_data(&piece), piece.len), RC_OK);
    assert_int_equal(buf_append(&f->text, "", 1), RC_OK);
    buf_fini(&piece);
    return body_text(f);
}

static void a_watch_is_a_stream_of_events_that_no_proxy_keeps_back(void **state)
{
    struct fixture *f = *state;
    write_text(f, "/data/a%2f1", "hello");
    write_text(f, "/data/b", "hello");
    assert_int_equal(open_watch(f, HTTP_GET_, "/v1/watch?prefix=a%2f&values=1"), 200);
    assert_header(f, "Content-Type", "text/event-stream");
    assert_header(f, "Cache-Control", "no-store");
    assert_header(f, "X-Accel-Buffering", "no");
    assert_header(f, "Access-Control-Allow-Origin", "*");
    assert_true(f->rs.is_waking);
    const char *text = first_piece(f);
    assert_non_null(strstr(text, "\"key\":\"a/1\""));
    assert_non_null(strstr(text, "\"value\":\"aGVsbG8=\""));
    assert_null(strstr(text, "\"key\":\"b\""));
    assert_non_null(strstr(text, "event: live"));
}

static void a_head_has_the_headers_and_takes_no_place(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(open_watch(f, HTTP_HEAD_, "/watch"), 200);
    assert_header(f, "Content-Type", "text/event-stream");
    assert_int_equal(f->rs.kind, HTTP_BODY_STREAM);
    assert_int_equal(watch_stats(watch).watchers, 0);
    assert_int_equal(ask(f, HTTP_POST_, "/watch"), 405);
    assert_header(f, "Allow", "GET, HEAD, OPTIONS");
}

static void wrong_parameters_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const targets[] = {"/watch?prefix=%",
                                          "/watch?prefix=a&prefix=b",
                                          "/watch?values=2",
                                          "/watch?values=",
                                          "/watch?values=1&values=1",
                                          "/watch?snapshot=no",
                                          "/watch?snapshot=0&snapshot=0",
                                          "/watch?last_id=a&last_id=a"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_int_equal(ask(f, HTTP_GET_, targets[i]), 400);
        assert_problem(f, "invalid_request");
    }
    char target[1100] = "/watch?prefix=";
    memset(target + strlen(target), 'p', 1025);
    assert_int_equal(ask(f, HTTP_GET_, target), 400);
    with_header(f, "Last-Event-ID", "a");
    with_header(f, "Last-Event-ID", "a");
    assert_int_equal(ask(f, HTTP_GET_, "/watch"), 400);
}

static void the_last_id_comes_by_header_else_by_parameter(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(open_watch(f, HTTP_GET_, "/watch"), 200);
    assert_non_null(strstr(first_piece(f), "id: 0000000000000001-2d068005-0\nevent: live"));
    assert_int_equal(open_watch(f, HTTP_GET_, "/watch?last_id=0000000000000001-2d068005-0"), 200);
    assert_null(strstr(first_piece(f), "reset"));
    with_header(f, "Last-Event-ID", "0000000000000002-0");
    assert_int_equal(open_watch(f, HTTP_GET_, "/watch?last_id=0000000000000001-2d068005-0"), 200);
    assert_non_null(strstr(first_piece(f), "\"reason\":\"other_node\""));
    assert_int_equal(
        open_watch(f, HTTP_GET_, "/watch?last_id=an-id-that-is-longer-than-any-of-a-node-ever-is"),
        200);
    assert_non_null(strstr(first_piece(f), "\"reason\":\"other_node\""));
}

/* An EventSource never comes back after another status than 200. */
static void assert_ended(struct fixture *f, const char *code, const char *retry)
{
    char wanted[64];
    assert_header(f, "Content-Type", "text/event-stream");
    assert_header(f, "Access-Control-Allow-Origin", "*");
    (void)snprintf(wanted, sizeof(wanted), "%sevent: end\ndata: {\"code\":\"%s\"", retry, code);
    assert_memory_equal(body_text(f), wanted, strlen(wanted));
}

static void a_refusal_that_passes_is_a_stream_that_ends_at_once(void **state)
{
    struct fixture *f = *state;
    f->engine.status.unready = READY_DRAINING;
    assert_int_equal(ask(f, HTTP_GET_, "/watch"), 200);
    assert_ended(f, "draining", "retry: 1000\n");
    assert_int_equal(ask(f, HTTP_GET_, "/watch?values=2"), 400);
    f->engine.status.unready = READY_FULL;
    assert_int_equal(open_watch(f, HTTP_GET_, "/watch"), 200);
    const struct http_response held = f->rs;
    http_response_init(&f->rs);
    assert_int_equal(ask(f, HTTP_GET_, "/watch"), 200);
    assert_ended(f, "overloaded", "retry: 5000\n");
    http_response_fini(&f->rs);
    f->rs = held;
}

static void who_asks_a_node_that_catches_up_waits(void **state)
{
    struct fixture *f = *state;
    f->engine.status.unready = READY_JOINING;
    assert_int_equal(open_watch(f, HTTP_GET_, "/watch"), 200);
    assert_header(f, "Content-Type", "text/event-stream");
    assert_null(strstr(first_piece(f), "event: "));
    assert_int_equal(open_watch(f, HTTP_HEAD_, "/watch"), 200);
}

static void a_watch_is_known_before_it_is_answered(void **state)
{
    struct fixture *f = *state;
    struct http_request rq = fixture_request(f, HTTP_GET_, "/v1/watch?prefix=a");
    assert_true(api_route(f->api, &rq).is_events);
    rq.method = HTTP_POST_;
    assert_false(api_route(f->api, &rq).is_events);
    rq = fixture_request(f, HTTP_GET_, "/keys");
    assert_false(api_route(f->api, &rq).is_events);
}

int main(void)
{
#define API(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        API(a_watch_is_a_stream_of_events_that_no_proxy_keeps_back),
        API(a_head_has_the_headers_and_takes_no_place),
        API(wrong_parameters_are_refused),
        API(the_last_id_comes_by_header_else_by_parameter),
        API(a_refusal_that_passes_is_a_stream_that_ends_at_once),
        API(who_asks_a_node_that_catches_up_waits),
        API(a_watch_is_known_before_it_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
