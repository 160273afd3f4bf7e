#include "gossip/membership/detector.h"

#include "core/base/units.h"
#include "gossip/membership/hearsay.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/relay.h"
#include "gossip/membership/rotation.h"
#include "gossip/membership/view.h"

enum {
    /* Members that are new here are asked so many at a time. */
    ASKS_AT_ONCE = 32,
    ASK_WINDOW_US = 100000,
    /* Suspicions that run out are verified so many at a time, by six pings each: as many as members
     * that are asked. Thousands that are gone at once fall within a minute, and cost what a few do
     * each second. Those that have never answered here have a turn of their own: they may be made
     * up, and others do not wait for them. */
    VERIFIES_AT_ONCE = 5,
    VERIFY_WINDOW_US = 100000,
    /* Who has to wait looks again after a window, and so much more for each other suspect. */
    VERIFY_AGAIN_US = 1000,
};

/* A probe is going badly: perhaps datagrams do not pass, and a link does. */
static void want_link(struct swim *s, struct member *m)
{
    if (m->link == 0 && packet_out_may_dial(s, m)) {
        const struct swim_event event = {.kind = SWIM_LINK_WANTED, .member = m};
        (void)eventq_put(&s->events, &event);
    }
}

/* So many at once; the others when the window is over, if enough have not answered by then. */
static bool may_ask(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (member_is_live(m) && (m->has_answered || !view_asks_at_once(s, m->is_mate))) {
        st->ask_us = 0;
        return false;
    }
    if (s->now_us - s->ask_us >= ASK_WINDOW_US) {
        s->ask_us = s->now_us;
        s->ask_count = 0;
    }
    const bool may = s->ask_count < ASKS_AT_ONCE;
    s->ask_count += may;
    st->ask_us = may ? 0 : s->ask_us + ASK_WINDOW_US;
    return may;
}

/* Where all can have met all, those that have met it see to it, unless it seems to have just come.
 */
static bool is_unmet(const struct swim *s, const struct member *m)
{
    return !m->has_answered && !view_is_heard_lately(s, m) && !probe_is_among_many(s);
}

bool detector_lost(struct swim *s, struct member *m, bool is_proven)
{
    const struct swim_probe_state *st = m->probe;
    /* Where others say that it is dead, this silence was no verification and means no more than any
     * probe's: a burst of losses may outlast one. */
    const bool is_verify = st->is_verify && m->state == MEMBER_SUSPECT;
    const bool is_last =
        is_verify || is_unmet(s, m) || (st->is_judge && (is_proven || st->is_said_left));
    const bool is_left = st->is_judge && st->is_said_left;
    s->counters->probes_failed++;
    if (m->state == MEMBER_NAMED) {
        view_drop(s, m);
        return true;
    }
    probe_close(m);
    if (is_last && is_left) {
        view_declare_left(s, m);
    } else if (is_last) {
        view_declare_dead(s, m);
    }
    return is_last;
}

/* Whether the silence is that of a member that was asked. Nothing goes to a host for a while where
 * many others are said to be, and where nobody has answered yet: it may be there all the same. One
 * without an address that could be asked was asked by relays. But where this node has met few, one
 * that it has not met nor heard of late is not to stand for long, as strangers make up thousands.
 */
static bool says_something(const struct swim *s, const struct member *m)
{
    const struct swim_probe_state *st = m->probe;
    const bool is_made_up =
        !m->has_answered && !view_is_heard_lately(s, m) && s->answered <= PROBE_ASKED_BY_ALL_MAX;
    return m->state == MEMBER_NAMED || st->is_asked || !st->is_withheld || is_made_up;
}

/* Not even the relays' word came: it may be us. That counts once in a period, as one node alone
 * would count it: of many that are gone at once, some are relays of the others' probes. Or the
 * relay is gone, and is asked: its answer takes the doubt back. Of one who is only named nothing is
 * said: there may be many such, made up by a stranger, and relays ask few of them. */
static void doubt_self(struct swim *s, const struct member *m)
{
    struct member *silent = relay_silent(s, m);
    if (silent != NULL && m->state != MEMBER_NAMED &&
        s->now_us - s->doubted_us >= ROTATION_PERIOD_US) {
        s->doubted_us = s->now_us;
        probe_health(s, 1);
        probe_start(s, silent);
    }
}

/* Where it is a suspect, its end is verified later: others have their turn. */
static void put_off(struct swim *s, struct member *m)
{
    const uint64_t more_us = (uint64_t)s->roster.counts.suspect * VERIFY_AGAIN_US;
    if (m->state == MEMBER_SUSPECT) {
        m->probe->verify_us = s->now_us + VERIFY_WINDOW_US + rng_below(&s->rng, more_us);
    }
    probe_schedule(s, m);
}

/* Silence to the end. */
static void fail_probe(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (!says_something(s, m)) {
        s->counters->probes_failed++;
        probe_close(m);
        put_off(s, m);
        return;
    }
    doubt_self(s, m);
    st->proof_addr.port = 0;
    if (member_is_live(m) && is_unmet(s, m) && !st->is_again) {
        /* One may be lost, as of any other, however often it was asked before. */
        s->counters->probes_failed++;
        probe_open(s, m, st->is_verify);
        st->is_again = true;
    } else if (!detector_lost(s, m, false)) {
        view_suspect(s, m, &s->self->uuid);
        probe_tell(s, m);
    }
}

/* Asks a member that is new, or back, if it is its turn. True when a probe has begun. One that is
 * gone hears what is held against it. */
static bool ask(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (st->ask_us == 0 || s->now_us < st->ask_us || !may_ask(s, m)) {
        return false;
    }
    if (!st->is_open && (member_is_live(m) || m->state == MEMBER_NAMED)) {
        probe_open(s, m, false);
        return true;
    }
    st->is_told_soon = st->is_told_soon || !member_is_live(m);
    return false;
}

/* Whether the suspect's time to refute is over, and its end is to be verified. */
static bool is_unrefuted(const struct swim *s, const struct member *m)
{
    return m->state == MEMBER_SUSPECT && !m->probe->is_verify && s->now_us >= m->probe->verify_us &&
           s->now_us >= suspicion_deadline(&m->probe->suspicion);
}

/* Begins to verify the suspect's end, or waits for its turn. A refusal is verified by one ping. */
static void verify(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (s->now_us - s->verify_us >= VERIFY_WINDOW_US) {
        s->verify_us = s->now_us;
        s->verify_counts[false] = s->verify_counts[true] = 0;
    }
    if (st->suspicion.proof_due_us == 0 && ++s->verify_counts[m->has_answered] > VERIFIES_AT_ONCE) {
        put_off(s, m);
        return;
    }
    st->proof_addr.port = 0;
    probe_open(s, m, true);
}

/* The ways in which an open probe asks once more. */
static void pursue(struct swim *s, struct member *m)
{
    const struct swim_probe_state *st = m->probe;
    if (s->now_us >= st->relay_us) {
        relay_ask(s, m);
        want_link(s, m);
    }
    if (s->now_us >= st->retry_us) {
        if (says_something(s, m)) {
            hearsay_believe(s, m);
        }
        probe_try_again(s, m);
    }
}

/* Does what is due for the member. What begins or ends a probe comes before what goes on in it. */
static void serve(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (ask(s, m)) {
        return;
    }
    if (st->is_told_soon) {
        probe_tell(s, m);
    } else if (is_unrefuted(s, m)) {
        verify(s, m);
    } else if (st->is_open && s->now_us >= st->verdict_us) {
        fail_probe(s, m);
    } else {
        if (st->is_open) {
            pursue(s, m);
        }
        probe_schedule(s, m);
    }
}

static bool may_start(const struct member *m)
{
    const struct swim_probe_state *st = m->probe;
    return st == NULL || (!st->is_open && st->suspicion.proof_due_us == 0);
}

static void start_next(struct swim *s)
{
    /* Some may be under probe already; the period is not spent on those while there are others. Who
     * has no address that we could reach, as its last card or a false one has none, is asked by
     * relays: silence ends it as anybody. */
    struct member *m = rotation_target(&s->roster, s->round);
    for (uint32_t i = 0; i < s->roster.order_count; i++) {
        if (may_start(m)) {
            probe_start(s, m);
            return;
        }
        m = roster_live_after(&s->roster, m);
    }
}

/* When the next round begins: by the cluster's clock, or a period later while there is none. */
static void next_round(struct swim *s, uint64_t clock_us)
{
    const uint32_t tag = s->self->tag;
    s->round = clock_us != 0 ? rotation_round(clock_us, tag) : s->round + 1;
    const uint64_t wait_us =
        clock_us != 0 ? rotation_next_us(s->round, tag) - clock_us : ROTATION_PERIOD_US;
    s->next_probe_us = s->now_us + wait_us;
}

uint64_t detector_deadline(const struct swim *s)
{
    const struct timer *first = timerheap_first(&s->timers);
    const uint64_t next_us = s->self->state == MEMBER_LEFT ? NEVER : s->next_probe_us;
    return first != NULL ? min_u64(first->due_us, next_us) : next_us;
}

void detector_tick(struct swim *s, uint64_t clock_us)
{
    for (const struct timer *t = timerheap_first(&s->timers); t != NULL && t->due_us <= s->now_us;
         t = timerheap_first(&s->timers)) {
        struct member *m = t->owner;
        if (s->self->state == MEMBER_LEFT) {
            probe_acquit(s, m); /* a node that is leaving judges nobody */
        } else {
            serve(s, m);
        }
    }
    if (s->now_us >= s->next_probe_us && s->self->state != MEMBER_LEFT) {
        next_round(s, clock_us);
        start_next(s);
        probe_release_idle(s);
    }
}
