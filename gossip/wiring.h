/*
 * wiring: who should be linked, and what each link is. In a small enclave that is everybody, in a
 * large one the neighbours of gossip/replication/overlay. Others are dialed on demand and dropped
 * when idle (gossip/peer).
 */
#ifndef GOSSIP_WIRING_H
#define GOSSIP_WIRING_H

#include "gossip/replication/link.h"

struct engine;

/* A member is or is not one of the living of the enclave. */
void wiring_member(struct engine *e, const struct member *m);

/* Wants the links that the enclave's size and the overlay ask for, and tells the peers. Costs
 * nothing when nothing has changed. */
void wiring_turn(struct engine *e);

/* A link is open: what it is to us goes out. */
void wiring_opened(struct engine *e, struct link *l);

/* ROLE came: what it is to the peer. RC_MALFORMED. */
MUST_USE enum rc wiring_role(struct engine *e, struct link *l, struct cursor *payload);

/* Whether the links of all neighbours are open. */
bool wiring_is_up(const struct engine *e);

#endif
