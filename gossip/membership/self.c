#include "gossip/membership/self.h"

#include "core/base/units.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"

enum {
    /* Refutations count against this node's health once in so long: a suspicion's length. */
    REFUTED_PERIOD_US = 2000000,
    /* So often at most is a refutation sent: each goes to everybody. */
    REFUTE_PERIOD_US = 500000,
};

void self_renew(struct swim *s, enum member_state state, uint64_t incarnation)
{
    roster_set_state(&s->roster, s->self, state, incarnation, s->now_us);
    rumor_put(&s->rumors, s->self, state == MEMBER_LEFT ? ENTRY_LEFT : ENTRY_ALIVE, NULL);
}

/* The number after `own` that is past one that others may hold us at, as far as they follow at
 * once. One that is further was raised by many false cards; whoever holds us at it tells us so
 * again, and in the end we are past it. */
static uint64_t past(uint64_t own, uint64_t incarnation)
{
    const uint64_t more =
        incarnation - own < SWIM_RAISE_MAX ? incarnation - own + 1 : SWIM_RAISE_MAX;
    return own < UINT64_MAX - more ? own + more : UINT64_MAX;
}

void self_contradict(struct swim *s, uint64_t incarnation, const struct uuid *by)
{
    struct refutation *r = &s->refutation;
    const uint64_t own = s->self->incarnation;
    if (s->self->state == MEMBER_LEFT || incarnation < own) {
        return;
    }
    const uint64_t taken = past(own, incarnation);
    r->incarnation = r->due_us == NEVER || taken > r->incarnation ? taken : r->incarnation;
    r->by = by != NULL ? *by : r->by;
    if (r->due_us == NEVER) {
        const uint64_t next_us = r->since_us + REFUTE_PERIOD_US;
        r->due_us = r->since_us == 0 || next_us < s->now_us ? s->now_us : next_us;
    }
    if (s->now_us >= r->due_us) {
        self_speak(s);
    }
}

void self_speak(struct swim *s)
{
    const struct refutation r = s->refutation;
    struct member *accuser = roster_find(&s->roster, &r.by);
    s->refutation = (struct refutation){.due_us = NEVER, .since_us = s->now_us};
    if (s->self->state == MEMBER_LEFT || r.incarnation <= s->self->incarnation) {
        return;
    }
    self_renew(s, MEMBER_ALIVE, r.incarnation);
    if (accuser != NULL && !accuser->is_self && member_is_live(accuser)) {
        struct packet p = {.kind = PACKET_GOSSIP};
        packet_out_send(s, accuser, &p);
    }
}

void self_refute(struct swim *s, uint64_t incarnation, const struct uuid *by, bool is_sure)
{
    if (s->self->state == MEMBER_LEFT || incarnation < s->self->incarnation) {
        return;
    }
    s->counters->refutations++;
    /* A node is not unwell because strangers say that it is dead. */
    if (is_sure && (s->refuted_us == 0 || s->now_us - s->refuted_us >= REFUTED_PERIOD_US)) {
        s->refuted_us = s->now_us;
        probe_health(s, 1);
    }
    const struct swim_event event = {.kind = SWIM_REFUTED, .member = s->self, .was = MEMBER_ALIVE};
    (void)eventq_put(&s->events, &event);
    self_contradict(s, incarnation, by);
}
