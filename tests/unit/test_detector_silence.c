/* What the silence of a member to the end of a probe means. (How probes go: test_swim.c.) */
#include "gossip/membership/detector.h"

#include "gossip/membership/probe.h"
#include "held_member.h"

enum {
    IS_VERIFY = 1,
    IS_JUDGE = 2,
    SAID_LEFT = 4,
    IS_PROVEN = 8,
    HAS_ANSWERED = 16,
    IS_HEARD = 32
};

/* What no member is: it is not held any more. */
#define DROPPED ((enum member_state)99)

static const struct {
    enum held held;
    uint32_t set;
    enum member_state state;
    bool is_last; /* it is as sure as it will be */
} rows[] = {
    /* One that was met is only silent so far. */
    {ALIVE, HAS_ANSWERED, MEMBER_ALIVE, false},
    {ALIVE, IS_HEARD, MEMBER_ALIVE, false},
    {SUSPECT, HAS_ANSWERED, MEMBER_SUSPECT, false},
    /* One that nobody here has met was perhaps never there. */
    {ALIVE, 0, MEMBER_DEAD, true},
    {SUSPECT, 0, MEMBER_DEAD, true},
    {NAMED, 0, DROPPED, true},
    /* A suspect's last probe, which is no verification where it has refuted. */
    {SUSPECT, IS_VERIFY | HAS_ANSWERED, MEMBER_DEAD, true},
    {ALIVE, IS_VERIFY | HAS_ANSWERED, MEMBER_ALIVE, false},
    /* Others say that it is dead: that nobody listens there is a proof, silence is none. */
    {ALIVE, IS_JUDGE | HAS_ANSWERED, MEMBER_ALIVE, false},
    {ALIVE, IS_JUDGE | IS_PROVEN | HAS_ANSWERED, MEMBER_DEAD, true},
    {ALIVE, IS_PROVEN | HAS_ANSWERED, MEMBER_ALIVE, false},
    /* That it has left is believed then. */
    {ALIVE, IS_JUDGE | SAID_LEFT | HAS_ANSWERED, MEMBER_LEFT, true},
    {SUSPECT, IS_JUDGE | SAID_LEFT | IS_PROVEN | HAS_ANSWERED, MEMBER_LEFT, true},
    {ALIVE, SAID_LEFT | HAS_ANSWERED, MEMBER_ALIVE, false},
};

static void silence_means_what_others_say_and_what_was_seen_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint32_t set = rows[i].set;
        struct cluster *c = cluster_new(1);
        struct node *n = &c->nodes[cluster_start(c)];
        struct swim *s = n->swim;
        hold(s, rows[i].held);
        struct member *m = roster_find(&s->roster, &subject);
        if ((set & HAS_ANSWERED) != 0) {
            view_answered(s, m);
        }
        m->heard_us = (set & IS_HEARD) != 0 ? s->now_us : 0;
        probe_start(s, m);
        m->probe->is_verify = (set & IS_VERIFY) != 0;
        m->probe->is_judge = (set & IS_JUDGE) != 0;
        m->probe->is_said_left = (set & SAID_LEFT) != 0;
        const bool is_last = detector_lost(s, m, (set & IS_PROVEN) != 0);
        m = roster_find(&s->roster, &subject);
        const enum member_state found = m == NULL ? DROPPED : (enum member_state)m->state;
        if (found != rows[i].state || is_last != rows[i].is_last ||
            (m != NULL && m->probe != NULL && m->probe->is_open && is_last)) {
            fail_msg("row %zu: state %u, last %d", i, (unsigned)found, is_last);
        }
        assert_int_equal(n->counters.probes_failed, 1);
        swim_check(s);
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_means_what_others_say_and_what_was_seen_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
