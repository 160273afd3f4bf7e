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
 * A watcher that has seen the event before the ring's first, on this node since its start and of
 * the same keys (net/watch/watch_text), goes on exactly there. Everybody else gets `reset`, then
 * every live entry, mixed with the changes that happen meanwhile, then `live`. While entries are
 * listed no event has an id: a watcher that loses its connection there begins anew. Changes up to a
 * moment are sent before the entries that are read at that moment, and those of keys that the
 * listing comes to yet are not sent. So the events of one key are always in order, each version is
 * told once, and no end of what was never told.
 *
 * While the node catches up with its cluster, or claims its port still, watchers are held: they
 * hear comments only, and begin once it holds everything. Every stream that is ended here ends with
 * the event `end`.
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

#include "net/http/http.h"
#include "net/watch/watch_config.h"

struct watch;

struct watch_request {
    uint64_t id; /* of the exchange */
    const uint8_t *prefix;
    size_t prefix_len;
    uint8_t who[WATCH_WHO_SIZE]; /* for watch_review() */
    bool has_values;
    bool has_snapshot;        /* false: no entries between `reset` and `live` */
    struct http_text last_id; /* of the last event that the client has seen; empty: none */
};

/* Never NULL. */
struct watch *watch_new(const struct watch_config *config);

/* Every stream must have ended before. */
void watch_free(struct watch *w);

/* The node has claimed its port, and has an engine. Once. */
void watch_serve(struct watch *w, struct engine *engine);

/* Makes the response the watcher's stream. RC_FULL when there are as many watchers as may be,
 * RC_DRAINING when the node is. */
MUST_USE enum rc watch_open(struct watch *w, const struct watch_request *request,
                            struct http_response *rs);

/* Wakes the watchers for which there is something, in slices. Ends streams that are over. */
void watch_turn(struct watch *w);

/* What somebody watches, and who he is. */
struct watch_right {
    const uint8_t *who; /* WATCH_WHO_SIZE bytes of his request */
    const uint8_t *prefix;
    size_t prefix_len;
    bool has_values;
};

/* Ends the streams of those who may not watch any more, in the turns that follow; all others go on
 * as if nothing had been. `may` is asked of each. */
void watch_review(struct watch *w, bool (*may)(void *arg, const struct watch_right *right),
                  void *arg);

/* Ends every stream where it stands, in the turns that follow; new ones are refused. */
void watch_drain(struct watch *w);

/* The same at once, before the connections are closed. `why`: RC_DRAINING, or RC_JOINING where the
 * node goes on, at another port. */
void watch_end(struct watch *w, enum rc why);

struct watch_stats watch_stats(const struct watch *w);

#endif
