/*
 * packet_out: packets out. It fills in the header. Then it adds what the receiver must hear first:
 * what is held against it, and this node's own card while the receiver does not know it. It fills
 * the rest with rumours, and sends the packet by datagram or, where datagrams do not pass, as
 * SWIM_PACKET_BY_LINK. Datagrams are sealed, as it alone knows for whom each is. What goes by a
 * link is not, as the link is.
 *
 * It also keeps the promise of packet.h to those that never asked for anything. An address that has
 * not proved that it receives gets no news, and no more in answer than came from it. A member's
 * proven address is the one where it last answered, when is_proven says so.
 */
#ifndef GOSSIP_MEMBERSHIP_PACKET_OUT_H
#define GOSSIP_MEMBERSHIP_PACKET_OUT_H

#include "gossip/membership/swim_state.h"

/* So many probes without an ack by datagram, the one under way included: datagrams do not pass, and
 * packets go by link where there is one. Two before it, because one is ordinary loss. */
enum { PACKET_OUT_MISSES_MAX = 3 };

/* Whether datagrams seem to pass between this node and the member. One must have come from it, and
 * lately acks to pings, from it or at least from somebody. */
bool packet_out_passes(const struct swim *s, const struct member *to);

/* Whether the member is taken to have our card. A member that we never heard from is taken to have
 * it once somebody's whole view has equalled ours since our card last changed. For many minutes
 * every ping in a large cluster is the first to its receiver. A receiver that does not know us
 * after all says so in its answer. */
bool packet_out_is_known_to(const struct swim *s, const struct member *to);

/* Whether the member may get news, and relay questions: it has proved that it receives, or has
 * answered and has a link. */
bool packet_out_reaches(const struct member *m);

/* Whether it has shown that it receives at this very address: there it last answered. Over a link,
 * with `addr` NULL, everybody has. `m` may be NULL. */
bool packet_out_is_proven(const struct member *m, const struct addr *addr);

/* The member has proved that it receives at this address: it answers there. */
void packet_out_proved(struct swim *s, struct member *m, const struct addr *addr);

/*
 * A member that has not shown that it receives is known by hearsay, and so are its addresses. One
 * that is only named may be the victim of a stranger: all such get no more together, headers and
 * dials included, than came in the datagrams that named them. packet_out_paid() takes such a
 * datagram of `len` bytes that came from `from`. packet_out_knock() sends such a member a ping,
 * and packet_out_may_dial() tells whether it may be dialled now, and counts it. Headers are counted
 * as those of the addresses' families. Other members are pinged as gossip/wire/quiet lets, and
 * those that have shown that they receive always. Returns whether the ping went: only then an
 * answer says that somebody receives there.
 */
void packet_out_paid(struct swim *s, const struct addr *from, size_t len);
bool packet_out_knock(struct swim *s, struct member *m, const struct addr *addr, struct packet *p);
bool packet_out_may_dial(struct swim *s, const struct member *m);

/* A live member that news can be sent to. While datagrams hardly pass it is one with a link, if a
 * few draws find one. NULL when there is nobody. */
struct member *packet_out_listener(struct swim *s);

/* Sends to a member the best way: by link where datagrams do not pass, else to its best address. */
void packet_out_send(struct swim *s, struct member *to, struct packet *p);

/* Sends both by datagram and by link, as far as there is either: for the few packets on which a
 * verdict depends. */
void packet_out_send_twice(struct swim *s, struct member *to, struct packet *p);

/* Sends a datagram to an address; `to` is who is thought to be there, or NULL. */
void packet_out_send_at(struct swim *s, struct member *to, const struct addr *addr,
                        struct packet *p);

/* Sends by the member's link, which it has. */
void packet_out_send_by_link(struct swim *s, struct member *to, struct packet *p);

/* Asks whoever is at a candidate's address. With keys in the ring it is an INTRO, each time under
 * the next of them; a ping where that is `open`, and where the candidate has said who it is. */
void packet_out_ask(struct swim *s, const struct candidate_ask *ask);

/* How many bytes of entries a packet has room for. */
size_t packet_out_entries_max(const struct swim *s);

/* A packet that is to be answered. It came from the address `from`, or by the link of `to` when
 * `from` is NULL. The answer may have `room` bytes. `to` is NULL when the sender is unknown. */
struct packet_out_asked {
    struct member *to;
    const struct addr *from;
    const struct packet *packet;
    bool is_sure; /* nobody else can have sent it, but who receives at `from` */
    size_t room;  /* DATAGRAM_BYTES_MAX if the sender has proved that it receives, else what came */
};

/* Sends it back the way the packet came, or not at all where it does not fit. */
void packet_out_reply(struct swim *s, const struct packet_out_asked *asked, struct packet *p);

/* The answer to a sender that has to prove first that it receives. */
void packet_out_reply_cookie(struct swim *s, const struct packet_out_asked *asked);

/* A ping with this node's vitals; `target_tag` 0 for whoever is there. */
struct packet packet_out_ping(struct swim *s, uint32_t seq, uint32_t target_tag);

/*
 * Writes what is held about the member as an entry for a receiver, with only the addresses that
 * mean something to it; `to` and `addr` as in packet_out_send_at(). `by` may be NULL. False when it
 * does not fit; then nothing is written.
 */
bool packet_out_put_entry(const struct swim *s, struct cursor *c, const struct member *m,
                          enum entry_kind kind, const struct uuid *by, const struct member *to,
                          const struct addr *addr);

#endif
