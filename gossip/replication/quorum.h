/*
 * quorum: client writes that wait for their quorum, and what each member has to do with them.
 *
 * A write is known by a waiter, a small number that link queues carry. Holders are counted by
 * member, so that two links or a reconciliation never count one member twice; by its uuid, as its
 * slot may be another's by then. All writes wait
 * equally long, so the oldest is the next to time out. The quorum is fixed when the write arrives
 * and is never lowered. Whether it can still be reached is the caller's to say (gossip/voters.c).
 */
#ifndef GOSSIP_REPLICA_H
#define GOSSIP_REPLICA_H

#include "core/base/rc.h"
#include "core/base/uuid.h"
#include "core/store/record.h"
#include "gossip/wire/outbox.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REPLICA_WAITING_MAX = 65535, /* beyond, clients are told to come back */
    REPLICATION_FACTOR_MAX = 63,
    REPLICA_HOLDERS_MAX = REPLICATION_FACTOR_MAX / 2,
    REPLICA_PARTS_MAX = 96, /* holders, and more neighbours than an enclave of any size has */
};

struct replica;

/* `timeout_us` is how long a write waits for its quorum. Never NULL. */
struct replica *replica_new(uint64_t timeout_us, struct outbox *outbox);
void replica_free(struct replica *r);

/* The quorum among `members`: min(members, factor) / 2 + 1. */
uint32_t replica_quorum(uint32_t members, uint32_t factor);

/* What a member has to do with a waiting write. */
enum replica_part {
    REPLICA_NONE,    /* nothing, or it was sent in a small enclave, where all are */
    REPLICA_ASKED,   /* in a large one: it was sent or announced to it, to be acknowledged */
    REPLICA_PUT_OFF, /* it cannot take it yet, and is to be sent it again */
    REPLICA_REFUSED, /* it is full */
    REPLICA_HOLDS,
};

/* A waiting write, for those who send it. */
struct waiting {
    uint64_t token;
    struct version version;
    uint32_t handle;
    uint64_t record_id;
    uint32_t have; /* this node included */
    uint32_t quorum;
    uint32_t members;
    uint64_t deadline_us;
    uint8_t *key; /* owned */
    uint16_t key_len;
    bool is_big;
};

/*
 * Registers a write that needs quorum - 1 more holders (quorum > 1); *ret_waiter names it until it
 * is settled. RC_OVERLOADED when REPLICA_WAITING_MAX wait.
 */
MUST_USE enum rc replica_wait(struct replica *r, const struct waiting *write, uint64_t now_us,
                              uint32_t *ret_waiter);

/* The write behind a waiter; NULL when it is settled. */
const struct waiting *replica_at(const struct replica *r, uint32_t waiter);

/* The waiter of the write with this record id and version; 0 when none waits for it. The version
 * decides: two writes of one id can be written, and a holder of the one does not hold the other. */
uint32_t replica_find(const struct replica *r, uint64_t record_id, const struct version *version);

/* The member holds the write, or a newer version. At the quorum the client is told. */
void replica_held(struct replica *r, uint32_t waiter, const struct uuid *member);

/* Notes any other part of the member; who holds a write goes on holding it. */
void replica_note(struct replica *r, uint32_t waiter, const struct uuid *member,
                  enum replica_part part);

enum replica_part replica_part(const struct replica *r, uint32_t waiter, const struct uuid *member);

/* How many members have this part. */
uint32_t replica_parts(const struct replica *r, uint32_t waiter, enum replica_part part);

/* Goes through the members that have held or refused the write: start with *at = 0, ends with NULL.
 * Nothing may be noted meanwhile. */
const struct uuid *replica_next_settled(const struct replica *r, uint32_t waiter, uint32_t *at);

/* The quorum cannot be reached any more: the client is told at once. */
void replica_give_up(struct replica *r, uint32_t waiter);

/* The oldest waiter, and the one after; 0 at the end. */
uint32_t replica_first(const struct replica *r);
uint32_t replica_next(const struct replica *r, uint32_t waiter);

/* Answers what has waited long enough; returns how many. */
uint32_t replica_expire(struct replica *r, uint64_t now_us);

/* When replica_expire() has something to do; UINT64_MAX when nothing waits. */
uint64_t replica_deadline(const struct replica *r);

uint32_t replica_count(const struct replica *r);
uint64_t replica_quorum_total(const struct replica *r);
uint64_t replica_pending_total(const struct replica *r);

void replica_check(const struct replica *r);

#endif
