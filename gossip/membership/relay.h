/*
 * relay: pings on behalf of others (SWIM, section 3.1, ping-req), with Lifeguard's nack. The asker
 * hears in time that nothing came, and so knows that it is not deaf itself.
 *
 * Only members are pinged for members, and a bounded number at once: no stranger can aim this node
 * at an address.
 */
#ifndef GOSSIP_MEMBERSHIP_RELAY_H
#define GOSSIP_MEMBERSHIP_RELAY_H

#include "gossip/membership/packet_out.h"

/* The open probe of the member asks others to try. */
void relay_ask(struct swim *s, struct member *m);

/* `by` says that the member has answered, or has not so far. */
void relay_answered(struct swim *s, const struct member *by, struct member *m, uint32_t seq,
                    bool is_answered);

/* One that was asked for the member's probe and has said nothing, though it has answered this node
 * before and seems to be alive; NULL when there is none. */
struct member *relay_silent(const struct swim *s, const struct member *m);

/* A PING_REQ of a member, `asked->to`. */
void relay_request(struct swim *s, const struct packet_out_asked *asked);

/* An ack of `from`: passed on when it was asked for on somebody's behalf. */
void relay_acked(struct swim *s, struct member *from, uint32_t seq, bool is_datagram);

/* Whether a ping with this number went to the member on somebody's behalf, the same way. */
bool relay_has_asked(const struct swim *s, const struct uuid *target, uint32_t seq,
                     bool is_datagram);

uint64_t relay_deadline(const struct swim *s);
void relay_tick(struct swim *s);

#endif
