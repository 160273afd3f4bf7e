/*
 * epoch_sender: sends the records of some epochs to a peer, in slices. A joining node, or one that
 * has nothing there, gets all of them; else the peer gets those that its list of ids lacks.
 *
 * A job looks at a bounded number of entries a step and stops while the link's bulk buffer is full,
 * so that neither the loop nor memory suffers. Epochs are walked longest lived first.
 */
#ifndef GOSSIP_REPAIR_EPOCH_SENDER_H
#define GOSSIP_REPAIR_EPOCH_SENDER_H

#include "core/base/idset.h"
#include "core/store/store.h"
#include "gossip/repair/scope.h"
#include "gossip/replication/link.h"
#include "gossip/replication/quorum.h"
#include "gossip/wire/counters.h"

enum {
    EPOCH_SENDER_STEP_ENTRIES = 100, /* of one step: some 50 us when none is in the cache */
    EPOCH_SENDER_IDS_MAX = 65536,    /* in the list that a job leaves out */
};

/* What the job is for. It decides what is sent at its end. */
enum epoch_sender_kind {
    EPOCH_SENDER_PUSH,   /* our session sends epochs that the peer has nothing of: nothing */
    EPOCH_SENDER_ANSWER, /* what the peer's list lacks: SYNC_WANT with the ids we lack */
    EPOCH_SENDER_JOIN,   /* a part of everything: JOIN_DONE */
};

struct epoch_sender {
    struct epoch_sender *next;
    enum epoch_sender_kind kind;
    struct scope scope; /* what is still to be walked */
    uint64_t epoch;     /* to be walked next, when has_epoch */
    bool has_epoch, is_over;
    struct store_walk walk;
    uint64_t key, cut_s; /* of the list's ids */
    struct idset ids;    /* left out; what stays in it is not here */
    size_t emitted;      /* position in `ids` of the next one to be asked for */
    uint8_t session, join_part, join_of;
    uint64_t big_until; /* its large values are out when the link's big_done is this */
    uint64_t sent;      /* records */
};

/* Where a step works. */
struct epoch_sender_env {
    struct store *store;
    struct link *link;
    struct quorum *quorum;
    struct engine_counters *counters;
    uint64_t now_ms;
};

/* A job over the scope, which it takes over, leaving an empty one. Never NULL. */
struct epoch_sender *epoch_sender_new(enum epoch_sender_kind kind, struct scope *scope);

/* Ends its walk and frees it; NULL is ignored. */
void epoch_sender_free(struct epoch_sender *j, struct store *store);

/* All epochs that there are now whose number modulo `of` is `part`. */
void epoch_sender_select_part(struct scope *scope, const struct store *store, uint8_t part,
                              uint8_t of);

/* Sends a record of the store to the link's peer: as a counted write when a client waits for it,
 * else as bulk. True when it went. Without memory it stays a difference for the next time. */
bool epoch_sender_send_record(const struct epoch_sender_env *env, const struct record *r);

/*
 * Does a step. RC_OK: the job is done. RC_AGAIN: it wants another step. RC_FULL: it waits for room
 * in the link's bulk buffer.
 */
MUST_USE enum rc epoch_sender_step(struct epoch_sender *j, const struct epoch_sender_env *env);

#endif
