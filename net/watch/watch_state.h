/*
 * watch_state: what the parts of watch share, and nobody outside of it includes: watchers, those of
 * one prefix, and what all have in common.
 *
 *   watch        who comes and goes, whom a change concerns, whose turn it is
 *   watch_tell   what one watcher is sent next
 */
#ifndef NET_WATCH_WATCH_STATE_H
#define NET_WATCH_WATCH_STATE_H

#include "core/base/buf.h"
#include "net/watch/prefix_tree.h"
#include "net/watch/watch_config.h"
#include "net/watch/watch_listing.h"
#include "net/watch/watch_ring.h"

#include <sys/queue.h>

enum place {
    PLACE_IDLE,    /* is up to date; in its group's list */
    PLACE_HELD,    /* is to begin once the node holds everything; in the list of those */
    PLACE_READY,   /* is to be woken; in the list of those */
    PLACE_WAITING, /* was woken, and asks again when its socket takes more */
};

TAILQ_HEAD(watcher_list, watcher);

enum { WATCH_WORDS_MAX = 64 * 1024 }; /* a piece, and the longest event */

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
    struct watch_listing *listing; /* NULL: all its events come from the ring */
    const char *reset;             /* why it begins anew; NULL: it does not */
    uint64_t from_ms; /* what was over then was never told to it; 0: it may have been */
    uint64_t seen;    /* with `has_seen`: the number of the last event that it has seen */
    uint64_t id;
    uint8_t who[WATCH_WHO_SIZE];
    uint32_t scope;      /* in the ids of its events: what it watches */
    uint64_t next;       /* the number of the next event for it */
    uint64_t told_us;    /* when something was last sent to it */
    uint64_t waiting_us; /* since when something waits for it */
    uint8_t place;
    bool has_values, has_snapshot;
    bool has_seen;
    bool is_held;   /* it has no place in the events yet */
    bool is_waited; /* held, and has heard so */
    bool is_begun;  /* the first line is out */
    bool is_live;   /* `live` is out */
    bool is_beat_due;
    bool is_cut;
    bool is_barred; /* it may not watch any more */
};

/* What was last told of the ring: the next watcher who is to hear the same is told a copy. All who
 * wait for the events of a turn are, until the clock goes on by a millisecond. */
struct watch_words {
    struct buf text;
    const struct group *group; /* NULL: there is nothing */
    bool has_values, has_id;
    uint64_t from, to; /* numbers, the second not included */
    uint64_t clock_ms; /* as of which the time that is left is told */
    uint64_t end_ms;   /* of the expiries in it, the first; NEVER: none */
};

struct watch {
    struct watch_config config;
    struct watch_words words;
    struct watch_ring ring;
    struct prefix_tree groups; /* by prefix */
    struct watcher_list held;
    struct watcher_list ready;
    struct watcher_list told; /* every watcher, the longest silent one first */
    struct watch_stats stats;
    uint32_t value_watchers;
    uint64_t values_from;   /* events from this number on have their values; NEVER: none has */
    uint64_t values_end_us; /* values are recorded until then; NEVER: as long as one asks */
    uint64_t end_us;        /* the same of all events */
    uint64_t turn_us;       /* the time, while watchers are woken; 0: no time to go by */
    bool is_recording;
    enum rc over; /* RC_DRAINING or RC_JOINING: why every stream ends; RC_OK: they go on */
};

#endif
