#include "net/watch/watch_tell.h"

#include "net/watch/watch_text.h"

#include <stdlib.h>
#include <string.h>

/* A comment, as a sign of life. */
static const char BEAT[] = ":\n\n";

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

static enum rc say_event(const struct watcher *watcher, const struct watch_event *e,
                         uint64_t number, uint64_t clock_ms, struct buf *out)
{
    const size_t before = out->len;
    /* No id while the first entries are listed: a watcher that ends there must not resume there. */
    const bool has_id = watcher->reset == NULL || watcher->is_live;
    enum rc rc = has_id
                     ? watch_text_id(watcher->watch->config.boot, watcher->scope, number, "", out)
                     : RC_OK;
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
        if (is_match(watcher->group, e) && !is_unneeded(watcher, e)) {
            rc = say_event(watcher, e, watcher->next, clock_ms, out);
        }
        watcher->next += rc == RC_OK;
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

bool watch_tell_is_caught_up(const struct watcher *watcher)
{
    return watcher->next == watcher->watch->ring.next;
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
