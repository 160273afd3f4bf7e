/*
 * Who counts in the quorum of a write, and whether it can still be reached.
 *
 * A member that is known only by hearsay, or whose clock is of another cluster, would raise the
 * quorum and never hold anything. So it does not count. Only has_vote() says who does. The rest
 * keeps the number up to date, so that a write costs no walk through the members.
 *
 * A member that is full has refused for good. In a small enclave the write has been sent to all. In
 * a large one other neighbours are asked when the few that should acknowledge it refuse or are
 * lost. Once too few are left to ask, the client gets its answer at once.
 */
#include "gossip/engine_state.h"

#include "core/base/assert.h"
#include "gossip/spread.h"
#include "gossip/tree_links.h"
#include "gossip/wiring.h"

/* Whether the member counts in the quorum of a write: a live mate that has answered this node since
 * it was last dead, and whose clock is not in conflict with ours. */
static bool has_vote(const struct member *m)
{
    return !m->is_self && m->is_mate && member_is_live(m) && m->has_answered &&
           m->clock != MEMBER_CLOCK_APART;
}

/* Whether a write sent on the link would be held by its member, as far as is known. A suspect does
 * not answer now. */
static bool is_able(const struct link *l)
{
    return l->state == LINK_OPEN && l->member->is_counted && l->member->state == MEMBER_ALIVE &&
           l->clock.is_agreed && (l->member->flags & MEMBER_IS_CAUGHT_UP) != 0;
}

bool voters_are_linked(const struct engine *e)
{
    uint32_t able = 1;
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        able += is_able(l);
    }
    return able >= voters_needed(e);
}

/* ---- Can it be reached ---- */

void voters_ask(struct engine *e, struct link *l, uint32_t waiter)
{
    const struct waiting *waiting = quorum_at(e->quorum, waiter);
    const struct queued_write write = {
        .handle = waiting->handle, .waiter = waiter, .version = waiting->done.version};
    if (e->overlay.is_large) {
        spread_direct(engine_spread(e), l, &write, waiting->record_id, waiting->is_big);
    } else {
        spread_again(engine_spread(e), l, &write, waiting->record_id, waiting->is_big);
    }
}

/* In a large enclave, asks more neighbours, until all together could make the quorum. */
static void ask_others(struct engine *e, uint32_t waiter)
{
    const struct waiting *w = quorum_at(e->quorum, waiter);
    uint32_t asked = w->done.have + quorum_parts(e->quorum, waiter, QUORUM_ASKED);
    for (struct link *l = mesh_first(e->mesh); l != NULL && asked < w->quorum;
         l = mesh_after(e->mesh, l->id)) {
        if (tree_links_is_up(&e->overlay, l) && l->member->is_counted &&
            quorum_part(e->quorum, waiter, &l->member->uuid) == QUORUM_NONE) {
            voters_ask(e, l, waiter);
            asked++;
        }
    }
}

/* Whether this node sends the member writes, and counts it. */
static bool is_sent_writes(const struct engine *e, const struct member *m)
{
    const struct link *l = e->overlay.is_large ? mesh_of(e->mesh, m) : NULL;
    return m->is_counted &&
           (!e->overlay.is_large || (l != NULL && tree_links_is_up(&e->overlay, l)));
}

/* How many such there are. */
static uint32_t count_sent_writes(const struct engine *e)
{
    uint32_t count = 0;
    if (!e->overlay.is_large) {
        return e->counted;
    }
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        count +=
            l->member != NULL && mesh_of(e->mesh, l->member) == l && is_sent_writes(e, l->member);
    }
    return count;
}

/* How many of those members may yet come to hold the write: all that neither hold it nor have
 * refused. */
static uint32_t count_possible(const struct engine *e, uint32_t waiter, uint32_t sent)
{
    uint32_t settled = 0;
    uint32_t at = 0;
    for (const struct uuid *id; (id = quorum_next_settled(e->quorum, waiter, &at)) != NULL;) {
        const struct member *m = swim_find(e->swim, id);
        settled += m != NULL && is_sent_writes(e, m);
    }
    return sent - settled;
}

/* A member or a link was lost for this write; `sent` members are sent writes. While a neighbour has
 * no link yet, nothing is certain. */
static void consider(struct engine *e, uint32_t waiter, uint32_t sent)
{
    const struct waiting *w = quorum_at(e->quorum, waiter);
    if (w == NULL) {
        return;
    }
    if (e->overlay.is_large) {
        ask_others(e, waiter);
    }
    const bool is_certain = !e->overlay.is_large || wiring_is_up(e);
    if (is_certain && w->done.have + count_possible(e, waiter, sent) < w->quorum) {
        quorum_give_up(e->quorum, waiter);
    }
}

/* ---- Something has changed ---- */

void voters_look(struct engine *e, struct member *m)
{
    const bool counts = has_vote(m);
    if (counts == m->is_counted) {
        return;
    }
    m->is_counted = counts;
    if (counts) {
        e->counted++;
        return;
    }
    e->counted--;
    const uint32_t sent = count_sent_writes(e);
    for (uint32_t next = 0, w = quorum_first(e->quorum); w != 0; w = next) {
        next = quorum_next(e->quorum, w);
        consider(e, w, sent);
    }
}

void voters_refused(struct engine *e, const struct link *l, uint32_t waiter)
{
    quorum_note(e->quorum, waiter, &l->member->uuid, QUORUM_REFUSED);
    consider(e, waiter, count_sent_writes(e));
}

void voters_link_gone(struct engine *e, struct member *m)
{
    voters_look(e, m);
    const uint32_t sent = count_sent_writes(e);
    for (uint32_t next = 0, w = m->link == 0 ? quorum_first(e->quorum) : 0; w != 0; w = next) {
        const enum quorum_part part = quorum_part(e->quorum, w, &m->uuid);
        next = quorum_next(e->quorum, w);
        if (part == QUORUM_ASKED || part == QUORUM_PUT_OFF) {
            quorum_note(e->quorum, w, &m->uuid, QUORUM_NONE);
            consider(e, w, sent);
        }
    }
}

uint32_t voters_count(const struct engine *e)
{
    return e->counted + 1;
}

uint32_t voters_needed(const struct engine *e)
{
    return quorum_size(voters_count(e), e->config.replication_factor);
}

void voters_check(const struct engine *e)
{
    uint32_t counted = 0;
    uint32_t slot = 0;
    for (const struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        ASSERT(m->is_counted == has_vote(m));
        counted += m->is_counted;
    }
    ASSERT(counted == e->counted);
}
