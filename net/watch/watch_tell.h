/*
 * watch_tell: what one watcher is sent next, from its first words to its last.
 *
 * Nothing is told twice, and nothing is left out: what does not fit into a piece goes into the next
 * one. Left out is when somebody is told (net/watch/watch), with which it is tested.
 */
#ifndef NET_WATCH_WATCH_TELL_H
#define NET_WATCH_WATCH_TELL_H

#include "net/watch/watch_state.h"

/* Whether it has got every event that there is. */
bool watch_tell_is_caught_up(const struct watcher *watcher);

/* Appends what comes next for it, up to a piece. RC_RANGE: the ring has overtaken it; RC_FULL,
 * RC_NO_MEMORY. */
MUST_USE enum rc watch_tell(struct watcher *watcher, uint64_t at_us, struct buf *out);

/* The last words of a stream; without room for them it ends all the same. */
void watch_tell_end(enum rc why, struct buf *out);

#endif
