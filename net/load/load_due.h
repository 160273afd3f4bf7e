/*
 * load_due: which requests of an open loop are due, and when. Sans-IO.
 *
 * Requests fall due by the clock: `together` of them at one instant, then as many again, so that
 * `rate` a second come. Each lot belongs to one lane, in turn, and a lane is a server. So one that
 * stalls keeps the requests that its users would have sent to it meanwhile: no other server takes
 * them over, and none is left out. That is what avoids coordinated omission. Numbers count the
 * requests of all lanes in the order in which they fall due.
 *
 * Left out: sending, and over which connection (net/load).
 */
#ifndef NET_LOAD_LOAD_DUE_H
#define NET_LOAD_LOAD_DUE_H

#include <stddef.h>
#include <stdint.h>

struct load_due {
    uint64_t rate;     /* a second, over all lanes */
    uint32_t together; /* at one instant */
    size_t lane_count;
    uint64_t *taken;   /* of each lane; owned */
    uint64_t begun_ns; /* the first lot is due then */
    uint64_t most;     /* no more fall due */
    uint64_t count;    /* taken, of all lanes */
};

/* All three at least 1. */
void load_due_init(struct load_due *d, uint64_t rate, uint32_t together, size_t lane_count);
void load_due_fini(struct load_due *d);

/* From now on, and from the first number, `most` of them; NEVER: without end. */
void load_due_begin(struct load_due *d, uint64_t now_ns, uint64_t most);

/* When the lane's next request is or was due; NEVER: it has no more. */
uint64_t load_due_next_ns(const struct load_due *d, size_t lane);

/* That request is on its way. */
void load_due_take(struct load_due *d, size_t lane);

/* Nothing falls due from that moment on. What was due before still is. */
void load_due_close(struct load_due *d, uint64_t at_ns);

/* Tells of all that were due before that moment and not taken: `count` of them have waited
 * `waited_ns`. Many are told in steps, each as long as its longest, so that a lane takes a thousand
 * calls or so. */
void load_due_left(const struct load_due *d, uint64_t at_ns,
                   void (*tell)(void *arg, uint64_t waited_ns, uint64_t count), void *arg);

#endif
