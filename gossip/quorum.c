/*
 * Who counts in the quorum of a write, and whether it can still be reached.
 *
 * A member that is only known by hearsay, or whose clock is of another cluster, would raise the
 * quorum and never hold anything: it does not count. quorum_counts() is the one place that says who
 * does; the rest keeps the number up to date, so that a write costs no walk through the members.
 *
 * A member that is full has refused for good. In a small enclave all have been sent the write; in a
 * large one, where those few that were to acknowledge it refuse or are lost, other neighbours are
 * asked. Once too few are left to ask, the client is told at once.
 */
#include "gossip/engine_state.h"

#include "core/assert.h"

bool quorum_counts(const struct engine *e, const struct member *m)
{
    return !m->is_self && engine_is_mate(e, m) && engine_is_live(m) && m->has_answered &&
           m->clock != MEMBER_CLOCK_APART;
}

bool quorum_is_linked(const struct engine *e)
{
    uint32_t able = 1;
    uint32_t slot = 0;
    for (const struct link *l; (l = mesh_next(e->mesh, &slot)) != NULL; slot++) {
        able += l->state == LINK_OPEN && l->member->is_counted && l->is_clock_agreed &&
                (l->member->flags & MEMBER_IS_CAUGHT_UP) != 0;
    }
    return able >= quorum_needed(e);
}

/* ---- Can it be reached ---- */

void quorum_ask(struct engine *e, struct link *l, uint32_t waiter)
{
    const struct waiting *waiting = replica_at(e->replica, waiter);
    const struct queued_write write = {
        .handle = waiting->handle, .waiter = waiter, .version = waiting->version};
    if (e->overlay.is_large) {
        spread_direct(e, l, &write, waiting->record_id, waiting->is_big);
    } else {
        spread_again(e, l, &write, waiting->record_id, waiting->is_big);
    }
}

/* In a large enclave, asks so many neighbours more that all together could make the quorum. */
static void ask_others(struct engine *e, uint32_t waiter)
{
    const struct waiting *w = replica_at(e->replica, waiter);
    uint32_t asked = w->have + replica_parts(e->replica, waiter, REPLICA_ASKED);
    uint32_t slot = 0;
    for (struct link *l; asked < w->quorum && (l = mesh_next(e->mesh, &slot)) != NULL; slot++) {
        if (branch_is_up(e, l) && l->member->is_counted &&
            replica_part(e->replica, waiter, l->member->slot) == REPLICA_NONE) {
            quorum_ask(e, l, waiter);
            asked++;
        }
    }
}

static bool may_hold(const struct engine *e, const struct member *m, uint32_t waiter)
{
    const enum replica_part part = replica_part(e->replica, waiter, m->slot);
    return m->is_counted && part != REPLICA_HOLDS && part != REPLICA_REFUSED;
}

/* How many more may come to hold it, of those who are sent writes by this node. */
static uint32_t count_possible(const struct engine *e, uint32_t waiter)
{
    uint32_t count = 0;
    uint32_t slot = 0;
    for (uint32_t i = 0; !e->overlay.is_large && i < e->overlay.count; i++) {
        const struct member *m = swim_find(e->swim, &e->overlay.members[i]);
        count += m != NULL && may_hold(e, m, waiter);
    }
    for (const struct link *l; e->overlay.is_large && (l = mesh_next(e->mesh, &slot)) != NULL;
         slot++) {
        count += branch_is_up(e, l) && may_hold(e, l->member, waiter);
    }
    return count;
}

/* Something was lost for this write. While a neighbour has no link yet, nothing is certain. */
static void consider(struct engine *e, uint32_t waiter)
{
    const struct waiting *w = replica_at(e->replica, waiter);
    if (w == NULL) {
        return;
    }
    if (e->overlay.is_large) {
        ask_others(e, waiter);
    }
    const bool is_certain = !e->overlay.is_large || wiring_is_up(e);
    if (is_certain && w->have + count_possible(e, waiter) < w->quorum) {
        replica_give_up(e->replica, waiter);
    }
}

/* ---- Something has changed ---- */

void quorum_look(struct engine *e, struct member *m)
{
    const bool counts = quorum_counts(e, m);
    if (counts == m->is_counted) {
        return;
    }
    m->is_counted = counts;
    if (counts) {
        e->counted++;
        return;
    }
    e->counted--;
    for (uint32_t next = 0, w = replica_first(e->replica); w != 0; w = next) {
        next = replica_next(e->replica, w);
        consider(e, w);
    }
}

void quorum_refused(struct engine *e, const struct link *l, uint32_t waiter)
{
    replica_note(e->replica, waiter, l->member->slot, REPLICA_REFUSED);
    consider(e, waiter);
}

void quorum_link_gone(struct engine *e, struct member *m)
{
    quorum_look(e, m);
    for (uint32_t next = 0, w = m->link == 0 ? replica_first(e->replica) : 0; w != 0; w = next) {
        const enum replica_part part = replica_part(e->replica, w, m->slot);
        next = replica_next(e->replica, w);
        if (part == REPLICA_ASKED || part == REPLICA_PUT_OFF) {
            replica_note(e->replica, w, m->slot, REPLICA_NONE);
            consider(e, w);
        }
    }
}

uint32_t quorum_members(const struct engine *e)
{
    return e->counted + 1;
}

uint32_t quorum_needed(const struct engine *e)
{
    return replica_quorum(quorum_members(e), e->config.replication_factor);
}

void quorum_check(const struct engine *e)
{
    uint32_t counted = 0;
    uint32_t slot = 0;
    for (const struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        ASSERT(m->is_counted == quorum_counts(e, m));
        counted += m->is_counted;
    }
    ASSERT(counted == e->counted);
}
