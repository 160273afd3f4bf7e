/*
 * spread: how writes reach the whole enclave. In a small enclave each member is linked, and the
 * origin sends to all. Where it has no link to a member (the pair is cut), the others announce its
 * writes to that member. In a large enclave a write goes along one of the broadcast trees of
 * gossip/replication/tree, and its id on the neighbours' other links; gossip/replication/overlay
 * says who the neighbours are.
 */
#ifndef GOSSIP_SPREAD_H
#define GOSSIP_SPREAD_H

#include "core/base/rng.h"
#include "core/store/store.h"
#include "gossip/repair/reconcile.h"
#include "gossip/replication/quorum.h"
#include "gossip/tree_links.h"

/* Where it works, and what it keeps. The caller sets the time, here and in `env`, before each
 * call. */
struct spread {
    struct tree_links_env env;
    struct store *store;
    struct swim *swim;
    struct quorum *quorum;
    struct outbox *outbox;
    struct reconcile *reconcile;
    struct rng *rng;
    const struct uuid *self;
    uint32_t replication_factor;
    bool is_joining;     /* this node has not every epoch yet */
    uint64_t now_ms;     /* of the cluster's clock */
    bool is_meshed;      /* every member of the enclave, which is small, is linked */
    uint64_t news_at_us; /* when waiting announcements go out; NEVER: none wait */
    uint64_t look_at_us; /* when the caller is to look for what is due on links. It sets NEVER */
};

/* Links have come or gone, or the enclave's members. */
void spread_relinked(struct spread *s);

/* Sends a client's write to the enclave; `w` is complete but for its kind, `id` is its
 * record_write_id().
 */
void spread_write(struct spread *s, struct queued_write *w, uint64_t id, bool is_big);

/* To one link alone, of one who must acknowledge the write in place of another. */
void spread_direct(struct spread *s, struct link *l, const struct queued_write *w, uint64_t id,
                   bool is_big);

/* Once more, to one link that has just opened. */
void spread_again(struct spread *s, struct link *l, const struct queued_write *w, uint64_t id,
                  bool is_big);

/* The entry that is held has a guard that others may not know: passes it on. */
void spread_guard(struct spread *s, const struct record *held);

/* A shadow that came on link `from` and was news. When it is about to expire it is passed on to the
 * others, as the comparison by which shadows travel leaves such out. */
void spread_shadow(struct spread *s, const struct link *from, const struct record *shadow);

/* How a record came: its kind says so. */
enum spread_way {
    SPREAD_ASIDE,      /* nothing of the trees' */
    SPREAD_FORWARDED,  /* along a tree */
    SPREAD_REPEATED,   /* for those it may have passed by: says nothing about the tree */
    SPREAD_DIRECT,     /* from its origin in a large enclave, to be acknowledged */
    SPREAD_RECONCILED, /* in a session or a join */
};

/* `kind` is of enum record_kind; `is_large`: the enclave is. */
enum spread_way spread_way_of(uint8_t kind, bool is_shadow, bool is_large);

/* A record came on a link and was merged. */
void spread_arrived(struct spread *s, struct link *l, const struct frame_record *f,
                    enum merge_outcome outcome);

/* A TREE_ frame, of a length that frame_fits(). RC_MALFORMED. */
MUST_USE enum rc spread_frame(struct spread *s, struct link *l, enum frame_type type,
                              struct cursor *payload);

/* Asks for missing writes that are due, and sends waiting announcements. */
void spread_turn(struct spread *s);
uint64_t spread_deadline(const struct spread *s);

#endif
