/*
 * resolve: the addresses of a name from the system's resolver, blocking.
 *
 * It is for programs that can wait (the client commands); a node's loop asks net/out/dns. Literal
 * addresses are no lookup, nor are names of loopback (RFC 6761 section 6.3): a host without a hosts
 * file, as small containers are, has localhost too.
 */
#ifndef NET_OUT_RESOLVE_H
#define NET_OUT_RESOLVE_H

#include "core/base/addr.h"

#include <stddef.h>

enum { RESOLVE_LOCALHOST_ADDRS = 2 };

/* The addresses of "localhost" and of names that end in ".localhost", IPv4 first, port 0; how many:
 * 0 where the name is another one. */
size_t resolve_localhost(const char *host, struct addr ret_addrs[RESOLVE_LOCALHOST_ADDRS]);

/* Writes up to `max` addresses of the name or literal, each with the port, in the order in which
 * they are to be tried. RC_NOT_FOUND when there is none, RC_AGAIN when that cannot be found out
 * just now, and *ret_error (static) says why. */
MUST_USE enum rc resolve_wait(const char *host, uint16_t port, struct addr *ret_addrs, size_t max,
                              size_t *ret_count, const char **ret_error);

/* From now on this thread asks each name server twice, for a second each. The system's own settings
 * make a silent one cost ten seconds and more, before a node has done anything. */
void resolve_be_brief(void);

#endif
