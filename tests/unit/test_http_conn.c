#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_tls_rig.h"

#include <sys/uio.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HELLO "\r\n\r\nhello"

/* How many more of the server's bytes the kernel will take. */
static size_t kernel_room = SIZE_MAX;

/* The connection that the server accepted last, and the bytes that it has read from it. */
static int accepted_fd = -1;
static size_t read_bytes;

/* These stand before the C library's, for the server and for libevent. */
#pragma GCC visibility push(default)
int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    const int accepted = (int)syscall(SYS_accept4, fd, from, len, flags);
    accepted_fd = accepted >= 0 ? accepted : accepted_fd;
    return accepted;
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    const ssize_t len = syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
    read_bytes += fd == accepted_fd && len > 0 ? (size_t)len : 0;
    return len;
}

/* Only the server writes this way. */
ssize_t writev(int fd, const struct iovec *from, int count)
{
    struct iovec first = from[0];
    if (kernel_room == SIZE_MAX) {
        return syscall(SYS_writev, fd, from, count);
    }
    first.iov_len = first.iov_len < kernel_room ? first.iov_len : kernel_room;
    if (first.iov_len == 0) {
        errno = EAGAIN;
        return -1;
    }
    const ssize_t written = syscall(SYS_writev, fd, &first, 1);
    kernel_room -= written > 0 ? (size_t)written : 0;
    return written;
}
#pragma GCC visibility pop

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    kernel_room = SIZE_MAX;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    rig_secure_fini();
    return 0;
}

static void test_requests_on_one_connection_are_answered_one_after_another(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(client_say(rig, &c, GET("/hello")));
        assert_true(client_hears(rig, &c, HELLO));
        assert_int_equal(rig->handled, i);
        assert_null(strstr(c.input, "Connection:"));
        c.len = 0;
        c.input[0] = '\0';
    }
    client_close(&c);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(
        client_say(rig, &c, GET("/hello") GET("/defer") GET("/nowhere") "\r\n\r\n" GET("/204")));
    assert_true(client_hears(rig, &c, HELLO));
    assert_true(wait_for(rig, &rig->handled, 2));
    assert_true(client_hears_nothing(rig, &c)); /* no answer passes the deferred one */
    assert_int_equal(rig->handled, 2);
    rig_complete(rig, rig->deferred, "later");
    assert_true(client_hears(rig, &c, "HTTP/1.1 204"));
    const char *later = strstr(c.input, "later");
    const char *missing = strstr(c.input, "HTTP/1.1 404");
    assert_true(later != NULL && missing > later && strstr(c.input, "HTTP/1.1 204") > missing);
    assert_true(rig_took_all(rig));
    client_close(&c);
}

static void test_many_pipelined_requests_are_all_answered(void **state)
{
    enum { COUNT = 3000 };
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    for (int i = 0; i < COUNT; i++) {
        assert_true(client_say(rig, &c, GET("/hello")));
    }
    assert_true(client_hears_times(rig, &c, HELLO, COUNT));
    assert_int_equal(http_server_stats(rig->server).requests_by_class[2], COUNT);
    client_close(&c);
}

/* Whatever the kernel holds: the server reads no more than its limit. */
static void test_input_behind_a_deferred_request_is_bounded(void **state)
{
    enum { PIECE = 1024 };
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    static char flood[PIECE];
    memset(flood, '\n', sizeof(flood));
    assert_true(client_say(rig, &c, GET("/defer")));
    assert_true(wait_for(rig, &rig->handled, 1));
    read_bytes = 0;
    for (int i = 0; i < 16 * HTTP_INPUT_MAX / PIECE; i++) {
        (void)send(c.fd, flood, sizeof(flood), MSG_NOSIGNAL);
        rig_turn(rig);
    }
    assert_in_range(read_bytes, 1, 2 * HTTP_INPUT_MAX);
    assert_int_equal(http_server_stats(rig->server).connections, 1);
    client_reset(&c);
    client_close(&c);
}

static void test_head_is_answered_as_get_without_the_body(void **state)
{
    struct rig *rig = *state;
    rig->blob = blob_new(NULL, 100000);
    static uint8_t data[100000];
    assert_int_equal(blob_append(rig->blob, data, sizeof(data)), RC_OK);
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                           "HEAD /blob HTTP/1.1\r\nHost: a\r\n\r\n"
                           "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                           "HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" GET("/204")));
    assert_true(client_hears(rig, &c, "HTTP/1.1 204 No Content"));
    assert_non_null(strstr(c.input, "Content-Length: 5\r\n\r\nHTTP/1.1 200"));
    assert_non_null(strstr(c.input, "Content-Length: 100000\r\n\r\nHTTP/1.1 200"));
    assert_non_null(strstr(c.input, "Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 404"));
    assert_null(strstr(c.input, "not_found"));
    assert_int_equal(rig->done, 1);
    client_close(&c);
}

static void test_204_and_304_have_no_body_and_no_length(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/204") GET("/304") GET("/hello")));
    assert_true(client_hears(rig, &c, HELLO));
    assert_int_equal(count_of(c.input, "Content-Length"), 1);
    client_close(&c);
}

static void test_the_connection_closes_when_the_client_wants_it(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "Connection: close\r\n"));
    client_close(&c);
    c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /hello HTTP/1.0\r\n\r\n"));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, HELLO));
    client_close(&c);
    c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_true(client_hears(rig, &c, HELLO));
    assert_non_null(strstr(c.input, "Connection: keep-alive\r\n"));
    assert_true(client_hears_nothing(rig, &c));
    client_close(&c);
}

static void test_a_client_that_stops_sending_still_gets_its_answers(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/defer") GET("/hello")));
    client_finish(&c);
    assert_true(wait_for(rig, &rig->handled, 1));
    assert_true(client_hears_nothing(rig, &c));
    assert_true(http_server_awaits(rig->server, rig->deferred));
    rig_complete(rig, rig->deferred, "later");
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "later"));
    assert_non_null(strstr(c.input, HELLO));
    client_close(&c);
}

static void test_deferred_requests_of_one_connection_wait_for_each_other(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/defer") GET("/defer") GET("/defer")));
    assert_true(wait_for(rig, &rig->handled, 1));
    assert_true(client_hears_nothing(rig, &c));
    const uint64_t first = rig->deferred;
    assert_true(http_server_awaits(rig->server, first));
    rig_complete(rig, first, "the first");
    assert_false(http_server_awaits(rig->server, first));
    assert_true(client_hears(rig, &c, "the first"));
    assert_true(wait_for(rig, &rig->handled, 2));
    assert_int_not_equal(rig->deferred, first);
    assert_true(http_server_awaits(rig->server, rig->deferred));
    assert_false(http_server_awaits(rig->server, first));
    rig_complete(rig, first, "the first again");
    rig_complete(rig, rig->deferred, "the second");
    assert_true(client_hears(rig, &c, "the second"));
    assert_null(strstr(c.input, "again"));
    assert_true(wait_for(rig, &rig->handled, 3));
    client_reset(&c);
    assert_true(rig_has_connections(rig, 0));
    assert_false(http_server_awaits(rig->server, rig->deferred));
    client_close(&c);
}

static void test_a_reset_while_deferred_ends_the_wait_and_what_is_behind_it(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/defer") GET("/hello")));
    assert_true(wait_for(rig, &rig->handled, 1));
    assert_true(http_server_awaits(rig->server, rig->deferred));
    client_reset(&c);
    assert_true(rig_has_connections(rig, 0));
    assert_false(http_server_awaits(rig->server, rig->deferred));
    assert_true(http_server_is_idle(rig->server));
    rig_complete(rig, rig->deferred, "later");
    assert_int_equal(rig->handled, 1);
    assert_int_equal(http_server_stats(rig->server).requests_total, 0);
    client_close(&c);
}

static void test_a_client_that_closed_while_deferred_is_let_go_with_its_answer(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/defer")));
    assert_true(wait_for(rig, &rig->handled, 1));
    client_close(&c);
    for (int i = 0; i < NOTHING_TURNS; i++) {
        rig_turn(rig);
    }
    assert_true(http_server_awaits(rig->server, rig->deferred));
    rig_complete(rig, rig->deferred, "later");
    assert_false(http_server_awaits(rig->server, rig->deferred));
    assert_true(rig_has_connections(rig, 0));
    assert_true(http_server_is_idle(rig->server));
}

static void test_a_request_cut_short_is_400(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    static const char *const cuts[] = {
        "GET /hello HTTP/1.1\r\nHost:", "GET /he",
        "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"};
    for (size_t i = 0; i < 3; i++) {
        struct client c = client_open(rig);
        assert_true(client_say(rig, &c, cuts[i]));
        client_finish(&c);
        assert_true(client_hears_end(rig, &c));
        assert_non_null(strstr(c.input, "HTTP/1.1 400 Bad Request\r\n"));
        client_close(&c);
    }
    assert_int_equal(http_server_stats(rig->server).requests_malformed, 3);
    assert_int_equal(rig->handled, 0);
}

static void test_a_client_that_comes_and_goes_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    client_finish(&c);
    assert_true(client_hears_end(rig, &c));
    assert_int_equal(c.len, 0);
    assert_true(rig_has_connections(rig, 0));
    assert_int_equal(http_server_stats(rig->server).connections_total, 1);
    client_close(&c);
}

static void test_a_stream_is_chunked_and_the_connection_kept(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/stream") GET("/hello")));
    assert_true(client_hears(rig, &c, HELLO));
    assert_non_null(strstr(c.input, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(c.input, "\r\n\r\n1f40\r\nsss"));
    assert_non_null(strstr(c.input, "s\r\n0\r\n\r\nHTTP/1.1 200"));
    assert_int_equal(rig->done, 1);
    client_close(&c);
}

static void test_a_stream_to_http_1_0_ends_with_the_connection(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_true(client_hears_end(rig, &c));
    const char *body = strstr(c.input, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), 20000);
    assert_non_null(strstr(c.input, "Connection: close\r\n"));
    assert_null(strstr(c.input, "Transfer-Encoding"));
    client_close(&c);
}

static void test_a_stream_with_nothing_to_say_is_asked_again(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/trickle") GET("/hello")));
    assert_true(client_hears(rig, &c, HELLO));
    assert_non_null(strstr(c.input, "\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"));
    client_close(&c);
}

static void test_a_stream_that_waits_is_asked_when_it_is_woken_and_not_before(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->say = "a";
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/wake") GET("/hello")));
    assert_true(client_hears(rig, &c, "\r\n\r\n1\r\na\r\n"));
    rig->say = "bc";
    for (int i = 0; i < 100; i++) {
        rig_pass_ms(rig, HTTP_PAUSE_MS);
    }
    assert_string_equal(rig->say, "bc");
    http_server_wake(rig->server, rig->waking + (UINT64_C(1) << 32)); /* somebody else's */
    assert_string_equal(rig->say, "bc");
    http_server_wake(rig->server, rig->waking);
    assert_true(client_hears(rig, &c, "2\r\nbc\r\n"));
    assert_false(http_server_is_idle(rig->server));
    rig->say = "d";
    rig->is_said_out = true;
    http_server_wake(rig->server, rig->waking);
    assert_true(client_hears(rig, &c, "1\r\nd\r\n0\r\n\r\n"));
    assert_true(client_hears(rig, &c, HELLO));
    http_server_wake(rig->server, rig->waking);
    assert_int_equal(rig->done, 1);
    client_close(&c);
}

static void test_a_stream_that_waits_ends_with_its_client(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/wake")));
    assert_true(client_hears(rig, &c, "\r\n\r\n"));
    client_finish(&c);
    assert_true(wait_for(rig, &rig->done, 1));
    http_server_wake(rig->server, rig->waking);
    assert_int_equal(http_server_stats(rig->server).connections, 0);
    client_close(&c);
}

static void test_a_slow_reader_holds_a_bounded_part_of_a_stream(void **state)
{
    enum { ROOM = CLIENT_INPUT_MAX };
    struct rig *rig = *state;
    rig->stream_bytes = (size_t)1 << 40;
    rig_start(rig);
    struct client c = client_open(rig);
    kernel_room = ROOM;
    assert_true(client_say(rig, &c, GET("/stream")));
    assert_true(wait_for(rig, &rig->handled, 1));
    const uint64_t until = patience_begins();
    while (c.len < ROOM && patience_now_ms() < until) {
        client_turn(rig, &c);
    }
    for (int i = 0; i < NOTHING_TURNS; i++) {
        rig_turn(rig);
    }
    assert_int_equal(kernel_room, 0);
    assert_in_range(http_server_stats(rig->server).bytes_out, ROOM, ROOM + 2 * HTTP_OUTPUT_HIGH);
    kernel_room = SIZE_MAX;
    client_reset(&c);
    assert_true(wait_for(rig, &rig->done, 1));
    client_close(&c);
}

static void test_a_blob_arrives_whole_and_is_let_go(void **state)
{
    enum { LEN = 700000 };
    struct rig *rig = *state;
    static uint8_t data[LEN];
    for (size_t i = 0; i < LEN; i++) {
        data[i] = (uint8_t)('A' + i % 23);
    }
    rig->blob = blob_new(NULL, LEN + 1);
    assert_int_equal(blob_append(rig->blob, data, LEN), RC_OK);
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/blob") GET("/hello")));
    assert_true(client_hears(rig, &c, HELLO));
    const char *body = strstr(c.input, "\r\n\r\n") + 4;
    assert_memory_equal(body, data, LEN);
    assert_int_equal(blob_append(rig->blob, "x", 1), RC_OK); /* asserts that it is held once */
    client_close(&c);
}

static void test_an_upgraded_connection_is_handed_over_with_its_input(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: test/1\r\n\r\nfirst"));
    assert_true(client_hears(rig, &c, "\r\n\r\n"));
    assert_string_equal(c.input, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                 "Upgrade: test/1\r\n\r\n");
    assert_non_null(rig->upgraded);
    assert_true(addr_is_loopback(&rig->client));
    struct evbuffer *input = bufferevent_get_input(rig->upgraded);
    assert_int_equal(evbuffer_get_length(input), 5);
    assert_memory_equal(evbuffer_pullup(input, 5), "first", 5);
    assert_int_equal(http_server_stats(rig->server).connections, 0);
    assert_int_equal(http_server_stats(rig->server).requests_by_class[1], 1);
    assert_int_equal(bufferevent_write(rig->upgraded, "second", 6), 0);
    assert_true(client_hears(rig, &c, "second"));
    assert_true(client_say(rig, &c, "third"));
    const uint64_t until = patience_begins();
    while (evbuffer_get_length(input) < 10 && rig_waits(rig, until)) {
    }
    assert_memory_equal(evbuffer_pullup(input, 10), "firstthird", 10);
    client_close(&c);
}

static void test_an_upgrade_nobody_asked_for_is_426(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/upgrade") GET("/hello")));
    assert_true(client_hears(rig, &c, HELLO));
    assert_non_null(strstr(c.input, "HTTP/1.1 426"));
    assert_null(rig->upgraded);
    client_close(&c);
}

static void test_an_error_reaches_a_client_that_is_still_sending(void **state)
{
    struct rig *rig = *state;
    rig->body_max = 1000;
    rig_start(rig);
    static char body[1 << 20];
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "PUT /echo HTTP/1.1\r\nHost: a\r\n"
                           "Content-Length: 1048576\r\n\r\n"));
    assert_true(client_send(rig, &c, body, sizeof(body)));
    assert_true(client_hears_end(rig, &c));
    assert_false(c.is_reset);
    assert_non_null(strstr(c.input, "HTTP/1.1 413 Content Too Large\r\n"));
    assert_non_null(strstr(c.input, "Connection: close\r\n"));
    assert_non_null(strstr(c.input, "\"code\":\"value_too_large\""));
    assert_int_equal(rig->handled, 0);
    client_close(&c);
}

static void test_nothing_after_a_refused_request_is_acted_on(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /hello HTTP/1.1\r\n\r\n" GET("/hello")));
    assert_true(client_hears_end(rig, &c));
    assert_int_equal(rig->handled, 0);
    assert_int_equal(count_of(c.input, "HTTP/1.1 "), 1);
    assert_non_null(strstr(c.input, "HTTP/1.1 400"));
    assert_non_null(strstr(c.input, "Access-Control-Allow-Origin: *\r\n"));
    assert_non_null(strstr(c.input, "Access-Control-Expose-Headers: ETag,"));
    client_close(&c);
}

static void test_a_client_that_does_not_read_its_answer_is_reset(void **state)
{
    struct rig *rig = *state;
    rig->stream_bytes = (size_t)1 << 40;
    rig_start(rig);
    struct client c = client_open(rig);
    kernel_room = 1000;
    assert_true(client_say(rig, &c, GET("/stream")));
    const uint64_t until = patience_begins();
    while (kernel_room > 0 && rig_waits(rig, until)) {
    }
    assert_int_equal(rig->done, 0);
    rig_pass_ms(rig, rig->config.request_timeout_ms + 1);
    assert_true(wait_for(rig, &rig->done, 1));
    assert_int_equal(http_server_stats(rig->server).timeouts, 1);
    assert_int_equal(http_server_stats(rig->server).connections, 0);
    client_close(&c);
}

static int setup_tls(void **state)
{
    return setup(state) + rig_secure(*state);
}
#define OF_BOTH(TEST)                                                             \
    TEST(test_requests_on_one_connection_are_answered_one_after_another),         \
        TEST(test_pipelined_requests_are_answered_in_order),                      \
        TEST(test_many_pipelined_requests_are_all_answered),                      \
        TEST(test_head_is_answered_as_get_without_the_body),                      \
        TEST(test_204_and_304_have_no_body_and_no_length),                        \
        TEST(test_the_connection_closes_when_the_client_wants_it),                \
        TEST(test_a_client_that_stops_sending_still_gets_its_answers),            \
        TEST(test_deferred_requests_of_one_connection_wait_for_each_other),       \
        TEST(test_a_reset_while_deferred_ends_the_wait_and_what_is_behind_it),    \
        TEST(test_a_client_that_closed_while_deferred_is_let_go_with_its_answer), \
        TEST(test_a_request_cut_short_is_400),                                    \
        TEST(test_a_client_that_comes_and_goes_leaves_nothing),                   \
        TEST(test_a_stream_is_chunked_and_the_connection_kept),                   \
        TEST(test_a_stream_to_http_1_0_ends_with_the_connection),                 \
        TEST(test_a_stream_with_nothing_to_say_is_asked_again),                   \
        TEST(test_a_stream_that_waits_is_asked_when_it_is_woken_and_not_before),  \
        TEST(test_a_stream_that_waits_ends_with_its_client),                      \
        TEST(test_a_blob_arrives_whole_and_is_let_go),                            \
        TEST(test_an_error_reaches_a_client_that_is_still_sending),               \
        TEST(test_nothing_after_a_refused_request_is_acted_on)
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OVER_TLS(name) cmocka_unit_test_setup_teardown(name, setup_tls, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_BOTH(PLAIN),
        OF_BOTH(OVER_TLS),
        PLAIN(test_input_behind_a_deferred_request_is_bounded),
        PLAIN(test_a_slow_reader_holds_a_bounded_part_of_a_stream),
        PLAIN(test_an_upgraded_connection_is_handed_over_with_its_input),
        PLAIN(test_an_upgrade_nobody_asked_for_is_426),
        PLAIN(test_a_client_that_does_not_read_its_answer_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
