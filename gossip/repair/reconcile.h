/*
 * reconcile: which links are to be reconciled, as of when, and since when one is owed to somebody.
 *
 * A link is reconciled for the reasons that stand on it (link_ask_repair()), as soon as a session
 * may begin. What was lost together with a link is owed: any other member that has the data will
 * do, and however many are lost meanwhile, one session makes good for all. Members whose roots
 * differ start a session, or are dialed for one.
 *
 * Functions return when reconcile_settle() or reconcile_link() is to be called, NEVER for not
 * at all. Left out on purpose: how a session goes (gossip/repair/sync).
 */
#ifndef GOSSIP_REPAIR_RECONCILE_H
#define GOSSIP_REPAIR_RECONCILE_H

#include "core/base/rng.h"
#include "gossip/repair/sync.h"
#include "gossip/replication/overlay.h"

/* What it looks at; all borrowed for the call. */
struct reconcile_env {
    struct store *store;
    struct swim *swim;
    struct mesh *mesh;
    struct sync *sync;
    const struct overlay *overlay;
    struct rng *rng;
    const struct uuid *self;
    bool has_clock;
    bool is_full; /* this node takes nothing */
    uint64_t now_us, now_ms;
};

/* All zero at first. */
struct reconcile {
    bool is_owed;          /* something was lost with a neighbour */
    bool is_new;           /* and nobody was asked for it yet */
    uint64_t demand_at_us; /* before then no link is dialed for a difference of data */
};

/* A neighbour was lost, so that a crash in the middle of a push leaves no gap. */
uint64_t reconcile_after_loss(struct reconcile *r, uint64_t now_us);

/* The link is not used any more: what was to be reconciled on it is owed. */
uint64_t reconcile_link_gone(struct reconcile *r, struct link *l, uint64_t now_us);

/* Begins the session that is owed, with another link each time until one may. */
uint64_t reconcile_settle(struct reconcile *r, const struct reconcile_env *env);

/* A link has opened. A node that was new when it was made reconciles what passed before (once it
 * has joined), else the smaller id. Where both have said that they have nothing, there is nothing
 * but what came to either since then: `has_records` says whether we have some now. */
void reconcile_opened(const struct reconcile_env *env, struct link *l, uint8_t peer_flags,
                      bool has_records);

/* Begins a session on an open link that is to be reconciled. */
uint64_t reconcile_link(const struct reconcile_env *env, struct link *l);

/* A member's vitals came, with its root; and likewise a root on its link. */
uint64_t reconcile_vitals(struct reconcile *r, const struct reconcile_env *env,
                          const struct member *m, const struct vitals *v);
uint64_t reconcile_root(const struct reconcile_env *env, struct link *l, uint64_t cut_s,
                        uint64_t sum);

#endif
