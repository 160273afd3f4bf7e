#include "net/link/peer_link.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/crypto/tls_context.h"
#include "net/link/link_runs.h"
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

enum {
    CONNECT_TIMEOUT_MS = 2000, /* one lost SYN is sent again after 1 s */
    ANSWER_TIMEOUT_MS = 2000,
    READ_RUNS_MAX = 8,           /* contiguous runs looked at in one go */
    FIRST_READ_BYTES = 4 * 1024, /* in a turn that has lasted long already */
    NEXT_READ_BYTES = 16 * 1024,
    READ_TURN_BYTES = 64 * 1024, /* of one link, so that a bulk transfer starves nobody; but */
    ROOMS_SHARE = 8,             /* what goes straight to its place counts as so much less */
    WRITE_BYTES = 1024 * 1024,   /* at once, of what the kernel did not take before */
    /* The failure detector is far quicker; this only frees a link that it left behind. */
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 3,
    UNACKED_TIMEOUT_MS = 10000,
};

_Static_assert(LINK_CLOSE_FLUSH_MS + PEER_LINK_FINISH_MS <= LINK_KEYLESS_MS,
               "a link whose key is gone ends in time, whatever its peer does");

enum peer_link_state { DIALING, ASKING, SHAKING, UP, CLOSING };

struct peer_link {
    uint32_t id;
    enum peer_link_state state;
    bool is_reported; /* `down` or `finished` is being called */
    bool is_drained_asked;
    bool is_writing; /* the loop writes: the kernel did not take all at once */
    bool is_waiting; /* finished, for the peer to read and to close */
    struct addr to;
    struct peer_link_key key; /* of a dial */
    struct event_base *base;
    struct stream stream;  /* of nothing once a dial could not even begin */
    struct evbuffer *in;   /* before the link is up: the answer, and what came behind it */
    struct evbuffer *out;  /* what the kernel did not take */
    struct event *reading; /* not while connecting, when */
    struct event *writing; /* this stands for the connection */
    struct event *timer;
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
    return evbuffer_get_length(l->out);
}

void peer_link_free(struct peer_link *l)
{
    if (l == NULL) {
        return;
    }
    if (l->reading != NULL) {
        event_free(l->reading);
    }
    if (l->writing != NULL) {
        event_free(l->writing);
    }
    stream_close(&l->stream);
    evbuffer_free(l->in);
    evbuffer_free(l->out);
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

static void come_up(struct peer_link *l)
{
    (void)event_del(l->timer);
    l->state = UP;
    l->hooks->up(l->arg, l);
}

/* False when the answer is not here yet or the link has ended. */
static bool take_answer(struct peer_link *l)
{
    const size_t have = evbuffer_get_length(l->in);
    const size_t looked_at = have < UPGRADE_ANSWER_MAX ? have : UPGRADE_ANSWER_MAX;
    size_t head_len = 0;
    const enum rc rc =
        upgrade_parse_answer(evbuffer_pullup(l->in, (ev_ssize_t)looked_at), looked_at, &head_len);
    if (rc == RC_AGAIN) {
        return false;
    }
    if (rc != RC_OK) {
        peer_link_end(l, LINK_END_REJECTED);
        return false;
    }
    (void)evbuffer_drain(l->in, head_len);
    come_up(l);
    return true;
}

/* Later, as others have something to read, too. The socket tells of what is left there, but not of
 * what TLS has in memory. */
static void go_on_reading(struct peer_link *l)
{
    if (l->state == UP && l->stream.has_more) {
        arm(l, 0);
    }
}

void peer_link_read(struct peer_link *l)
{
    while (l->state == UP && evbuffer_get_length(l->in) > 0) {
        struct evbuffer_iovec runs[READ_RUNS_MAX];
        const int found = evbuffer_peek(l->in, -1, NULL, runs, READ_RUNS_MAX);
        const int count = found < READ_RUNS_MAX ? found : READ_RUNS_MAX;
        size_t len = 0;
        for (int i = 0; i < count && l->state == UP; i++) {
            l->hooks->input(l->arg, l, runs[i].iov_base, runs[i].iov_len);
            len += runs[i].iov_len;
        }
        (void)evbuffer_drain(l->in, len);
    }
    go_on_reading(l);
}

static void take(struct peer_link *l, const uint8_t *data, size_t len)
{
    if (l->state == UP) {
        l->hooks->input(l->arg, l, data, len);
    } else if (l->state == ASKING) {
        if (evbuffer_add(l->in, data, len) != 0) {
            peer_link_end(l, LINK_END_REJECTED);
        } else if (take_answer(l)) {
            peer_link_read(l);
        }
    }
}

static void set_writing(struct peer_link *l, bool is_writing)
{
    if (l->is_writing != is_writing) {
        l->is_writing = is_writing;
        (void)(is_writing ? event_add(l->writing, NULL) : event_del(l->writing));
    }
}

/* The connection is gone; errno says how. */
static void end_broken(struct peer_link *l)
{
    peer_link_end(l, errno == ETIMEDOUT ? LINK_END_TIMEOUT : LINK_END_RESET);
}

/* One read: into the places of a large value that is coming, and what is behind it. Of many places
 * only the first where a link is to read little. */
struct reading {
    struct iovec rooms[BLOB_ROOMS_MAX + 1]; /* the last one is for all else */
    size_t count;
    size_t size; /* of all of them */
};

static struct reading reading_of(struct peer_link *l, uint8_t *rest, size_t rest_size)
{
    struct blob_room rooms[BLOB_ROOMS_MAX];
    struct reading r = {.size = rest_size};
    const size_t found = l->state == UP ? l->hooks->rooms(l->arg, l, rooms) : 0;
    const size_t count = found > 1 && rest_size == FIRST_READ_BYTES ? 1 : found;
    for (size_t i = 0; i < count; i++) {
        r.rooms[r.count++] = (struct iovec){.iov_base = rooms[i].at, .iov_len = rooms[i].len};
        r.size += rooms[i].len;
    }
    r.rooms[r.count++] = (struct iovec){.iov_base = rest, .iov_len = rest_size};
    r.size = l->stream.ssl == NULL ? r.size : r.rooms[0].iov_len;
    return r;
}

/* Hands over the `len` bytes that were read. Returns what they count in a turn. */
static size_t deliver(struct peer_link *l, const struct reading *r, size_t len)
{
    size_t cost = 0;
    for (size_t i = 0; len > 0; i++) {
        const size_t piece = len < r->rooms[i].iov_len ? len : r->rooms[i].iov_len;
        const bool is_rest = i + 1 == r->count;
        take(l, r->rooms[i].iov_base, piece);
        cost += is_rest ? piece : piece / ROOMS_SHARE;
        len -= piece;
    }
    return cost;
}

/* Reads until a read has not filled its rooms and TLS has no more in memory. */
static void read_some(struct peer_link *l)
{
    uint8_t rest[NEXT_READ_BYTES];
    size_t rest_size = l->hooks->has_time(l->arg) ? NEXT_READ_BYTES : FIRST_READ_BYTES;
    size_t cost = 0;
    for (;;) {
        size_t len = 0;
        const struct reading r = reading_of(l, rest, rest_size);
        const enum rc rc = stream_read_into(&l->stream, r.rooms, r.count, &len);
        if (rc == RC_AGAIN) {
            return;
        }
        if (rc == RC_CLOSED) {
            peer_link_end(l, LINK_END_EOF);
            return;
        }
        if (rc != RC_OK) {
            end_broken(l);
            return;
        }
        const bool was_asking = l->state == ASKING;
        const size_t more = deliver(l, &r, len);
        if (was_asking) {
            return; /* it may be gone */
        }
        cost += more;
        if (len < r.size && !l->stream.has_more) {
            return;
        }
        if (cost >= READ_TURN_BYTES || !l->hooks->has_time(l->arg)) {
            go_on_reading(l);
            return;
        }
    }
}

/* ---- Writing ---- */

/* The kernel has everything. Closing a socket that has unread input resets it, and a reset drops
 * what was sent last. So only our side is closed now. The rest is closed when the peer, which has
 * read everything by then, closes its own side. */
static void say_goodbye(struct peer_link *l)
{
    stream_finish(&l->stream);
}

static void write_some(struct peer_link *l)
{
    const size_t low = l->state == CLOSING ? 0 : PEER_LINK_LOW_BYTES / 2;
    if (stream_send(&l->stream, l->out, WRITE_BYTES) == RC_IO) {
        end_broken(l);
        return;
    }
    if (peer_link_pending(l) > low) {
        return;
    }
    set_writing(l, peer_link_pending(l) > 0);
    if (l->state == UP && l->is_drained_asked) {
        l->is_drained_asked = false;
        l->hooks->drained(l->arg, l);
    } else if (l->state == CLOSING && peer_link_pending(l) == 0) {
        say_goodbye(l);
    }
}

enum rc peer_link_write(struct peer_link *l, const void *data, size_t len,
                        const struct blobrefs *refs)
{
    struct link_runs runs;
    size_t taken = 0;
    ASSERT(l->state == UP);
    link_runs_list(&runs, data, len, refs);
    /* Without the queue, which would copy it and wait for writability first. An error is left for
     * the loop to find. */
    if (!l->is_writing && l->stream.ssl == NULL) {
        (void)!stream_write_runs(&l->stream, runs.run, runs.count, &taken);
    } else if (!l->is_writing && runs.count == 1) {
        (void)!stream_write(&l->stream, data, len, &taken);
    }
    if (link_runs_queue(&runs, taken, l->out) != RC_OK) {
        return RC_NO_MEMORY;
    }
    if (!l->is_writing && runs.count > 1 && l->stream.ssl != NULL) {
        (void)!stream_send(&l->stream, l->out, WRITE_BYTES);
    }
    set_writing(l, peer_link_pending(l) > 0);
    return RC_OK;
}

void peer_link_ask_drained(struct peer_link *l)
{
    l->is_drained_asked = true;
}

void peer_link_finish(struct peer_link *l)
{
    ASSERT(l->state != CLOSING);
    l->is_waiting = l->state == UP;
    l->state = CLOSING;
    arm(l, l->is_waiting ? PEER_LINK_FINISH_MS : 0);
    if (l->is_waiting && peer_link_pending(l) == 0) {
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
    l->state = ASKING;
    if (evbuffer_add(l->out, request, len) != 0) {
        peer_link_end(l, LINK_END_TIMEOUT);
    }
}

/* Whoever answers no handshake, or another one than was asked for, has not the key: also who closes
 * the connection, as nodes without TLS do. */
static void shake(struct peer_link *l)
{
    bool is_writing = false;
    const enum rc rc = stream_handshake(&l->stream, &is_writing);
    if (rc == RC_AGAIN) {
        set_writing(l, is_writing);
    } else if (rc == RC_IO) {
        end_broken(l); /* which says nothing of keys */
    } else if (rc != RC_OK || psk_link_key(l->stream.ssl) != l->key.id) {
        peer_link_end(l, LINK_END_UNSEALED);
    } else {
        set_writing(l, false);
        come_up(l);
        go_on_reading(l);
    }
}

static void seal(struct peer_link *l)
{
    struct ssl_st *ssl = tls_context_ssl(l->key.tls);
    l->state = SHAKING;
    if (ssl == NULL || stream_secure(&l->stream, ssl) != RC_OK) {
        peer_link_end(l, LINK_END_TIMEOUT);
    } else if (psk_dial(ssl, &l->key.psk, l->key.id) != RC_OK) {
        peer_link_end(l, LINK_END_UNSEALED); /* the key was removed meanwhile */
    } else {
        shake(l);
    }
}

static void on_connected(struct peer_link *l)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(l->stream.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        peer_link_end(l, end_of_error(error));
        return;
    }
    if (is_self_connected(l->stream.fd)) {
        peer_link_end(l, LINK_END_SELF);
        return;
    }
    tune(l->stream.fd);
    ASSERT(event_add(l->reading, NULL) == 0);
    arm(l, ANSWER_TIMEOUT_MS);
    if (l->key.id == KEYRING_ID_OPEN) {
        ask(l);
    } else {
        seal(l);
    }
}

/* ---- Events ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct peer_link *l = arg;
    (void)fd;
    (void)what;
    if (l->state == UP) {
        read_some(l);
        return;
    }
    if (l->is_waiting) {
        stream_reset(&l->stream); /* nor does the kernel go on for a peer that does not read */
    }
    peer_link_end(l, l->why);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct peer_link *l = arg;
    (void)fd;
    (void)what;
    if (l->state == SHAKING) {
        shake(l);
    } else {
        read_some(l);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct peer_link *l = arg;
    (void)fd;
    (void)what;
    if (l->state == DIALING) {
        on_connected(l);
    } else if (l->state == SHAKING) {
        shake(l);
    } else {
        write_some(l);
    }
}

/* ---- Life ---- */

static struct evbuffer *buffer(void)
{
    struct evbuffer *made = evbuffer_new();
    ASSERT(made != NULL);
    return made;
}

static struct peer_link *peer_link_new(struct event_base *base, uint32_t id,
                                       const struct peer_link_hooks *hooks, void *arg)
{
    struct peer_link *l = mem_new(1, sizeof(*l));
    l->id = id;
    l->base = base;
    l->stream = stream_plain(-1);
    l->why = LINK_END_TIMEOUT;
    l->hooks = hooks;
    l->arg = arg;
    l->in = buffer();
    l->out = buffer();
    l->timer = evtimer_new(base, on_timer, l);
    ASSERT(l->timer != NULL);
    return l;
}

static struct event *watch(struct peer_link *l, short what, event_callback_fn callback)
{
    struct event *event = event_new(l->base, l->stream.fd, what, callback, l);
    ASSERT(event != NULL);
    return event;
}

static void watch_socket(struct peer_link *l)
{
    l->reading = watch(l, EV_READ | EV_PERSIST, on_readable);
    l->writing = watch(l, EV_WRITE | EV_PERSIST, on_writable);
}

struct peer_link *peer_link_dial(struct event_base *base, uint32_t id, const struct addr *to,
                                 const struct peer_link_key *key,
                                 const struct peer_link_hooks *hooks, void *arg)
{
    struct peer_link *l = peer_link_new(base, id, hooks, arg);
    l->to = *to;
    l->key = *key;
    const int family = sockaddr_family(to);
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(to, family, &sa);
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    l->stream = stream_plain(fd);
    if (fd < 0 ||
        (connect(fd, (const struct sockaddr *)&sa, sa_len) != 0 && errno != EINPROGRESS)) {
        end_soon(l, end_of_error(errno));
        return l;
    }
    watch_socket(l);
    set_writing(l, true);
    arm(l, CONNECT_TIMEOUT_MS);
    return l;
}

/* An open one. */
static struct peer_link *adopt(struct peer_link *l)
{
    l->state = UP;
    tune(l->stream.fd);
    watch_socket(l);
    ASSERT(event_add(l->reading, NULL) == 0);
    set_writing(l, peer_link_pending(l) > 0); /* the answer to the upgrade */
    return l;
}

struct peer_link *peer_link_adopt(struct event_base *base, uint32_t id, struct bufferevent *bev,
                                  const struct peer_link_hooks *hooks, void *arg)
{
    struct peer_link *l = peer_link_new(base, id, hooks, arg);
    struct evbuffer *out = bufferevent_get_output(bev);
    l->stream = stream_plain(bufferevent_getfd(bev));
    /* A bufferevent freezes the front of its output against everybody but itself. */
    (void)evbuffer_unfreeze(out, 1);
    ASSERT(evbuffer_add_buffer(l->in, bufferevent_get_input(bev)) == 0 &&
           evbuffer_add_buffer(l->out, out) == 0);
    (void)bufferevent_setfd(bev, -1);
    bufferevent_free(bev);
    return adopt(l);
}

struct peer_link *peer_link_adopt_sealed(struct event_base *base, uint32_t id,
                                         struct stream *stream, const struct peer_link_hooks *hooks,
                                         void *arg)
{
    struct peer_link *l = peer_link_new(base, id, hooks, arg);
    l->stream = stream_take(stream);
    return adopt(l);
}
