/*
 * rumor: the news that waits to be piggybacked, least-sent first, newest first among equals.
 *
 * There is at most one rumour about a member: news replaces the one that waits. A rumour leaves the
 * queue when it has been sent lambda * log10(N + 1) times (SWIM, section 4.1). By then the whole
 * cluster has it with high probability, and the pulls mend the rest.
 *
 * Rumours stand in one ring for each number of sends so far. So the cost of filling a packet
 * depends on the packet, and not on how many wait. The queue is bounded: when it is full, the
 * rumour that was sent most often makes room.
 */
#ifndef GOSSIP_MEMBERSHIP_RUMOR_H
#define GOSSIP_MEMBERSHIP_RUMOR_H

#include "gossip/wire/packet.h"

enum {
    /* Half as much again as in memberlist: of 16 nodes at 25 % loss one in 40 did not hear of a
     * death with 4, and had to find out by itself. */
    RUMOR_LAMBDA = 6,
    /* ceil(lambda * log10(MEMBERS_MAX + 1)) */
    RUMOR_SENDS_MAX = 26,
    /* 30 full packets; what is dropped beyond is found by digests. */
    RUMORS_MAX = 512,
    /* So many of those at hand may not fit what is left of a packet before it counts as full. */
    RUMOR_SKIPS_MAX = 4,
};

struct rumor {
    struct member *subject; /* NULL: free */
    struct uuid by;
    enum entry_kind kind;
    uint32_t round;      /* the packet it was last offered to */
    uint16_t next, prev; /* in its ring; `next` in the free list too, 0 at its end */
    uint8_t sends;
};

struct rumor_queue {
    struct rumor *all; /* 1 to RUMOR_SENDS_MAX are the rings' heads */
    uint32_t size, free;
    uint32_t count;
    uint32_t round;
};

void rumor_queue_init(struct rumor_queue *q);
void rumor_queue_fini(struct rumor_queue *q);

/* How often a rumour is sent in a cluster of `members`. */
uint32_t rumor_sends(uint32_t members);

/* Puts the news first, in place of what was waiting about the same member. `by` may be NULL. */
void rumor_put(struct rumor_queue *q, struct member *m, enum entry_kind kind,
               const struct uuid *by);

/* Takes out what waits about the member; nothing happens when nothing does. */
void rumor_drop(struct rumor_queue *q, struct member *m);

enum rumor_verdict { RUMOR_TAKEN, RUMOR_SKIPPED, RUMOR_PACKET_FULL };

/* Offers the rumours to one packet in order, until it is full: each that `offer` takes has been
 * sent once more, and goes once it was sent `sends` times. `offer` must not change the queue. */
void rumor_offer(struct rumor_queue *q, uint32_t sends,
                 enum rumor_verdict (*offer)(void *arg, const struct rumor *r), void *arg);

void rumor_queue_check(const struct rumor_queue *q);

#endif
