/*
 * quiet: hosts where nobody has answered yet, and how much is sent there.
 *
 * Cards name addresses, and whoever brings one may have made it up: then it is somebody else's host
 * that is asked, by all members. So a host gets so many pings and dials from this node, and then
 * few, until a member has answered there, on any port. Whoever is there answers the first of them.
 *
 * In IPv6 a /64 counts as one host, as a card can name any of its addresses.
 *
 * It remembers QUIET_HOSTS hosts, each in the place that a hash under this process's seed gives it,
 * until another takes that place. That one inherits what went there, or decoys could have a host
 * forgotten: all that share a place get together what one does. Members that have proved that they
 * receive do not depend on it.
 */
#ifndef GOSSIP_WIRE_QUIET_H
#define GOSSIP_WIRE_QUIET_H

#include "core/base/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    QUIET_HOSTS = 1024, /* 24 KB */
    /* As many pings as a probe has, and then enough for its verification three seconds later. */
    QUIET_PINGS = 8,
    QUIET_PING_US = 500000,
    /* One to each address of a member, and then about as many as the kernel's time-outs let. */
    QUIET_DIALS = 4,
    QUIET_DIAL_US = 2000000,
};

struct quiet_host {
    uint32_t tag; /* of the host; 0: none */
    bool has_answered;
    uint64_t pings_us, dials_us; /* when the next after those that were sent is due */
};

struct quiet {
    uint64_t seed;
    struct quiet_host hosts[QUIET_HOSTS];
};

void quiet_init(struct quiet *q, uint64_t seed);

/* Whether one more may go to the address now. To loopback all may. */
bool quiet_may_ping(struct quiet *q, const struct addr *addr, uint64_t now_us);
bool quiet_may_dial(struct quiet *q, const struct addr *addr, uint64_t now_us);

/* One has gone. */
void quiet_pinged(struct quiet *q, const struct addr *addr, uint64_t now_us);
void quiet_dialed(struct quiet *q, const struct addr *addr, uint64_t now_us);

/* A member has answered there, or has a link from or to there. */
void quiet_answered(struct quiet *q, const struct addr *addr);

#endif
