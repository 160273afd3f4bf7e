/*
 * dns: names to addresses of both families, without ever blocking the loop (evdns, RFC 1035 and
 * RFC 3596).
 *
 * Literal addresses and localhost (RFC 6761 section 6.3) need no lookup; the hosts file is asked
 * before the servers of resolv.conf. Both files are read when the resolver is made, so a resolver
 * is made for each discovery pass and knows what changed. Each lookup is bounded in time. A, AAAA
 * only.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "core/addr.h"

struct dns;
struct dns_query;
struct event_base;

enum { DNS_ADDRS_MAX = 256 }; /* of one name; more are left out */

/* Reads resolv.conf and hosts. Every lookup ends within about `timeout_ms`. NULL when the system
 * gives no memory or socket. */
struct dns *dns_new(struct event_base *base, uint32_t timeout_ms);

/* Nothing is under way, also nothing that was cancelled in this turn of the loop: then it may be
 * freed. */
bool dns_is_idle(const struct dns *d);

/* With lookups under way it runs the loop, without waiting, to let evdns take leave of them: in
 * that case it must not be called from a callback. NULL is ignored. */
void dns_free(struct dns *d);

/* The outcome of a lookup: RC_OK and at least one address, port 0, each once; RC_NOT_FOUND: no such
 * name, or a name without addresses, or no server to ask; RC_TIMEOUT; RC_IO. `detail` is for
 * people. Borrowed for the call. */
struct dns_answer {
    enum rc rc;
    const char *detail;
    const struct addr *addrs;
    size_t count;
};

/* Starts a lookup. `done` is called exactly once, from the loop, unless the query is cancelled; the
 * query is gone when it is called. */
struct dns_query *dns_resolve(struct dns *d, const char *name,
                              void (*done)(void *arg, const struct dns_answer *answer), void *arg);
void dns_cancel(struct dns_query *q);

#endif
