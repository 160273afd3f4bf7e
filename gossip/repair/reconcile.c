#include "gossip/repair/reconcile.h"

#include "core/base/units.h"

enum {
    GATHER_US = 20 * 1000, /* one reconciliation is enough for links that are lost together */
    RETRY_US = 100 * 1000, /* then a reconciliation that could not begin is tried again */
    DEMAND_PAUSE_US = 2 * 1000 * 1000, /* up to twice that between two dials for differences */
    DIFFERING_MAX = 4, /* so often in a row the larger id leaves it to the smaller one */
};

/* Starts a session, unless the two must not reconcile now: a node that joins pulls everything
 * first, and a full one takes nothing. */
static enum rc start(const struct reconcile_env *env, struct link *l, uint64_t cut_s)
{
    const bool may = !sync_is_joining(env->sync) && env->has_clock && !env->is_full &&
                     (l->member->flags & MEMBER_IS_FULL) == 0;
    return may ? sync_start(env->sync, l, cut_s, env->now_us) : RC_AGAIN;
}

/* ---- What is owed ---- */

uint64_t reconcile_after_loss(struct reconcile *r, uint64_t now_us)
{
    r->is_owed = true;
    r->is_new = true;
    return now_us + GATHER_US;
}

uint64_t reconcile_link_gone(struct reconcile *r, struct link *l, uint64_t now_us)
{
    if (!link_needs_repair(l)) {
        return NEVER;
    }
    l->repair.reasons = 0;
    return reconcile_after_loss(r, now_us);
}

static bool is_creditor(const struct link *l)
{
    /* One that is joining pulls everything anyhow. */
    return l->state == LINK_OPEN && (l->member->flags & MEMBER_IS_CAUGHT_UP) != 0 &&
           (l->member->flags & MEMBER_IS_FULL) == 0 && l->member->is_mate;
}

/* The next on the first ring. When a writer has died in a small enclave, all others owe a session.
 * These sessions form a chain, along which a write that one of them has comes to all. Drawn at
 * random, members that lack a write might choose each other. */
static struct link *next_creditor(const struct reconcile_env *env)
{
    uint32_t walk = 0;
    const struct uuid *uuid = overlay_next(env->overlay, &walk);
    const struct member *next = uuid == NULL ? NULL : swim_find(env->swim, uuid);
    struct link *l = next == NULL ? NULL : mesh_of(env->mesh, next);
    return l != NULL && is_creditor(l) ? l : NULL;
}

static struct link *any_creditor(const struct reconcile_env *env)
{
    struct link *chosen = NULL;
    uint64_t seen = 0;
    for (struct link *l = mesh_first(env->mesh); l != NULL; l = mesh_after(env->mesh, l->id)) {
        if (is_creditor(l) && rng_below(env->rng, ++seen) == 0) {
            chosen = l;
        }
    }
    return chosen;
}

uint64_t reconcile_settle(struct reconcile *r, const struct reconcile_env *env)
{
    if (!r->is_owed) {
        return NEVER;
    }
    struct link *chosen = r->is_new ? next_creditor(env) : NULL;
    chosen = chosen == NULL ? any_creditor(env) : chosen;
    if (chosen != NULL) {
        r->is_new = false;
        sync_hurry(chosen);
    }
    const bool is_begun = chosen != NULL && start(env, chosen, SYNC_CUT_ALL) == RC_OK;
    /* With nobody else around the first link that opens reconciles. */
    r->is_owed = !is_begun && env->overlay->count > 0;
    return r->is_owed ? env->now_us + RETRY_US : NEVER;
}

/* ---- One link ---- */

void reconcile_opened(const struct reconcile_env *env, struct link *l, uint8_t peer_flags,
                      bool has_records)
{
    const bool is_smaller = uuid_compare(env->self, &l->member->uuid) < 0;
    const bool is_peer_ready = (peer_flags & MEMBER_IS_CAUGHT_UP) != 0;
    const bool were_empty = !l->terms.said_records && (peer_flags & MEMBER_HAS_RECORDS) == 0;
    const bool is_ours =
        were_empty ? has_records : !l->terms.said_ready || (is_peer_ready && is_smaller);
    if (is_ours && l->member->is_mate) {
        link_ask_repair(l, REPAIR_NEW_LINK);
    }
    if (link_needs_repair(l)) {
        (void)reconcile_link(env, l);
    }
}

uint64_t reconcile_link(const struct reconcile_env *env, struct link *l)
{
    if (l->repair.reasons == 0) {
        return NEVER;
    }
    const uint64_t cut_s =
        link_needs_repair(l) ? SYNC_CUT_ALL : env->now_ms / 1000 - SYNC_CUT_DELAY_S;
    if (start(env, l, cut_s) == RC_OK) {
        l->repair.reasons = 0;
    }
    return env->now_us + RETRY_US;
}

/* ---- Roots ---- */

/* The data of a member without a link differ. Now and then such a member is dialed, and reconciles
 * when the link is up. */
static void compare_by_demand(struct reconcile *r, const struct reconcile_env *env,
                              const struct member *m, const struct vitals *v)
{
    struct digest root;
    if (!env->overlay->is_large || env->now_us < r->demand_at_us || sync_is_joining(env->sync) ||
        (v->flags & MEMBER_IS_CAUGHT_UP) == 0 || v->cut_s == 0 || !env->has_clock ||
        store_root(env->store, v->cut_s, &root) != RC_OK || root.sum == v->root) {
        return;
    }
    r->demand_at_us = env->now_us + DEMAND_PAUSE_US + rng_below(env->rng, DEMAND_PAUSE_US);
    mesh_want(env->mesh, env->self, m, MESH_DEMAND, env->now_us);
}

uint64_t reconcile_vitals(struct reconcile *r, const struct reconcile_env *env,
                          const struct member *m, const struct vitals *v)
{
    struct link *l = mesh_of(env->mesh, m);
    struct digest root;
    if (m->link == 0 && m->is_mate) {
        compare_by_demand(r, env, m, v);
    }
    if (l == NULL || l->state != LINK_OPEN || !m->is_mate || v->cut_s == 0 ||
        (v->flags & MEMBER_IS_CAUGHT_UP) == 0 || !env->has_clock ||
        store_root(env->store, v->cut_s, &root) != RC_OK) {
        return NEVER;
    }
    l->repair.differing = root.sum == v->root ? 0 : l->repair.differing + 1;
    /* The smaller id starts; the other one only when that does not help. */
    const bool is_first = uuid_compare(env->self, &m->uuid) < 0;
    if (root.sum == v->root) {
        l->repair.reasons &= ~(uint32_t)REPAIR_ROOT;
    } else if (is_first || l->repair.differing > DIFFERING_MAX) {
        l->repair.reasons &= ~(uint32_t)REPAIR_ROOT;
        if (start(env, l, v->cut_s) != RC_OK) {
            link_ask_repair(l, REPAIR_ROOT);
            return env->now_us + RETRY_US;
        }
    }
    return NEVER;
}

uint64_t reconcile_root(const struct reconcile_env *env, struct link *l, uint64_t cut_s,
                        uint64_t sum)
{
    struct digest root;
    if (!env->has_clock || sync_is_joining(env->sync) ||
        store_root(env->store, cut_s, &root) != RC_OK) {
        return NEVER;
    }
    l->repair.reasons &= ~(uint32_t)REPAIR_ROOT;
    if (root.sum == sum) {
        return NEVER;
    }
    link_ask_repair(l, REPAIR_ROOT);
    return env->now_us;
}
