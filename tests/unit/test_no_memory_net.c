/* What the servers and clients of net do when memory ends: a request is answered, or its connection
 * ends, and the next one is served as always. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_rig.h"
#include "http_rig.h"
#include "net/http/rate_limit.h"
#include "net/load/load.h"
#include "net/node.h"
#include "net/out/fetch.h"
#include "net/out/pipeline.h"
#include "net/out/tls_client.h"
#include "net/sys/ip_limit.h"
#include "net/watch/watch_loop.h"
#include "tests/unit/failing_alloc.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>

enum { BLOB_BYTES = 100000, BODY_BYTES = 5000, IDLE_LONG = 100 };

/* ---- The HTTP server ---- */

static void nothing(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* A base takes memory for its timers with the first of them. That is bookkeeping, as events are,
 * which the product asserts to have. */
static void start_timers(struct event_base *base)
{
    const struct timeval hour = {.tv_sec = 3600};
    struct event first;
    (void)evtimer_assign(&first, base, nothing, NULL);
    while (event_add(&first, &hour) != 0) {
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
    }
    (void)event_del(&first);
}

/* Without memory for it a server is not begun; with memory it is. */
static void start(struct rig *rig)
{
    rig_init(rig);
    while (rig->base == NULL) {
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
        rig_init(rig);
    }
    start_timers(rig->base);
    rig->config.request_timeout_ms = IDLE_TURNS_MAX / 8;
    rig->config.idle_timeout_ms = IDLE_TURNS_MAX / 4;
    rig->stream_bytes = BLOB_BYTES;
    rig_bind(rig);
    rig->server = http_server_new(&rig->config);
    if (rig->server == NULL) {
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
        rig->server = http_server_new(&rig->config);
        assert_non_null(rig->server);
    }
    static uint8_t bytes[BLOB_BYTES];
    while (rig->blob == NULL) {
        rig->blob = blob_new(NULL, BLOB_BYTES);
        if (rig->blob == NULL || blob_append(rig->blob, bytes, BLOB_BYTES) != RC_OK) {
            failing_alloc_recover();
            blob_release(rig->blob);
            rig->blob = NULL;
        }
    }
}

/* A client whose memory never fails. */
static struct client open_client(struct rig *rig)
{
    static char input[CLIENT_INPUT_MAX + 1];
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(rig->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .input = input};
    input[0] = '\0';
    assert_int_equal(connect(c.fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
    return c;
}

/* libevent tries again and again to read what it has no memory for. */
static void recover_after(unsigned idle)
{
    if (idle > IDLE_LONG) {
        failing_alloc_recover();
    }
}

/* Whether the request is answered with the text; else its connection has ended, by a timeout at the
 * latest: libevent loses a callback of bufferevent_socket_new() without a word. */
static bool is_answered(struct rig *rig, const char *request, const char *answer)
{
    const size_t half = strlen(request) / 2; /* the server keeps it until the rest comes */
    struct client c = open_client(rig);
    bool is_open = client_send(rig, &c, request, half);
    for (int i = 0; i < NOTHING_TURNS / 10; i++) {
        client_turn(rig, &c);
    }
    is_open = is_open && client_say(rig, &c, request + half);
    bool is_whole = false;
    for (unsigned idle = 0; is_open && !is_whole && idle < IDLE_TURNS_MAX;) {
        const size_t len = c.len;
        client_turn(rig, &c);
        idle += c.len == len;
        recover_after(idle);
        is_whole = strstr(c.input, answer) != NULL;
        is_open = !c.is_eof && !c.is_reset;
    }
    assert_true(is_whole || !is_open);
    (void)close(c.fd);
    return is_whole;
}

static void ask(struct rig *rig, const char *request, const char *answer)
{
    if (!is_answered(rig, request, answer)) {
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
        assert_true(is_answered(rig, request, answer));
    }
}

static const char upgrade[] =
    "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test/1\r\n\r\nmore";

static void serve(void *arg)
{
    static char large[BODY_BYTES + 200];
    struct rig rig;
    (void)arg;
    start(&rig);
    (void)snprintf(large, sizeof(large),
                   "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%0*d", BODY_BYTES,
                   BODY_BYTES, 7);
    ask(&rig, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "hello");
    ask(&rig,
        "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "abc");
    ask(&rig, large, "00007");
    ask(&rig, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n0\r\n\r\n");
    ask(&rig, "GET /blob HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 OK");
    ask(&rig, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "not_found");
    ask(&rig, upgrade, "101 Switching");
    rig_fini(&rig);
}

static void greet(void *arg)
{
    struct rig rig;
    (void)arg;
    start(&rig);
    ask(&rig, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "hello");
    rig_fini(&rig);
}

/* A body is asked for, and what comes behind an upgrade goes with it. */
static void expect(void *arg)
{
    static const char head[] =
        "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    struct rig rig;
    (void)arg;
    start(&rig);
    ask(&rig, head, "100 Continue");
    ask(&rig, upgrade, "101 Switching");
    rig_fini(&rig);
}

static void a_server_without_memory_ends_a_connection_and_serves_the_next(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(greet, NULL) > 20);
    assert_true(failing_alloc_each(expect, NULL) > 20);
    assert_true(failing_alloc_some(serve, NULL, failing_alloc_step(7)) > 20);
}

static void limit(void *arg)
{
    (void)arg;
    struct ip_limit *ips = ip_limit_new(4, 16, 1);
    struct rate_limit *rates = rate_limit_new(10, 1);
    assert_true((ips != NULL && rates != NULL) || failing_alloc_has_failed());
    rate_limit_free(rates);
    ip_limit_free(ips);
}

static void limits_without_memory_are_none(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(limit, NULL) > 0);
}

static void watch(void *arg)
{
    struct rig rig;
    (void)arg;
    start(&rig);
    struct engine *engine = make_alone(1);
    const struct uuid uuid = {{1}};
    struct watch_loop *loop = watch_loop_new(rig.base, rig.server, &uuid, 1);
    watch_serve(watch_loop_watch(loop), engine);
    assert_non_null(watch_loop_watch(loop));
    http_server_free(rig.server);
    rig.server = NULL;
    watch_loop_free(loop);
    engine_free(engine);
    rig_fini(&rig);
}

static void a_loop_for_watchers_is_never_missing(void **state)
{
    (void)state;
    assert_true(failing_alloc_some(watch, NULL, failing_alloc_step(5)) > 0);
}

/* ---- The HTTP client ---- */

struct fetched {
    unsigned count;
    enum rc rc;
    int status;
};

static void on_fetched(void *arg, const struct fetch_answer *answer)
{
    struct fetched *f = arg;
    f->count++;
    f->rc = answer->rc;
    f->status = answer->status;
}

/* Whether the answer came; without memory none does, or the end of the fetch is told once. */
static bool is_fetched(struct rig *rig, const char *target)
{
    const struct fetch_request request = {.method = "GET",
                                          .host = "127.0.0.1",
                                          .port = rig->port,
                                          .target = target,
                                          .timeout_ms = UINT32_C(1000) * PATIENCE_S,
                                          .bytes_max = UINT32_C(2) * BLOB_BYTES};
    struct fetched f = {.count = 0};
    if (fetch_start(rig->base, NULL, &request, on_fetched, &f) == NULL) {
        return false;
    }
    unsigned idle = 0;
    while (f.count == 0 && rig_idles(rig, &idle)) {
        recover_after(idle);
    }
    assert_int_equal(f.count, 1);
    assert_true(f.rc != RC_OK || f.status == 200 || f.status >= 400);
    return f.rc == RC_OK && f.status == 200;
}

static void fetch_two(void *arg)
{
    static const char *const targets[] = {"/hello", "/blob"};
    struct rig rig;
    (void)arg;
    start(&rig);
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        if (!is_fetched(&rig, targets[i])) {
            assert_true(failing_alloc_has_failed());
            failing_alloc_recover();
            assert_true(is_fetched(&rig, targets[i]));
        }
    }
    rig_fini(&rig);
}

static void a_fetch_without_memory_fails_once(void **state)
{
    (void)state;
    assert_true(failing_alloc_some(fetch_two, NULL, failing_alloc_step(3)) > 10);
}

/* ---- Many requests to one server ---- */

static void on_piped(void *arg, const struct pipeline_answer *answer)
{
    struct fetched *f = arg;
    f->count++;
    f->rc = f->rc == RC_OK ? answer->rc : f->rc;
    f->status = answer->status;
}

/* Whether all are answered; without memory those that were sent have failed, each once. */
static bool is_piped(struct rig *rig)
{
    struct fetched f = {.count = 0};
    const struct pipeline_config config = {.base = rig->base,
                                           .host = "127.0.0.1",
                                           .port = rig->port,
                                           .lines = "",
                                           .connections = 2,
                                           .depth = 2,
                                           .body_max = UINT32_C(2) * BLOB_BYTES,
                                           .pending_max = BLOB_BYTES,
                                           .timeout_ms = IDLE_TURNS_MAX / 8,
                                           .answered = on_piped,
                                           .arg = &f};
    struct pipeline *p = pipeline_new(&config);
    unsigned sent = 0;
    if (p == NULL) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        const struct pipeline_request request = {
            .method = "GET", .target = i % 2 == 0 ? "/hello" : "/blob", .lines = ""};
        sent += pipeline_send(p, &request) == RC_OK;
    }
    unsigned idle = 0;
    while (pipeline_pending(p) > 0 && rig_idles(rig, &idle)) {
        recover_after(idle);
    }
    assert_int_equal(f.count, sent);
    pipeline_free(p);
    return sent == 4 && f.rc == RC_OK && f.status == 200;
}

static void pipe_some(void *arg)
{
    struct rig rig;
    (void)arg;
    start(&rig);
    if (!is_piped(&rig)) {
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
        assert_true(is_piped(&rig));
    }
    rig_fini(&rig);
}

static void requests_without_memory_fail_once_each(void **state)
{
    (void)state;
    assert_true(failing_alloc_some(pipe_some, NULL, failing_alloc_step(7)) > 10);
}

/* ---- TLS, load, and a whole node ---- */

static void begin_tls(void *arg)
{
    struct rig *rig = arg;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct bufferevent *bev = tls_client_open(NULL, rig->base, fds[0], "localhost");
    if (bev == NULL) {
        assert_true(failing_alloc_has_failed());
        (void)close(fds[0]);
    } else {
        bufferevent_free(bev);
    }
    for (int i = 0; i < 3; i++) {
        rig_turn(rig); /* in which what was freed goes */
    }
    (void)close(fds[1]);
}

static void tls_without_memory_is_not_begun(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    assert_true(failing_alloc_each(begin_tls, &rig) >= 6);
    event_base_free(rig.base);
}

/* Time passes for both ends, so that what is lost ends. */
static void on_progress(void *arg, const struct load_progress *progress)
{
    (void)arg;
    (void)progress;
    own_clock_pass_ms(50);
}

static enum rc load_once(struct rig *rig)
{
    const struct load_target target = {
        .addrs = {addr_v4((const uint8_t[]){127, 0, 0, 1}, rig->port)},
        .addr_count = 1,
        .host = "localhost"};
    const struct load_config config = {
        .base = rig->base,
        .targets = &target,
        .target_count = 1,
        .mix = {.prefix = "k-", .key_count = 4, .reads_percent = 50, .seed = 1},
        .connections = 2,
        .depth = 2,
        .requests_max = 12,
        .timeout_ms = 200,
        .progress_ms = 5,
        .progress = on_progress,
    };
    struct load_result result;
    const enum rc rc = load_run(&config, &result);
    load_result_fini(&result);
    return rc;
}

static void load_server(void *arg)
{
    struct rig rig;
    (void)arg;
    start(&rig);
    if (load_once(&rig) != RC_OK) {
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
        assert_int_equal(load_once(&rig), RC_OK);
    }
    rig_fini(&rig);
}

static void load_without_memory_ends(void **state)
{
    (void)state;
    /* Not each: libevent 2.1.12 loses a block when it cannot watch for a signal. */
    assert_true(failing_alloc_some(load_server, NULL, 11) > 10);
}

static void on_log(void *arg, enum log_level level, const char *event, const char *format, ...)
{
    (void)arg;
    (void)level;
    (void)event;
    (void)format;
}

static void a_node_without_memory_for_its_loop_does_not_begin(void **state)
{
    const struct node_hooks hooks = {.log = on_log};
    const struct node_config config = {.fixed_port = 1,
                                       .replication_factor = 1,
                                       .bytes_max = 1,
                                       .connections_max = 1,
                                       .ready_fd = -1};
    (void)state;
    const uint64_t before = failing_alloc_blocks();
    failing_alloc_arm(0, false);
    assert_int_equal(node_run(&config, &hooks), RC_IO);
    assert_true(failing_alloc_has_failed());
    assert_int_equal(failing_alloc_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_without_memory_ends_a_connection_and_serves_the_next),
        cmocka_unit_test(limits_without_memory_are_none),
        cmocka_unit_test(a_loop_for_watchers_is_never_missing),
        cmocka_unit_test(a_fetch_without_memory_fails_once),
        cmocka_unit_test(requests_without_memory_fail_once_each),
        cmocka_unit_test(tls_without_memory_is_not_begun),
        cmocka_unit_test(load_without_memory_ends),
        cmocka_unit_test(a_node_without_memory_for_its_loop_does_not_begin),
    };
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
