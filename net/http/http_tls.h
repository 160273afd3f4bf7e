/*
 * http_tls: how a connection comes to speak TLS: whether it begins with it, its handshake, and what
 * it is then: HTTPS, or a link that leaves for its owner.
 *
 * Unfinished handshakes are bounded: HTTP_HANDSHAKES_MAX in all and HTTP_HANDSHAKES_PER_IP_MAX an
 * address (a /64 of IPv6); beside these so many in all of this host's own addresses and of trusted
 * proxies, so that a flood from outside keeps no sibling out, and so many in all of peers whose
 * ClientHello has proved a key, so that it keeps no member out. For one more the oldest is closed,
 * of its address where that has its share. In one turn of the loop they have a few milliseconds,
 * the rest goes on in the next: datagrams, links and requests come between. The reading and writing
 * is net/crypto/stream's, the events are http_conn's.
 */
#ifndef NET_HTTP_HTTP_TLS_H
#define NET_HTTP_HTTP_TLS_H

#include "net/http/http_state.h"

/* The first bytes are here: whether they are TLS, which then begins, and the phase is HANDSHAKE or
 * CLOSED; or, where this turn has no time for it, all is as it was, and the socket readable. Asks
 * the kernel only where there is somebody to speak TLS. */
bool http_tls_begin(struct http_conn *c);

/* There is something to read: goes on, or leaves it to the next turn. */
void http_tls_read(struct http_conn *c);

/* Goes on with the handshake: in HANDSHAKE, IDLE, HEAD (beyond a limit) or CLOSED afterwards. */
void http_tls_go_on(struct http_conn *c);

/* Its handshake has taken too long: CLOSED. */
void http_tls_expire(struct http_conn *c);

/* The server ends, and waits for no handshake: CLOSED. */
void http_tls_drain(struct http_conn *c);

/* It is no handshake any more, however it ended; for one that was none, nothing. */
void http_tls_release(struct http_conn *c);

#endif
