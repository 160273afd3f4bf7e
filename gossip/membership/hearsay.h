/*
 * hearsay: what packets say of members, and which of it is believed. view does what follows.
 *
 * Only a member itself raises its incarnation: to refute, to change its card, to leave. What others
 * say of it above the incarnation held here counts for the one held here, and a card raises it by
 * SWIM_RAISE_MAX at most.
 *
 * When others report the end of a member that has a link, or that was heard just now, this node
 * asks it, and its own probe decides. Datagrams can be forged. An answer to a number that nobody
 * else has seen cannot, and is believed of a suspect that has been silent for a while.
 */
#ifndef GOSSIP_MEMBERSHIP_HEARSAY_H
#define GOSSIP_MEMBERSHIP_HEARSAY_H

#include "gossip/membership/view.h"

/* A card of somebody unknown does not begin beyond this. */
#define HEARSAY_UNKNOWN_MAX (UINT64_C(1) << 32)

/* Any entry of a packet. */
void hearsay_entry(struct swim *s, const struct entry *e, const struct view_teller *teller);

/* A ping to the member was in vain. If others accuse it, this node does so now too. */
void hearsay_believe(struct swim *s, struct member *m);

#endif
