/*
 * sockaddr: between struct addr and what the socket calls take.
 *
 * A dual-stack socket wants IPv4 in its mapped form, an IPv4 socket as sockaddr_in; both come back
 * as the same struct addr.
 */
#ifndef NET_SYS_SOCKADDR_H
#define NET_SYS_SOCKADDR_H

#include "core/base/addr.h"

#include <sys/socket.h>

/* Fills *ret_sa for a socket of the given family, AF_INET or AF_INET6; returns its length. 0 when
 * an IPv6 address is asked of an AF_INET socket. */
socklen_t sockaddr_from(const struct addr *addr, int family, struct sockaddr_storage *ret_sa);

/* AF_INET for an IPv4 address, else AF_INET6. */
int sockaddr_family(const struct addr *addr);

/* The address in `sa` of `len` bytes. RC_MALFORMED when it is neither IPv4 nor IPv6. */
MUST_USE enum rc sockaddr_to(const void *sa, size_t len, struct addr *ret_addr);

/* The two ends of a socket. RC_IO when it has none. */
MUST_USE enum rc sockaddr_local(int fd, struct addr *ret_addr);
MUST_USE enum rc sockaddr_peer(int fd, struct addr *ret_addr);

#endif
