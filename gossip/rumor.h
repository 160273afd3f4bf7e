/*
 * rumor: what is waiting to be passed on by piggyback, least-told first, newest first among equals.
 *
 * A rumour is about one member and lives inside what is kept of it, so there is never more than one
 * per member: news replaces what was told before, and the queue is bounded by the member table. It
 * leaves the queue when it has been sent often enough, which is lambda * log10(N + 1) times (SWIM,
 * section 4.1): by then the whole cluster has it with high probability, and the pulls mend the
 * rest.
 */
#ifndef GOSSIP_RUMOR_H
#define GOSSIP_RUMOR_H

#include "gossip/packet.h"

enum {
    /* The factor of memberlist and of the SWIM paper's evaluation. */
    RUMOR_LAMBDA = 4,
    /* ceil(lambda * log10(MEMBERS_MAX + 1)) */
    RUMOR_SENDS_MAX = 17,
};

struct rumor {
    struct rumor *next, *prev; /* NULL when not queued */
    struct member *subject;
    enum entry_kind kind;
    struct uuid by;
    uint32_t sends;
    uint64_t round; /* the packet it was last offered to */
};

struct rumor_queue {
    struct rumor heads[RUMOR_SENDS_MAX]; /* a ring for each number of sends so far */
    uint32_t count;
    uint64_t round;
};

void rumor_queue_init(struct rumor_queue *q);

/* How often a rumour is sent in a cluster of `members`. */
uint32_t rumor_sends(uint32_t members);

/* Puts the news first, in place of what was waiting about the same member. `by` may be NULL. */
void rumor_put(struct rumor_queue *q, struct rumor *r, enum entry_kind kind, const struct uuid *by);

/* Takes it out; nothing happens when it is not queued. */
void rumor_drop(struct rumor_queue *q, struct rumor *r);

enum rumor_verdict { RUMOR_TAKEN, RUMOR_SKIPPED, RUMOR_PACKET_FULL };

/* Offers the rumours to one packet in order: each that `offer` takes has been sent once more, and
 * goes once it was sent `sends` times. */
void rumor_offer(struct rumor_queue *q, uint32_t sends,
                 enum rumor_verdict (*offer)(void *arg, const struct rumor *r), void *arg);

void rumor_queue_check(const struct rumor_queue *q);

#endif
