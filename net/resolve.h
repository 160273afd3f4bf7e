/*
 * resolve: the addresses of a name from the system's resolver, blocking.
 *
 * For programs that have nothing better to do meanwhile (the client commands); a node's loop asks
 * net/dns. Literal addresses are no lookup.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "core/addr.h"

#include <stddef.h>

/* Writes up to `max` addresses of the name or literal, each with the port, in the order in which
 * they are to be tried. RC_NOT_FOUND, and *ret_error (static) says why. */
MUST_USE enum rc resolve_wait(const char *host, uint16_t port, struct addr *ret_addrs, size_t max,
                              size_t *ret_count, const char **ret_error);

#endif
