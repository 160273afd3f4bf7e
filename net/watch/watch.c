#include "net/watch/watch.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/watch/watch_state.h"
#include "net/watch/watch_tell.h"
#include "net/watch/watch_text.h"

#include <stdlib.h>
#include <string.h>

static uint64_t now_us(const struct watch *w)
{
    return w->config.now_us(w->config.arg);
}

/* Whether the node does not hold everything yet that its cluster does. */
static bool is_catching_up(const struct watch *w)
{
    const struct engine *e = w->config.engine;
    return e == NULL || (engine_unready(e) & (READY_JOINING | READY_NO_CLOCK)) != 0;
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
    } else if (watcher->place == PLACE_HELD) {
        TAILQ_REMOVE(&w->held, watcher, entry);
    }
    if (TAILQ_EMPTY(&w->ready)) {
        w->config.turn_by(w->config.arg, 0);
    }
    TAILQ_INSERT_TAIL(&w->ready, watcher, entry);
    watcher->place = PLACE_READY;
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
    buf_fini(&w->words.text);
    w->words.group = NULL;
    w->is_recording = false;
    w->end_us = NEVER;
    w->values_from = NEVER;
    w->values_end_us = NEVER;
}

/* ---- Its way through the events ---- */

/* Finds out where it begins; sets `reset` when it cannot go on where it was. */
static void find_place(struct watch *w, struct watcher *watcher)
{
    watcher->next = w->ring.next;
    if (watcher->has_seen) {
        const bool is_here = watch_ring_holds_after(&w->ring, watcher->seen) &&
                             (!watcher->has_values || watcher->seen + 1 >= w->values_from);
        watcher->reset = is_here ? NULL : "too_late";
        watcher->next = is_here ? watcher->seen + 1 : watcher->next;
    }
    if (watcher->reset == NULL) {
        w->stats.resumed_total++;
        return;
    }
    w->stats.reset_total++;
    if (watcher->has_snapshot) {
        watcher->listing = mem_new(1, sizeof(*watcher->listing));
        watcher->from_ms = engine_clock_ms(w->config.engine, now_us(w));
        watcher->listing->from_ms = watcher->from_ms;
    }
}

/* From now on it is told what happens. */
static void begin(struct watch *w, struct watcher *watcher)
{
    watcher->is_held = false;
    start_recording(w);
    if (watcher->has_values) {
        w->values_from = w->values_from == NEVER ? w->ring.next : w->values_from;
        w->values_end_us = NEVER;
    }
    find_place(w, watcher);
}

static void settle_held(struct watcher *watcher, uint64_t at_us)
{
    struct watch *w = watcher->watch;
    if (watcher->place == PLACE_READY) {
        TAILQ_REMOVE(&w->ready, watcher, entry);
    }
    if (watcher->place != PLACE_HELD) {
        TAILQ_INSERT_TAIL(&w->held, watcher, entry);
        watcher->place = PLACE_HELD;
    }
    w->config.turn_by(w->config.arg, at_us + (uint64_t)WATCH_HELD_MS * 1000);
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
    if (watcher->is_held) {
        settle_held(watcher, at_us);
        return;
    }
    if (!watch_tell_is_caught_up(watcher) || watcher->listing != NULL || !watcher->is_live) {
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
    const uint64_t at_us = w->turn_us != 0 ? w->turn_us : now_us(w);
    const size_t before = out->len;
    if (watcher->is_held && !is_catching_up(w)) {
        begin(w, watcher);
    }
    if (watcher->place == PLACE_IDLE) {
        watcher->next = w->ring.next;
    }
    const enum rc over = watcher->is_barred ? RC_REFUSED : w->over;
    const enum rc rc = over != RC_OK ? over : watch_tell(watcher, at_us, out);
    if (rc == RC_RANGE) {
        watcher->is_cut = true;
        w->stats.cut_total++;
    }
    /* What a full piece had no room for goes into the next one. A piece without room for anything
     * will never have any. */
    if (rc != RC_OK && (rc != RC_FULL || out->len == before)) {
        watch_tell_end(rc, out);
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
        w->words.group = w->words.group == g ? NULL : w->words.group;
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
    const bool is_behind =
        !watcher->is_held && watcher->place != PLACE_IDLE && !watcher->is_cut && w->over == RC_OK;
    if (is_behind && now_us(w) - watcher->waiting_us > (uint64_t)WATCH_SLOW_MS * 1000) {
        w->stats.cut_total++;
    }
    if (watcher->place == PLACE_IDLE) {
        TAILQ_REMOVE(&watcher->group->idle, watcher, entry);
    } else if (watcher->place == PLACE_HELD) {
        TAILQ_REMOVE(&w->held, watcher, entry);
    } else if (watcher->place == PLACE_READY) {
        TAILQ_REMOVE(&w->ready, watcher, entry);
    }
    TAILQ_REMOVE(&w->told, watcher, told);
    leave_group(w, watcher->group);
    count_watcher(w, watcher, -1);
    free(watcher->listing);
    free(watcher);
}

/* What the client says that it has seen: an event of this start of the node and of what it watches,
 * or of another one. */
static void take_last_id(const struct watch *w, struct watcher *watcher, struct http_text last_id)
{
    const enum rc rc = watch_text_read_id(w->config.boot, watcher->scope, last_id, &watcher->seen);
    watcher->has_seen = rc == RC_OK;
    watcher->reset = last_id.len == 0 ? "new" : rc == RC_STALE ? "other_watch" : "other_node";
}

enum rc watch_open(struct watch *w, const struct watch_request *request, struct http_response *rs)
{
    const struct engine *e = w->config.engine;
    if (w->over != RC_OK || (e != NULL && (engine_unready(e) & READY_DRAINING) != 0)) {
        return RC_DRAINING;
    }
    if (w->stats.watchers >= w->config.watchers_max) {
        w->stats.refused_total++;
        return RC_FULL;
    }
    struct watcher *watcher = mem_new(1, sizeof(*watcher));
    watcher->watch = w;
    watcher->id = request->id;
    watcher->has_values = request->has_values;
    watcher->has_snapshot = request->has_snapshot;
    memcpy(watcher->who, request->who, sizeof(watcher->who));
    watcher->scope = watch_text_scope(request->prefix, request->prefix_len, request->has_values);
    watcher->group = enter_group(w, request->prefix, request->prefix_len);
    watcher->told_us = now_us(w);
    watcher->waiting_us = watcher->told_us;
    watcher->place = PLACE_WAITING;
    TAILQ_INSERT_TAIL(&w->told, watcher, told);
    count_watcher(w, watcher, 1);
    take_last_id(w, watcher, request->last_id);
    watcher->is_held = is_catching_up(w);
    if (!watcher->is_held) {
        begin(w, watcher);
    }
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

/* Lets those begin who are held, once the node holds everything. */
static void look_at_held(struct watch *w, uint64_t at_us)
{
    struct watcher *watcher = NULL;
    if (!TAILQ_EMPTY(&w->held) && is_catching_up(w)) {
        w->config.turn_by(w->config.arg, at_us + (uint64_t)WATCH_HELD_MS * 1000);
        return;
    }
    while ((watcher = TAILQ_FIRST(&w->held)) != NULL) {
        make_ready(w, watcher, at_us);
    }
}

/* Wakes those that are ready now. One with still more to come is woken again in the next turn. */
static void wake_some(struct watch *w, uint64_t began_us)
{
    const struct watcher *last = TAILQ_LAST(&w->ready, watcher_list);
    struct watcher *watcher = NULL;
    uint64_t at_us = began_us;
    for (int i = 0; i < WATCH_WAKES_MAX && (watcher = TAILQ_FIRST(&w->ready)) != NULL; i++) {
        const bool is_last = watcher == last;
        TAILQ_REMOVE(&w->ready, watcher, entry);
        watcher->place = PLACE_WAITING;
        w->turn_us = at_us;
        w->config.wake(w->config.arg, watcher->id); /* may end it */
        at_us = now_us(w);
        if (is_last || at_us - began_us >= WATCH_TURN_US) {
            break;
        }
    }
    w->turn_us = 0;
    if (!TAILQ_EMPTY(&w->ready)) {
        w->config.turn_by(w->config.arg, 0);
    }
}

void watch_turn(struct watch *w)
{
    const uint64_t at_us = now_us(w);
    look_at_silence(w, at_us);
    look_at_held(w, at_us);
    wake_some(w, at_us);
    if (w->is_recording && at_us >= w->end_us) {
        stop_recording(w);
    }
    if (w->is_recording && at_us >= w->values_end_us) {
        w->values_from = NEVER;
        w->values_end_us = NEVER;
    }
}

void watch_review(struct watch *w, bool (*may)(void *arg, const struct watch_right *right),
                  void *arg)
{
    const uint64_t at_us = now_us(w);
    struct watcher *watcher = NULL;
    TAILQ_FOREACH(watcher, &w->told, told)
    {
        const struct watch_right right = {.who = watcher->who,
                                          .prefix = watcher->group->bytes,
                                          .prefix_len = watcher->group->prefix.len,
                                          .has_values = watcher->has_values};
        if (!watcher->is_barred && !may(arg, &right)) {
            watcher->is_barred = true;
            make_ready(w, watcher, at_us);
        }
    }
}

static void end_all(struct watch *w, enum rc why)
{
    const uint64_t at_us = now_us(w);
    struct watcher *watcher = NULL;
    w->over = why;
    TAILQ_FOREACH(watcher, &w->told, told)
    {
        make_ready(w, watcher, at_us);
    }
}

void watch_drain(struct watch *w)
{
    end_all(w, RC_DRAINING);
}

void watch_end(struct watch *w, enum rc why)
{
    end_all(w, why);
    while (!TAILQ_EMPTY(&w->ready)) {
        wake_some(w, now_us(w));
    }
}

/* ---- Life ---- */

void watch_serve(struct watch *w, struct engine *engine)
{
    ASSERT(w->config.engine == NULL);
    w->config.engine = engine;
    w->config.turn_by(w->config.arg, 0);
}

struct watch *watch_new(const struct watch_config *config)
{
    struct watch *w = mem_new(1, sizeof(*w));
    w->config = *config;
    w->end_us = NEVER;
    w->values_from = NEVER;
    w->values_end_us = NEVER;
    watch_ring_init(&w->ring);
    buf_init(&w->words.text, WATCH_WORDS_MAX);
    TAILQ_INIT(&w->held);
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
    buf_fini(&w->words.text);
    free(w);
}

struct watch_stats watch_stats(const struct watch *w)
{
    struct watch_stats stats = w->stats;
    stats.buffered_bytes = w->ring.bytes;
    return stats;
}
