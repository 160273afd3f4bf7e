/*
 * eventq: what swim reports to its caller, in order. It is a ring. The bytes of packets for links
 * are copied in and lent out until the next event is taken.
 *
 * It is bounded. Packets for links are dropped beyond their maximum, as the network would do.
 * Events of other kinds are a few per call. A caller that does not take them between calls is a
 * programmer's error.
 */
#ifndef GOSSIP_MEMBERSHIP_EVENTQ_H
#define GOSSIP_MEMBERSHIP_EVENTQ_H

#include "gossip/wire/outbox.h"
#include "gossip/wire/packet.h"

enum swim_event_kind {
    SWIM_MEMBER_NEW,     /* first seen, alive or suspect */
    SWIM_MEMBER_STATE,   /* the state changed from `was` */
    SWIM_PACKET_BY_LINK, /* `data` for the member's link, because datagrams do not pass */
    SWIM_CANDIDATE_DIAL, /* a candidate did not answer by datagram: try a link to `addr` */
    SWIM_LINK_WANTED,    /* datagrams do not reach the member and it has no link */
    SWIM_VITALS,   /* a ping or ack brought the member's vitals; rtt_us > 0 for an ack to a direct
                      ping */
    SWIM_STRANGER, /* somebody of another cluster, or of another `version`, is at `addr` */
    SWIM_KEY_UNKNOWN, /* a datagram from `addr` is under `key_id`, which our ring has not */
    SWIM_NAME_TWICE,  /* the member has our own name */
    SWIM_ANSWERED,    /* the member, alive or suspect, has answered since it last was not */
    SWIM_REFUTED,     /* we were suspected and said otherwise */
};

struct swim_event {
    enum swim_event_kind kind;
    struct member *member; /* NULL for candidates and strangers */
    enum member_state was;
    struct addr addr;
    uint8_t version;       /* SWIM_STRANGER: which it speaks; 0: it is of another cluster */
    uint16_t key_id;       /* SWIM_KEY_UNKNOWN */
    struct vitals vitals;  /* without flags where others can have said so */
    uint64_t vitals_at_us; /* when they came */
    uint32_t rtt_us;
    const uint8_t *data; /* borrowed until the next call of swim_next_event() */
    size_t len;
};

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
