/*
 * provider: a source of addresses at which nodes may be. The common face of the provider_*.c; a
 * struct of theirs begins with this one.
 *
 * A pass starts each provider once; it names candidates and ends with one `done`. All of it comes
 * from the loop, never from within start().
 *
 * A provider that has answered has said who is there, and that may be nobody. One that failed has
 * said nothing, even where it named some addresses. A node must not take that for "nobody is
 * there".
 */
#ifndef NET_DISCOVERY_PROVIDER_H
#define NET_DISCOVERY_PROVIDER_H

#include "net/out/dns.h"

struct event_base;
struct provider;

/* What a provider may use for one pass; borrowed until it is done or cancelled. */
struct provider_pass {
    struct event_base *base;
    struct dns *dns;
    enum dns_family wanted; /* addresses that this node can reach */
    uint32_t timeout_ms;    /* for what it asks others */
    void *arg;
    void (*candidate)(void *arg, struct provider *p, const struct addr *addr);
    /* RC_OK: all that it asked has answered. RC_NOT_FOUND: likewise, and a name does not exist.
     * Anything else: it failed. `detail`, borrowed, says to people what is wrong; with RC_OK it is
     * empty, or says that something was left out. */
    void (*done)(void *arg, struct provider *p, enum rc rc, const char *detail);
};

struct provider {
    const char *name; /* as in REPRAM_DISCOVERY */
    void (*start)(struct provider *p, const struct provider_pass *pass);
    /* Of a started one whose time is over: names what it has found so far, and says to people what
     * it still waits for; borrowed until it is cancelled, which follows. NULL: it has nothing to
     * say. */
    const char *(*give_up)(struct provider *p);
    void (*cancel)(struct provider *p); /* of a started one: nothing more is heard of the pass */
    void (*free)(struct provider *p);   /* of one that is not started */
};

#endif
