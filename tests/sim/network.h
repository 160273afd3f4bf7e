/*
 * network: virtual time, and the traffic between the nodes of a simulated cluster.
 *
 * It is a heap of events, ordered by time and then by age, so one seed always gives one history. An
 * event sits in a slot until it has happened. Small payloads stand in the slot itself, so a large
 * cluster in its steady state allocates nothing per event. What the events mean is for stage.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "core/base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind {
    EVENT_TICK,      /* node `to` wants engine_tick() */
    EVENT_DATAGRAM,  /* bytes for node `to` from node `from` */
    EVENT_REFUSED,   /* node `to` learns that nobody listens at node `from`'s address */
    EVENT_DIAL,      /* node `from`'s dial arrives at node `to` */
    EVENT_DIAL_DONE, /* its answer arrives back at node `to` */
    EVENT_BYTES,     /* bytes of a stream may be due at node `to` */
    EVENT_DRAINED,   /* node `to` may send more on a stream */
    EVENT_END,       /* a stream has ended for node `to` */
    EVENT_DISCOVERY, /* node `to` asks its providers again */
    EVENT_KEYS,      /* node `to` is told to read its keys anew */
};

struct event {
    uint64_t at_us;
    uint64_t age; /* order among equals */
    enum event_kind kind;
    uint32_t from, to;    /* nodes */
    uint32_t to_life;     /* the life of the node it is for; a restarted one does not get it */
    bool is_forged;       /* a datagram that `from` has not sent, not to `to` */
    uint32_t stream, end; /* of stream events: which stream, which of its two ends it is for */
    uint16_t key_id;      /* EVENT_DIAL: as in ACTION_DIAL */
    int why;              /* EVENT_END, EVENT_DIAL_DONE: enum link_end */
    const uint8_t *data;  /* owned by the network */
    size_t len;
};

struct event_key {
    uint64_t at_us;
    uint64_t age;
    uint32_t slot;
};

struct event_slot;

struct network {
    uint64_t now_us;
    uint64_t age;
    struct rng rng;
    struct event_key *heap;
    uint32_t count, size;
    struct event_slot **chunks; /* slots never move */
    uint32_t slot_count;        /* in all chunks */
    uint32_t *free_slots;       /* a stack with room for all of them */
    uint32_t free_count;
    uint32_t happening_1; /* slot plus 1 of the event last taken; 0 none */
    uint64_t hash;        /* of everything that happened, in order */
};

void network_init(struct network *net, uint64_t seed);
void network_fini(struct network *net);

/* Schedules a copy of the event; `data` is copied too. */
void network_at(struct network *net, uint64_t at_us, const struct event *event);

/* Takes the next event not later than `until_us` and moves time to it; NULL, and time moves to
 * `until_us`, when there is none. The event and its bytes stay until the next call. */
const struct event *network_next(struct network *net, uint64_t until_us);

/* True with a chance of `ppm` in a million. Draws nothing when it is 0. */
bool network_chance(struct network *net, uint32_t ppm);

/* Adds to the history's hash. */
void network_note(struct network *net, const void *data, size_t len);

#endif
