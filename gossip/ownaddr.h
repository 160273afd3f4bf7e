/*
 * ownaddr: how others see this node. A node rarely knows its address outside its host; its peers
 * do, and say so in acks and hellos. What they see becomes a global address of its card, under a
 * new incarnation, unless one is configured.
 */
#ifndef GOSSIP_OWNADDR_H
#define GOSSIP_OWNADDR_H

#include "gossip/swim_state.h"

/* Takes an observation; see swim_seen_as(). */
void ownaddr_seen(struct swim *s, const struct addr *addr);

/* Whether the address is this node's, by its card or by having answered itself there. */
bool ownaddr_is(const struct swim *s, const struct addr *addr);

#endif
