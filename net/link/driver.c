#include "net/link/driver.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/link/link_map.h"
#include "net/link/peer_link.h"
#include "net/link/udp.h"
#include "net/sys/hostclock.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sched.h>
#include <stdlib.h>

enum {
    /* The driver asks the engine for so many bytes at a time. If they must be queued they stay on
     * the heap, with the headers of libevent and malloc(). A larger piece would be mapped and
     * unmapped each time. */
    TAKE_BYTES = 32 * 1024 - 256,
    TAKE_BYTES_MAX = 4 * 1024 * 1024, /* one frame may exceed TAKE_BYTES, never this */
    /* A turn that has lasted longer reads only a little more from each link, and leaves the rest of
     * the outbox to the next turn. What has been begun then takes another millisecond or two. */
    TURN_US_MAX = 500,
    ACTIONS_PER_LOOK = 32, /* at the clock */
    /* Work that goes on from turn to turn, as for a node that joins, lets other processes run after
     * so long. Several nodes and their clients often share a processor, and a scheduler may let one
     * run for more than a millisecond. */
    YIELD_US = 100,
};

struct driver {
    struct driver_config config;
    struct udp *udp;
    struct link_map *links;
    struct event *drain; /* made active by driver_turn(), runs last in the turn */
    struct event *timer;
    uint64_t timer_at_us; /* what it is armed for; NEVER when it is not */
    uint64_t turn_began_us;
    uint64_t yielded_us;
    uint64_t now_us; /* the last time that the engine was given; it must not get an earlier one */
    bool is_in_turn;
    bool has_room;
    uint64_t stall_max_us;
    uint64_t link_in_bytes, link_out_bytes;
    size_t turn_bytes;    /* that links were given in this turn */
    struct buf out;       /* bytes on their way from the engine to a link, */
    struct blobrefs refs; /* and what stands between them */
};

static const struct peer_link_hooks link_hooks;

uint64_t driver_turn(struct driver *d)
{
    d->now_us = hostclock_boot_us();
    if (!d->is_in_turn) {
        d->is_in_turn = true;
        d->turn_began_us = d->now_us;
        event_active(d->drain, EV_TIMEOUT, 0);
    }
    return d->now_us;
}

uint64_t driver_turn_began_us(const struct driver *d)
{
    return d->turn_began_us;
}

/* ---- From the network to the engine ---- */

static void on_datagram(void *arg, const struct addr *from, const uint8_t *data, size_t len)
{
    struct driver *d = arg;
    engine_datagram(d->config.engine, from, data, len, driver_turn(d));
}

static void on_refused(void *arg, const struct addr *addr)
{
    struct driver *d = arg;
    engine_refused(d->config.engine, addr, driver_turn(d));
}

static void on_link_up(void *arg, struct peer_link *l)
{
    struct driver *d = arg;
    engine_link_up(d->config.engine, peer_link_id(l), driver_turn(d));
}

static size_t on_link_rooms(void *arg, struct peer_link *l, struct blob_room *ret_rooms)
{
    const struct driver *d = arg;
    return engine_link_rooms(d->config.engine, peer_link_id(l), ret_rooms);
}

static void on_link_input(void *arg, struct peer_link *l, const uint8_t *data, size_t len)
{
    struct driver *d = arg;
    d->link_in_bytes += len;
    engine_link_input(d->config.engine, peer_link_id(l), data, len, driver_turn(d));
}

static void on_link_drained(void *arg, struct peer_link *l)
{
    struct driver *d = arg;
    link_map_flag(d->links, peer_link_id(l));
    (void)driver_turn(d);
}

static void on_link_down(void *arg, struct peer_link *l, enum link_end why)
{
    struct driver *d = arg;
    const uint32_t id = peer_link_id(l);
    link_map_remove(d->links, id);
    engine_link_down(d->config.engine, id, why, driver_turn(d));
}

static void on_link_finished(void *arg, struct peer_link *l)
{
    struct driver *d = arg;
    link_map_remove(d->links, peer_link_id(l));
}

static bool on_has_time(void *arg)
{
    const struct driver *d = arg;
    return hostclock_boot_us() - d->turn_began_us < TURN_US_MAX;
}

static const struct peer_link_hooks link_hooks = {
    .has_time = on_has_time,
    .up = on_link_up,
    .rooms = on_link_rooms,
    .input = on_link_input,
    .drained = on_link_drained,
    .down = on_link_down,
    .finished = on_link_finished,
};

static void begin(struct driver *d, struct peer_link *l)
{
    link_map_add(d->links, peer_link_id(l), l);
    peer_link_read(l);
}

void driver_accept(struct driver *d, struct bufferevent *bev, const struct addr *from)
{
    const uint32_t id = engine_link_accept(d->config.engine, from, KEYRING_ID_OPEN, driver_turn(d));
    if (id == 0) {
        bufferevent_free(bev);
        return;
    }
    begin(d, peer_link_adopt(d->config.base, id, bev, &link_hooks, d));
}

void driver_accept_sealed(struct driver *d, struct stream *stream, uint16_t key_id,
                          const struct addr *from)
{
    const uint32_t id = engine_link_accept(d->config.engine, from, key_id, driver_turn(d));
    if (id == 0) {
        stream_close(stream);
        return;
    }
    begin(d, peer_link_adopt_sealed(d->config.base, id, stream, &link_hooks, d));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct driver *d = arg;
    (void)fd;
    (void)what;
    d->timer_at_us = NEVER;
    engine_tick(d->config.engine, driver_turn(d));
}

/* ---- From the engine to the network ---- */

/* One piece of what the engine has for the link; false when there is none, or the link is gone. */
static bool move_piece(struct driver *d, struct peer_link *l)
{
    const uint32_t id = peer_link_id(l);
    buf_clear(&d->out);
    const size_t len =
        engine_link_output(d->config.engine, id, &d->out, &d->refs, TAKE_BYTES, d->now_us);
    enum rc rc = RC_NOT_FOUND;
    if (len > 0) {
        rc = peer_link_write(l, buf_data(&d->out), d->out.len, &d->refs);
        d->link_out_bytes += len;
        d->turn_bytes += len;
    }
    blobrefs_clear(&d->refs);
    if (rc == RC_NO_MEMORY) {
        /* A stream that lost bytes is ended. */
        link_map_remove(d->links, id);
        peer_link_free(l);
        engine_link_down(d->config.engine, id, LINK_END_RESET, d->now_us);
    }
    return rc == RC_OK;
}

/* Moves what the engine has for a link to its socket, as long as that takes it and it is the link's
 * turn; the rest follows when it has drained, or in the next turn. */
static void fill(struct driver *d, struct peer_link *l)
{
    const size_t before = d->turn_bytes;
    while (peer_link_is_up(l) && peer_link_pending(l) < PEER_LINK_LOW_BYTES) {
        if (d->turn_bytes - before >= DRIVER_LINK_TURN_BYTES) {
            link_map_flag(d->links, peer_link_id(l));
            return;
        }
        if (!move_piece(d, l)) {
            return;
        }
    }
    if (peer_link_is_up(l)) {
        peer_link_ask_drained(l);
    }
}

static void pump(struct driver *d, struct peer_link *l)
{
    const uint32_t id = peer_link_id(l);
    fill(d, l);
    l = link_map_find(d->links, id);
    engine_link_unsent(d->config.engine, id, l == NULL ? 0 : peer_link_pending(l));
}

static void close_link(struct driver *d, uint32_t id)
{
    struct peer_link *l = link_map_find(d->links, id);
    if (l != NULL) {
        peer_link_finish(l);
    }
}

static void dial(struct driver *d, const struct action *action)
{
    const struct peer_link_key key = {
        .tls = d->config.tls,
        .psk = {.ring = engine_keyring(d->config.engine), .key_records_max = PSK_KEY_RECORDS_MAX},
        .id = action->key_id,
    };
    struct peer_link *l =
        peer_link_dial(d->config.base, action->link, &action->addr, &key, &link_hooks, d);
    link_map_add(d->links, action->link, l);
}

static void perform(struct driver *d, const struct action *action)
{
    switch (action->kind) {
    case ACTION_DATAGRAM:
        udp_send(d->udp, &action->addr, action->data, action->len);
        break;
    case ACTION_DIAL:
        dial(d, action);
        break;
    case ACTION_OUTPUT:
        link_map_flag(d->links, action->link);
        break;
    case ACTION_CLOSE:
        close_link(d, action->link);
        break;
    case ACTION_PUT_DONE:
        d->config.put_done(d->config.arg, &action->put, d->now_us);
        break;
    case ACTION_NOTICE:
        d->config.notice(d->config.arg, action->notice);
        break;
    }
}

/* Works off the outbox, then the links that it named, until neither has anything. False when the
 * turn became too long for that. */
static bool work_off(struct driver *d)
{
    struct outbox *outbox = engine_outbox(d->config.engine);
    const uint64_t end_us = d->now_us + TURN_US_MAX;
    d->turn_bytes = 0;
    for (uint32_t done = 1; done % ACTIONS_PER_LOOK != 0 || hostclock_boot_us() < end_us; done++) {
        struct action action;
        if (outbox_next(outbox, &action)) {
            perform(d, &action);
            continue;
        }
        if (d->turn_bytes >= DRIVER_TURN_BYTES) {
            break;
        }
        struct peer_link *l = link_map_take_flagged(d->links);
        if (l == NULL) {
            return true;
        }
        pump(d, l);
    }
    return false;
}

/* A timer that is armed too early costs one needless tick; moving it costs more. */
static void arm_timer(struct driver *d, uint64_t now_us)
{
    const uint64_t deadline_us = engine_deadline(d->config.engine);
    if (deadline_us >= d->timer_at_us) {
        return;
    }
    const uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
    const struct timeval after = {.tv_sec = (time_t)(left_us / 1000000),
                                  .tv_usec = (suseconds_t)(left_us % 1000000)};
    ASSERT(event_add(d->timer, &after) == 0);
    d->timer_at_us = deadline_us;
}

/* Called between two turns while the engine has work that it could go on with at once. */
static void let_others_run(struct driver *d, uint64_t now_us)
{
    if (now_us - d->yielded_us >= YIELD_US) {
        (void)sched_yield();
        d->yielded_us = hostclock_boot_us();
    }
}

static void tell_room(struct driver *d)
{
    const bool has_room = engine_has_room(d->config.engine);
    if (has_room != d->has_room) {
        d->has_room = has_room;
        d->config.room(d->config.arg, has_room);
    }
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    struct driver *d = arg;
    (void)fd;
    (void)what;
    d->now_us = hostclock_boot_us();
    const bool is_over = work_off(d);
    tell_room(d);
    const uint64_t now_us = hostclock_boot_us();
    arm_timer(d, now_us);
    if (now_us - d->turn_began_us > d->stall_max_us) {
        d->stall_max_us = now_us - d->turn_began_us;
    }
    if (is_over && d->timer_at_us <= now_us) {
        let_others_run(d, now_us);
    }
    d->is_in_turn = !is_over;
    if (!is_over) {
        /* By way of the timer, so that the sockets are looked at in between. */
        static const struct timeval at_once = {0};
        d->turn_began_us = now_us;
        ASSERT(event_add(d->drain, &at_once) == 0);
    }
}

/* ---- Life and figures ---- */

struct driver *driver_new(const struct driver_config *config)
{
    struct driver *d = mem_new(1, sizeof(*d));
    d->config = *config;
    d->timer_at_us = NEVER;
    d->has_room = true;
    d->links = link_map_new();
    buf_init(&d->out, TAKE_BYTES_MAX);
    const struct udp_hooks hooks = {.arg = d, .datagram = on_datagram, .refused = on_refused};
    d->udp = udp_new(config->base, config->udp_fd, &hooks);
    d->drain = event_new(config->base, -1, 0, on_drain, d);
    d->timer = evtimer_new(config->base, on_timer, d);
    ASSERT(d->drain != NULL && d->timer != NULL);
    engine_tick(config->engine, driver_turn(d));
    return d;
}

void driver_free(struct driver *d)
{
    if (d == NULL) {
        return;
    }
    for (struct peer_link *l; (l = link_map_any(d->links)) != NULL;) {
        link_map_remove(d->links, peer_link_id(l));
        peer_link_free(l);
    }
    link_map_free(d->links);
    udp_free(d->udp);
    event_free(d->drain);
    event_free(d->timer);
    buf_fini(&d->out);
    free(d);
}

static void add_pending(void *arg, struct peer_link *link)
{
    size_t *pending = arg;
    *pending += peer_link_pending(link);
}

bool driver_is_flushed(const struct driver *d)
{
    size_t pending = 0;
    link_map_each(d->links, add_pending, &pending);
    return pending == 0 && !d->is_in_turn;
}

struct driver_stats driver_stats(const struct driver *d)
{
    const struct udp_stats udp = udp_stats(d->udp);
    return (struct driver_stats){.udp_in_bytes = udp.in_bytes,
                                 .udp_out_bytes = udp.out_bytes,
                                 .link_in_bytes = d->link_in_bytes,
                                 .link_out_bytes = d->link_out_bytes,
                                 .udp_out_dropped = udp.out_dropped,
                                 .udp_in_oversize = udp.in_oversize};
}

uint64_t driver_take_stall_max_us(struct driver *d)
{
    const uint64_t stall_max_us = d->stall_max_us;
    d->stall_max_us = 0;
    return stall_max_us;
}
