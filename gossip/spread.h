/*
 * spread: how writes reach the whole enclave. In a small enclave each member is linked, and the
 * origin sends to all. Where it has no link to a member (the pair is cut), the others announce its
 * writes to that member. In a large enclave a write goes along one of the broadcast trees of
 * gossip/replication/tree, and its id on the neighbours' other links; gossip/replication/overlay
 * says who the neighbours are.
 */
#ifndef GOSSIP_SPREAD_H
#define GOSSIP_SPREAD_H

#include "core/store/store.h"
#include "gossip/replication/link.h"

struct engine;

/* Sends a client's write to the enclave; `w` is complete but for its kind, `id` is its
 * record_write_id().
 */
void spread_write(struct engine *e, struct queued_write *w, uint64_t id, bool is_big);

/* To one link alone, of one who must acknowledge the write in place of another. */
void spread_direct(struct engine *e, struct link *l, const struct queued_write *w, uint64_t id,
                   bool is_big);

/* Once more, to one link that has just opened. */
void spread_again(struct engine *e, struct link *l, const struct queued_write *w, uint64_t id,
                  bool is_big);

/* The entry that is held has a guard that others may not know: passes it on. */
void spread_guard(struct engine *e, const struct record *held);

/* A shadow that came on link `from` and was news. When it is about to expire it is passed on to the
 * others, as the comparison by which shadows travel leaves such out. */
void spread_shadow(struct engine *e, const struct link *from, const struct record *shadow);

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
void spread_arrived(struct engine *e, struct link *l, const struct frame_record *f,
                    enum merge_outcome outcome);

/* A ROLE or TREE_ frame. RC_MALFORMED. */
MUST_USE enum rc spread_frame(struct engine *e, struct link *l, enum frame_type type,
                              struct cursor *payload);

/* Asks for missing writes that are due, and sends waiting announcements. */
void spread_turn(struct engine *e);
uint64_t spread_deadline(const struct engine *e);

#endif
