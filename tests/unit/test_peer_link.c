#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/claim.h"
#include "net/peer_link.h"
#include "net/sockaddr.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATIENCE_S = 5, INPUT_MAX = 4096 };

#define ACCEPTED \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n"

/* A link under test, and at the other end a plain socket that answers as it is told to. */
struct scene {
    struct event_base *base;
    struct claim claim;
    struct addr at;
    struct peer_link *link;
    struct event *accepting;
    const char *answer; /* what the other end sends on accept; NULL nothing */
    bool is_closing;    /* ... and then closes */
    int other;          /* the accepted socket; -1 */
    size_t ups, downs, finishes, drains;
    enum link_end why;
    struct addr seen_as;
    char input[INPUT_MAX];
    size_t input_len;
    bool is_stopped_by_input;
    bool is_late; /* this turn of the loop has no time left */
};

/* The address that the next socket is bound to; NULL leaves it alone. */
static const struct addr *bind_next_socket_to;

/* Stands before the C library's, for the code under test. */
int socket(int domain, int type, int protocol)
{
    const int fd = (int)syscall(SYS_socket, domain, type, protocol);
    if (fd >= 0 && bind_next_socket_to != NULL) {
        struct sockaddr_storage sa;
        const socklen_t sa_len = sockaddr_from(bind_next_socket_to, domain, &sa);
        bind_next_socket_to = NULL;
        (void)bind(fd, (const struct sockaddr *)&sa, sa_len);
    }
    return fd;
}

static void on_up(void *arg, struct peer_link *l, const struct addr *seen_as)
{
    struct scene *s = arg;
    (void)l;
    s->ups++;
    s->seen_as = *seen_as;
    if (!s->is_stopped_by_input) {
        event_base_loopbreak(s->base);
    }
}

static void on_input(void *arg, struct peer_link *l, const uint8_t *data, size_t len)
{
    struct scene *s = arg;
    (void)l;
    if (s->input_len + len < INPUT_MAX) {
        memcpy(s->input + s->input_len, data, len);
    }
    s->input_len += len;
    event_base_loopbreak(s->base);
}

static void on_drained(void *arg, struct peer_link *l)
{
    struct scene *s = arg;
    (void)l;
    s->drains++;
    event_base_loopbreak(s->base);
}

static void on_down(void *arg, struct peer_link *l, enum link_end why)
{
    struct scene *s = arg;
    (void)l;
    s->downs++;
    s->why = why;
    s->link = NULL;
    event_base_loopbreak(s->base);
}

static void on_finished(void *arg, struct peer_link *l)
{
    struct scene *s = arg;
    (void)l;
    s->finishes++;
    s->link = NULL;
    event_base_loopbreak(s->base);
}

static bool on_has_time(void *arg)
{
    const struct scene *s = arg;
    return !s->is_late;
}

static const struct peer_link_hooks hooks = {on_up,   on_input,    on_drained,
                                             on_down, on_finished, on_has_time};

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct scene *s = arg;
    (void)what;
    s->other = accept(fd, NULL, NULL);
    if (s->answer != NULL) {
        (void)send(s->other, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    }
    if (s->is_closing) {
        (void)shutdown(s->other, SHUT_WR);
    }
}

static int setup(void **state)
{
    static const struct addr any = {.port = 0};
    struct scene *s = calloc(1, sizeof(*s));
    struct claim_failure failure;
    s->base = event_base_new();
    s->other = -1;
    assert_int_equal(claim_port(&any, 0, &s->claim, &failure), RC_OK);
    s->at = addr_v4((const uint8_t[]){127, 0, 0, 1}, s->claim.port);
    s->accepting = event_new(s->base, s->claim.tcp_fd, EV_READ, on_accept, s);
    event_add(s->accepting, NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    peer_link_free(s->link);
    event_free(s->accepting);
    if (s->other >= 0) {
        close(s->other);
    }
    claim_release(&s->claim);
    event_base_free(s->base);
    free(s);
    return 0;
}

static void run(struct scene *s)
{
    const struct timeval limit = {.tv_sec = PATIENCE_S};
    event_base_loopexit(s->base, &limit);
    event_base_dispatch(s->base);
}

static void dial(struct scene *s)
{
    s->link = peer_link_dial(s->base, 7, &s->at, &hooks, s);
    run(s);
}

static void dial_that_is_upgraded_comes_up(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    assert_int_equal(s->ups, 1);
    assert_int_equal(s->downs, 0);
    assert_true(peer_link_is_up(s->link));
    assert_true(addr_is_loopback(&s->seen_as));
    char request[512];
    const ssize_t len = recv(s->other, request, sizeof(request) - 1, 0);
    assert_true(len > 0);
    request[len] = '\0';
    assert_non_null(strstr(request, "GET /gossip HTTP/1.1\r\n"));
}

static void bytes_after_the_answer_are_input(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED "frames";
    s->is_stopped_by_input = true;
    dial(s);
    assert_int_equal(s->ups, 1);
    assert_int_equal(s->input_len, 6);
    assert_memory_equal(s->input, "frames", 6);
}

static void dial_to_nobody_is_refused(void **state)
{
    struct scene *s = *state;
    event_del(s->accepting);
    claim_release(&s->claim);
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_REFUSED);
}

/* As the kernel may do it to a dial into the range that it takes ephemeral ports from. */
static void dial_that_reaches_itself_is_told_apart(void **state)
{
    struct scene *s = *state;
    event_del(s->accepting);
    claim_release(&s->claim);
    bind_next_socket_to = &s->at;
    dial(s);
    assert_null(bind_next_socket_to);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_SELF);
    assert_int_equal(s->ups, 0);
}

/* A full queue of a listener swallows what asks for a connection, like a firewall. */
static void dial_that_nobody_answers_times_out(void **state)
{
    struct scene *s = *state;
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(&s->at, AF_INET, &sa);
    int fillers[3];
    event_del(s->accepting);
    assert_int_equal(listen(s->claim.tcp_fd, 0), 0);
    for (size_t i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (const struct sockaddr *)&sa, sa_len);
    }
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_TIMEOUT);
    for (size_t i = 0; i < 3; i++) {
        close(fillers[i]);
    }
}

static void dial_answered_by_another_program_is_rejected(void **state)
{
    struct scene *s = *state;
    s->answer = "SSH-2.0-x\r\n";
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_REJECTED);
    assert_int_equal(s->ups, 0);
}

static void dial_answered_by_another_status_is_rejected(void **state)
{
    struct scene *s = *state;
    s->answer = "HTTP/1.1 404 Not Found\r\n\r\n";
    dial(s);
    assert_int_equal(s->why, LINK_END_REJECTED);
}

static void dial_that_is_hung_up_on_ends(void **state)
{
    struct scene *s = *state;
    s->is_closing = true;
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_EOF);
}

static void link_whose_peer_closes_ends_in_eof(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    (void)shutdown(s->other, SHUT_WR);
    run(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_EOF);
}

static void link_whose_peer_crashes_ends_in_a_reset(void **state)
{
    struct scene *s = *state;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    s->answer = ACCEPTED;
    dial(s);
    (void)setsockopt(s->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(s->other);
    s->other = -1;
    run(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_RESET);
}

/* Reads at the other end until it has `len` bytes or the link ends. */
static size_t drain_other(int fd, size_t len)
{
    size_t got = 0;
    char bytes[65536];
    while (got < len) {
        const ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    return got;
}

/* Finishes a link with much to send; the other end reads it all, sees the end, and closes. */
static void finish_and_read(struct scene *s)
{
    static const uint8_t bytes[1 << 20];
    char byte = 0;
    assert_int_equal(peer_link_write(s->link, bytes, sizeof(bytes)), RC_OK);
    peer_link_finish(s->link);
    size_t got = 0;
    for (int turns = 0; turns < 100000 && got < sizeof(bytes); turns++) {
        event_base_loop(s->base, EVLOOP_NONBLOCK);
        got += drain_other(s->other, sizeof(bytes));
    }
    assert_int_equal(got, sizeof(bytes));
    event_base_loop(s->base, EVLOOP_NONBLOCK);
    assert_int_equal(s->finishes, 0);
    assert_int_equal(recv(s->other, &byte, 1, 0), 0);
    close(s->other);
    s->other = -1;
    run(s);
    assert_int_equal(s->finishes, 1);
    assert_int_equal(s->downs, 0);
}

static void finished_link_sends_what_it_had(void **state)
{
    struct scene *s = *state;
    char request[512];
    s->answer = ACCEPTED;
    dial(s);
    assert_true(recv(s->other, request, sizeof(request), 0) > 0);
    finish_and_read(s);
}

static void finished_link_drops_what_still_comes_and_cuts_nothing_off(void **state)
{
    struct scene *s = *state;
    static const uint8_t unread[100000];
    char request[512];
    s->answer = ACCEPTED;
    dial(s);
    assert_true(recv(s->other, request, sizeof(request), 0) > 0);
    assert_int_equal(send(s->other, unread, sizeof(unread), 0), sizeof(unread));
    finish_and_read(s);
    assert_int_equal(s->input_len, 0);
}

static void finished_dial_ends_without_a_word(void **state)
{
    struct scene *s = *state;
    s->link = peer_link_dial(s->base, 7, &s->at, &hooks, s);
    peer_link_finish(s->link);
    run(s);
    assert_int_equal(s->finishes, 1);
    assert_int_equal(s->downs + s->ups, 0);
}

static void drained_is_told_once_when_asked(void **state)
{
    struct scene *s = *state;
    static const uint8_t bytes[PEER_LINK_LOW_BYTES];
    s->answer = ACCEPTED;
    dial(s);
    while (peer_link_pending(s->link) < PEER_LINK_LOW_BYTES) { /* what the kernel takes is gone */
        assert_int_equal(peer_link_write(s->link, bytes, sizeof(bytes)), RC_OK);
    }
    peer_link_ask_drained(s->link);
    for (int turns = 0; turns < 10000 && s->drains == 0; turns++) {
        event_base_loop(s->base, EVLOOP_NONBLOCK);
        (void)drain_other(s->other, sizeof(bytes));
    }
    assert_int_equal(s->drains, 1);
    assert_true(peer_link_pending(s->link) <= PEER_LINK_LOW_BYTES / 2);
    assert_int_equal(peer_link_write(s->link, bytes, 10), RC_OK);
    for (int turns = 0; turns < 100 && peer_link_pending(s->link) > 0; turns++) {
        event_base_loop(s->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(peer_link_pending(s->link), 0);
    assert_int_equal(s->drains, 1);
}

static void adopted_link_delivers_what_was_read_before(void **state)
{
    struct scene *s = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    struct bufferevent *bev = bufferevent_socket_new(s->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    bufferevent_enable(bev, EV_READ);
    assert_int_equal(send(ends[1], "early", 5, 0), 5);
    event_base_loop(s->base, EVLOOP_ONCE);
    s->other = ends[1];
    s->link = peer_link_adopt(s->base, 9, bev, &hooks, s);
    assert_int_equal(peer_link_id(s->link), 9);
    peer_link_read(s->link);
    assert_int_equal(s->input_len, 5);
    assert_int_equal(send(ends[1], "late", 4, 0), 4);
    run(s);
    assert_memory_equal(s->input, "earlylate", 9);
}

static void a_link_reads_little_in_a_turn_that_has_no_time_left_and_the_rest_later(void **state)
{
    struct scene *s = *state;
    static const uint8_t sent[60000];
    s->answer = ACCEPTED;
    dial(s);
    assert_true(peer_link_is_up(s->link));
    assert_int_equal(send(s->other, sent, sizeof(sent), 0), sizeof(sent));
    s->is_late = true;
    assert_int_equal(event_base_loop(s->base, EVLOOP_ONCE), 0);
    assert_in_range(s->input_len, 1, 4096);
    s->is_late = false;
    assert_int_equal(event_base_loop(s->base, EVLOOP_ONCE), 0);
    assert_int_equal(s->input_len, sizeof(sent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dial_that_is_upgraded_comes_up, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_after_the_answer_are_input, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_to_nobody_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_that_reaches_itself_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_that_nobody_answers_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_answered_by_another_program_is_rejected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dial_answered_by_another_status_is_rejected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dial_that_is_hung_up_on_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(link_whose_peer_closes_ends_in_eof, setup, teardown),
        cmocka_unit_test_setup_teardown(link_whose_peer_crashes_ends_in_a_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(finished_link_sends_what_it_had, setup, teardown),
        cmocka_unit_test_setup_teardown(finished_link_drops_what_still_comes_and_cuts_nothing_off,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(finished_dial_ends_without_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(drained_is_told_once_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(adopted_link_delivers_what_was_read_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_link_reads_little_in_a_turn_that_has_no_time_left_and_the_rest_later, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
