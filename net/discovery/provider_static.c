#include "net/discovery/provider_static.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/dns.h"

#include <stdio.h>
#include <stdlib.h>

enum { DETAIL_SIZE = 512 };

/* One entry of the list and its lookup. */
struct lookup {
    struct provider_static *owner;
    const struct node_peer *peer;
    struct dns_query *query; /* NULL when it has answered */
};

struct provider_static {
    struct provider provider;
    struct provider_pass pass;
    uint32_t waiting;           /* lookups that have not answered */
    enum rc rc;                 /* RC_OK, RC_NOT_FOUND, or that of one that failed */
    const struct lookup *worst; /* whose it is; NULL with RC_OK */
    char detail[DETAIL_SIZE];   /* of what `rc` says */
    uint32_t count;
    struct lookup lookups[];
};

static void finish(struct provider_static *s)
{
    s->pass.done(s->pass.arg, &s->provider, s->rc, s->detail);
}

/* A failure is worse than a name that does not exist. Of equal outcomes the first of the list is
 * reported, so that each pass reports the same. */
static bool is_worse(const struct provider_static *s, enum rc rc, const struct lookup *lookup)
{
    const bool is_failure = rc != RC_NOT_FOUND, was_failure = s->rc != RC_NOT_FOUND;
    if (rc == RC_OK || s->rc == RC_OK) {
        return rc != RC_OK;
    }
    return is_failure == was_failure ? lookup < s->worst : is_failure;
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
    struct lookup *lookup = arg;
    struct provider_static *s = lookup->owner;
    lookup->query = NULL;
    if (is_worse(s, answer->rc, lookup)) {
        s->rc = answer->rc;
        s->worst = lookup;
        (void)snprintf(s->detail, sizeof(s->detail), "%s: %s", lookup->peer->host, answer->detail);
    } else if (s->rc == RC_OK && answer->detail[0] != '\0') {
        (void)snprintf(s->detail, sizeof(s->detail), "%s: %s", lookup->peer->host, answer->detail);
    }
    for (size_t i = 0; i < answer->count; i++) {
        struct addr addr = answer->addrs[i];
        addr.port = lookup->peer->port;
        s->pass.candidate(s->pass.arg, &s->provider, &addr);
    }
    if (--s->waiting == 0) {
        finish(s);
    }
}

static void start(struct provider *p, const struct provider_pass *pass)
{
    struct provider_static *s = (struct provider_static *)p;
    ASSERT(s->waiting == 0);
    s->pass = *pass;
    s->rc = RC_OK;
    s->worst = NULL;
    s->detail[0] = '\0';
    s->waiting = s->count;
    for (uint32_t i = 0; i < s->count; i++) {
        struct lookup *lookup = &s->lookups[i];
        lookup->query =
            dns_resolve(pass->dns, lookup->peer->host, pass->wanted, on_resolved, lookup);
    }
}

static void cancel(struct provider *p)
{
    struct provider_static *s = (struct provider_static *)p;
    for (uint32_t i = 0; i < s->count; i++) {
        dns_cancel(s->lookups[i].query);
        s->lookups[i].query = NULL;
    }
    s->waiting = 0;
}

static void provider_static_free(struct provider *p)
{
    free(p);
}

struct provider *provider_static_new(const struct node_peer *peers, uint32_t count)
{
    ASSERT(count > 0);
    struct provider_static *s =
        mem_new(1, sizeof(struct provider_static) + count * sizeof(struct lookup));
    s->provider = (struct provider){
        .name = "static", .start = start, .cancel = cancel, .free = provider_static_free};
    s->count = count;
    for (uint32_t i = 0; i < count; i++) {
        s->lookups[i] = (struct lookup){.owner = s, .peer = &peers[i]};
    }
    return &s->provider;
}
