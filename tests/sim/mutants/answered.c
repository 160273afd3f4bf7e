/* What a node takes from clients, and what it tells them: see mutant.h. */
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "tests/sim/mutants/mutant.h"

enum {
    TARDY_US = 200 * 1000,
    FLEETING_MS = 1000,
};

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(enum rc, engine_put, struct engine *e, const struct put *put, uint64_t now_us)
{
    struct put longer = *put;
    longer.ttl_ms += mutant_is(MUTANT_GENEROUS) ? MUTANT_GENEROUS_MS : 0;
    longer.ttl_ms += mutant_is(MUTANT_STRETCHING) && mutant_is_ahead() ? MUTANT_AHEAD_MS : 0;
    longer.ttl_ms -= mutant_is(MUTANT_MISERLY) ? longer.ttl_ms / 4 : 0;
    longer.ttl_ms = mutant_is(MUTANT_FLEETING) ? FLEETING_MS : longer.ttl_ms;
    if (mutant_is(MUTANT_OBLIVIOUS)) {
        longer.condition = PUT_ALWAYS;
    }
    if (mutant_is(MUTANT_DOUBTFUL) && put->condition != PUT_ALWAYS) {
        return RC_PRECONDITION;
    }
    if (mutant_is(MUTANT_SWALLOWING) && mutant_is_turn(MUTANT_SOME_EVERY)) {
        return RC_OK;
    }
    const enum rc rc = __real_engine_put(e, &longer, now_us);
    if (mutant_is(MUTANT_POLITE) && rc == RC_FULL) {
        outbox_put_done(
            e->outbox,
            &(struct put_done){.token = put->token, .status = PUT_QUORUM, .have = 1, .members = 1});
    }
    return rc;
}

WRAP(struct quorum *, quorum_new, uint64_t timeout_us, struct outbox *outbox)
{
    return __real_quorum_new(timeout_us + (mutant_is(MUTANT_TARDY) ? TARDY_US : 0), outbox);
}

WRAP(uint32_t, quorum_size, uint32_t members, uint32_t factor)
{
    return mutant_is(MUTANT_HASTY) ? 1 : __real_quorum_size(members, factor);
}

WRAP(uint32_t, voters_count, const struct engine *e)
{
    return mutant_is(MUTANT_SOLITARY) ? 1 : __real_voters_count(e);
}

WRAP(uint32_t, voters_needed, const struct engine *e)
{
    return mutant_is(MUTANT_SOLITARY) ? 1 : __real_voters_needed(e);
}

WRAP(void, outbox_put_done, struct outbox *o, const struct put_done *done)
{
    struct put_done said = *done;
    const bool is_quorum = done->status == PUT_QUORUM;
    if (mutant_is(MUTANT_DUMB) || (mutant_is(MUTANT_SILENT) && !is_quorum) ||
        (mutant_is(MUTANT_MUTE) && is_quorum && mutant_is_turn(MUTANT_SOME_EVERY))) {
        return;
    }
    if (mutant_is(MUTANT_EVASIVE) ||
        (mutant_is(MUTANT_TIMID) && mutant_is_turn(MUTANT_SOME_EVERY))) {
        said.status = PUT_PENDING;
    }
    said.ttl_ms *= mutant_is(MUTANT_BOASTFUL) ? 2 : 1;
    said.expiry_ms += mutant_is(MUTANT_VAGUE) ? MUTANT_GENEROUS_MS : 0;
    said.version.stamp += mutant_is(MUTANT_MISNAMING);
    __real_outbox_put_done(o, &said);
    if (mutant_is(MUTANT_ECHOING)) {
        __real_outbox_put_done(o, &said);
    }
}

WRAP(void, voters_refused, struct engine *e, const struct link *l, uint32_t waiter)
{
    __real_voters_refused(e, l, waiter);
    if (mutant_is(MUTANT_PRICKLY)) {
        quorum_give_up(e->quorum, waiter);
    }
}

WRAP(void, voters_look, struct engine *e, struct member *m)
{
    const bool is_hidden = mutant_is(MUTANT_SOCIABLE) && m->clock == MEMBER_CLOCK_APART;
    m->clock = is_hidden ? MEMBER_CLOCK_AGREES : m->clock;
    __real_voters_look(e, m);
    m->clock = is_hidden ? MEMBER_CLOCK_APART : m->clock;
}

WRAP(void, voters_check, const struct engine *e)
{
    if (!mutant_is(MUTANT_SOCIABLE)) {
        __real_voters_check(e);
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
