#include "net/link/peer_link.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/link/upgrade.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 2000, /* one lost SYN is sent again after 1 s */
    ANSWER_TIMEOUT_MS = 2000,
    FINISH_TIMEOUT_MS = 5000,
    READ_RUNS_MAX = 8,           /* contiguous runs looked at in one go */
    FIRST_READ_BYTES = 4 * 1024, /* a read that fills it has more behind it */
    NEXT_READ_BYTES = 16 * 1024,
    READ_TURN_BYTES = 64 * 1024, /* of one link, so that a bulk transfer starves nobody */
    /* The failure detector is far quicker; this only frees a link that it left behind. */
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 3,
    UNACKED_TIMEOUT_MS = 10000,
};

enum peer_link_state { DIALING, ASKING, UP, CLOSING };

struct peer_link {
    uint32_t id;
    enum peer_link_state state;
    bool is_reported; /* `down` or `finished` is being called */
    bool is_drained_asked;
    bool is_writing; /* the loop writes: the kernel did not take all at once */
    struct addr to;
    struct event_base *base;
    struct bufferevent *bev; /* NULL while connecting; has what the kernel did not take */
    struct event *connecting;
    struct event *reading; /* while there is a bev */
    struct event *timer;
    int fd; /* while connecting; else -1 */
    enum link_end why;
    const struct peer_link_hooks *hooks;
    void *arg;
};

uint32_t peer_link_id(const struct peer_link *l)
{
    return l->id;
}

bool peer_link_is_up(const struct peer_link *l)
{
    return l->state == UP;
}

size_t peer_link_pending(const struct peer_link *l)
{
    return l->bev == NULL ? 0 : evbuffer_get_length(bufferevent_get_output(l->bev));
}

void peer_link_free(struct peer_link *l)
{
    if (l == NULL) {
        return;
    }
    if (l->connecting != NULL) {
        event_free(l->connecting);
    }
    if (l->reading != NULL) {
        event_free(l->reading);
    }
    if (l->bev != NULL) {
        bufferevent_free(l->bev);
    }
    if (l->fd >= 0) {
        (void)close(l->fd);
    }
    event_free(l->timer);
    free(l);
}

/* Tells the end, once, and is gone. */
static void peer_link_end(struct peer_link *l, enum link_end why)
{
    ASSERT(!l->is_reported);
    l->is_reported = true;
    if (l->state == CLOSING) {
        l->hooks->finished(l->arg, l);
    } else {
        l->hooks->down(l->arg, l, why);
    }
    peer_link_free(l);
}

static void arm(struct peer_link *l, uint32_t ms)
{
    const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    ASSERT(event_add(l->timer, &after) == 0);
}

/* Ends the link from the loop's next turn: for what is noticed while somebody calls us. */
static void end_soon(struct peer_link *l, enum link_end why)
{
    l->why = why;
    arm(l, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct peer_link *l = arg;
    (void)fd;
    (void)what;
    peer_link_end(l, l->why);
}

static enum link_end end_of_error(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return LINK_END_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return LINK_END_RESET;
    case EHOSTUNREACH:
        return LINK_END_NO_HOST;
    case ENETUNREACH:
        return LINK_END_NO_NET;
    case EACCES:
    case EPERM:
        return LINK_END_DENIED;
    case EMFILE:
    case ENFILE:
        return LINK_END_NO_FD;
    default:
        return LINK_END_TIMEOUT;
    }
}

/* ---- Bytes ---- */

/* False when the answer is not here yet or the link has ended. */
static bool take_answer(struct peer_link *l)
{
    struct evbuffer *in = bufferevent_get_input(l->bev);
    const size_t have = evbuffer_get_length(in);
    const size_t looked_at = have < UPGRADE_ANSWER_MAX ? have : UPGRADE_ANSWER_MAX;
    size_t head_len = 0;
    const enum rc rc =
        upgrade_parse_answer(evbuffer_pullup(in, (ev_ssize_t)looked_at), looked_at, &head_len);
    if (rc == RC_AGAIN) {
        return false;
    }
    if (rc != RC_OK) {
        peer_link_end(l, LINK_END_REJECTED);
        return false;
    }
    (void)evbuffer_drain(in, head_len);
    (void)event_del(l->timer);
    l->state = UP;
    l->hooks->up(l->arg, l);
    return true;
}

void peer_link_read(struct peer_link *l)
{
    struct evbuffer *in = bufferevent_get_input(l->bev);
    while (l->state == UP && evbuffer_get_length(in) > 0) {
        struct evbuffer_iovec runs[READ_RUNS_MAX];
        const int found = evbuffer_peek(in, -1, NULL, runs, READ_RUNS_MAX);
        const int count = found < READ_RUNS_MAX ? found : READ_RUNS_MAX;
        size_t len = 0;
        for (int i = 0; i < count && l->state == UP; i++) {
            l->hooks->input(l->arg, l, runs[i].iov_base, runs[i].iov_len);
            len += runs[i].iov_len;
        }
        (void)evbuffer_drain(in, len);
    }
}

static void take(struct peer_link *l, const uint8_t *data, size_t len)
{
    if (l->state == UP) {
        l->hooks->input(l->arg, l, data, len);
    } else if (l->state == ASKING) {
        if (evbuffer_add(bufferevent_get_input(l->bev), data, len) != 0) {
            peer_link_end(l, LINK_END_REJECTED);
        } else if (take_answer(l)) {
            peer_link_read(l);
        }
    }
}

/* Reads past the bufferevent, which takes two system calls and an allocation for each 4 KiB. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct peer_link *l = arg;
    uint8_t room[NEXT_READ_BYTES];
    size_t wanted = FIRST_READ_BYTES;
    size_t total = 0;
    (void)what;
    for (;;) {
        const ssize_t len = recv(fd, room, wanted, 0);
        if (len == 0) {
            peer_link_end(l, LINK_END_EOF);
            return;
        }
        if (len < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                peer_link_end(l, errno == ETIMEDOUT ? LINK_END_TIMEOUT : LINK_END_RESET);
            }
            return;
        }
        const bool is_up = l->state == UP;
        take(l, room, (size_t)len);
        total += (size_t)len;
        if (!is_up || (size_t)len < wanted || total >= READ_TURN_BYTES ||
            !l->hooks->has_time(l->arg)) {
            return; /* a link that was not up may be gone */
        }
        wanted = NEXT_READ_BYTES;
    }
}

static void set_writing(struct peer_link *l, bool is_writing)
{
    if (l->is_writing != is_writing) {
        l->is_writing = is_writing;
        (void)(is_writing ? bufferevent_enable(l->bev, EV_WRITE)
                          : bufferevent_disable(l->bev, EV_WRITE));
    }
}

/* The kernel has everything. Closing a socket that has unread input resets it, and a reset drops
 * what was sent last. So only our side is closed now. The rest is closed when the peer, which has
 * read everything by then, closes its own side. */
static void say_goodbye(struct peer_link *l)
{
    (void)shutdown(bufferevent_getfd(l->bev), SHUT_WR);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct peer_link *l = arg;
    (void)bev;
    set_writing(l, peer_link_pending(l) > 0);
    if (l->state == UP && l->is_drained_asked) {
        l->is_drained_asked = false;
        l->hooks->drained(l->arg, l);
    } else if (l->state == CLOSING && peer_link_pending(l) == 0) {
        say_goodbye(l);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct peer_link *l = arg;
    const int error = EVUTIL_SOCKET_ERROR();
    (void)bev;
    if ((what & BEV_EVENT_ERROR) != 0) {
        peer_link_end(l, error == ETIMEDOUT ? LINK_END_TIMEOUT : LINK_END_RESET);
    }
}

enum rc peer_link_write(struct peer_link *l, const void *data, size_t len)
{
    ASSERT(l->state == UP);
    /* Past the bufferevent, which would copy it and wait for writability first. An error is left
     * for it to find. */
    const ssize_t sent =
        l->is_writing ? 0 : send(bufferevent_getfd(l->bev), data, len, MSG_NOSIGNAL);
    const size_t taken = sent > 0 ? (size_t)sent : 0;
    if (taken < len && bufferevent_write(l->bev, (const uint8_t *)data + taken, len - taken) != 0) {
        return RC_NO_MEMORY;
    }
    set_writing(l, taken < len || l->is_writing);
    return RC_OK;
}

void peer_link_ask_drained(struct peer_link *l)
{
    l->is_drained_asked = true;
}

void peer_link_finish(struct peer_link *l)
{
    ASSERT(l->state != CLOSING);
    const bool is_up = l->state == UP;
    l->state = CLOSING;
    if (!is_up) {
        arm(l, 0);
        return;
    }
    arm(l, FINISH_TIMEOUT_MS);
    bufferevent_setwatermark(l->bev, EV_WRITE, 0, 0);
    if (peer_link_pending(l) == 0) {
        say_goodbye(l);
    }
}

/* ---- Connecting ---- */

/* Latency before bandwidth, and an end to what is silently gone. All best effort. */
static void tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_TIMEOUT_MS},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
    }
}

static void open_stream(struct peer_link *l)
{
    const int fd = bufferevent_getfd(l->bev);
    tune(fd);
    (void)bufferevent_set_timeouts(l->bev, NULL, NULL);
    bufferevent_setwatermark(l->bev, EV_WRITE, PEER_LINK_LOW_BYTES / 2, 0);
    (void)bufferevent_set_max_single_write(l->bev, PEER_LINK_LOW_BYTES);
    bufferevent_setcb(l->bev, NULL, on_written, on_event, l);
    (void)bufferevent_disable(l->bev, EV_READ | EV_WRITE);
    /* A bufferevent freezes the end of its input against everybody but itself. */
    (void)evbuffer_unfreeze(bufferevent_get_input(l->bev), 0);
    l->reading = event_new(l->base, fd, EV_READ | EV_PERSIST, on_readable, l);
    ASSERT(l->reading != NULL && event_add(l->reading, NULL) == 0);
}

/* A connect to a free port of the ephemeral range can meet itself: then both ends are equal. */
static bool is_self_connected(int fd)
{
    struct addr local, peer;
    return sockaddr_local(fd, &local) == RC_OK && sockaddr_peer(fd, &peer) == RC_OK &&
           addr_equal(&local, &peer);
}

static void ask(struct peer_link *l)
{
    char request[UPGRADE_REQUEST_SIZE];
    const size_t len = upgrade_request(&l->to, request);
    l->bev = bufferevent_socket_new(l->base, l->fd, BEV_OPT_CLOSE_ON_FREE);
    if (l->bev == NULL) {
        peer_link_end(l, LINK_END_TIMEOUT);
        return;
    }
    l->fd = -1; /* the bufferevent closes it */
    l->state = ASKING;
    open_stream(l);
    arm(l, ANSWER_TIMEOUT_MS);
    if (bufferevent_write(l->bev, request, len) != 0) {
        peer_link_end(l, LINK_END_TIMEOUT);
        return;
    }
    set_writing(l, true);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct peer_link *l = arg;
    int error = 0;
    socklen_t len = sizeof(error);
    (void)what;
    if (l->state != DIALING) {
        return; /* finished meanwhile; the timer ends it */
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        peer_link_end(l, end_of_error(error));
    } else if (is_self_connected(fd)) {
        peer_link_end(l, LINK_END_SELF);
    } else {
        ask(l);
    }
}

static struct peer_link *peer_link_new(struct event_base *base, uint32_t id,
                                       const struct peer_link_hooks *hooks, void *arg)
{
    struct peer_link *l = mem_new(1, sizeof(*l));
    l->id = id;
    l->base = base;
    l->fd = -1;
    l->why = LINK_END_TIMEOUT;
    l->hooks = hooks;
    l->arg = arg;
    l->timer = evtimer_new(base, on_timer, l);
    ASSERT(l->timer != NULL);
    return l;
}

struct peer_link *peer_link_dial(struct event_base *base, uint32_t id, const struct addr *to,
                                 const struct peer_link_hooks *hooks, void *arg)
{
    struct peer_link *l = peer_link_new(base, id, hooks, arg);
    l->to = *to;
    const int family = sockaddr_family(to);
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(to, family, &sa);
    l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 ||
        (connect(l->fd, (const struct sockaddr *)&sa, sa_len) != 0 && errno != EINPROGRESS)) {
        end_soon(l, end_of_error(errno));
        return l;
    }
    l->connecting = event_new(base, l->fd, EV_WRITE, on_connected, l);
    ASSERT(l->connecting != NULL && event_add(l->connecting, NULL) == 0);
    arm(l, CONNECT_TIMEOUT_MS);
    return l;
}

struct peer_link *peer_link_adopt(struct event_base *base, uint32_t id, struct bufferevent *bev,
                                  const struct peer_link_hooks *hooks, void *arg)
{
    struct peer_link *l = peer_link_new(base, id, hooks, arg);
    l->bev = bev;
    l->state = UP;
    open_stream(l);
    set_writing(l, peer_link_pending(l) > 0); /* the answer to the upgrade */
    return l;
}
