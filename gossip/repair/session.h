/*
 * session: one link's share of reconciliation. It has the session that this node began on the link,
 * if any, and the work that the peer's session and joins have asked for. Work is done in steps, one
 * kind after the other, so that a long stream does not hold up a joining node.
 */
#ifndef GOSSIP_REPAIR_SESSION_H
#define GOSSIP_REPAIR_SESSION_H

#include "gossip/repair/cells.h"
#include "gossip/repair/epoch_sender.h"
#include "gossip/replication/link.h"
#include "gossip/replication/mesh.h"

enum {
    SYNC_JOBS_MAX = 16,      /* waiting on one link; an honest peer asks for an answer and a join */
    SYNC_SINKS_MAX = 4,      /* streams that are taken in at once; others wait for their turn */
    SYNC_SINKS_ADDR_MAX = 3, /* of these from one address */
    SYNC_WAITING_CELLS_MAX = 1024, /* that a stream may begin with which is to wait, in 32 KiB */
    /* Sessions and joins that a peer may ask for at once, and after how long for one more. An
     * honest one asks for a few, then for one a second. */
    SYNC_ASKS_MAX = 20,
    SYNC_ASK_US = 250 * 1000,
    SYNC_PAUSE_US =
        1000 * 1000, /* between two sessions on a link, and 4 times the last one's length */
    SYNC_STALL_US = 10 * 1000 * 1000,       /* without progress a session or a donor is given up */
    SYNC_LENGTH_MAX_US = 600 * 1000 * 1000, /* and a session after this in any case */
    SYNC_SLOW_US = 500 * 1000, /* a session that stands still so long keeps no other waiting */
    /* When records have come by reconciliation the root is sent this soon, and once more when they
     * are old enough for the cut. */
    SYNC_TELL_US = 200 * 1000,
    SYNC_TELL_AGAIN_US = 2500 * 1000,
    SYNC_CUT_DELAY_S = 2, /* roots are compared as of this long ago */
};

/* As of now, recent seconds and the epoch about to expire included. */
#define SYNC_CUT_ALL UINT64_MAX

struct sync_config {
    struct store *store;
    struct mesh *mesh;
    struct quorum *quorum;
    struct outbox *outbox;
    struct engine_counters *counters;
    const uint8_t *secret; /* SIPHASH_KEY_BYTES, for the sessions' keys, which peers get */
    uint32_t cells_max;    /* of one table of a stream that is taken in */
};

enum {
    SESSION_RESPONDING_US =
        2 * 1000 * 1000, /* after a peer's message, before a session of our own */
    SESSION_WORKS = 4,   /* kinds of work: jobs, list, stream, sink */
};

/* What the peer compares with us in the session that it began. */
struct peer_session {
    bool is_known;
    uint8_t session;
    uint64_t cut_s, key;
};

struct session {
    struct link *link;
    struct session *next; /* in the list of those with something under way */
    bool is_listed;
    uint32_t work_at; /* the kind of work that has its turn */

    bool is_active;   /* our session */
    bool is_answered; /* the last SYNC_EPOCHS has come */
    uint8_t session;
    uint64_t cut_s, key;
    uint64_t begun_at_us, moved_at_us, not_before_us, responding_until_us;
    uint32_t asked;       /* by the peer: sessions and joins, less what has been forgotten since */
    uint64_t asked_at_us; /* up to when */
    uint64_t soonest_us;  /* as not_before_us, were the last session a short one */
    struct scope push_scope, list_scope,
        stream_scope;                      /* epochs that differ, by what is to be done */
    uint64_t list_entries, stream_entries; /* the larger of both sides' */
    uint32_t groups, groups_differing;     /* of ours, and as answered */
    uint32_t epochs, epochs_differing;     /* of both in differing groups */
    bool is_pushing;                       /* a EPOCH_SENDER_PUSH is among the jobs */
    struct cells_source *list, *stream;
    uint64_t exchanged; /* records, both ways, of the session */

    struct peer_session peer;
    struct cells_sink *sink;
    struct epoch_sender *answer; /* its list has not come whole yet */

    struct epoch_sender *jobs; /* oldest first */
    struct epoch_sender *last_job;
    uint32_t job_count;
    uint64_t progress; /* the link's, when last looked at */
};

/* The link's side, made when there is none. */
struct session *session_of(struct link *l);

/* NULL is ignored. The owner has taken it out of its list. */
void session_free(struct session *side, struct store *store);

void session_begin(struct session *side, uint64_t cut_s, uint64_t key, uint64_t now_us);
void session_end(struct session *side, struct store *store, uint64_t now_us);

/* Ends our session, if there is one, before it is done. If it was begun after a loss, that is not
 * made good yet, so the link needs another session. */
void session_abort(struct session *side, struct store *store);

/* Drops the work that the peer's session has asked for; streams to a joining node stay. */
void session_forget_peer(struct session *side, struct store *store);

/* Drops everything. */
void session_drop(struct session *side, struct store *store);

/* The job is owned by the side from then on. */
void session_push(struct session *side, struct epoch_sender *j);
void session_pop(struct session *side, struct store *store);

/* Bytes of memory that it holds, but for columns: few sessions have one at a time. */
uint64_t session_memory(const struct session *side);

/* Something is under way, here or with the peer. */
bool session_is_idle(const struct session *side);

void session_check(const struct session *side);

#endif
