#include "net/watch/watch.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/watch/prefix_tree.h"
#include "net/watch/watch_ring.h"
#include "net/watch/watch_text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    SNAPSHOT_KEYS = 256, /* looked at for one piece; under a millisecond */
};

/* A comment, as a sign of life. */
static const char BEAT[] = ":\n\n";

enum place {
    PLACE_IDLE,    /* is up to date; in its group's list */
    PLACE_READY,   /* is to be woken; in the list of those */
    PLACE_WAITING, /* was woken, and asks again when its socket takes more */
};

struct snapshot {
    size_t last_len; /* 0: not begun */
    uint8_t last[KEY_BYTES_MAX];
};

TAILQ_HEAD(watcher_list, watcher);

/* All who watch one prefix. */
struct group {
    struct prefix_tree_entry prefix; /* the first field, so that it leads back here */
    struct watcher_list idle;
    uint32_t count;
    uint8_t bytes[]; /* of the prefix */
};

struct watcher {
    TAILQ_ENTRY(watcher) entry; /* by `place` */
    TAILQ_ENTRY(watcher) told;  /* by `told_us` */
    struct watch *watch;
    struct group *group;
    struct snapshot *snapshot; /* NULL: all its events come from the ring */
    const char *reset;         /* why it begins anew, until it has been sent; NULL: it does not */
    uint64_t id;
    uint64_t next;       /* the number of the next event for it */
    uint64_t told_us;    /* when something was last sent to it */
    uint64_t waiting_us; /* since when something waits for it */
    uint8_t place;
    bool has_values, has_snapshot;
    bool is_begun; /* the first line is out */
    bool is_live;  /* `live` is out */
    bool is_beat_due;
    bool is_cut;
};

struct watch {
    struct watch_config config;
    struct watch_ring ring;
    struct prefix_tree groups; /* by prefix */
    struct watcher_list ready;
    struct watcher_list told; /* every watcher, the longest silent one first */
    struct watch_stats stats;
    uint32_t value_watchers;
    uint64_t values_from;   /* events from this number on have their values; NEVER: none has */
    uint64_t values_end_us; /* values are recorded until then; NEVER: as long as one asks */
    uint64_t end_us;        /* the same of all events */
    bool is_recording;
    bool is_draining;
};

static uint64_t now_us(const struct watch *w)
{
    return w->config.now_us(w->config.arg);
}

/* ---- Changes ---- */

static void make_ready(struct watch *w, struct watcher *watcher, uint64_t at_us)
{
    if (watcher->place == PLACE_READY) {
        return;
    }
    if (watcher->place == PLACE_IDLE) {
        TAILQ_REMOVE(&watcher->group->idle, watcher, entry);
        watcher->next = w->ring.next; /* later events were not for it */
        watcher->waiting_us = at_us;
    }
    if (TAILQ_EMPTY(&w->ready)) {
        w->config.turn_by(w->config.arg, 0);
    }
    TAILQ_INSERT_TAIL(&w->ready, watcher, entry);
    watcher->place = PLACE_READY;
}

static bool is_match(const struct group *g, const struct watch_event *e)
{
    return e->key_len >= g->prefix.len &&
           (g->prefix.len == 0 || memcmp(watch_event_key(e), g->bytes, g->prefix.len) == 0);
}

/* Those of the group who are up to date: the event of that number is for them. */
static void tell_group(struct watch *w, const struct group *g, uint64_t number, uint64_t at_us)
{
    struct watcher *watcher = NULL;
    while ((watcher = TAILQ_FIRST(&g->idle)) != NULL) {
        make_ready(w, watcher, at_us);
        watcher->next = number;
    }
}

/* There is no memory for an event. All watchers begin anew, so that nobody misses it. */
static void tell_gap(struct watch *w, uint64_t at_us)
{
    const uint64_t lost = w->ring.next;
    struct watcher *watcher = NULL;
    watch_ring_forget(&w->ring);
    TAILQ_FOREACH(watcher, &w->told, told)
    {
        if (watcher->place == PLACE_IDLE) {
            make_ready(w, watcher, at_us);
            watcher->next = lost;
        }
    }
}

static void on_change(struct watch *w, enum watch_kind kind, const struct record *r)
{
    struct watch_event *e = watch_event_new(kind, r, w->values_from != NEVER);
    const uint64_t number = w->ring.next;
    const uint64_t at_us = now_us(w);
    if (e == NULL) {
        tell_gap(w, at_us);
        return;
    }
    watch_ring_add(&w->ring, e);
    w->stats.events_total++;
    struct prefix_tree_walk walk = prefix_tree_begin(&w->groups, r->key, r->key_len);
    const struct prefix_tree_entry *prefix = NULL;
    while ((prefix = prefix_tree_next(&walk)) != NULL) {
        tell_group(w, (const struct group *)prefix, number, at_us);
    }
}

static void on_put(void *arg, const struct record *r)
{
    on_change(arg, WATCH_PUT, r);
}

static void on_expired(void *arg, const struct record *r)
{
    on_change(arg, WATCH_EXPIRE, r);
}

static void start_recording(struct watch *w)
{
    if (!w->is_recording) {
        const struct store_observer observer = {.arg = w, .put = on_put, .expired = on_expired};
        engine_observe(w->config.engine, &observer);
        w->is_recording = true;
    }
    w->end_us = NEVER;
}

static void stop_recording(struct watch *w)
{
    engine_observe(w->config.engine, NULL);
    watch_ring_forget(&w->ring);
    w->is_recording = false;
    w->end_us = NEVER;
    w->values_from = NEVER;
    w->values_end_us = NEVER;
}

/* ---- What is sent to a watcher ---- */

static enum rc say_event(const struct watcher *watcher, const struct watch_event *e,
                         uint64_t number, uint64_t clock_ms, struct buf *out)
{
    const size_t before = out->len;
    /* No id while the first entries are listed: a watcher that ends there must not resume there. */
    const bool has_id = watcher->reset == NULL || watcher->is_live;
    enum rc rc = has_id ? watch_text_id(watcher->watch->config.boot, number, "", out) : RC_OK;
    rc = rc == RC_OK ? watch_event_write(e, clock_ms, watcher->has_values, out) : rc;
    if (rc != RC_OK) {
        out->len = before;
    }
    return rc;
}

/* Sends the events since the last one that it got. RC_RANGE: the ring has overtaken it. */
static enum rc tell_events(struct watcher *watcher, uint64_t clock_ms, struct buf *out)
{
    const struct watch_ring *ring = &watcher->watch->ring;
    enum rc rc = RC_OK;
    while (rc == RC_OK && watcher->next < ring->next && out->len < WATCH_PIECE_BYTES) {
        const struct watch_event *e = watch_ring_at(ring, watcher->next);
        if (e == NULL) {
            return RC_RANGE;
        }
        if (is_match(watcher->group, e)) {
            rc = say_event(watcher, e, watcher->next, clock_ms, out);
        }
        watcher->next += rc == RC_OK;
    }
    return rc;
}

static enum rc tell_entry(const struct watcher *watcher, const struct record *r, uint64_t clock_ms,
                          struct buf *out)
{
    struct watch_event *e = watch_event_new(WATCH_PUT, r, watcher->has_values);
    const enum rc rc =
        e == NULL ? RC_NO_MEMORY : watch_event_write(e, clock_ms, watcher->has_values, out);
    free(e);
    return rc;
}

/* Some more of the entries that there are now. */
static enum rc tell_snapshot(struct watcher *watcher, uint64_t at_us, uint64_t clock_ms,
                             struct buf *out)
{
    const struct engine *engine = watcher->watch->config.engine;
    const struct group *g = watcher->group;
    struct snapshot *s = watcher->snapshot;
    enum rc rc = RC_OK;
    for (int i = 0; i < SNAPSHOT_KEYS && rc == RC_OK && out->len < WATCH_PIECE_BYTES; i++) {
        struct record r = {0};
        if (engine_next_key(engine, g->bytes, g->prefix.len, s->last, s->last_len, at_us, &r) !=
            RC_OK) {
            free(s);
            watcher->snapshot = NULL;
            break;
        }
        rc = tell_entry(watcher, &r, clock_ms, out);
        if (rc == RC_OK) {
            memcpy(s->last, r.key, r.key_len);
            s->last_len = r.key_len;
        }
    }
    return rc;
}

static enum rc tell_beginning(struct watcher *watcher, struct buf *out)
{
    if (watcher->is_begun) {
        return RC_OK;
    }
    const enum rc rc = watch_text_begin(watcher->reset, out);
    watcher->is_begun = rc == RC_OK;
    return rc;
}

static bool is_caught_up(const struct watcher *watcher)
{
    return watcher->next == watcher->watch->ring.next;
}

/* Up to date: says so once, and in silence says now and then where the watcher may resume. */
static enum rc tell_place(struct watcher *watcher, struct buf *out)
{
    const struct watch *w = watcher->watch;
    const uint64_t number = w->ring.next - 1;
    enum rc rc = RC_OK;
    if (watcher->snapshot == NULL && !watcher->is_live) {
        rc = watch_text_id(w->config.boot, number, "event: live\ndata: {}\n\n", out);
        watcher->is_live = rc == RC_OK;
    } else if (watcher->is_beat_due && out->len == 0) {
        rc = watcher->is_live ? watch_text_id(w->config.boot, number, BEAT, out)
                              : buf_append(out, BEAT, sizeof(BEAT) - 1);
    }
    return rc;
}

static enum rc tell(struct watcher *watcher, uint64_t at_us, struct buf *out)
{
    const uint64_t clock_ms = engine_clock_ms(watcher->watch->config.engine, at_us);
    enum rc rc = tell_beginning(watcher, out);
    rc = rc == RC_OK ? tell_events(watcher, clock_ms, out) : rc;
    if (rc == RC_OK && is_caught_up(watcher) && watcher->snapshot != NULL) {
        rc = tell_snapshot(watcher, at_us, clock_ms, out);
    }
    if (rc == RC_OK && is_caught_up(watcher)) {
        rc = tell_place(watcher, out);
    }
    return rc;
}

/* The last words of a stream; without room for them it ends all the same. */
static void tell_end(enum rc why, struct buf *out)
{
    enum rc rc = RC_OK;
    if (why == RC_RANGE) {
        rc = watch_text_end("overloaded", "Read too slowly; connect again.", out);
    } else if (why == RC_DRAINING) {
        rc = watch_text_end("draining", "The node is shutting down; connect to another.", out);
    } else {
        rc = watch_text_end("internal", "Out of memory; connect again.", out);
    }
    (void)rc;
}

/* Puts it where it belongs after a delivery: it waits for events, or for its socket. */
static void settle(struct watcher *watcher, uint64_t at_us, bool has_told)
{
    struct watch *w = watcher->watch;
    watcher->is_beat_due = false;
    watcher->waiting_us = at_us;
    if (has_told) {
        watcher->told_us = at_us;
        TAILQ_REMOVE(&w->told, watcher, told);
        TAILQ_INSERT_TAIL(&w->told, watcher, told);
    }
    if (!is_caught_up(watcher) || watcher->snapshot != NULL || !watcher->is_live) {
        make_ready(w, watcher, at_us);
        return;
    }
    if (watcher->place == PLACE_READY) {
        TAILQ_REMOVE(&w->ready, watcher, entry);
    }
    if (watcher->place != PLACE_IDLE) {
        TAILQ_INSERT_TAIL(&watcher->group->idle, watcher, entry);
        watcher->place = PLACE_IDLE;
    }
}

static bool produce(void *arg, struct buf *out)
{
    struct watcher *watcher = arg;
    struct watch *w = watcher->watch;
    const uint64_t at_us = now_us(w);
    const size_t before = out->len;
    if (watcher->place == PLACE_IDLE) {
        watcher->next = w->ring.next;
    }
    const enum rc rc = w->is_draining ? RC_DRAINING : tell(watcher, at_us, out);
    if (rc == RC_RANGE) {
        watcher->is_cut = true;
        w->stats.cut_total++;
    }
    /* What a full piece had no room for goes into the next one. A piece without room for anything
     * will never have any. */
    if (rc != RC_OK && (rc != RC_FULL || out->len == before)) {
        tell_end(rc, out);
        return false;
    }
    settle(watcher, at_us, out->len > before);
    return true;
}

/* ---- Coming and going ---- */

static struct group *enter_group(struct watch *w, const uint8_t *prefix, size_t len)
{
    struct group *g = (struct group *)prefix_tree_find(&w->groups, prefix, len);
    if (g == NULL) {
        g = mem_new(1, sizeof(*g) + len);
        TAILQ_INIT(&g->idle);
        if (len > 0) {
            memcpy(g->bytes, prefix, len);
        }
        g->prefix = (struct prefix_tree_entry){.bytes = g->bytes, .len = len};
        prefix_tree_add(&w->groups, &g->prefix);
    }
    g->count++;
    return g;
}

static void leave_group(struct watch *w, struct group *g)
{
    g->count--;
    if (g->count == 0) {
        prefix_tree_remove(&w->groups, &g->prefix);
        free(g);
    }
}

static void count_watcher(struct watch *w, const struct watcher *watcher, int change)
{
    const uint64_t end_us = now_us(w) + (uint64_t)WATCH_LINGER_MS * 1000;
    w->stats.watchers += (uint64_t)(int64_t)change;
    w->value_watchers += watcher->has_values ? (uint32_t)change : 0;
    if (w->stats.watchers == 0) {
        w->end_us = end_us;
        w->config.turn_by(w->config.arg, end_us);
    }
    if (w->value_watchers == 0 && watcher->has_values) {
        w->values_end_us = end_us;
        w->config.turn_by(w->config.arg, end_us);
    }
}

static void done(void *arg)
{
    struct watcher *watcher = arg;
    struct watch *w = watcher->watch;
    const bool is_behind = watcher->place != PLACE_IDLE && !watcher->is_cut && !w->is_draining;
    if (is_behind && now_us(w) - watcher->waiting_us > (uint64_t)WATCH_SLOW_MS * 1000) {
        w->stats.cut_total++;
    }
    if (watcher->place == PLACE_IDLE) {
        TAILQ_REMOVE(&watcher->group->idle, watcher, entry);
    } else if (watcher->place == PLACE_READY) {
        TAILQ_REMOVE(&w->ready, watcher, entry);
    }
    TAILQ_REMOVE(&w->told, watcher, told);
    leave_group(w, watcher->group);
    count_watcher(w, watcher, -1);
    free(watcher->snapshot);
    free(watcher);
}

/* Finds out where it begins; sets `reset` when it cannot go on where it was. */
static void find_place(struct watch *w, struct watcher *watcher, struct http_text last_id)
{
    uint64_t number = 0;
    watcher->next = w->ring.next;
    if (last_id.len == 0) {
        watcher->reset = "new";
    } else if (watch_text_read_id(w->config.boot, last_id, &number) != RC_OK) {
        watcher->reset = "other_node";
    } else if (!watch_ring_holds_after(&w->ring, number) ||
               (watcher->has_values && number + 1 < w->values_from)) {
        watcher->reset = "too_late";
    } else {
        watcher->next = number + 1;
    }
    if (watcher->reset == NULL) {
        w->stats.resumed_total++;
        return;
    }
    w->stats.reset_total++;
    if (watcher->has_snapshot) {
        watcher->snapshot = mem_new(1, sizeof(*watcher->snapshot));
    }
}

enum rc watch_open(struct watch *w, const struct watch_request *request, struct http_response *rs)
{
    if (w->stats.watchers >= w->config.watchers_max || w->is_draining) {
        w->stats.refused_total++;
        return RC_FULL;
    }
    struct watcher *watcher = mem_new(1, sizeof(*watcher));
    watcher->watch = w;
    watcher->id = request->id;
    watcher->has_values = request->has_values;
    watcher->has_snapshot = request->has_snapshot;
    watcher->group = enter_group(w, request->prefix, request->prefix_len);
    watcher->told_us = now_us(w);
    watcher->waiting_us = watcher->told_us;
    watcher->place = PLACE_WAITING;
    TAILQ_INSERT_TAIL(&w->told, watcher, told);
    start_recording(w);
    if (watcher->has_values) {
        w->values_from = w->values_from == NEVER ? w->ring.next : w->values_from;
        w->values_end_us = NEVER;
    }
    count_watcher(w, watcher, 1);
    find_place(w, watcher, request->last_id);
    w->config.turn_by(w->config.arg, watcher->told_us + (uint64_t)WATCH_HEARTBEAT_MS * 1000);
    rs->kind = HTTP_BODY_STREAM;
    rs->produce = produce;
    rs->done = done;
    rs->arg = watcher;
    rs->is_waking = true;
    return RC_OK;
}

/* ---- Time ---- */

/* Sends a sign of life to those that got nothing for long. */
static void look_at_silence(struct watch *w, uint64_t at_us)
{
    const uint64_t silence_us = (uint64_t)WATCH_HEARTBEAT_MS * 1000;
    struct watcher *watcher = NULL;
    while ((watcher = TAILQ_FIRST(&w->told)) != NULL && watcher->told_us + silence_us <= at_us) {
        watcher->is_beat_due = true;
        watcher->told_us = at_us;
        TAILQ_REMOVE(&w->told, watcher, told);
        TAILQ_INSERT_TAIL(&w->told, watcher, told);
        make_ready(w, watcher, at_us);
    }
    if (watcher != NULL) {
        w->config.turn_by(w->config.arg, watcher->told_us + silence_us);
    }
}

/* Wakes those that are ready now. One with still more to come is woken again in the next turn. */
static void wake_some(struct watch *w, uint64_t began_us)
{
    const struct watcher *last = TAILQ_LAST(&w->ready, watcher_list);
    struct watcher *watcher = NULL;
    for (int i = 0; i < WATCH_WAKES_MAX && (watcher = TAILQ_FIRST(&w->ready)) != NULL; i++) {
        const bool is_last = watcher == last;
        TAILQ_REMOVE(&w->ready, watcher, entry);
        watcher->place = PLACE_WAITING;
        w->config.wake(w->config.arg, watcher->id); /* may end it */
        if (is_last || now_us(w) - began_us >= WATCH_TURN_US) {
            break;
        }
    }
    if (!TAILQ_EMPTY(&w->ready)) {
        w->config.turn_by(w->config.arg, 0);
    }
}

void watch_turn(struct watch *w)
{
    const uint64_t at_us = now_us(w);
    look_at_silence(w, at_us);
    wake_some(w, at_us);
    if (w->is_recording && at_us >= w->end_us) {
        stop_recording(w);
    }
    if (w->is_recording && at_us >= w->values_end_us) {
        w->values_from = NEVER;
        w->values_end_us = NEVER;
    }
}

void watch_drain(struct watch *w)
{
    const uint64_t at_us = now_us(w);
    struct watcher *watcher = NULL;
    w->is_draining = true;
    TAILQ_FOREACH(watcher, &w->told, told)
    {
        make_ready(w, watcher, at_us);
    }
}

/* ---- Life ---- */

struct watch *watch_new(const struct watch_config *config)
{
    struct watch *w = mem_new(1, sizeof(*w));
    w->config = *config;
    w->end_us = NEVER;
    w->values_from = NEVER;
    w->values_end_us = NEVER;
    watch_ring_init(&w->ring);
    TAILQ_INIT(&w->ready);
    TAILQ_INIT(&w->told);
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    ASSERT(TAILQ_EMPTY(&w->told) && w->groups.root == NULL);
    if (w->is_recording) {
        engine_observe(w->config.engine, NULL);
    }
    watch_ring_fini(&w->ring);
    free(w);
}

struct watch_stats watch_stats(const struct watch *w)
{
    struct watch_stats stats = w->stats;
    stats.buffered_bytes = w->ring.bytes;
    return stats;
}
