/*
 * courier: packets out. It fills in the header, adds what the receiver must hear first (what is
 * held against it, then this node's own card while the receiver does not know it), fills the rest
 * with rumours, and sends by datagram or, where those do not pass, as SWIM_PACKET_BY_LINK.
 */
#ifndef GOSSIP_COURIER_H
#define GOSSIP_COURIER_H

#include "gossip/swim_state.h"

/* So many probes without an ack by datagram, the one under way included: datagrams do not pass, and
 * packets go by link where there is one. Two before it, because one is ordinary loss. */
enum { COURIER_MISSES_MAX = 3 };

/* Whether datagrams seem to pass between this node and the member: one has come from it, and lately
 * acks to pings have, its or at least somebody's. */
bool courier_passes(const struct swim *s, const struct member *to);

/* Whether lately no datagram has come from anybody though this node has pinged: datagrams hardly
 * pass here at all. */
bool courier_is_unheard(const struct swim *s);

/* A live member to tell something: any, or while datagrams hardly pass one with a link, if a few
 * draws find one. NULL when there is nobody. */
struct member *courier_listener(struct swim *s);

/* Sends to a member the best way: by link where datagrams do not pass, else to its best address. */
void courier_send(struct swim *s, struct member *to, struct packet *p);

/* Sends both by datagram and by link, as far as there is either: for the few packets on which a
 * verdict depends. */
void courier_send_twice(struct swim *s, struct member *to, struct packet *p);

/* Sends a datagram to an address; `to` is who is thought to be there, or NULL. */
void courier_send_at(struct swim *s, struct member *to, const struct addr *addr, struct packet *p);

/* Sends by the member's link, which it has. */
void courier_send_by_link(struct swim *s, struct member *to, struct packet *p);

/* Back the way a packet came: to the address `from`, or by link when that is NULL. */
void courier_reply(struct swim *s, struct member *to, const struct addr *from, struct packet *p);

/* A ping with this node's vitals; `target_tag` 0 for whoever is there. */
struct packet courier_ping(struct swim *s, uint32_t seq, uint32_t target_tag);

/*
 * Writes what is held about the member as an entry for a receiver, who is told only the addresses
 * that mean something to it; `to` and `addr` as in courier_send_at(). `by` may be NULL. False when
 * it does not fit; then nothing is written.
 */
bool courier_put_entry(const struct swim *s, struct cursor *c, const struct member *m,
                       enum entry_kind kind, const struct uuid *by, const struct member *to,
                       const struct addr *addr);

#endif
