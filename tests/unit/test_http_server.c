#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define HELLO "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

/* System calls on the connection that the server accepted last. */
static int accepted_fd = -1;
static unsigned reads, writes, others;

/* These stand before the C library's, for the code under test and, where it can see them, for
 * libevent. */
#pragma GCC visibility push(default)
int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    const int accepted = (int)syscall(SYS_accept4, fd, from, len, flags);
    accepted_fd = accepted >= 0 ? accepted : accepted_fd;
    return accepted;
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    reads += fd == accepted_fd;
    return syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
}

ssize_t readv(int fd, const struct iovec *to, int count)
{
    reads += fd == accepted_fd;
    return syscall(SYS_readv, fd, to, count);
}

ssize_t writev(int fd, const struct iovec *from, int count)
{
    writes += fd == accepted_fd;
    return syscall(SYS_writev, fd, from, count);
}

int ioctl(int fd, unsigned long what, ...)
{
    va_list args;
    va_start(args, what);
    void *arg = va_arg(args, void *);
    va_end(args);
    others += fd == accepted_fd;
    return (int)syscall(SYS_ioctl, fd, what, arg);
}

int epoll_ctl(int epoll_fd, int what, int fd, struct epoll_event *event)
{
    others += fd == accepted_fd;
    return (int)syscall(SYS_epoll_ctl, epoll_fd, what, fd, event);
}
#pragma GCC visibility pop

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static void test_a_connection_too_many_is_503_and_closed(void **state)
{
    struct rig *rig = *state;
    rig->config.connections_max = 2;
    rig_start(rig);
    struct client a = client_open(rig), b = client_open(rig), c = client_open(rig);
    assert_true(client_say(rig, &c, HELLO));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_non_null(strstr(c.input, "Retry-After: 1\r\n"));
    assert_non_null(strstr(c.input, "\"code\":\"overloaded\""));
    assert_int_equal(http_server_stats(rig->server).connections_refused, 1);
    assert_int_equal(rig->handled, 0);
    client_close(&a);
    client_close(&c);
    assert_true(rig_has_connections(rig, 1));
    assert_true(client_say(rig, &b, HELLO));
    assert_true(client_hears(rig, &b, "hello"));
    c = client_open(rig);
    assert_true(client_say(rig, &c, HELLO));
    assert_true(client_hears(rig, &c, "hello"));
    client_close(&b);
    client_close(&c);
}

/* An EventSource never comes back after another status. */
static void test_who_wants_events_and_is_too_many_gets_one_that_says_so(void **state)
{
    struct rig *rig = *state;
    rig->config.connections_max = 1;
    rig_start(rig);
    struct client a = client_open(rig), b = client_open(rig);
    assert_true(client_say(rig, &b, "GET /hello?events HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(client_hears_end(rig, &b));
    assert_non_null(strstr(b.input, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(b.input, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(b.input, "Access-Control-Allow-Origin: *\r\n"));
    assert_non_null(strstr(b.input, "Connection: close\r\n"));
    assert_non_null(strstr(b.input, "\r\n\r\nretry: 5000\nevent: end\n"
                                    "data: {\"code\":\"overloaded\",\"detail\":\"too many "
                                    "connections\"}\n\n"));
    assert_int_equal(rig->handled, 0);
    client_close(&a);
    client_close(&b);
}

static void test_probes_and_upgrades_get_through_when_connections_are_used_up(void **state)
{
    struct rig *rig = *state;
    rig->config.connections_max = 1;
    rig_start(rig);
    struct client a = client_open(rig), b = client_open(rig), c = client_open(rig);
    assert_true(client_say(rig, &b, "GET /hello?probe HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(client_hears_end(rig, &b));
    assert_non_null(strstr(b.input, "\r\n\r\nhello"));
    assert_true(client_say(rig, &c,
                           "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: test/1\r\n\r\n"));
    assert_true(client_hears(rig, &c, "HTTP/1.1 101 "));
    client_close(&a);
    client_close(&b);
    client_close(&c);
}

static void test_connections_far_too_many_are_closed_unheard(void **state)
{
    enum { COUNT = 80 };
    struct rig *rig = *state;
    rig->config.connections_max = 1;
    rig_start(rig);
    struct client clients[COUNT];
    for (int i = 0; i < COUNT; i++) {
        clients[i] = client_open(rig);
    }
    assert_true(client_hears_end(rig, &clients[COUNT - 1]));
    assert_int_equal(http_server_stats(rig->server).connections, 65);
    assert_int_equal(http_server_stats(rig->server).connections_refused, COUNT - 1);
    for (int i = 0; i < COUNT; i++) {
        client_close(&clients[i]);
    }
}

static void test_an_address_has_its_share_of_connections(void **state)
{
    struct rig *rig = *state;
    rig->config.connections_per_ip_max = 1;
    rig_start(rig);
    struct client a = client_open(rig), b = client_open(rig);
    assert_true(client_say(rig, &b, HELLO));
    assert_true(client_hears_end(rig, &b));
    assert_non_null(strstr(b.input, "HTTP/1.1 503 "));
    client_close(&b);
    assert_true(client_say(rig, &a, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert_true(client_hears_end(rig, &a));
    client_close(&a);
    assert_true(rig_has_connections(rig, 0));
    a = client_open(rig);
    assert_true(client_say(rig, &a, HELLO));
    assert_true(client_hears(rig, &a, "hello"));
    client_close(&a);
}

static void test_unknown_exchanges_are_ignored_and_their_answers_let_go(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /defer HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(wait_for(rig, &rig->handled, 1));
    struct blob *blob = blob_new(NULL, 10);
    const uint64_t ids[] = {0, UINT64_MAX, rig->deferred + 1, rig->deferred + (UINT64_C(1) << 32)};
    for (size_t i = 0; i < 4; i++) {
        struct http_response rs;
        http_response_init(&rs);
        rs.kind = HTTP_BODY_BLOB;
        rs.blob = blob_hold(blob);
        http_server_complete(rig->server, ids[i], &rs);
        http_response_fini(&rs);
    }
    assert_int_equal(blob_append(blob, "x", 1), RC_OK); /* asserts that it is held once */
    assert_true(client_hears_nothing(rig, &c));
    struct http_response rs;
    http_response_init(&rs);
    rs.kind = HTTP_BODY_BLOB;
    rs.blob = blob;
    http_server_complete(rig->server, rig->deferred, &rs);
    http_response_fini(&rs);
    assert_true(client_hears(rig, &c, "\r\n\r\nx"));
    http_response_init(&rs);
    http_server_complete(rig->server, rig->deferred, &rs); /* answered once, not twice */
    http_response_fini(&rs);
    assert_true(client_hears_nothing(rig, &c));
    client_close(&c);
}

static void test_draining_ends_what_is_idle_and_finishes_the_rest(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client idle = client_open(rig), busy = client_open(rig), half = client_open(rig);
    assert_true(client_say(rig, &busy, "GET /defer HTTP/1.1\r\nHost: a\r\n\r\n" HELLO));
    assert_true(client_say(rig, &half, "GET /hello HTTP/1.1\r\n"));
    assert_true(wait_for(rig, &rig->handled, 1));
    assert_true(rig_has_connections(rig, 3));
    assert_true(client_hears_nothing(rig, &half));
    http_server_drain(rig->server);
    assert_false(http_server_is_idle(rig->server));
    assert_true(client_hears_end(rig, &idle));
    assert_int_equal(idle.len, 0);
    rig_complete(rig, rig->deferred, "later");
    assert_true(client_hears_end(rig, &busy));
    assert_non_null(strstr(busy.input, "Connection: close\r\n"));
    assert_int_equal(count_of(busy.input, "HTTP/1.1 "), 1);
    assert_true(client_say(rig, &half, "Host: a\r\n\r\n"));
    assert_true(client_hears_end(rig, &half));
    assert_non_null(strstr(half.input, "hello"));
    assert_true(http_server_is_idle(rig->server));
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(rig->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), -1);
    assert_int_equal(close(fd), 0);
    client_close(&idle);
    client_close(&busy);
    client_close(&half);
}

static void test_without_descriptors_a_client_is_ended_and_the_loop_rests(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client open = client_open(rig);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(rig->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                       .input = calloc(1, CLIENT_INPUT_MAX + 1)};
    const int next = dup(c.fd);
    assert_int_equal(close(next), 0);
    const struct rlimit tight = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const bool is_connected = connect(c.fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
                              fcntl(c.fd, F_SETFL, O_NONBLOCK) == 0;
    const bool is_ended = client_hears_end(rig, &c) || c.is_reset;
    const bool is_served = client_say(rig, &open, HELLO) && client_hears(rig, &open, "hello");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(is_connected && is_ended && is_served);
    assert_int_equal(http_server_stats(rig->server).connections_refused, 1);
    struct client later = client_open(rig); /* after the rest it is accepted */
    assert_true(client_say(rig, &later, HELLO));
    assert_true(client_hears(rig, &later, "hello"));
    client_close(&open);
    client_close(&c);
    client_close(&later);
}

static void test_stats_count_what_happened(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    static const char unknown[] = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char bad[] = "GET / HTTP/1.1\r\n\r\n";
    assert_true(client_say(rig, &c, HELLO));
    assert_true(client_say(rig, &c, unknown));
    assert_true(client_say(rig, &c, bad));
    assert_true(client_hears_end(rig, &c));
    const struct http_server_stats stats = http_server_stats(rig->server);
    assert_int_equal(stats.connections_total, 1);
    assert_int_equal(stats.requests_total, 3);
    assert_int_equal(stats.requests_by_class[2], 1);
    assert_int_equal(stats.requests_by_class[4], 2);
    assert_int_equal(stats.requests_malformed, 1);
    assert_int_equal(stats.bytes_in, strlen(HELLO) + strlen(unknown) + strlen(bad));
    assert_int_equal(stats.bytes_out, c.len);
    client_close(&c);
}

static void test_a_server_can_be_freed_with_work_in_progress(void **state)
{
    struct rig *rig = *state;
    rig->stream_bytes = (size_t)1 << 40;
    rig_start(rig);
    struct client a = client_open(rig), b = client_open(rig), c = client_open(rig);
    assert_true(client_say(rig, &a, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(client_say(rig, &b, "GET /defer HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(
        client_say(rig, &c, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"));
    assert_true(wait_for(rig, &rig->handled, 2));
    assert_true(rig_has_connections(rig, 3));
    http_server_free(rig->server);
    rig->server = NULL;
    assert_int_equal(rig->done, 1);
    client_close(&a);
    client_close(&b);
    client_close(&c);
}

static void test_a_small_request_is_one_read_and_one_write(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    for (unsigned i = 1; i <= 20; i++) {
        assert_true(client_say(rig, &c, HELLO));
        assert_true(wait_for(rig, &rig->handled, i));
        if (i == 1) {
            /* From here on the connection is open, and the loop knows it. */
            reads = writes = others = 0;
        }
    }
    assert_int_equal(reads, 19);
    assert_int_equal(writes, 19);
    assert_int_equal(others, 0);
    client_close(&c);
}

static void test_pipelined_requests_share_a_read_and_a_write(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, HELLO));
    assert_true(wait_for(rig, &rig->handled, 1));
    reads = writes = others = 0;
    assert_true(client_say(rig, &c, HELLO HELLO HELLO HELLO HELLO HELLO HELLO HELLO));
    assert_true(wait_for(rig, &rig->handled, 9));
    assert_int_equal(reads, 1);
    assert_int_equal(writes, 1);
    assert_int_equal(others, 0);
    client_close(&c);
}

/* What a PUT is while its quorum is awaited. */
static void test_late_answers_of_a_burst_leave_in_one_write_and_in_order(void **state)
{
    enum { BURST = 16 };
    static const size_t order[BURST] = {3, 0, 1, 15, 7, 2, 4, 5, 6, 14, 8, 9, 10, 11, 12, 13};
    struct rig *rig = *state;
    char said[BURST * 64] = "";
    char text[] = "answer-a";
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, HELLO));
    assert_true(wait_for(rig, &rig->handled, 1));
    for (size_t i = 0, at = 0; i < BURST; i++, at = strlen(said)) {
        (void)snprintf(said + at, sizeof(said) - at, "%s",
                       i == 5 ? "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                              : "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    reads = writes = others = 0;
    assert_true(client_say(rig, &c, said));
    assert_true(wait_for(rig, &rig->handled, 1 + BURST));
    assert_int_equal(rig->late_count, BURST - 1);
    assert_int_equal(writes, 0);
    for (size_t i = 0; i < BURST; i++) {
        if (order[i] < BURST - 1) {
            text[7] = (char)('a' + order[i]);
            assert_true(http_server_awaits(rig->server, rig->late[order[i]]));
            rig_complete(rig, rig->late[order[i]], text);
            assert_false(http_server_awaits(rig->server, rig->late[order[i]]));
        }
    }
    assert_true(client_hears(rig, &c, "answer-o"));
    assert_int_equal(reads, 1);
    assert_int_equal(writes, 1);
    assert_int_equal(others, 0);
    const char *at = c.input;
    for (size_t i = 0; i < BURST - 1; i++) {
        text[7] = (char)('a' + i);
        at = strstr(at, text);
        assert_non_null(at);
        if (i == 4) {
            at = strstr(at, "hello"); /* which was made at once, and waited */
            assert_non_null(at);
        }
    }
    client_close(&c);
}

static void test_late_answers_are_bounded_and_what_is_made_meanwhile_leaves(void **state)
{
    struct rig *rig = *state;
    char said[(HTTP_LATE_MAX + 2) * 64] = "";
    rig_start(rig);
    struct client c = client_open(rig);
    for (size_t i = 0, at = 0; i < HTTP_LATE_MAX + 1; i++, at = strlen(said)) {
        (void)snprintf(said + at, sizeof(said) - at, "%s",
                       "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    assert_true(client_say(rig, &c, said));
    assert_true(wait_for(rig, &rig->handled, HTTP_LATE_MAX));
    assert_true(client_hears_nothing(rig, &c));
    assert_int_equal(rig->handled, HTTP_LATE_MAX);
    rig_complete(rig, rig->late[0], "the first");
    assert_true(client_hears(rig, &c, "the first"));
    assert_true(wait_for(rig, &rig->handled, HTTP_LATE_MAX + 1));
    client_reset(&c);
    assert_true(rig_has_connections(rig, 0));
    for (size_t i = 0; i <= HTTP_LATE_MAX; i++) {
        assert_false(http_server_awaits(rig->server, rig->late[i]));
    }
    client_close(&c);
}

static void test_behind_late_answers_a_close_closes_and_an_upgrade_is_refused(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: test/1\r\n\r\n"
                           "GET /brief HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                           "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(wait_for(rig, &rig->handled, 3));
    assert_true(client_hears_nothing(rig, &c));
    rig_complete(rig, rig->late[1], "the last");
    assert_true(client_hears_nothing(rig, &c));
    rig_complete(rig, rig->late[0], "the first");
    assert_true(client_hears_end(rig, &c));
    assert_int_equal(rig->handled, 3);
    assert_null(rig->upgraded);
    const char *first = strstr(c.input, "the first");
    const char *refusal = strstr(c.input, "HTTP/1.1 426 ");
    const char *close = strstr(c.input, "Connection: close");
    const char *last = strstr(c.input, "the last");
    assert_true(first != NULL && first < refusal && refusal < close && close < last);
    client_close(&c);
}

static void test_what_drains_while_answers_are_late_ends_behind_the_last(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /brief HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(wait_for(rig, &rig->handled, 2));
    http_server_drain(rig->server);
    assert_false(http_server_is_idle(rig->server));
    rig_complete(rig, rig->late[0], "the first");
    rig_complete(rig, rig->late[1], "the last");
    client_finish(&c);
    assert_true(client_hears_end(rig, &c));
    const char *close = strstr(c.input, "Connection: close");
    assert_true(close != NULL && strstr(c.input, "the first") < close &&
                close < strstr(c.input, "the last"));
    assert_null(strstr(close + 1, "Connection: close"));
    client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_connection_too_many_is_503_and_closed),
        TEST(test_who_wants_events_and_is_too_many_gets_one_that_says_so),
        TEST(test_probes_and_upgrades_get_through_when_connections_are_used_up),
        TEST(test_connections_far_too_many_are_closed_unheard),
        TEST(test_an_address_has_its_share_of_connections),
        TEST(test_unknown_exchanges_are_ignored_and_their_answers_let_go),
        TEST(test_draining_ends_what_is_idle_and_finishes_the_rest),
        TEST(test_without_descriptors_a_client_is_ended_and_the_loop_rests),
        TEST(test_stats_count_what_happened),
        TEST(test_a_small_request_is_one_read_and_one_write),
        TEST(test_pipelined_requests_share_a_read_and_a_write),
        TEST(test_late_answers_of_a_burst_leave_in_one_write_and_in_order),
        TEST(test_late_answers_are_bounded_and_what_is_made_meanwhile_leaves),
        TEST(test_behind_late_answers_a_close_closes_and_an_upgrade_is_refused),
        TEST(test_what_drains_while_answers_are_late_ends_behind_the_last),
        TEST(test_a_server_can_be_freed_with_work_in_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
