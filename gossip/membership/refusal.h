/*
 * refusal: positive proof that a member is gone, which is quicker than silence. The network says
 * that nobody listens there, or somebody else answers there.
 *
 * Two such proofs 100 ms apart make a suspect with a short window, one more is its verification. A
 * proof counts only for the address where the member last answered; when it never did, for an
 * address of host scope on this very host. Elsewhere somebody else may rightly refuse.
 */
#ifndef GOSSIP_MEMBERSHIP_REFUSAL_H
#define GOSSIP_MEMBERSHIP_REFUSAL_H

#include "gossip/membership/swim_state.h"

/* Nobody listens at the address (`seq` 0), or somebody else answered the ping `seq` there. Starts a
 * probe of whoever is thought to be there when none is open. */
void refusal_came(struct swim *s, const struct addr *addr, uint32_t seq);

/* The member `by` has answered from the address: a refusal of all others who are thought to be
 * there. */
void refusal_taken(struct swim *s, const struct addr *addr, const struct member *by);

/* `by`, NULL where nobody here knows it, could not open what we sent to the address with that mark:
 * another is there than was asked. Or it is who was asked, and has lost our tag: then it is asked
 * at once with the long header. */
void refusal_unread(struct swim *s, const struct addr *addr, struct member *by, uint32_t mark);

#endif
