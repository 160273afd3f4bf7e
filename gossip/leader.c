#include "gossip/engine_state.h"

/* Whether the clock of `a` leads rather than that of `b`: who has records before who has none, then
 * the smaller uuid. */
static bool leads(const struct uuid *a, bool a_has_records, const struct uuid *b,
                  bool b_has_records)
{
    return a_has_records != b_has_records ? a_has_records : uuid_compare(a, b) < 0;
}

static bool may_lead(const struct member *m)
{
    return !m->is_self && engine_is_live(m) && (m->flags & MEMBER_HAS_CLOCK) != 0;
}

static void consider_leader(struct engine *e, struct member *m)
{
    if (may_lead(m) && (e->leader == NULL || leads(&m->uuid, (m->flags & MEMBER_HAS_RECORDS) != 0,
                                                   &e->leader->uuid, e->leader_has_records))) {
        e->leader = m;
        e->leader_has_records = (m->flags & MEMBER_HAS_RECORDS) != 0;
    }
}

void leader_heard(struct engine *e, struct member *m)
{
    const bool has_records = (m->flags & MEMBER_HAS_RECORDS) != 0;
    if (m != e->leader || (may_lead(m) && has_records == e->leader_has_records)) {
        consider_leader(e, m);
        return;
    }
    /* The leader is none any more, or of less worth: only then are all looked through. */
    e->leader = NULL;
    uint32_t slot = 0;
    for (struct member *other; (other = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        consider_leader(e, other);
    }
}

const struct member *leader_of(const struct engine *e)
{
    const struct member *self = swim_self(e->swim);
    const bool is_own =
        e->clock.is_set && (e->leader == NULL || leads(&self->uuid, engine_has_records(e),
                                                       &e->leader->uuid, e->leader_has_records));
    return is_own ? self : e->leader;
}
