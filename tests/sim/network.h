/*
 * network: virtual time, and the datagrams and streams between the nodes of a simulated cluster.
 *
 * A heap of events, ordered by time and then by age, so that one seed always gives one history.
 * Datagrams are lost, delayed and blocked. Streams are ordered: a lost segment is retransmitted
 * after 200 ms, doubling, and holds up what is behind it; a stream that is blocked for too long is
 * reset.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "core/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind {
    EVENT_TICK,      /* node `to` wants engine_tick() */
    EVENT_DATAGRAM,  /* bytes for node `to` from node `from` */
    EVENT_REFUSED,   /* node `to` learns that nobody listens at node `from`'s address */
    EVENT_DIAL,      /* node `from`'s dial arrives at node `to` */
    EVENT_DIAL_DONE, /* its answer arrives back at node `to` */
    EVENT_BYTES,     /* bytes of a stream arrive at node `to` */
    EVENT_DRAINED,   /* node `to` may send more on a stream */
    EVENT_END,       /* a stream has ended for node `to` */
    EVENT_DISCOVERY, /* node `to` asks its providers again */
};

struct event {
    uint64_t at_us;
    uint64_t age; /* order among equals */
    enum event_kind kind;
    uint32_t from, to;    /* nodes */
    uint32_t to_life;     /* the life of the node it is for; a restarted one does not get it */
    uint32_t stream, end; /* of stream events: which stream, which of its two ends it is for */
    int why;              /* EVENT_END, EVENT_DIAL_DONE: enum link_end */
    uint64_t piece;       /* EVENT_BYTES: its number on the stream */
    uint8_t *data;        /* owned by the event */
    size_t len;
};

struct network {
    uint64_t now_us;
    uint64_t age;
    struct rng rng;
    struct event *heap;
    size_t count, size;
    uint64_t hash; /* of everything that happened, in order */
};

void network_init(struct network *net, uint64_t seed);
void network_fini(struct network *net);

/* Schedules a copy of the event; `data` is copied too. */
void network_at(struct network *net, uint64_t at_us, struct event event);

/* Takes the next event not later than `until_us` and moves time to it; false, and time moves to
 * `until_us`, when there is none. The caller frees event->data. */
bool network_next(struct network *net, uint64_t until_us, struct event *ret_event);

/* Adds to the history's hash. */
void network_note(struct network *net, const void *data, size_t len);

#endif
