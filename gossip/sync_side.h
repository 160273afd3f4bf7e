/*
 * sync_side: one link's share of reconciliation: the session that this node initiated on it, if
 * any, and the jobs that the peer's messages have asked for.
 */
#ifndef GOSSIP_SYNC_SIDE_H
#define GOSSIP_SYNC_SIDE_H

#include "gossip/job.h"
#include "gossip/link.h"

enum {
    SIDE_RESPONDING_US = 2 * 1000 * 1000, /* after a peer's message, before a session of our own */
};

struct differing {
    uint64_t epoch;
    uint64_t count; /* the larger of both sides' */
};

struct sync_side {
    bool is_active;   /* our session */
    bool is_answered; /* the last SYNC_EPOCHS has come */
    uint64_t cut_s;
    uint64_t begun_at_us, moved_at_us, not_before_us, responding_until_us;
    struct differing *epochs;
    size_t epoch_count, epoch_size, next_epoch;
    uint32_t open_count; /* epochs opened and not done */
    uint64_t exchanged;  /* records, both ways, of the session */
    struct job *jobs;    /* oldest first */
    struct job *last_job;
    uint32_t job_count;
    uint64_t id_count;                       /* in the lists of all jobs and of the partial ones */
    uint64_t progress;                       /* the link's, when last looked at */
    struct job *partial_diff, *partial_send; /* lists that have not come whole yet */
};

/* The link's side, made when there is none. */
struct sync_side *side_of(struct link *l);

/* NULL is ignored. */
void side_free(struct sync_side *side, struct store *store);

void side_begin(struct sync_side *side, uint64_t cut_s, uint64_t now_us);
void side_end(struct sync_side *side, uint64_t now_us);

/* Drops all jobs. */
void side_drop(struct sync_side *side, struct store *store);

/* Gives up our session, and all jobs but those that stream to a joining node. */
void side_cancel(struct sync_side *side, struct store *store);

/* Notes an epoch to open; false beyond SYNC_EPOCHS_MAX. */
bool side_note(struct sync_side *side, uint64_t epoch, uint64_t count);

/* The job is owned by the side from then on. */
void side_push(struct sync_side *side, struct job *j);
void side_pop(struct sync_side *side, struct store *store);

void side_check(const struct sync_side *side);

#endif
