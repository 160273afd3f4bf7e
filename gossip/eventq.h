/*
 * eventq: what swim has to tell its caller, in order. A ring; the bytes of packets for links are
 * copied in and lent out until the next event is taken.
 *
 * Bounded: packets for links are dropped beyond their maximum, as the network would have done; the
 * other kinds are a few per call, and a caller that does not take them between calls is a
 * programmer's error.
 */
#ifndef GOSSIP_EVENTQ_H
#define GOSSIP_EVENTQ_H

#include "gossip/swim.h"

enum { EVENTQ_MAX = 8 * MEMBERS_MAX, EVENTQ_PACKETS_MAX = OUTBOX_DATAGRAMS_MAX };

struct eventq {
    struct swim_event *events; /* ring */
    uint32_t size;             /* power of two, or 0 */
    uint32_t head, count;
    uint32_t packet_count;
    void *lent; /* bytes of the event taken last */
};

void eventq_init(struct eventq *q);
void eventq_fini(struct eventq *q);

/* Copies the event, and its bytes when it has some. False when a packet found the queue full. */
bool eventq_put(struct eventq *q, const struct swim_event *event);

/* Takes the oldest; false when there is none. */
bool eventq_next(struct eventq *q, struct swim_event *ret_event);

/* Drops the events about a member that is about to be forgotten. */
void eventq_forget(struct eventq *q, const struct member *m);

#endif
