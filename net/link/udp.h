/*
 * udp: the node's datagram socket on the loop.
 *
 * Datagrams go out whole or not at all: a full socket buffer drops them, as the network would, and
 * that is counted. They are never fragmented. The socket's error queue (IP_RECVERR) says when
 * nobody listens at an address. That makes a refusal positive proof. IPv4 addresses are the mapped
 * form of struct addr on either kind of socket.
 */
#ifndef NET_LINK_UDP_H
#define NET_LINK_UDP_H

#include "core/base/addr.h"

struct event_base;
struct udp;

struct udp_hooks {
    void *arg;
    /* `data` is borrowed for the call. */
    void (*datagram)(void *arg, const struct addr *from, const uint8_t *data, size_t len);
    void (*refused)(void *arg, const struct addr *addr);
};

struct udp_stats {
    uint64_t in_bytes, out_bytes; /* as on the wire: IP and UDP headers included */
    uint64_t out_dropped;         /* the socket's buffer was full, or the way is closed */
    uint64_t in_oversize;         /* longer than any datagram of ours, dropped */
};

/* Takes over a bound, non-blocking socket. Never NULL. */
struct udp *udp_new(struct event_base *base, int fd, const struct udp_hooks *hooks);
void udp_free(struct udp *u);

/* Best effort; `len` <= DATAGRAM_BYTES_MAX. */
void udp_send(struct udp *u, const struct addr *to, const uint8_t *data, size_t len);

struct udp_stats udp_stats(const struct udp *u);

#endif
