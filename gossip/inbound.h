/*
 * inbound: the way in for what peers send on their links: frames, and the records in them.
 */
#ifndef GOSSIP_INBOUND_H
#define GOSSIP_INBOUND_H

#include "gossip/replication/link.h"

struct engine;

/* Takes all frames that a rival has kept, its HELLO first. The link may be gone after it. */
void inbound_resume(struct engine *e, struct link *l);

#endif
