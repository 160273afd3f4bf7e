/*
 * packet_in: packets in. What is malformed or a stranger's is counted and changes nothing; the rest
 * is taken apart: first what it says of members, then who sent it, then what it asks.
 */
#ifndef GOSSIP_MEMBERSHIP_PACKET_IN_H
#define GOSSIP_MEMBERSHIP_PACKET_IN_H

#include "gossip/membership/swim_state.h"

/* See swim_packet(). */
void packet_in_take(struct swim *s, const struct addr *from, struct member *via,
                    const uint8_t *data, size_t len);

/* See swim_stranger(). */
void packet_in_stranger(struct swim *s, const struct addr *from, uint8_t version);

#endif
