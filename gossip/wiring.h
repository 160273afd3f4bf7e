/*
 * wiring: who should be linked, and what each link is. In a small enclave that is everybody, in a
 * large one the neighbours of gossip/replication/overlay. Others are dialed on demand and dropped
 * when idle (gossip/peer).
 */
#ifndef GOSSIP_WIRING_H
#define GOSSIP_WIRING_H

#include "gossip/replication/link.h"

struct engine;

/* A member joined the living members of the enclave, or left them. */
void wiring_member(struct engine *e, const struct member *m);

/* Asks for the links that the enclave's size and the overlay require, and sends the peers their
 * roles. Costs nothing when nothing has changed. */
void wiring_turn(struct engine *e);

/* A link is open: sends its role. */
void wiring_opened(struct engine *e, struct link *l);

/* ROLE came: the link's role for the peer. */
void wiring_role(struct engine *e, struct link *l, struct cursor *payload);

/* Whether the links of all neighbours are open. */
bool wiring_is_up(const struct engine *e);

#endif
