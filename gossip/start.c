/*
 * How a node's life begins. This file knows when the first discovery pass is over, whether the
 * enclave may begin, when this node founds the cluster's clock, and that a node alone has nobody to
 * catch up with.
 */
#include "gossip/engine.h"
#include "gossip/engine_state.h"

#include <stdio.h>

enum {
    FIRST_PASS_MAX_US = 2000 * 1000, /* the first discovery pass is over by then at the latest */
    LATE_NAMES_US = 1000 * 1000, /* but those named late have this long: three asks, and a dial */
    FAILED_PASS_US = 10 * 1000 * 1000, /* and with a provider that does not answer it takes this */
    ANSWER_WAIT_US = 3000 * 1000,      /* a member silent so long after the pass may stay so */
    EXPECT_TELL_US = 1000 * 1000,  /* so long after the pass a notice says who is still missing */
    REFUSED_US = 60 * 1000 * 1000, /* by then discovery has named the refusing member again */
};

void engine_candidates_done(struct engine *e, bool have_all_answered, uint64_t now_us)
{
    engine_advance(e, now_us);
    if (have_all_answered && !e->is_named) {
        e->is_named = true;
        e->named_us = now_us;
    }
    engine_settle(e);
}

void start_heard(struct engine *e, const struct member *m)
{
    if (m->has_answered && m->is_mate && member_is_live(m) &&
        (m->flags & (MEMBER_IS_CAUGHT_UP | MEMBER_MAY_BEGIN)) != 0) {
        expect_exists(&e->expect);
    }
}

/* Whether some member has let this node in, and said so on its link. */
static bool is_let_in(const struct engine *e)
{
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l->state == LINK_OPEN && l->role.is_heard) {
            return true;
        }
    }
    return false;
}

/* Anybody can refuse. It counts where discovery named the address, the member has said who it is,
 * and no other lets this node in. From all others it costs what somebody costs who does not answer.
 * Such a member is dialed as a candidate, or, if it has answered there by datagram or has refused
 * once, as any member. */
void start_refused(struct engine *e, const struct link *by)
{
    char where[ADDR_TEXT_SIZE];
    const struct addr answered_at = swim_sought(e->swim);
    const bool is_sought =
        by->is_sought || (by->is_dialed && (addr_equal(&by->addr, &answered_at) ||
                                            addr_equal(&by->addr, &e->refused_by)));
    if (e->has_formed || !is_sought || by->state != LINK_OPEN || is_let_in(e)) {
        return;
    }
    if (e->now_us >= e->refused_until_us) {
        (void)addr_format(&by->addr, where);
        outbox_notice(e->outbox, NOTICE_REFUSED, NULL, 0, where);
    }
    e->refused_by = by->addr;
    e->refused_until_us = e->now_us + REFUSED_US;
}

/* Before that this node may not know yet that the enclave is not new. */
static bool is_time_to_tell(const struct engine *e)
{
    return !e->is_draining && e->is_pass_over && e->now_us - e->pass_over_us >= EXPECT_TELL_US &&
           e->expect.seen != e->expect_told;
}

/* There were too few members for a new enclave. Are there more by now? */
static void look_at_expected(struct engine *e)
{
    if (e->expect.may_begin) {
        return;
    }
    char text[NOTICE_TEXT_SIZE];
    const enum expect_news news = expect_look(&e->expect, voters_count(e), e->now_us);
    e->begun_us = e->now_us;
    sync_join(e->sync, e->now_us); /* begins when the enclave may */
    (void)snprintf(text, sizeof(text), "%u of %u", e->expect.seen, e->expect.wanted);
    if (news == EXPECT_MAJORITY) {
        outbox_notice(e->outbox, NOTICE_MAJORITY, NULL, 0, text);
    } else if (!e->expect.may_begin && is_time_to_tell(e)) {
        e->expect_told = e->expect.seen;
        outbox_notice(e->outbox, NOTICE_EXPECTING, NULL, 0, text);
    }
}

static bool is_first_pass_over(const struct engine *e)
{
    const uint64_t age_us = e->now_us - e->started_us;
    if (!e->is_named && !e->expect.exists) {
        return age_us >= FAILED_PASS_US;
    }
    const bool is_late =
        age_us >= FIRST_PASS_MAX_US && (!e->is_named || e->now_us - e->named_us >= LATE_NAMES_US);
    return is_late || swim_candidates_settled(e->swim);
}

/*
 * Whether more members of the enclave may turn up at any moment and raise the quorum. These are
 * members that the first pulls named and that have neither answered nor failed. Beyond the
 * replication factor the number does not matter.
 */
static bool may_meet_more(const struct engine *e)
{
    if (voters_count(e) >= e->config.replication_factor ||
        e->now_us - e->pass_over_us > ANSWER_WAIT_US) {
        return false;
    }
    bool may = !swim_is_introduced(e->swim);
    for (uint32_t i = 0; !may && i < e->overlay.count; i++) {
        const struct member *m = swim_find(e->swim, &e->overlay.members[i]);
        may = m != NULL && m->state == MEMBER_ALIVE && !m->has_answered;
    }
    return may;
}

/* Nobody of the enclave is there. A member that is only named is waited for a while. */
static bool is_alone(const struct engine *e)
{
    return overlay_members(&e->overlay) == 1 ||
           (voters_count(e) == 1 && e->now_us - e->pass_over_us > ANSWER_WAIT_US);
}

void start_look(struct engine *e)
{
    if (e->has_formed) {
        return;
    }
    look_at_expected(e);
    if (!e->is_pass_over) {
        if (!is_first_pass_over(e)) {
            return;
        }
        e->is_pass_over = true;
        e->pass_over_us = e->now_us;
        if (!e->is_named && !e->expect.exists) {
            outbox_notice(e->outbox, NOTICE_PASS_FAILED, NULL, 0, NULL);
        }
    }
    if (!e->clock.is_set && clock_source_may_found(e)) {
        clock_source_found(e);
    }
    if (sync_is_joining(e->sync) && e->clock.is_set && e->expect.may_begin && is_alone(e)) {
        sync_join_alone(e->sync);
    }
    const uint32_t besides = READY_FULL | READY_DRAINING | READY_NO_QUORUM;
    e->has_formed =
        (engine_unready(e) & ~besides) == 0 && !may_meet_more(e) && voters_are_linked(e);
}
