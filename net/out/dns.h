/*
 * dns: names to addresses of both families, and to services, without ever blocking the loop.
 *
 * Literal addresses and localhost (RFC 6761 section 6.3) need no lookup; the hosts file
 * (net/out/hosts) is asked before the servers of resolv.conf, or those that the caller names. The
 * file is read when the resolver is made, so a resolver is made for each discovery pass and knows
 * what changed. Each lookup is bounded in time. It asks for A and AAAA, and of the two only for
 * those that this host can use. A host whose only IPv6 address is loopback asks for no AAAA, as a
 * server that fails for those says nothing of importance.
 *
 * The caller must know whether the name has no addresses or nobody could answer. So each family is
 * looked up by itself, and the failure of one is not hidden behind the answer of the other. A form
 * of the search list that cannot be looked up hides no later one that can, as in the C library.
 */
#ifndef NET_OUT_DNS_H
#define NET_OUT_DNS_H

#include "net/out/dns_servers.h"
#include "net/out/srv_list.h"

struct dns;
struct dns_query;
struct event_base;

enum { DNS_ADDRS_MAX = 1024 }; /* of one name; more are left out */

/* A set of the addresses that are wanted. */
enum dns_family { DNS_IPV4 = 1, DNS_IPV6 = 2, DNS_BOTH = DNS_IPV4 | DNS_IPV6 };

struct dns_config {
    struct event_base *base;         /* borrowed */
    uint32_t timeout_ms;             /* in which each server is tried twice */
    const char *resolv_conf, *hosts; /* borrowed for its life; NULL: those of /etc */
    const struct addr *servers;      /* borrowed for the call: asked in place of resolv.conf's */
    size_t server_count;             /* 0: those of resolv.conf */
    enum dns_family usable;          /* 0: what this host has addresses of */
};

/* Reads resolv.conf. NULL when the system gives no memory. */
struct dns *dns_new(const struct dns_config *config);

/* Every lookup ends within about so long: the time of each server, and some for a search list. */
uint32_t dns_limit_ms(const struct dns *d);

/* No query may be under way. NULL is ignored. */
void dns_free(struct dns *d);

/*
 * The outcome of a lookup, borrowed for the call; the addresses have port 0 and are there once.
 *
 *   RC_OK         everything asked was answered, and there is an address at least
 *   RC_NOT_FOUND  everything asked was answered, and there is none: no such name, or it has none
 *   RC_TIMEOUT    nobody answered, for one family at least
 *   RC_IO         the servers failed, refused, or gave answers that cannot be used, likewise; or
 *                 there is no server to ask
 *
 * In the last two cases there may be addresses of the other family. `detail` says to people what is
 * wrong, the servers and what each did among it; with RC_OK it is empty, or says that addresses
 * were left out.
 */
struct dns_answer {
    enum rc rc;
    const char *detail;
    const struct addr *addrs;
    size_t count;
    const struct srv_list *services; /* sorted; without addresses of families that are not wanted */
    uint32_t ttl_s; /* the least of the records; UINT32_MAX without one, as of the hosts file */
};

/* Starts a lookup. `done` is called exactly once, from the loop, unless the query is cancelled; the
 * query is gone when it is called. */
struct dns_query *dns_resolve(struct dns *d, const char *name, enum dns_family wanted,
                              void (*done)(void *arg, const struct dns_answer *answer), void *arg);

/* The same for the services that the name's SRV records give, by servers only. There are no `addrs`
 * then; RC_OK says that there is a service at least. */
struct dns_query *dns_services(struct dns *d, const char *name, enum dns_family wanted,
                               void (*done)(void *arg, const struct dns_answer *answer), void *arg);

void dns_cancel(struct dns_query *q);

#endif
