/*
 * stranger: somebody outside the cluster who sends it datagrams and receives nothing, or dials it.
 *
 * It knows what anybody can read of an open cluster: its name, and its members with their uuids,
 * addresses and incarnations. It may put any source address on what it sends, a member's or one
 * where nobody answers. It does not see what the nodes send each other, so it knows no number of
 * theirs and no cookie. It forges every kind of packet: deaths, leaves and suspicions at any
 * incarnation, cards of nobody and false ones of members, clocks, flags, requests.
 */
#ifndef SIM_STRANGER_H
#define SIM_STRANGER_H

#include "tests/sim/cluster.h"

/* Whose address, by stage_addr(), is one where nobody is. */
uint32_t stranger_nowhere(struct cluster *c);

/* Sends one node a forged datagram, drawn from the network's generator; nothing to one that is
 * down, nor where datagrams pass nowhere. */
void stranger_send(struct cluster *c, uint32_t to);

/* Dials one node and says HELLO as another, with that one's card as the node holds it. Nothing to
 * one that is down or knows no such member. */
void stranger_claim(struct cluster *c, uint32_t to, uint32_t whose);

#endif
