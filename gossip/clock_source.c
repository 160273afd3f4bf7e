/*
 * Whose clock the node follows: of the live members that have one, those with records before those
 * without, then the smallest uuid. The leader is remembered, so that a ping costs no walk through
 * all members. gossip/clock has the rules of the clock itself.
 */
#include "core/base/mem.h"
#include "gossip/crowd.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"

#include <stdlib.h>

enum {
    FOUND_QUIET_US = 100 * 1000,       /* nobody new for this long, or the clock is not founded */
    FOUND_WAIT_US = 3000 * 1000,       /* for what members say that have not answered so far */
    FOUND_YIELD_US = 10 * 1000 * 1000, /* for those of smaller uuid among them: by then they have
                                          answered over the worst of networks, or are dead */
    FOUND_SLOW_US = 30 * 1000 * 1000,  /* for one that has answered, and has no clock to be taken */
    STEP_TOLD_US = 1000 * 1000,        /* a smaller step does not matter to others */
    CLOCK_ASK_US = 50 * 1000,          /* between two questions for the cluster's clock */
    CLOCK_ASK_SELDOM_US = 500 * 1000,  /* while nobody can have one yet */
    MANY_MEMBERS = 64,                 /* nobody hears from so many within FOUND_WAIT_US */
    MET_ALL_US = 250 * 1000,           /* nobody new for so long */
    CROWD_LEAD = 3,              /* members more on one side than on all others leave no doubt */
    CROWD_WAIT_US = 1000 * 1000, /* for members that have not answered so far */
    CROWD_PASS_MAX_US = 2000 * 1000, /* and for the first discovery pass */
};

/* Only members that have answered this node and agree with it. A datagram that was held up, or is
 * sent again, may carry a clock that has ended with its cluster. */
static bool may_lead(const struct member *m)
{
    return !m->is_self && member_is_live(m) && m->clock == MEMBER_CLOCK_AGREES;
}

static struct crowd_vote vote_of(const struct engine *e, const struct member *m)
{
    return (struct crowd_vote){
        .offset_s = apart_offset_us(e, m) / 1000000,
        .member = m,
        .has_records = (m->flags & MEMBER_HAS_RECORDS) != 0,
    };
}

static struct crowd_vote own_vote(const struct engine *e)
{
    return (struct crowd_vote){
        .offset_s = apart_own_us(e) / 1000000,
        .member = swim_self(e->swim),
        .has_records = engine_has_records(e),
    };
}

static void consider_leader(struct engine *e, struct member *m)
{
    if (!may_lead(m)) {
        return;
    }
    const struct crowd_vote vote = vote_of(e, m);
    const struct crowd_vote led = {.member = e->leader, .has_records = e->leader_has_records};
    if (e->leader == NULL || crowd_leads(&vote, &led)) {
        e->leader = m;
        e->leader_has_records = vote.has_records;
    }
}

static void find_leader(struct engine *e)
{
    uint32_t slot = 0;
    e->leader = NULL;
    for (struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        consider_leader(e, m);
    }
}

void clock_source_heard(struct engine *e, struct member *m)
{
    const bool has_records = (m->flags & MEMBER_HAS_RECORDS) != 0;
    if (!member_is_live(m)) {
        apart_forget(e, m);
    }
    if (m != e->leader || (may_lead(m) && has_records == e->leader_has_records)) {
        consider_leader(e, m);
    } else {
        /* The leader no longer leads, or others may lead before it. Only then all are looked
         * through. */
        find_leader(e);
    }
}

/* Whether the clock of one of the live members that agree leads, and not this node's own. */
static bool is_led(const struct engine *e)
{
    const struct crowd_vote own = own_vote(e);
    const struct crowd_vote led = {.member = e->leader, .has_records = e->leader_has_records};
    return e->leader != NULL && !(e->clock.is_set && crowd_leads(&own, &led));
}

static uint64_t wall_now_us(const struct engine *e)
{
    return e->config.wall_ms * 1000 + (e->now_us - e->started_us);
}

/* The clock was set or has stepped. When the step is not small, all members are judged anew by it,
 * and hear of it. */
static void clock_changed(struct engine *e, bool was_set, int64_t was_us, const struct member *of)
{
    const int64_t wall_us = (int64_t)wall_now_us(e);
    const int64_t moved_us = apart_own_us(e) - was_us;
    if (!was_set || moved_us < -STEP_TOLD_US || moved_us > STEP_TOLD_US) {
        apart_moved(e, was_us);
        find_leader(e);
        hello_tell_clock(e);
    }
    outbox_notice(e->outbox, NOTICE_CLOCK_SET, of,
                  of == NULL ? 0 : ((int64_t)clock_now_us(&e->clock, e->now_us) - wall_us) / 1000,
                  NULL);
}

void clock_source_found(struct engine *e)
{
    const int64_t was_us = apart_own_us(e);
    clock_found(&e->clock, wall_now_us(e), e->now_us);
    clock_changed(e, false, was_us, NULL);
}

/* The largest group among members that have reported their clock, this node included if it has one;
 * and how many have. At least one has. It costs nothing while all agree. */
static uint32_t survey(struct engine *e, struct crowd_group *ret_group)
{
    const uint32_t told = e->apart.agrees + e->apart.count + e->clock.is_set;
    if (e->apart.count == 0) {
        *ret_group = (struct crowd_group){.count = told, .lead = vote_of(e, e->leader)};
        return told;
    }
    struct crowd_vote *votes = mem_new(told, sizeof(*votes));
    uint32_t count = 0;
    uint32_t slot = 0;
    for (struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        if (m->is_self && e->clock.is_set) {
            votes[count++] = own_vote(e);
        } else if (m->clock != MEMBER_CLOCK_UNHEARD) {
            votes[count++] = vote_of(e, m);
        }
    }
    crowd_largest(votes, count, ret_group);
    free(votes);
    return told;
}

/* Live members whose clock has not come so far, and that may have one. A member that has asked us
 * is no stranger, but its clock only comes with an answer. When there are many the number does not
 * matter. */
static uint32_t count_untold(const struct engine *e)
{
    const struct swim_counts counts = swim_counts(e->swim);
    uint32_t untold = 0;
    uint32_t slot = 0;
    if (counts.alive + counts.suspect > MANY_MEMBERS) {
        return counts.alive + counts.suspect;
    }
    for (const struct member *m; (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        const bool may_have_one = !m->has_answered || (m->flags & MEMBER_HAS_CLOCK) != 0;
        untold +=
            !m->is_self && member_is_live(m) && may_have_one && m->clock == MEMBER_CLOCK_UNHEARD;
    }
    return untold;
}

/*
 * Whether a node that has nothing to lose may follow the largest group. It may when the group is
 * larger by a few than all others together; or more than half of everybody, once all candidates
 * have answered and nobody new turns up; or when it has waited for that long enough.
 */
static bool is_clear(const struct engine *e, const struct crowd_group *group, uint32_t told)
{
    const uint32_t others = told - group->count;
    if (group->count >= others + CROWD_LEAD) {
        return true;
    }
    const uint64_t pass_us = e->is_pass_over ? e->pass_over_us : e->started_us + CROWD_PASS_MAX_US;
    const uint64_t from_us = pass_us > e->apart.since_us ? pass_us : e->apart.since_us;
    if (e->now_us >= from_us + CROWD_WAIT_US) {
        return true;
    }
    return e->now_us >= pass_us && e->now_us - e->newest_member_us >= FOUND_QUIET_US &&
           group->count > others + count_untold(e);
}

/* Jumps to the clock of a larger group than its own; this node has no records. Its next stamps need
 * not follow the earlier ones, which are of the old clock and may be far ahead of the new one. */
static void change_sides(struct engine *e, struct member *m, const struct vitals *v,
                         uint32_t rtt_us, uint64_t at_us)
{
    const int64_t was_us = apart_own_us(e);
    if (clock_jump(&e->clock, v->clock_us, rtt_us, at_us)) {
        e->hlc = (struct hlc){.last = 0};
        clock_changed(e, true, was_us, m);
    }
}

/*
 * A node without records belongs to the largest group. Without a clock it takes its guess from that
 * group; with one it jumps to it, once the group is clear. True when its clock may follow its
 * leader's.
 */
static bool choose_side(struct engine *e, struct member *m, const struct vitals *v, uint32_t rtt_us,
                        uint64_t at_us)
{
    struct crowd_group group;
    if (e->apart.count == 0 && (e->clock.is_set || e->leader == NULL)) {
        return e->clock.is_set;
    }
    const uint32_t told = survey(e, &group);
    const bool is_clearly = is_clear(e, &group, told);
    const struct member *lead = group.lead.member;
    if (lead->is_self || lead->clock == MEMBER_CLOCK_AGREES) {
        return e->clock.is_set || is_clearly;
    }
    if (!e->clock.is_set) {
        const int64_t was_us = apart_own_us(e);
        e->apart.guess_us = apart_offset_us(e, lead);
        apart_moved(e, was_us);
        find_leader(e);
        return is_clearly;
    }
    if (is_clearly && lead == m) {
        change_sides(e, m, v, rtt_us, at_us);
    } else if (is_clearly && e->now_us >= e->ask_at_us) {
        e->ask_at_us = e->now_us + CLOCK_ASK_US;
        swim_ask(e->swim, swim_find(e->swim, &lead->uuid), e->now_us);
    }
    return false;
}

void clock_source_sample(struct engine *e, struct member *m, const struct vitals *v,
                         uint32_t rtt_us, uint64_t at_us)
{
    /* Not the member's flags: a clock that came on its link may have overtaken this one. */
    if ((apart_flags(v->flags, v->clock_us) & MEMBER_HAS_CLOCK) == 0 || rtt_us == 0) {
        return;
    }
    const bool was_set = e->clock.is_set;
    apart_judge(e, m, v->clock_us, rtt_us, at_us);
    clock_source_heard(e, m);
    if (!engine_has_records(e) && !choose_side(e, m, v, rtt_us, at_us)) {
        return;
    }
    /* What the members that agree have been judged by: the answer may have made a guess first, or
     * another one. */
    const int64_t was_us = apart_own_us(e);
    if (is_led(e) && e->leader == m &&
        clock_sample(&e->clock, v->clock_us, rtt_us, at_us, !engine_has_records(e))) {
        clock_changed(e, was_set, was_us, m);
    }
}

static bool may_found_instead(const struct engine *e, const struct member *m)
{
    return !m->is_self && member_is_live(m) && uuid_compare(&m->uuid, &e->config.uuid) < 0;
}

/* The remembered member has answered and may found: no need to go through all. */
static bool is_outranked(const struct engine *e)
{
    return e->smaller != NULL && e->smaller->has_answered && may_found_instead(e, e->smaller);
}

/* Whether this node need not wait for the member any more, after so long. */
static bool lets_found(const struct engine *e, const struct member *m, uint64_t waited_us)
{
    if (m->is_self || !member_is_live(m)) {
        return true;
    }
    const bool is_smaller = uuid_compare(&m->uuid, &e->config.uuid) < 0;
    const bool has_clock = m->has_answered && (m->flags & MEMBER_HAS_CLOCK) != 0;
    if (m->has_answered && !has_clock) {
        return !is_smaller || waited_us > FOUND_SLOW_US;
    }
    return waited_us > (is_smaller && !has_clock ? FOUND_YIELD_US : FOUND_WAIT_US);
}

/*
 * Among nodes that are all new, the one with the smallest uuid founds the clock. It does so only
 * when all of them have answered that they have none, and nobody new has turned up for a while, as
 * a later one may have a clock. A member that does not answer is not waited for long: it may be a
 * rumour about one that is gone. A smaller one that has answered is waited for much longer. It
 * founds the clock, or waits for a smaller one yet, and in the end somebody has the smallest uuid.
 * One that never founds, or whose clock nobody can take, holds up nobody for ever. Where several
 * found then, they are of the largest group soon.
 */
bool clock_source_may_found(const struct engine *e)
{
    const struct swim_counts counts = swim_counts(e->swim);
    if (counts.alive + counts.suspect == 0) {
        return true;
    }
    const uint64_t waited_us = e->now_us - e->pass_over_us;
    if (is_outranked(e) && waited_us <= FOUND_SLOW_US) {
        return false;
    }
    bool may = (e->leader == NULL || waited_us > FOUND_SLOW_US) &&
               (e->now_us - e->newest_member_us >= FOUND_QUIET_US || waited_us > FOUND_YIELD_US);
    uint32_t slot = 0;
    for (const struct member *m; may && (m = swim_next_member(e->swim, &slot)) != NULL; slot++) {
        may = lets_found(e, m, waited_us);
    }
    return may;
}

/* The member to ask, which should found the clock instead of this node: the next smaller live one.
 * So each is asked by one. NULL when a smaller one has answered, or there is none. */
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
 * nobody founds before then. Once the first questions have shown that nobody has a clock, there is
 * little reason to ask. */
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

void clock_source_ask(struct engine *e)
{
    if (e->clock.is_set || e->now_us < e->ask_at_us) {
        return;
    }
    e->ask_at_us = e->now_us + ask_pause_us(e);
    struct member *chosen = NULL;
    if (e->leader != NULL) {
        struct crowd_group group;
        const uint32_t told = survey(e, &group);
        swim_ask(e->swim, e->leader, e->now_us);
        /* It may not be everybody's. */
        chosen = is_clear(e, &group, told) ? NULL : swim_any_member(e->swim);
    } else {
        /* In turn, as the smaller one may be gone. */
        chosen = e->asks++ % 2 == 0 ? next_smaller(e) : NULL;
        chosen = chosen == NULL ? swim_any_member(e->swim) : chosen;
    }
    if (chosen != NULL) {
        swim_ask(e->swim, chosen, e->now_us);
    }
}
