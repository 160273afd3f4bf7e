/*
 * watch_ring: the latest events of a node, in order, each with its number.
 *
 * Bounded in events and in bytes; the oldest go first. A watcher that has seen number N and finds N
 * + 1 still here has missed nothing. Numbers go up by one with each event and never come again. A
 * gap is left where events were not recorded (watch_ring_forget()), so that nobody resumes over it.
 *
 * Invariant: events are numbered first .. next - 1 without a hole, and `bytes` is the sum of their
 * sizes.
 */
#ifndef NET_WATCH_WATCH_RING_H
#define NET_WATCH_WATCH_RING_H

#include "net/watch/watch_event.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WATCH_RING_EVENTS_MAX = 16 * 1024,
    WATCH_RING_BYTES_MAX = 8 * 1024 * 1024,
};

struct watch_ring {
    struct watch_event **slots; /* by number modulo WATCH_RING_EVENTS_MAX; NULL while it is empty */
    uint64_t first, next;
    size_t bytes;
};

/* Empty; the first event will be number 1. */
void watch_ring_init(struct watch_ring *ring);
void watch_ring_fini(struct watch_ring *ring);

/* Takes the event, and drops the oldest for which there is no more room. */
void watch_ring_add(struct watch_ring *ring, struct watch_event *e);

/* The event of that number; NULL when it is not here. */
const struct watch_event *watch_ring_at(const struct watch_ring *ring, uint64_t number);

/* Whether everything after that number is here. */
bool watch_ring_holds_after(const struct watch_ring *ring, uint64_t number);

/* Drops all and leaves a gap: what was numbered so far cannot be resumed. Its memory is freed. */
void watch_ring_forget(struct watch_ring *ring);

#endif
