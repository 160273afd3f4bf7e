/*
 * claim: a port held as one TCP listener and one UDP socket, both or neither.
 *
 * TCP is bound with SO_REUSEADDR (a killed node's port is in TIME_WAIT) and listening at once; UDP
 * of the same number is bound without it; SO_REUSEPORT is never set. So the kernel makes a claim
 * atomic on one host, and the descriptors that were claimed are the ones served from: nothing is
 * probed and bound again. Left out on purpose: who else might hold the port from outside
 * (net/discovery/claim_check), and who holds a port that is not free (net/discovery/holders).
 */
#ifndef NET_DISCOVERY_CLAIM_H
#define NET_DISCOVERY_CLAIM_H

#include "core/base/addr.h"

struct claim {
    int tcp_fd; /* listening */
    int udp_fd;
    uint16_t port;
    bool is_v6; /* the sockets are AF_INET6, and dual-stack when bound to every interface */
};

/* Why a port was not claimed: which of the two sockets, and the system's error number. */
struct claim_failure {
    bool is_udp;
    int error;
};

/*
 * Claims `port` (0: any that the kernel chooses for TCP, and UDP beside it) on `bind`. The
 * unspecified IPv6 address means every interface of both families, of IPv4 alone where there is no
 * IPv6; the unspecified IPv4 address means IPv4 alone. RC_EXISTS: held by somebody; RC_REFUSED: not
 * permitted; RC_CONFIG: `bind` is not an address of this host; RC_IO: see *ret_failure, which is
 * set on every error.
 */
MUST_USE enum rc claim_port(const struct addr *bind, uint16_t port, struct claim *ret_claim,
                            struct claim_failure *ret_failure);

/*
 * Claims the first port of [first, last] that can be claimed, in that order. `skipped` (may be
 * NULL) is called for each that was not free or not permitted. RC_EXISTS when all were skipped;
 * RC_CONFIG and RC_IO as claim_port(), at once.
 */
MUST_USE enum rc claim_first(const struct addr *bind, uint16_t first, uint16_t last,
                             void (*skipped)(void *arg, uint16_t port,
                                             const struct claim_failure *failure),
                             void *arg, struct claim *ret_claim, struct claim_failure *ret_failure);

/* Closes what is still there; descriptors that were handed on are set to -1 before. */
void claim_release(struct claim *claim);

#endif
