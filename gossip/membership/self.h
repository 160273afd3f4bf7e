/*
 * self: what this node says of itself, and how it contradicts what others say of it.
 *
 * Each statement takes a new incarnation, which only this node can do, and is a rumour. A node that
 * has left says nothing more.
 */
#ifndef GOSSIP_MEMBERSHIP_SELF_H
#define GOSSIP_MEMBERSHIP_SELF_H

#include "gossip/membership/swim_state.h"

/* News about this node, under a new incarnation. */
void self_renew(struct swim *s, enum member_state state, uint64_t incarnation);

/* Somebody holds us at this number for less than alive, or at one that we have not taken: say
 * otherwise, at once, but not many times a second, whose number goes up by SWIM_RAISE_MAX at most.
 * `by`, the accuser, hears it first; NULL where there is none. */
void self_contradict(struct swim *s, uint64_t incarnation, const struct uuid *by);

/* Somebody holds us for less than alive. It counts against our health where it `is_sure` who. */
void self_refute(struct swim *s, uint64_t incarnation, const struct uuid *by, bool is_sure);

/* Says what self_contradict() has put off, if there is anything. Due at s->refutation.due_us. */
void self_speak(struct swim *s);

#endif
