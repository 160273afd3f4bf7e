/*
 * ownaddr: how others see this node. A node rarely knows its address outside its host. Its peers
 * do, and say so in acks and hellos. An address that members on two hosts have seen becomes a
 * global address of its card, under a new incarnation, unless one is configured. One host is enough
 * while there are no more. Only answers to this node's own numbers and hellos on links that it
 * dialled are witnesses.
 */
#ifndef GOSSIP_MEMBERSHIP_OWNADDR_H
#define GOSSIP_MEMBERSHIP_OWNADDR_H

#include "gossip/membership/swim_state.h"

/* Takes a member's observation; see swim_seen_as(). */
void ownaddr_seen(struct swim *s, const struct addr *addr, const struct member *witness);

/* Whether the address is this node's, by its card or by having answered itself there. */
bool ownaddr_is(const struct swim *s, const struct addr *addr);

#endif
