#include "net/out/dns.h"
#include "net/out/fetch.h"
#include "own_clock.h"
#include "patience.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

/* A server on the same loop that answers every connection with fixed bytes once it saw the end of a
 * head. */
struct rig {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *client;
    const char *reply; /* NULL: never answers */
    uint16_t port;
    char seen[4096]; /* the request */
    int done_count;
    enum rc rc;
    bool was_sent;
    int status;
    char body[256];
    char etag[64];
    char error[256];
};

static void on_flushed(struct bufferevent *bev, void *arg)
{
    struct rig *rig = arg;
    rig->client = NULL;
    bufferevent_free(bev);
}

static void on_request(struct bufferevent *bev, void *arg)
{
    struct rig *rig = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    const size_t len = evbuffer_get_length(in);
    if (len >= sizeof(rig->seen)) {
        return;
    }
    (void)evbuffer_copyout(in, rig->seen, len);
    rig->seen[len] = '\0';
    if (rig->reply != NULL && strstr(rig->seen, "\r\n\r\n") != NULL) {
        bufferevent_setcb(bev, NULL, on_flushed, NULL, rig);
        (void)bufferevent_write(bev, rig->reply, strlen(rig->reply));
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
                      int sa_len, void *arg)
{
    struct rig *rig = arg;
    (void)listener;
    (void)sa;
    (void)sa_len;
    rig->client = bufferevent_socket_new(rig->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(rig->client, on_request, NULL, NULL, rig);
    (void)bufferevent_enable(rig->client, EV_READ | EV_WRITE);
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
    struct rig *rig = arg;
    const char *etag = fetch_header_of(answer, "ETag");
    rig->done_count++;
    rig->rc = answer->rc;
    rig->was_sent = answer->was_sent;
    rig->status = answer->status;
    (void)snprintf(rig->body, sizeof(rig->body), "%.*s", (int)answer->body_len,
                   answer->body_len > 0 ? (const char *)answer->body : "");
    (void)snprintf(rig->etag, sizeof(rig->etag), "%s", etag != NULL ? etag : "");
    (void)snprintf(rig->error, sizeof(rig->error), "%s", answer->error);
    (void)event_base_loopbreak(rig->base);
}

static void rig_init(struct rig *rig, const char *reply)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    *rig = (struct rig){.reply = reply, .base = event_base_new()};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rig->listener = evconnlistener_new_bind(rig->base, on_accept, rig, LEV_OPT_CLOSE_ON_FREE, 4,
                                            (const struct sockaddr *)&sin, sizeof(sin));
    assert_non_null(rig->listener);
    assert_int_equal(
        getsockname(evconnlistener_get_fd(rig->listener), (struct sockaddr *)&sin, &len), 0);
    rig->port = ntohs(sin.sin_port);
}

static void rig_fini(struct rig *rig)
{
    if (rig->client != NULL) {
        bufferevent_free(rig->client);
    }
    if (rig->listener != NULL) {
        evconnlistener_free(rig->listener);
    }
    event_base_free(rig->base);
}

static struct fetch_request get(const struct rig *rig, const char *host)
{
    return (struct fetch_request){.method = "GET",
                                  .host = host,
                                  .port = rig->port,
                                  .target = "/health",
                                  .timeout_ms = 2000,
                                  .bytes_max = 100};
}

static void run(struct rig *rig, const struct fetch_request *request)
{
    assert_non_null(fetch_start(rig->base, NULL, request, on_done, rig));
    assert_int_equal(rig->done_count, 0);
    (void)event_base_dispatch(rig->base);
    assert_int_equal(rig->done_count, 1);
}

static void answer_comes_with_status_body_and_headers(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 2\r\n\r\nhi");
    const struct fetch_request request = get(&rig, "127.0.0.1");
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_OK);
    assert_int_equal(rig.status, 200);
    assert_string_equal(rig.body, "hi");
    assert_string_equal(rig.etag, "\"x\"");
    assert_string_equal(rig.error, "");
    char host[64];
    (void)snprintf(host, sizeof(host), "Host: 127.0.0.1:%u\r\n", rig.port);
    assert_non_null(strstr(rig.seen, host));
    assert_ptr_equal(strstr(rig.seen, "GET /health HTTP/1.1\r\n"), rig.seen);
    assert_null(strstr(rig.seen, "Content-Length"));
    rig_fini(&rig);
}

static void a_name_is_tried_at_each_of_its_addresses(void **state)
{
    (void)state;
    struct rig rig;
    /* localhost may be ::1 first, where nobody listens. */
    rig_init(&rig, "HTTP/1.1 204 No Content\r\n\r\n");
    const struct fetch_request request = get(&rig, "localhost");
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_OK);
    assert_int_equal(rig.status, 204);
    rig_fini(&rig);
}

static void a_name_is_resolved_on_the_loop_by_the_resolver_given(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    const struct dns_config config = {.base = rig.base, .timeout_ms = 1000};
    struct dns *dns = dns_new(&config);
    assert_non_null(dns);
    const struct fetch_request request = get(&rig, "localhost");
    assert_non_null(fetch_start(rig.base, dns, &request, on_done, &rig));
    assert_int_equal(rig.done_count, 0);
    const uint64_t until = patience_begins();
    while (rig.done_count == 0 && patience_now_ms() < until) {
        assert_int_equal(event_base_loop(rig.base, EVLOOP_ONCE), 0);
    }
    assert_int_equal(rig.done_count, 1);
    assert_int_equal(rig.rc, RC_OK);
    assert_string_equal(rig.body, "hi");
    dns_free(dns);
    rig_fini(&rig);
}

static void a_fetch_cancelled_during_its_lookup_leaves_nothing_behind(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    const struct dns_config config = {.base = rig.base, .timeout_ms = 1000};
    struct dns *dns = dns_new(&config);
    assert_non_null(dns);
    const struct fetch_request request = get(&rig, "no-such-host.invalid");
    fetch_cancel(fetch_start(rig.base, dns, &request, on_done, &rig));
    dns_free(dns);
    assert_int_equal(rig.done_count, 0);
    rig_fini(&rig);
}

static void put_sends_its_body_and_length_even_when_empty(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    const struct fetch_header ttl = {"X-TTL", "10"};
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.method = "PUT";
    request.headers = &ttl;
    request.header_count = 1;
    run(&rig, &request);
    assert_int_equal(rig.status, 201);
    assert_non_null(strstr(rig.seen, "Content-Length: 0\r\n"));
    assert_non_null(strstr(rig.seen, "X-TTL: 10\r\n"));
    rig_fini(&rig);
}

/* ---- Addresses that swallow packets ---- */

static int silent_connects; /* how many of the next connects hear nothing */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
int __real_connect(int fd, const struct sockaddr *sa, socklen_t sa_len);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t sa_len);

/* In the socket's place comes what is never writable: a counter that is full. */
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t sa_len)
{
    if (silent_connects == 0) {
        return __real_connect(fd, sa, sa_len);
    }
    const uint64_t full = UINT64_MAX - 1;
    const int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(write(counter, &full, sizeof(full)), sizeof(full));
    assert_int_equal(dup3(counter, fd, O_CLOEXEC), fd);
    (void)close(counter);
    silent_connects--;
    errno = EINPROGRESS;
    return -1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

static void check_silent_addresses(const char *host, uint32_t connect_ms, int count, uint64_t us)
{
    struct rig rig;
    rig_init(&rig, NULL);
    struct fetch_request request = get(&rig, host);
    request.timeout_ms = 1001;
    request.connect_ms = connect_ms;
    silent_connects = count;
    own_clock_is_skipping = true;
    const uint64_t began_us = own_clock_us;
    run(&rig, &request);
    own_clock_is_skipping = false;
    assert_int_equal(silent_connects, 0);
    assert_int_equal(own_clock_us - began_us, us); /* and not the request's own end */
    assert_false(rig.was_sent);
    assert_int_equal(rig.rc, RC_TIMEOUT);
    assert_non_null(strstr(rig.error, count > 1 ? "[::1]:" : "127.0.0.1:"));
    assert_non_null(strstr(rig.error, strerror(ETIMEDOUT)));
    rig_fini(&rig);
}

static void each_address_of_a_name_has_its_share_of_the_time(void **state)
{
    (void)state;
    check_silent_addresses("localhost", 0, 2, 1000000);
    check_silent_addresses("localhost", 501, 2, 1000000); /* more than the share */
}

static void an_address_has_no_more_time_than_is_given_for_a_connection(void **state)
{
    (void)state;
    check_silent_addresses("localhost", 300, 2, 600000);
    check_silent_addresses("127.0.0.1", 300, 1, 300000);
}

static void nobody_there_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    const int deaf = hold_deaf_port(&rig.port);
    assert_true(deaf >= 0);
    const struct fetch_request request = get(&rig, "127.0.0.1");
    run(&rig, &request);
    (void)close(deaf);
    assert_int_equal(rig.rc, RC_REFUSED);
    assert_false(rig.was_sent);
    assert_int_equal(rig.status, 0);
    assert_non_null(strstr(rig.error, "127.0.0.1"));
    rig_fini(&rig);
}

static void silence_is_a_timeout(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    struct fetch_request request = get(&rig, "127.0.0.1");
    const uint64_t began_us = own_clock_us;
    request.timeout_ms = 1030;
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_TIMEOUT);
    assert_true(rig.was_sent);
    const uint64_t after_us = own_clock_us - began_us;
    assert_true(after_us >= 1030000 && after_us < 1100000);
    rig_fini(&rig);
}

static void answer_larger_than_allowed_is_too_long(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.bytes_max = 4;
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_TOO_LONG);
    rig_fini(&rig);
}

static bool take_piece(void *arg, const uint8_t *data, size_t len)
{
    char *text = arg;
    const size_t before = strlen(text);
    assert_true(before + len < 256);
    memcpy(text + before, data, len);
    text[before + len] = '\0';
    return strcmp(text, "enough") != 0;
}

static void a_body_that_is_taken_as_it_comes_is_not_collected(void **state)
{
    (void)state;
    struct rig rig;
    char text[256] = "";
    rig_init(&rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.piece = take_piece;
    request.piece_arg = text;
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_OK);
    assert_string_equal(text, "hello world");
    assert_string_equal(rig.body, "");
    rig_fini(&rig);
}

static void a_body_that_nobody_wants_any_more_ends_the_exchange(void **state)
{
    (void)state;
    struct rig rig;
    char text[256] = "";
    rig_init(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nenough");
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.piece = take_piece;
    request.piece_arg = text;
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_MALFORMED);
    assert_string_equal(text, "enough");
    rig_fini(&rig);
}

static void what_is_no_200_is_collected_all_the_same(void **state)
{
    (void)state;
    struct rig rig;
    char text[256] = "";
    rig_init(&rig, "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nhello");
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.piece = take_piece;
    request.piece_arg = text;
    run(&rig, &request);
    assert_int_equal(rig.status, 503);
    assert_string_equal(text, "");
    assert_string_equal(rig.body, "hello");
    rig_fini(&rig);
}

static void answer_cut_short_is_an_io_error(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
    const struct fetch_request request = get(&rig, "127.0.0.1");
    run(&rig, &request);
    assert_int_equal(rig.rc, RC_IO);
    assert_string_equal(rig.error, "the connection ended before the answer did");
    rig_fini(&rig);
}

static void a_server_that_does_not_speak_tls_is_an_io_error(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.is_tls = true;
    request.timeout_ms = 300; /* the rig waits for a head, which a handshake never has */
    run(&rig, &request);
    assert_true(rig.rc == RC_IO || rig.rc == RC_TIMEOUT);
    rig_fini(&rig);
}

static void a_cancelled_fetch_says_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    const struct fetch_request request = get(&rig, "127.0.0.1");
    fetch_cancel(fetch_start(rig.base, NULL, &request, on_done, &rig));
    (void)event_base_loop(rig.base, EVLOOP_NONBLOCK);
    assert_int_equal(rig.done_count, 0);
    rig_fini(&rig);
}

static void requests_that_would_break_their_line_cannot_be_made(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, NULL);
    struct fetch_request request = get(&rig, "127.0.0.1");
    request.target = "/a b";
    assert_null(fetch_start(rig.base, NULL, &request, on_done, &rig));
    request = get(&rig, "127.0.0.1\r\nX: y");
    assert_null(fetch_start(rig.base, NULL, &request, on_done, &rig));
    const struct fetch_header bad = {"X-A", "1\r\nX-B: 2"};
    request = get(&rig, "127.0.0.1");
    request.headers = &bad;
    request.header_count = 1;
    assert_null(fetch_start(rig.base, NULL, &request, on_done, &rig));
    request = get(&rig, "127.0.0.1");
    request.method = "BREW";
    assert_null(fetch_start(rig.base, NULL, &request, on_done, &rig));
    assert_int_equal(fetch_wait(&request, NULL, NULL), RC_IO);
    rig_fini(&rig);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_comes_with_status_body_and_headers),
        cmocka_unit_test(a_name_is_tried_at_each_of_its_addresses),
        cmocka_unit_test(a_name_is_resolved_on_the_loop_by_the_resolver_given),
        cmocka_unit_test(a_fetch_cancelled_during_its_lookup_leaves_nothing_behind),
        cmocka_unit_test(put_sends_its_body_and_length_even_when_empty),
        cmocka_unit_test(each_address_of_a_name_has_its_share_of_the_time),
        cmocka_unit_test(an_address_has_no_more_time_than_is_given_for_a_connection),
        cmocka_unit_test(nobody_there_is_refused),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(answer_larger_than_allowed_is_too_long),
        cmocka_unit_test(a_body_that_is_taken_as_it_comes_is_not_collected),
        cmocka_unit_test(a_body_that_nobody_wants_any_more_ends_the_exchange),
        cmocka_unit_test(what_is_no_200_is_collected_all_the_same),
        cmocka_unit_test(answer_cut_short_is_an_io_error),
        cmocka_unit_test(a_server_that_does_not_speak_tls_is_an_io_error),
        cmocka_unit_test(a_cancelled_fetch_says_nothing),
        cmocka_unit_test(requests_that_would_break_their_line_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
