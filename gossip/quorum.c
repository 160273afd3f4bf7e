/*
 * Who counts in the quorum of a write.
 *
 * A member that is only known by hearsay, or whose clock is of another cluster, would raise the
 * quorum and never hold anything: it does not count. quorum_counts() is the one place that says who
 * does; the rest keeps the number up to date, so that a write costs no walk through the members.
 */
#include "gossip/engine_state.h"

#include "core/assert.h"

bool quorum_counts(const struct engine *e, const struct member *m)
{
    return !m->is_self && engine_is_mate(e, m) && engine_is_live(m) && m->has_answered &&
           m->clock != MEMBER_CLOCK_APART;
}

void quorum_look(struct engine *e, struct member *m)
{
    const bool counts = quorum_counts(e, m);
    if (counts != m->is_counted) {
        m->is_counted = counts;
        e->counted += counts ? 1 : UINT32_MAX;
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
