/*
 * quorum: client writes that wait for their quorum, and what each member has to do with them.
 *
 * A write is known by a waiter, a small number that link queues carry. Holders are counted by
 * member, so that two links or a reconciliation never count one member twice; by its uuid, as its
 * slot may be another's by then. A waiting write costs 144 bytes and its key, and 136 more for each
 * eight members that have a part in it. All writes wait equally long, so the oldest is the next to
 * time out. The quorum is fixed when the write arrives and is never lowered. gossip/voters judges
 * whether it can still be reached.
 */
#ifndef GOSSIP_REPLICATION_QUORUM_H
#define GOSSIP_REPLICATION_QUORUM_H

#include "core/base/rc.h"
#include "core/base/uuid.h"
#include "core/store/record.h"
#include "gossip/wire/outbox.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    QUORUM_WAITING_MAX = 65535, /* beyond, clients are asked to come back */
    REPLICATION_FACTOR_MAX = 63,
    QUORUM_HOLDERS_MAX = REPLICATION_FACTOR_MAX / 2,
    QUORUM_PARTS_MAX = 96, /* holders, and more neighbours than an enclave of any size has */
};

struct quorum;

/* `timeout_us` is how long a write waits for its quorum. Never NULL. */
struct quorum *quorum_new(uint64_t timeout_us, struct outbox *outbox);
void quorum_free(struct quorum *r);

/* The quorum among `members`: min(members, factor) / 2 + 1. */
uint32_t quorum_size(uint32_t members, uint32_t factor);

/* What a member has to do with a waiting write. */
enum quorum_part {
    QUORUM_NONE,    /* nothing, or it was sent in a small enclave, where all are */
    QUORUM_ASKED,   /* in a large one: it was sent or announced to it, to be acknowledged */
    QUORUM_PUT_OFF, /* it cannot take it yet, and gets it again later */
    QUORUM_REFUSED, /* it is full */
    QUORUM_HOLDS,
};

/* A waiting write, for those who send it. */
struct waiting {
    struct put_done done; /* what its client hears when it is settled; `have` grows until then */
    uint32_t handle;
    uint32_t quorum;
    uint64_t record_id;
    uint64_t deadline_us;
    uint8_t *key; /* owned */
    uint16_t key_len;
    bool is_big;
};

/*
 * Registers a write that only this node holds and that needs quorum - 1 more holders (quorum > 1);
 * *ret_waiter names it until it is settled. RC_OVERLOADED when QUORUM_WAITING_MAX wait.
 */
MUST_USE enum rc quorum_wait(struct quorum *r, const struct waiting *write, uint64_t now_us,
                             uint32_t *ret_waiter);

/* The write behind a waiter; NULL when it is settled. */
const struct waiting *quorum_at(const struct quorum *r, uint32_t waiter);

/* The waiter of the write with this record id and version; 0 when none waits for it. The version
 * decides. Somebody can make two writes with one id, and a holder of one does not hold the
 * other. */
uint32_t quorum_find(const struct quorum *r, uint64_t record_id, const struct version *version);

/* The member holds the write, or a newer version. At the quorum the client gets its answer. */
void quorum_held(struct quorum *r, uint32_t waiter, const struct uuid *member);

/* Notes any other part of the member; who holds a write goes on holding it. */
void quorum_note(struct quorum *r, uint32_t waiter, const struct uuid *member,
                 enum quorum_part part);

enum quorum_part quorum_part(const struct quorum *r, uint32_t waiter, const struct uuid *member);

/* How many members have this part. */
uint32_t quorum_parts(const struct quorum *r, uint32_t waiter, enum quorum_part part);

/* Goes through the members that have held or refused the write: start with *at = 0, ends with NULL.
 * Nothing may be noted meanwhile. */
const struct uuid *quorum_next_settled(const struct quorum *r, uint32_t waiter, uint32_t *at);

/* The quorum cannot be reached any more: the client gets its answer at once. */
void quorum_give_up(struct quorum *r, uint32_t waiter);

/* The oldest waiter, and the one after; 0 at the end. */
uint32_t quorum_first(const struct quorum *r);
uint32_t quorum_next(const struct quorum *r, uint32_t waiter);

/* Answers what has waited long enough; returns how many. */
uint32_t quorum_expire(struct quorum *r, uint64_t now_us);

/* No write waits longer than until then any more. */
void quorum_hurry(struct quorum *r, uint64_t deadline_us);

/* When quorum_expire() has something to do; NEVER when nothing waits. */
uint64_t quorum_deadline(const struct quorum *r);

uint32_t quorum_count(const struct quorum *r);
uint64_t quorum_reached_total(const struct quorum *r);
uint64_t quorum_pending_total(const struct quorum *r);

void quorum_check(const struct quorum *r);

#endif
