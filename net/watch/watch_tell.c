#include "net/watch/watch_tell.h"

#include "core/base/units.h"
#include "net/watch/watch_text.h"

#include <stdlib.h>
#include <string.h>

/* A comment, as a sign of life. */
static const char BEAT[] = ":\n\n";

bool watch_tell_is_caught_up(const struct watcher *watcher)
{
    return watcher->next == watcher->watch->ring.next;
}

static bool is_match(const struct group *g, const struct watch_event *e)
{
    return e->key_len >= g->prefix.len &&
           (g->prefix.len == 0 || memcmp(watch_event_key(e), g->bytes, g->prefix.len) == 0);
}

/* Whether the watcher needs no word of it: the listing comes to that key yet, or its time was over
 * before the listing began, and it was not in it. */
static bool is_unneeded(const struct watcher *watcher, const struct watch_event *e)
{
    const struct watch_listing *l = watcher->listing;
    return (l != NULL && watch_listing_is_ahead(l, watch_event_key(e), e->key_len)) ||
           (e->kind == WATCH_EXPIRE && e->expiry_ms <= watcher->from_ms);
}

/* No id while the first entries are listed: a watcher that ends there must not resume there. */
static bool has_id(const struct watcher *watcher)
{
    return watcher->reset == NULL || watcher->is_live;
}

static enum rc say_event(const struct watcher *watcher, const struct watch_event *e,
                         uint64_t number, uint64_t clock_ms, struct buf *out)
{
    struct watch *w = watcher->watch;
    const size_t before = out->len;
    enum rc rc =
        has_id(watcher) ? watch_text_id(w->config.boot, watcher->scope, number, "", out) : RC_OK;
    rc = rc == RC_OK ? watch_event_write(e, clock_ms, watcher->has_values, out) : rc;
    w->stats.written_total += rc == RC_OK;
    if (rc != RC_OK) {
        out->len = before;
    }
    return rc;
}

/* ---- The same words for many ---- */

/* Whether the watcher is to hear what was last told, and nothing else. */
static bool is_said(const struct watcher *watcher, uint64_t clock_ms)
{
    const struct watch *w = watcher->watch;
    const struct watch_words *words = &w->words;
    return words->group == watcher->group && words->from == watcher->next &&
           words->to == w->ring.next && words->clock_ms == clock_ms &&
           words->has_values == watcher->has_values && words->has_id == has_id(watcher) &&
           words->end_ms > watcher->from_ms && watcher->listing == NULL;
}

/* Keeps what has been told, all that there was. Without memory nothing is kept. */
static void keep_words(const struct watcher *watcher, uint64_t from, uint64_t clock_ms,
                       const uint8_t *text, size_t len)
{
    struct watch *w = watcher->watch;
    buf_clear(&w->words.text);
    const bool is_kept = buf_append(&w->words.text, text, len) == RC_OK;
    w->words.group = is_kept ? watcher->group : NULL;
    w->words.has_values = watcher->has_values;
    w->words.has_id = has_id(watcher);
    w->words.from = from;
    w->words.to = w->ring.next;
    w->words.clock_ms = clock_ms;
}

/* Sends the events since the last one that it got. RC_RANGE: the ring has overtaken it. */
static enum rc tell_ring(struct watcher *watcher, uint64_t clock_ms, struct buf *out,
                         uint64_t *ret_end_ms)
{
    const struct watch_ring *ring = &watcher->watch->ring;
    enum rc rc = RC_OK;
    *ret_end_ms = NEVER;
    while (rc == RC_OK && watcher->next < ring->next && out->len < WATCH_PIECE_BYTES) {
        const struct watch_event *e = watch_ring_at(ring, watcher->next);
        if (e == NULL) {
            return RC_RANGE;
        }
        if (is_match(watcher->group, e)) {
            *ret_end_ms =
                e->kind == WATCH_EXPIRE ? min_u64(*ret_end_ms, e->expiry_ms) : *ret_end_ms;
            rc = is_unneeded(watcher, e) ? RC_OK
                                         : say_event(watcher, e, watcher->next, clock_ms, out);
        }
        watcher->next += rc == RC_OK;
    }
    return rc;
}

static enum rc tell_events(struct watcher *watcher, uint64_t clock_ms, struct buf *out)
{
    struct watch *w = watcher->watch;
    const uint64_t from = watcher->next;
    const size_t before = out->len;
    uint64_t end_ms = NEVER;
    if (from < w->ring.next && is_said(watcher, clock_ms)) {
        const enum rc rc = buf_append(out, buf_data(&w->words.text), w->words.text.len);
        watcher->next = rc == RC_OK ? w->words.to : from;
        return rc;
    }
    const enum rc rc = tell_ring(watcher, clock_ms, out, &end_ms);
    if (rc == RC_OK && out->len > before && watch_tell_is_caught_up(watcher) &&
        watcher->listing == NULL && end_ms > watcher->from_ms) {
        keep_words(watcher, from, clock_ms, buf_data(out) + before, out->len - before);
        w->words.end_ms = end_ms;
    }
    return rc;
}

/* Some more of the entries that there are now. */
static enum rc tell_listing(struct watcher *watcher, uint64_t at_us, struct buf *out)
{
    bool is_over = false;
    const enum rc rc =
        watch_listing_write(watcher->listing, watcher->watch->config.engine,
                            &watcher->group->prefix, watcher->has_values, at_us, out, &is_over);
    if (is_over) {
        free(watcher->listing);
        watcher->listing = NULL;
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

/* Up to date: says so once, and in silence says now and then where the watcher may resume. */
static enum rc tell_place(struct watcher *watcher, struct buf *out)
{
    const struct watch *w = watcher->watch;
    const uint64_t number = w->ring.next - 1;
    enum rc rc = RC_OK;
    if (watcher->listing == NULL && !watcher->is_live) {
        rc =
            watch_text_id(w->config.boot, watcher->scope, number, "event: live\ndata: {}\n\n", out);
        watcher->is_live = rc == RC_OK;
    } else if (watcher->is_beat_due && out->len == 0) {
        rc = watcher->is_live ? watch_text_id(w->config.boot, watcher->scope, number, BEAT, out)
                              : buf_append(out, BEAT, sizeof(BEAT) - 1);
    }
    return rc;
}

/* What one hears who is held. */
static enum rc tell_waiting(struct watcher *watcher, struct buf *out)
{
    if (watcher->is_waited) {
        return watcher->is_beat_due ? buf_append(out, BEAT, sizeof(BEAT) - 1) : RC_OK;
    }
    const enum rc rc = watch_text_wait(out);
    watcher->is_waited = rc == RC_OK;
    return rc;
}

enum rc watch_tell(struct watcher *watcher, uint64_t at_us, struct buf *out)
{
    if (watcher->is_held) {
        return tell_waiting(watcher, out);
    }
    const uint64_t clock_ms = engine_clock_ms(watcher->watch->config.engine, at_us);
    enum rc rc = tell_beginning(watcher, out);
    rc = rc == RC_OK ? tell_events(watcher, clock_ms, out) : rc;
    if (rc == RC_OK && watch_tell_is_caught_up(watcher) && watcher->listing != NULL) {
        rc = tell_listing(watcher, at_us, out);
    }
    if (rc == RC_OK && watch_tell_is_caught_up(watcher)) {
        rc = tell_place(watcher, out);
    }
    return rc;
}

void watch_tell_end(enum rc why, struct buf *out)
{
    enum rc rc = RC_OK;
    if (why == RC_RANGE) {
        rc = http_events_end(out, HTTP_EVENTS_RETRY_MS, "overloaded",
                             "Read too slowly; connect again.");
    } else if (why == RC_DRAINING) {
        rc = http_events_end(out, HTTP_EVENTS_RETRY_MS, "draining",
                             "The node is shutting down; connect to another.");
    } else if (why == RC_REFUSED) {
        rc = http_events_end(out, HTTP_EVENTS_RETRY_MS, "forbidden",
                             "The right to watch this was taken back, or the token is over.");
    } else if (why == RC_JOINING) {
        rc = http_events_end(out, HTTP_EVENTS_RETRY_MS, "joining",
                             "The node has left this port to another, and starts at one that is "
                             "free.");
    } else {
        rc =
            http_events_end(out, HTTP_EVENTS_RETRY_MS, "internal", "Out of memory; connect again.");
    }
    (void)rc;
}
