/*
 * watch_config: what watch is made with, what it counts, and its times.
 */
#ifndef NET_WATCH_WATCH_CONFIG_H
#define NET_WATCH_WATCH_CONFIG_H

#include "gossip/engine.h"

enum {
    WATCH_WHO_SIZE = 32,         /* bytes by which its caller knows a watcher again */
    WATCH_HEARTBEAT_MS = 5000,   /* of silence; promised are 10 s */
    WATCH_LINGER_MS = 60 * 1000, /* events are recorded so long after the last watcher left */
    WATCH_TURN_US = 2000,        /* no more are woken in a turn that has taken this long */
    WATCH_WAKES_MAX = 128,       /* connections woken in one turn: about a millisecond */
    WATCH_HELD_MS = 50,          /* whether those who are held may begin is looked at so often */
    /* One that ends while events have waited for it this long did not keep up. */
    WATCH_SLOW_MS = 1000,
};

struct watch_config {
    struct engine *engine; /* borrowed; its observer is ours; NULL until watch_serve() */
    uint64_t boot;         /* this start of this node, as no other has it */
    uint32_t watchers_max;
    void *arg;
    uint64_t (*now_us)(void *arg); /* the engine's time */
    /* The exchange `id`, if its stream waits, asks its producer for more. Never from within one. */
    void (*wake)(void *arg, uint64_t id);
    /* watch_turn() is wanted at this time. */
    void (*turn_by)(void *arg, uint64_t at_us);
};

struct watch_stats {
    uint64_t watchers;
    uint64_t events_total;   /* recorded */
    uint64_t written_total;  /* times that one was formatted for watchers, however many heard it */
    uint64_t resumed_total;  /* watches that went on exactly */
    uint64_t reset_total;    /* watches that began with `reset` */
    uint64_t refused_total;  /* for there were too many */
    uint64_t cut_total;      /* watchers that did not keep up */
    uint64_t buffered_bytes; /* of the ring */
};

#endif
