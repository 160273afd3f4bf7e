/*
 * Whose clock the node follows: of the live members that have one, those with records before those
 * without, then the smallest uuid. It is remembered who that is, so that a ping costs no walk
 * through everybody; the rules of the clock itself are gossip/clock's.
 */
#include "gossip/engine_state.h"

enum {
    FOUND_QUIET_US = 100 * 1000,       /* nobody new for this long, or the clock is not founded */
    FOUND_WAIT_US = 3000 * 1000,       /* for what members say that have not answered so far */
    FOUND_YIELD_US = 10 * 1000 * 1000, /* for those of smaller uuid among them: by then they have
                                          answered over the worst of networks, or are dead */
    CLOCK_ASK_US = 50 * 1000,          /* between two questions for the cluster's clock */
    CLOCK_ASK_SELDOM_US = 500 * 1000,  /* while nobody can have one yet */
    MANY_MEMBERS = 64,                 /* nobody hears from so many within FOUND_WAIT_US */
    MET_ALL_US = 250 * 1000,           /* nobody new for so long */
};

/* A clock beyond the year 4000 is nobody's. */
#define CLOCK_SANE_MAX_US (UINT64_C(64060588800) * 1000000)

/* Whether the clock of `a` leads rather than that of `b`: who has records before who has none, then
 * the smaller uuid. */
static bool leads(const struct uuid *a, bool a_has_records, const struct uuid *b,
                  bool b_has_records)
{
    return a_has_records != b_has_records ? a_has_records : uuid_compare(a, b) < 0;
}

/* Only who has answered this node: a datagram that was held up or is sent again may speak of a
 * clock that has ended with its cluster. */
static bool may_lead(const struct member *m)
{
    return !m->is_self && engine_is_live(m) && m->has_answered &&
           (m->flags & MEMBER_HAS_CLOCK) != 0;
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

/* Whose clock leads, of the live members that have one, this node included. NULL when nobody has
 * one. */
static const struct member *clock_leader(const struct engine *e)
{
    const struct member *self = swim_self(e->swim);
    const bool is_own =
        e->clock.is_set && (e->leader == NULL || leads(&self->uuid, engine_has_records(e),
                                                       &e->leader->uuid, e->leader_has_records));
    return is_own ? self : e->leader;
}

bool engine_judge_clock(struct engine *e, struct link *l, uint8_t flags, int64_t difference_us)
{
    const bool is_far = difference_us > CLOCK_CONFLICT_US || difference_us < -CLOCK_CONFLICT_US;
    const bool both = engine_has_records(e) && (flags & MEMBER_HAS_RECORDS) != 0;
    const bool is_conflict = is_far && both;
    if (is_conflict && !l->is_conflict) {
        e->counters.clock_conflicts++;
        engine_notice(e, NOTICE_CLOCK_CONFLICT, l->member, difference_us / 1000, NULL);
    }
    l->needs_sync = l->needs_sync || (l->is_conflict && !is_conflict);
    l->is_conflict = is_conflict;
    l->clock_difference_us = difference_us;
    quorum_look(e, l->member);
    return is_conflict;
}

void leader_sample(struct engine *e, struct member *m, const struct vitals *v, uint32_t rtt_us,
                   uint64_t at_us)
{
    if ((v->flags & MEMBER_HAS_CLOCK) == 0 || rtt_us == 0 || v->clock_us == 0 ||
        v->clock_us > CLOCK_SANE_MAX_US) {
        return;
    }
    if (e->clock.is_set) {
        const int64_t difference = clock_difference_us(&e->clock, v->clock_us, rtt_us, at_us);
        struct link *l = mesh_of(e->mesh, m);
        if (l != NULL && engine_judge_clock(e, l, v->flags, difference)) {
            return;
        }
    }
    const struct member *leader = clock_leader(e);
    if (leader != m) {
        return;
    }
    if (clock_sample(&e->clock, v->clock_us, rtt_us, at_us, !engine_has_records(e))) {
        const int64_t wall_us = (int64_t)(e->config.wall_ms * 1000 + (e->now_us - e->started_us));
        const int64_t offset_us = (int64_t)clock_now_us(&e->clock, e->now_us) - wall_us;
        engine_notice(e, NOTICE_CLOCK_SET, m, offset_us / 1000, NULL);
    }
}

static bool may_found_instead(const struct engine *e, const struct member *m)
{
    return !m->is_self && engine_is_live(m) && uuid_compare(&m->uuid, &e->config.uuid) < 0;
}

/* One that may has answered, as far as is remembered: no need to go through all. */
static bool is_outranked(const struct engine *e)
{
    return e->smaller != NULL && e->smaller->has_answered && may_found_instead(e, e->smaller);
}

/*
 * Among nodes that are all new, the one with the smallest uuid founds the clock; but only when all
 * of them have answered that they have none, and when nobody new has turned up for a while:
 * somebody behind them may have one. Who does not answer is not waited for long: it may be a rumour
 * about somebody who is no more. Who has answered and is smaller is waited for while it lives: it
 * founds, or it waits for a smaller one yet, and in the end somebody has the smallest uuid.
 */
bool leader_may_found(const struct engine *e)
{
    const struct swim_counts counts = swim_counts(e->swim);
    if (counts.alive + counts.suspect == 0) {
        return true;
    }
    if (is_outranked(e)) {
        return false;
    }
    const uint64_t waited_us = e->now_us - e->pass_over_us;
    bool may = e->leader == NULL &&
               (e->now_us - e->newest_member_us >= FOUND_QUIET_US || waited_us > FOUND_YIELD_US);
    uint32_t slot = 0;
    for (const struct member *m; may && (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        const bool is_smaller = uuid_compare(&m->uuid, &e->config.uuid) < 0;
        if (m->is_self || !engine_is_live(m)) {
            continue;
        }
        may = m->has_answered ? !is_smaller
                              : waited_us > (is_smaller ? FOUND_YIELD_US : FOUND_WAIT_US);
    }
    return may;
}

/* Who is to found the clock instead of this node, as far as it must still be asked: the next
 * smaller live member. So each is asked by one. NULL when a smaller one has answered, or there is
 * none. */
static struct member *next_smaller(struct engine *e)
{
    struct member *best = NULL;
    uint32_t slot = 0;
    if (is_outranked(e)) {
        return NULL;
    }
    for (struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        if (!may_found_instead(e, m)) {
            continue;
        }
        if (m->has_answered) {
            e->smaller = m;
            return NULL;
        }
        best = best == NULL || uuid_compare(&m->uuid, &best->uuid) > 0 ? m : best;
    }
    return best;
}

/* Where many have started at once, none of them has heard from all before FOUND_WAIT_US is over, so
 * nobody founds before then: once the first questions have shown that nobody had a clock before,
 * there is little to ask for. */
static uint64_t ask_pause_us(const struct engine *e)
{
    const uint64_t found_us = e->pass_over_us + FOUND_WAIT_US;
    if (!e->is_pass_over || e->now_us >= found_us || e->now_us - e->newest_member_us < MET_ALL_US ||
        swim_counts(e->swim).alive <= MANY_MEMBERS) {
        return CLOCK_ASK_US;
    }
    const uint64_t left_us = found_us - e->now_us;
    return left_us < CLOCK_ASK_SELDOM_US ? left_us : CLOCK_ASK_SELDOM_US;
}

void leader_ask(struct engine *e)
{
    if (e->clock.is_set || e->now_us < e->ask_at_us) {
        return;
    }
    e->ask_at_us = e->now_us + ask_pause_us(e);
    struct member *chosen = e->leader;
    if (chosen == NULL) {
        /* In turn, for the smaller one may be no more. */
        chosen = e->asks++ % 2 == 0 ? next_smaller(e) : NULL;
        chosen = chosen == NULL ? swim_any_member(e->swim) : chosen;
    }
    if (chosen != NULL) {
        swim_ask(e->swim, chosen, e->now_us);
    }
}
