/*
 * watch: who watches which keys, and what each watcher gets next.
 *
 * Every change of the store comes in once (engine_observe()), is formatted once, and stands in a
 * ring of bounded size (net/watch/watch_ring). A watcher is a place in that ring. It costs some
 * hundred bytes, and one that does not read costs its socket's buffer at most. A watcher that the
 * ring overtakes is cut off; it hears why if it still reads.
 *
 * A change costs a walk by its key's bytes, however many prefixes are watched
 * (net/watch/prefix_tree).
 *
 * A watcher that has seen the event before the ring's first, on this node since its start, goes on
 * exactly there. Everybody else gets `reset`, then every live entry, mixed with the changes that
 * happen meanwhile, then `live`. While entries are listed no event has an id: a watcher that loses
 * its connection there begins anew. Changes up to a moment are sent before the entries that are
 * read at that moment. So the events of one key are always in order.
 *
 * Nothing is recorded while nobody watches: the ring lives as long as a watcher does and
 * WATCH_LINGER_MS longer, so that reconnecting within that time is exact.
 *
 * Streams are pulled: config.wake tells a connection that there is something for it, and its
 * producer is then called as the socket takes more. No sockets and no timers here; watch_turn() is
 * called by the caller's own (net/watch/watch_loop).
 */
#ifndef NET_WATCH_WATCH_H
#define NET_WATCH_WATCH_H

#include "gossip/engine.h"
#include "net/http/http.h"

enum {
    WATCH_HEARTBEAT_MS = 5000,   /* of silence; promised are 10 s */
    WATCH_LINGER_MS = 60 * 1000, /* events are recorded so long after the last watcher left */
    WATCH_TURN_US = 2000,        /* no more are woken in a turn that has taken this long */
    WATCH_WAKES_MAX = 128,       /* connections woken in one turn: about a millisecond */
    WATCH_PIECE_BYTES = 16 * 1024,
    /* One that ends while events have waited for it this long did not keep up. */
    WATCH_SLOW_MS = 1000,
};

struct watch;

struct watch_config {
    struct engine *engine; /* borrowed; its observer is ours */
    uint64_t boot;         /* this start of this node, as no other has it */
    uint32_t watchers_max;
    void *arg;
    uint64_t (*now_us)(void *arg); /* the engine's time */
    /* The exchange `id`, if its stream waits, asks its producer for more. Never from within one. */
    void (*wake)(void *arg, uint64_t id);
    /* watch_turn() is wanted at this time. */
    void (*turn_by)(void *arg, uint64_t at_us);
};

struct watch_request {
    uint64_t id; /* of the exchange */
    const uint8_t *prefix;
    size_t prefix_len;
    bool has_values;
    bool has_snapshot;        /* false: no entries between `reset` and `live` */
    struct http_text last_id; /* of the last event that the client has seen; empty: none */
};

struct watch_stats {
    uint64_t watchers;
    uint64_t events_total;   /* recorded */
    uint64_t resumed_total;  /* watches that went on exactly */
    uint64_t reset_total;    /* watches that began with `reset` */
    uint64_t refused_total;  /* for there were too many */
    uint64_t cut_total;      /* watchers that did not keep up */
    uint64_t buffered_bytes; /* of the ring */
};

/* Never NULL. */
struct watch *watch_new(const struct watch_config *config);

/* Every stream must have ended before. */
void watch_free(struct watch *w);

/* Makes the response the watcher's stream. RC_FULL when there are as many watchers as may be, or
 * the node is draining. */
MUST_USE enum rc watch_open(struct watch *w, const struct watch_request *request,
                            struct http_response *rs);

/* Wakes the watchers for which there is something, in slices. Ends streams that are over. */
void watch_turn(struct watch *w);

/* Ends every stream where it stands; new ones are refused. */
void watch_drain(struct watch *w);

struct watch_stats watch_stats(const struct watch *w);

#endif
