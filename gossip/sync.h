/*
 * sync: anti-entropy between two members over their link, in sessions; and joining.
 *
 * A session compares sums of groups, then of epochs, then opens the epochs that differ (see
 * gossip/frame.h for the messages, gossip/job.h for the work). One session a link at a time: when
 * both sides start one, that of the smaller id stays. A node that is new pulls all epochs from up
 * to JOIN_PARTS_MAX members, divided among them.
 *
 * Sums are compared as of a cut, so that writes under way do not look like differences; lists hold
 * what there is, so a record may rarely travel twice.
 */
#ifndef GOSSIP_SYNC_H
#define GOSSIP_SYNC_H

#include "core/store.h"
#include "gossip/counters.h"
#include "gossip/mesh.h"
#include "gossip/replica.h"

enum {
    SYNC_JOBS_MAX = 64,      /* waiting on one link; an honest peer asks for 8 and a join */
    SYNC_EPOCHS_AT_ONCE = 8, /* opened by the initiator before the first is done */
    SYNC_PAUSE_US =
        1000 * 1000, /* between two sessions on a link, and 4 times the last one's length */
    SYNC_STALL_US = 10 * 1000 * 1000,       /* without progress a session or a donor is given up */
    SYNC_LENGTH_MAX_US = 600 * 1000 * 1000, /* and a session after this in any case */
    SYNC_IDS_MAX = 16 * 65536, /* in lists waiting on one link; 8 lists at once are honest */
    SYNC_EPOCHS_MAX = 65536, /* differing epochs in one session; the protocol has 40,500 at most */
};

/* As of now, recent seconds and the epoch about to expire included. */
#define SYNC_CUT_ALL UINT64_MAX

struct sync;

struct sync_config {
    struct store *store;
    struct mesh *mesh;
    struct replica *replica;
    struct outbox *outbox;
    struct engine_counters *counters;
    const char *enclave; /* ours */
};

/* Everything in the configuration is borrowed. Never NULL. */
struct sync *sync_new(const struct sync_config *config);
void sync_free(struct sync *s);

/* The link is going: its session and jobs end. Call before mesh_remove(). */
void sync_link_gone(struct sync *s, struct link *l);

/* Starts a session as of `cut_s` unless one runs on the link or ran too recently; RC_AGAIN then. */
MUST_USE enum rc sync_start(struct sync *s, struct link *l, uint64_t cut_s, uint64_t now_us);

/* A SYNC_ or JOIN frame. RC_MALFORMED or RC_FULL: end the link. */
MUST_USE enum rc sync_frame(struct sync *s, struct link *l, enum frame_type type,
                            struct cursor *payload, const struct uuid *self, uint64_t now_us);

/* Does a slice of every link's work. `now_ms` is the cluster's clock. `awaits_donor`: a member that
 * has the data is to be expected, so a join does not begin with members as new as this one. */
void sync_turn(struct sync *s, uint64_t now_us, uint64_t now_ms, bool awaits_donor);

/* The link's buffers have drained: jobs that waited for room may go on. */
void sync_wake(struct sync *s, const struct link *l);

/* When sync_turn() has something to do: 0 for at once, UINT64_MAX for nothing. */
uint64_t sync_deadline(const struct sync *s);

/* Whether anything is to be waited for: a join, a session, a job that has no room. Then sync_turn()
 * is called now and then, to notice what stalls. */
bool sync_is_under_way(const struct sync *s);

/* ---- Joining ---- */

/* The node is new: from now on it pulls from members with a link until one pass is done. */
void sync_join(struct sync *s, uint64_t now_us);
bool sync_is_joining(const struct sync *s);

/* No member of the enclave is there to pull from: the join is over. */
void sync_join_alone(struct sync *s);

void sync_check(const struct sync *s);

#endif
