/*
 * packet_in: packets in. Malformed packets and strangers' are counted and change nothing. The rest
 * are taken apart: first what they say of members, then who sent them, then what they ask.
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
