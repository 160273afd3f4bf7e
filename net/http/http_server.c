#include "net/http/http_server.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/http/http_conn.h"
#include "net/http/http_output.h"
#include "net/http/http_phase.h"
#include "net/http/http_room.h"
#include "net/http/proxy.h"
#include "net/sys/hostclock.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 16, /* then the connections that are open have their turn */
    /* So many connections beyond a limit are read and answered. So they hear why they are refused,
     * and probes and peers get through. Any more are closed unread. */
    OVER_MAX = 64,
    /* Without descriptors or memory for a connection: the listener rests for so long. */
    ACCEPT_REST_MS = 100,
    SLOTS_MIN = 64,
    /* Where so many held bodies find no room, those behind them are not looked at: there may be a
     * held one for each connection, and each body that ends has them looked at. */
    STUCK_MAX = 64,
    /* So much woken connections may do in the turn that woke them; then the sockets are looked
     * at. */
    WOKEN_TURN_US = 1000,
    /* So long a turn may be when one more handshake is begun, or gone on with, in it. Each costs
     * what a thousand small requests cost, and who sends its first bytes again and again does
     * nothing for it: with 3,000 connections one turn took 0.6 s, and no datagram was read. */
    SHAKES_TURN_US = 4000,
};

struct http_server {
    struct http_shared shared;
    struct event *listener; /* NULL once draining */
    struct event *rest;     /* until the listener is looked at again */
    struct event *timer;
    struct event *resume; /* made active when bodies that are held may go on */
    struct event *go_on;  /* pending while connections are woken */
    struct http_conn_list woken;
    uint32_t woken_count;
    struct timeval turn; /* of the loop, when connections were last woken */
    uint64_t turn_began_us;
    uint64_t timer_at_ms; /* NEVER: not armed */
    uint64_t room_at_ms;  /* when it was last looked who has to end for a body that waits */
    int reserve_fd;       /* given up to accept, and so to end, a connection when there are none */
    uint32_t over_count;
    struct ip_limit *ip_limit; /* NULL: off */
    struct http_conn **slots;
    uint32_t *free_slots; /* a stack */
    uint32_t slot_count, free_count;
};

static struct http_server *server_of(struct http_shared *shared)
{
    return (struct http_server *)shared; /* its first member */
}

/* Deadlines */

static void arm(struct http_server *s, uint64_t at_ms)
{
    const uint64_t now_ms = hostclock_coarse_ms();
    const uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    const struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
                                 .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};
    s->timer_at_ms = at_ms;
    (void)evtimer_add(s->timer, &wait);
}

static void on_deadline(struct http_shared *shared, uint64_t at_ms)
{
    struct http_server *s = server_of(shared);
    if (at_ms < s->timer_at_ms) {
        arm(s, at_ms);
    }
}

static bool has_deadline(enum http_phase phase)
{
    return phase != HTTP_PHASE_DEFERRED && phase != HTTP_PHASE_WAITING &&
           phase != HTTP_PHASE_CLOSED;
}

/* Ends those that are too slow for the bodies that wait, until there is room for these. Returns
 * when to look again; NEVER while none waits. */
static uint64_t make_room(struct http_server *s, uint64_t now_ms)
{
    struct http_room_look look;
    if (TAILQ_EMPTY(&s->shared.phases[HTTP_PHASE_HELD])) {
        return NEVER;
    }
    if (now_ms - s->room_at_ms < HTTP_ROOM_LOOK_MS) {
        return s->room_at_ms + HTTP_ROOM_LOOK_MS;
    }
    s->room_at_ms = now_ms;
    if (s->shared.is_held) {
        return now_ms + HTTP_ROOM_LOOK_MS; /* it is not room that they wait for */
    }
    http_room_look(&s->shared, now_ms, &look);
    for (size_t i = 0; i < look.count && !http_room_is_enough(&s->shared, &look); i++) {
        look.wanted -= look.slowest[i].wants;
        http_conn_outpaced(look.slowest[i].conn);
    }
    return now_ms + HTTP_ROOM_LOOK_MS;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    (void)fd;
    (void)what;
    const uint64_t now_ms = hostclock_coarse_ms();
    uint64_t next_ms = NEVER;
    s->timer_at_ms = NEVER;
    for (int phase = 0; phase < HTTP_PHASES; phase++) {
        struct http_conn_list *list = &s->shared.phases[phase];
        struct http_conn *c = TAILQ_FIRST(list);
        if (!has_deadline((enum http_phase)phase)) {
            continue;
        }
        /* One that is expired leaves the list or goes to its end with a later deadline. */
        while (c != NULL && c->deadline_ms <= now_ms) {
            http_conn_expire(c);
            c = TAILQ_FIRST(list);
        }
        next_ms = c != NULL && c->deadline_ms < next_ms ? c->deadline_ms : next_ms;
    }
    next_ms = min_u64(make_room(s, now_ms), next_ms);
    if (next_ms < s->timer_at_ms) {
        arm(s, next_ms);
    }
}

/* Slots */

static uint32_t take_slot(struct http_server *s)
{
    if (s->free_count == 0) {
        const uint32_t count = s->slot_count == 0 ? SLOTS_MIN : 2 * s->slot_count;
        s->slots = mem_resize(s->slots, count, sizeof(struct http_conn *));
        s->free_slots = mem_resize(s->free_slots, count, sizeof(*s->free_slots));
        for (uint32_t i = count; i > s->slot_count; i--) {
            s->slots[i - 1] = NULL;
            s->free_slots[s->free_count++] = i - 1;
        }
        s->slot_count = count;
    }
    return s->free_slots[--s->free_count];
}

static void count_woken(struct http_server *s, int change)
{
    s->woken_count += (uint32_t)change;
    s->shared.turn_bytes = http_conn_turn_bytes(s->woken_count);
}

static void forget_woken(struct http_server *s, struct http_conn *c)
{
    if (c->is_woken) {
        c->is_woken = false;
        TAILQ_REMOVE(&s->woken, c, woken);
        count_woken(s, -1);
    }
}

static void on_closed(struct http_shared *shared, struct http_conn *c)
{
    struct http_server *s = server_of(shared);
    forget_woken(s, c);
    s->slots[c->slot] = NULL;
    s->free_slots[s->free_count++] = c->slot;
    s->over_count -= c->is_over;
    if (c->is_counted) {
        const struct addr key = addr_net(&c->peer);
        ip_limit_leave(s->ip_limit, &key);
    }
}

static void on_evict(struct http_shared *shared, struct http_conn *c)
{
    (void)shared;
    http_conn_free(c);
}

/* Bodies that are held */

static void on_roomy(struct http_shared *shared)
{
    if (!TAILQ_EMPTY(&shared->phases[HTTP_PHASE_HELD])) {
        event_active(server_of(shared)->resume, EV_TIMEOUT, 0);
    }
}

/* In the order in which they came. One that does not fit keeps nobody waiting behind it that does
 * (see http_intake for how many may pass it). */
static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    struct http_conn *next = NULL;
    uint32_t stuck = 0;
    (void)fd;
    (void)what;
    for (struct http_conn *c = TAILQ_FIRST(&s->shared.phases[HTTP_PHASE_HELD]);
         c != NULL && stuck < STUCK_MAX; c = next) {
        next = TAILQ_NEXT(c, entry);
        stuck += !http_conn_resume(c);
    }
}

/* Connections that are woken */

/* How long this turn of the loop is since the first connection that was woken, or began a
 * handshake. The loop's own time, which stands still in a turn, tells one turn from the next. */
static uint64_t turn_age_us(struct http_server *s)
{
    struct timeval turn;
    const uint64_t now_us = hostclock_boot_us();
    (void)event_base_gettimeofday_cached(s->shared.config.base, &turn);
    if (evutil_timercmp(&turn, &s->turn, !=)) {
        s->turn = turn;
        s->turn_began_us = now_us;
    }
    return now_us - s->turn_began_us;
}

static bool on_may_shake(struct http_shared *shared)
{
    return turn_age_us(server_of(shared)) < SHAKES_TURN_US;
}

/* In this turn while it is young; later by way of the timers, so that the sockets get their
 * turn. */
static void schedule_woken(struct http_server *s)
{
    static const struct timeval at_once = {0};
    if (turn_age_us(s) < WOKEN_TURN_US) {
        event_active(s->go_on, EV_TIMEOUT, 0);
    } else {
        (void)evtimer_add(s->go_on, &at_once);
    }
}

static void on_woken(struct http_shared *shared, struct http_conn *c)
{
    struct http_server *s = server_of(shared);
    if (c->is_woken) {
        return;
    }
    if (s->woken_count == 0) {
        schedule_woken(s);
    }
    c->is_woken = true;
    TAILQ_INSERT_TAIL(&s->woken, c, woken);
    count_woken(s, 1);
}

static void on_go_on(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    (void)fd;
    (void)what;
    /* Connections that are woken again meanwhile wait for the next time. So do all others once the
     * turn has lasted long, as there may be very many. */
    for (uint32_t left = s->woken_count; left > 0 && s->woken_count > 0; left--) {
        struct http_conn *c = TAILQ_FIRST(&s->woken);
        const bool is_last = s->woken_count == 1;
        forget_woken(s, c);
        http_conn_go_on(c);
        if (is_last) {
            return; /* woken by itself it has scheduled the next time */
        }
        if (turn_age_us(s) >= WOKEN_TURN_US) {
            break;
        }
    }
    if (s->woken_count > 0) {
        schedule_woken(s);
    }
}

/* Accepting */

/* A trusted proxy's address stands for all its clients, so the limit for one address does not
 * apply. */
static bool is_proxy(const struct http_server *s, const struct addr *peer)
{
    const struct http_server_config *config = &s->shared.config;
    return config->trust_all || proxy_is_trusted(peer, config->trust, config->trust_count);
}

static void open_conn(struct http_server *s, int fd, const struct addr *peer)
{
    struct http_shared *shared = &s->shared;
    const struct addr key = addr_net(peer);
    const uint64_t within = shared->stats.connections - s->over_count;
    bool is_over = within >= shared->config.connections_max;
    const bool is_limited = s->ip_limit != NULL && !is_proxy(s, peer);
    const bool is_counted = !is_over && is_limited && ip_limit_enter(s->ip_limit, &key);
    is_over |= is_limited && !is_counted;
    shared->stats.connections_total++;
    shared->stats.connections_refused += is_over;
    if (is_over && s->over_count >= OVER_MAX) {
        (void)close(fd);
        return;
    }
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const uint32_t slot = take_slot(s);
    struct http_conn *c = http_conn_new(shared, fd, peer, slot, is_over);
    if (c == NULL) {
        s->free_slots[s->free_count++] = slot;
        if (is_counted) {
            ip_limit_leave(s->ip_limit, &key);
        }
        return;
    }
    s->slots[slot] = c;
    s->over_count += is_over;
    c->is_counted = is_counted;
    if (is_over) {
        http_conn_hurry(c);
    }
}

/* No descriptor is left. The reserve makes room to accept one connection and end it, so that its
 * client at least knows. Then the listener rests, as it would stay readable and keep the loop
 * busy. */
static void rest(struct http_server *s, int listen_fd)
{
    const struct timeval wait = {.tv_usec = (suseconds_t)ACCEPT_REST_MS * 1000};
    if (s->reserve_fd >= 0) {
        (void)close(s->reserve_fd);
        const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)close(fd);
            s->shared.stats.connections_total++;
            s->shared.stats.connections_refused++;
        }
    }
    s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)event_del(s->listener);
    (void)evtimer_add(s->rest, &wait);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    (void)fd;
    (void)what;
    if (s->listener != NULL) {
        (void)event_add(s->listener, NULL);
    }
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
    struct http_server *s = arg;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(from);
        const int fd =
            accept4(listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct addr peer = {.port = 0};
            if (sockaddr_to(&from, len, &peer) == RC_OK) {
                open_conn(s, fd, &peer);
            } else {
                (void)close(fd);
            }
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(s, listen_fd);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
        /* Any other error is of a connection that ended before we had it. */
    }
}

/* The server */

/* Seeds of the tables that clients choose the keys of. */
static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    const ssize_t len = getrandom(&seed, sizeof(seed), 0);
    ASSERT(len == (ssize_t)sizeof(seed));
    return seed;
}

static bool make_limits(struct http_server *s)
{
    const struct http_server_config *config = &s->shared.config;
    if (config->rate_limit > 0) {
        s->shared.rate_limit = rate_limit_new(config->rate_limit, random_seed());
    }
    if (config->connections_per_ip_max > 0) {
        s->ip_limit =
            ip_limit_new(config->connections_per_ip_max, config->connections_max, random_seed());
    }
    if (config->tls != NULL) {
        s->shared.handshakes =
            ip_limit_new(HTTP_HANDSHAKES_PER_IP_MAX, HTTP_HANDSHAKES_MAX, random_seed());
    }
    return (config->tls == NULL || s->shared.handshakes != NULL) &&
           (config->rate_limit == 0 || s->shared.rate_limit != NULL) &&
           (config->connections_per_ip_max == 0 || s->ip_limit != NULL);
}

static bool make_events(struct http_server *s)
{
    const struct http_server_config *config = &s->shared.config;
    s->timer = evtimer_new(config->base, on_timer, s);
    s->rest = evtimer_new(config->base, on_rested, s);
    s->resume = evtimer_new(config->base, on_resume, s);
    s->go_on = evtimer_new(config->base, on_go_on, s);
    s->listener = event_new(config->base, config->listen_fd, EV_READ | EV_PERSIST, on_accept, s);
    return s->timer != NULL && s->rest != NULL && s->resume != NULL && s->go_on != NULL &&
           s->listener != NULL && event_add(s->listener, NULL) == 0;
}

struct http_server *http_server_new(const struct http_server_config *config)
{
    ASSERT(config->idle_timeout_ms > 0 && config->request_timeout_ms > 0);
    struct http_server *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->shared.config = *config;
    s->shared.deadline = on_deadline;
    s->shared.closed = on_closed;
    s->shared.evict = on_evict;
    s->shared.roomy = on_roomy;
    s->shared.woken = on_woken;
    s->shared.may_shake = on_may_shake;
    count_woken(s, 0);
    TAILQ_INIT(&s->woken);
    s->timer_at_ms = NEVER;
    s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int phase = 0; phase < HTTP_PHASES; phase++) {
        TAILQ_INIT(&s->shared.phases[phase]);
    }
    http_response_init(&s->shared.scratch);
    buf_init(&s->shared.piece, HTTP_PIECE_MAX + HTTP_FRAME_MAX);
    if (!make_limits(s) || !make_events(s)) {
        s->shared.config.listen_fd = -1; /* still the caller's */
        http_server_free(s);
        return NULL;
    }
    return s;
}

static void stop_listening(struct http_server *s)
{
    if (s->listener != NULL) {
        event_free(s->listener);
        s->listener = NULL;
    }
    if (s->shared.config.listen_fd >= 0) {
        (void)close(s->shared.config.listen_fd);
        s->shared.config.listen_fd = -1;
    }
}

void http_server_free(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    stop_listening(s);
    for (int phase = 0; phase < HTTP_PHASES; phase++) {
        while (!TAILQ_EMPTY(&s->shared.phases[phase])) {
            http_conn_free(TAILQ_FIRST(&s->shared.phases[phase]));
        }
    }
    while (s->shared.spare_count > 0) {
        http_parse_free(s->shared.spare[--s->shared.spare_count]);
    }
    struct event *const events[] = {s->timer, s->rest, s->resume, s->go_on};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (s->reserve_fd >= 0) {
        (void)close(s->reserve_fd);
    }
    http_output_free_spare(&s->shared);
    rate_limit_free(s->shared.rate_limit);
    ip_limit_free(s->ip_limit);
    ip_limit_free(s->shared.handshakes);
    http_response_fini(&s->shared.scratch);
    buf_fini(&s->shared.piece);
    free((void *)s->slots);
    free(s->free_slots);
    free(s);
}

/* The connection that may have the exchange; NULL when none can. */
static struct http_conn *conn_of(const struct http_server *s, uint64_t id)
{
    const uint32_t slot = (uint32_t)id;
    return slot < s->slot_count ? s->slots[slot] : NULL;
}

bool http_server_awaits(const struct http_server *s, uint64_t id)
{
    const struct http_conn *c = conn_of(s, id);
    return c != NULL && http_output_awaits(c, id);
}

void http_server_complete(struct http_server *s, uint64_t id, struct http_response *rs)
{
    if (http_server_awaits(s, id)) {
        http_conn_complete(conn_of(s, id), id, rs);
    }
    http_response_clear(rs);
}

void http_server_wake(struct http_server *s, uint64_t id)
{
    struct http_conn *c = conn_of(s, id);
    if (c != NULL && c->id == id) {
        http_conn_wake(c);
    }
}

void http_server_hold_bodies(struct http_server *s, bool is_held)
{
    if (s->shared.is_held == is_held) {
        return;
    }
    s->shared.is_held = is_held;
    if (!is_held) {
        on_roomy(&s->shared);
        return;
    }
    struct http_conn *next = NULL;
    for (struct http_conn *c = TAILQ_FIRST(&s->shared.phases[HTTP_PHASE_BODY]); c != NULL;
         c = next) {
        next = TAILQ_NEXT(c, entry);
        http_conn_hold(c);
    }
}

void http_server_drain(struct http_server *s)
{
    s->shared.is_draining = true;
    stop_listening(s);
    static const enum http_phase waiting[] = {HTTP_PHASE_HANDSHAKE, HTTP_PHASE_IDLE};
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
        struct http_conn *next = NULL;
        for (struct http_conn *c = TAILQ_FIRST(&s->shared.phases[waiting[i]]); c != NULL;
             c = next) {
            next = TAILQ_NEXT(c, entry);
            http_conn_drain(c);
        }
    }
}

bool http_server_is_idle(const struct http_server *s)
{
    for (int phase = HTTP_PHASE_HEAD; phase < HTTP_PHASE_LINGER; phase++) {
        if (!TAILQ_EMPTY(&s->shared.phases[phase])) {
            return false;
        }
    }
    return s->woken_count == 0;
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
    return s->shared.stats;
}
