/*
 * peer_link_rig: a link under test, with a plain socket at its other end, a kernel that the test
 * plays, and a clock of the test's own.
 */
#ifndef TESTS_UNIT_PEER_LINK_RIG_H
#define TESTS_UNIT_PEER_LINK_RIG_H

#include "net/discovery/claim.h"
#include "net/link/peer_link.h"
#include "net/sys/sockaddr.h"
#include "own_clock.h"
#include "patience.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 4096, DIAL_MS = 2000 };

#define ACCEPTED \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: repram-gossip/1\r\n\r\n"

/* A link under test, and at the other end a plain socket that answers as the test says. */
struct scene {
    struct event_base *base;
    struct claim claim;
    struct addr at;
    struct peer_link_key key; /* that it is dialed with */
    struct peer_link *link;
    struct event *accepting;
    const char *answer; /* what the other end sends on accept; NULL nothing */
    bool is_closing;    /* ... and then closes */
    int other;          /* the accepted socket; -1 */
    size_t ups, downs, finishes, drains;
    enum link_end why;
    char input[INPUT_MAX];
    size_t input_len;
    bool is_stopped_by_input;
    bool is_told; /* an event that run() waits for */
    struct blob_room rooms[BLOB_ROOMS_MAX];
    size_t room_count;
    bool is_late; /* this turn of the loop has no time left */
};

static bool is_next_connected_to_itself;
static int connect_error; /* of the next connect; 0: the kernel decides */

/* The kernel of the link as a test plays it: how many bytes it still takes, and how many it has for
 * the link. */
static size_t kernel_room = SIZE_MAX, kernel_input;

/* These stand before the C library's, for the code under test. */
int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t self_len = sizeof(self);
    if (connect_error != 0) {
        errno = connect_error;
        return -1;
    }
    if (!is_next_connected_to_itself) {
        return (int)syscall(SYS_connect, fd, to, len);
    }
    is_next_connected_to_itself = false;
    if (bind(fd, (const struct sockaddr *)&self, self_len) != 0 ||
        getsockname(fd, (struct sockaddr *)&self, &self_len) != 0) {
        return -1;
    }
    return (int)syscall(SYS_connect, fd, &self, self_len);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    const size_t taken = len < kernel_room ? len : kernel_room;
    if (taken == 0 && len > 0) {
        errno = EAGAIN;
        return -1;
    }
    kernel_room -= kernel_room == SIZE_MAX ? 0 : taken;
    return syscall(SYS_sendto, fd, data, taken, flags, NULL, 0);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    const size_t len = size < kernel_input ? size : kernel_input;
    if (len == 0) {
        return syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
    }
    memset(to, 'k', len);
    kernel_input -= len;
    return (ssize_t)len;
}

static inline void on_up(void *arg, struct peer_link *l)
{
    struct scene *s = arg;
    (void)l;
    s->ups++;
    s->is_told |= !s->is_stopped_by_input;
}

static inline void on_input(void *arg, struct peer_link *l, const uint8_t *data, size_t len)
{
    struct scene *s = arg;
    (void)l;
    if (s->input_len + len < INPUT_MAX) {
        memcpy(s->input + s->input_len, data, len);
    }
    s->input_len += len;
    s->is_told = true;
}

static inline void on_drained(void *arg, struct peer_link *l)
{
    struct scene *s = arg;
    (void)l;
    s->drains++;
    s->is_told = true;
}

static inline void on_down(void *arg, struct peer_link *l, enum link_end why)
{
    struct scene *s = arg;
    (void)l;
    s->downs++;
    s->why = why;
    s->link = NULL;
    s->is_told = true;
}

static inline void on_finished(void *arg, struct peer_link *l)
{
    struct scene *s = arg;
    (void)l;
    s->finishes++;
    s->link = NULL;
    s->is_told = true;
}

static inline bool on_has_time(void *arg)
{
    const struct scene *s = arg;
    return !s->is_late;
}

static inline size_t on_rooms(void *arg, struct peer_link *l, struct blob_room *ret_rooms)
{
    const struct scene *s = arg;
    (void)l;
    memcpy(ret_rooms, s->rooms, s->room_count * sizeof(*ret_rooms));
    return s->room_count;
}

static const struct peer_link_hooks hooks = {.up = on_up,
                                             .rooms = on_rooms,
                                             .input = on_input,
                                             .drained = on_drained,
                                             .down = on_down,
                                             .finished = on_finished,
                                             .has_time = on_has_time};

static inline void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct scene *s = arg;
    (void)what;
    s->other = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (s->answer != NULL) {
        (void)send(s->other, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    }
    if (s->is_closing) {
        (void)shutdown(s->other, SHUT_WR);
    }
}

static inline int setup(void **state)
{
    static const struct addr any = {.port = 0};
    struct scene *s = calloc(1, sizeof(*s));
    struct claim_failure failure;
    s->base = event_base_new();
    s->other = -1;
    kernel_room = SIZE_MAX;
    kernel_input = 0;
    assert_int_equal(claim_port(&any, 0, &s->claim, &failure), RC_OK);
    s->at = addr_v4((const uint8_t[]){127, 0, 0, 1}, s->claim.port);
    s->accepting = event_new(s->base, s->claim.tcp_fd, EV_READ, on_accept, s);
    event_add(s->accepting, NULL);
    *state = s;
    return 0;
}

static inline int teardown(void **state)
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

/* One turn of the loop; false when our patience is at its end. */
static inline bool turn(struct scene *s, uint64_t until_ms)
{
    (void)event_base_loop(s->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    return patience_lasts(until_ms);
}

/* Waits until a callback has come, while the clock passes. */
static inline void run(struct scene *s)
{
    const uint64_t until = patience_begins();
    s->is_told = false;
    while (turn(s, until) && !s->is_told) {
        own_clock_pass_ms(PATIENCE_REST_MS);
    }
}

static inline void dial(struct scene *s)
{
    s->link = peer_link_dial(s->base, 7, &s->at, &s->key, &hooks, s);
    run(s);
}

/* Reads the other end's request for the upgrade. */
static inline void take_request(struct scene *s)
{
    const uint64_t until = patience_begins();
    char request[512] = "";
    size_t len = 0;
    while (strstr(request, "\r\n\r\n") == NULL && turn(s, until)) {
        const ssize_t n = recv(s->other, request + len, sizeof(request) - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
        request[len] = '\0';
    }
    assert_ptr_equal(strstr(request, "GET /gossip HTTP/1.1\r\n"), request);
}

#endif
