/*
 * job: one walk through the store on behalf of a peer, in slices.
 *
 * Everything in reconciliation and joining that could take long is a job: listing ids, summing
 * parts, comparing a list, sending records. A job does a bounded number of entries a step and stops
 * while the link's bulk buffer is full, so that neither the loop nor memory suffers.
 */
#ifndef GOSSIP_JOB_H
#define GOSSIP_JOB_H

#include "core/idset.h"
#include "core/store.h"
#include "gossip/counters.h"
#include "gossip/link.h"

enum {
    JOB_STEP_ENTRIES = 1000, /* of one step: about a quarter of a millisecond */
    JOB_IDS_MAX = 65536, /* ids of one epoch in one exchange; the rest differs still, and is next */
    JOB_DIVIDE_ABOVE = 1024, /* entries of an epoch above which it is divided into parts */
    JOB_PART_BYTES = PART_COUNT / 8,
};

enum job_kind {
    JOB_IDS,     /* list the ids of an epoch's selected parts: SYNC_IDS */
    JOB_SUMS,    /* sum an epoch by part: SYNC_SUMS */
    JOB_COMPARE, /* the same against the peer's sums, then JOB_IDS of the parts that differ */
    JOB_DIFF,    /* send what the peer's list lacks, want what it has more: SYNC_WANT */
    JOB_SEND,    /* send the wanted ids: SYNC_DONE */
    JOB_STREAM,  /* send all of some epochs, longest lived first: JOIN_DONE */
};

struct job {
    struct job *next;
    enum job_kind kind;
    uint64_t epoch;
    struct store_walk walk;
    bool is_begun;
    bool has_parts;
    uint8_t parts[JOB_PART_BYTES]; /* selected ones when has_parts */
    struct idset ids;              /* found, the peer's, or wanted */
    size_t emitted;                /* position in `ids` of the next one to be written */
    bool is_walked;
    uint64_t *sums, *peer_sums; /* PART_COUNT each */
    uint32_t *counts;           /* of our own entries, by part */
    uint64_t *epochs;           /* of JOB_STREAM, ascending */
    size_t epoch_count;
    uint8_t join_part, join_of;
    uint64_t listed;    /* ids that the peer sent for it */
    uint64_t big_until; /* its large values are out when the link's big_done is this */
    uint64_t sent;      /* records */
};

/* Where a step works. */
struct job_env {
    struct store *store;
    struct link *link;
    struct engine_counters *counters;
    uint64_t now_ms;
};

/* A job of that kind for an epoch. Never NULL. */
struct job *job_new(enum job_kind kind, uint64_t epoch);

/* Ends its walk and frees it; NULL is ignored. */
void job_free(struct job *j, struct store *store);

/* All epochs whose number modulo `of` is `part` as they are now: what JOB_STREAM sends. */
void job_stream_select(struct job *j, const struct store *store, uint8_t part, uint8_t of);

/*
 * Does a step. RC_OK: the job is done. RC_AGAIN: it wants another step. RC_FULL: it waits for room
 * in the link's bulk buffer.
 */
MUST_USE enum rc job_step(struct job *j, const struct job_env *env);

#endif
