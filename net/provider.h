/*
 * provider: a source of addresses at which nodes may be. The common face of the provider_*.c; a
 * struct of theirs begins with this one.
 *
 * A pass starts each provider once; it names candidates and ends with one `done`. All of it comes
 * from the loop, never from within start().
 */
#ifndef NET_PROVIDER_H
#define NET_PROVIDER_H

#include "core/addr.h"

struct dns;
struct event_base;
struct provider;

/* What a provider may use for one pass; borrowed until it is done or cancelled. */
struct provider_pass {
    struct event_base *base;
    struct dns *dns;
    uint32_t timeout_ms; /* for what it asks others */
    void *arg;
    void (*candidate)(void *arg, struct provider *p, const struct addr *addr);
    /* `rc` is RC_OK when all it asked has answered; otherwise `detail`, borrowed, says to people
     * what failed. Candidates may have been named in both cases. */
    void (*done)(void *arg, struct provider *p, enum rc rc, const char *detail);
};

struct provider {
    const char *name; /* as in REPRAM_DISCOVERY */
    void (*start)(struct provider *p, const struct provider_pass *pass);
    void (*cancel)(struct provider *p); /* of a started one: nothing more is heard of the pass */
    void (*free)(struct provider *p);   /* of one that is not started */
};

#endif
