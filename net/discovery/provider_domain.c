#include "net/discovery/provider_domain.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/dns.h"
#include "net/sys/hostinfo.h"

#include <stdio.h>
#include <stdlib.h>

enum { DETAIL_SIZE = 512 };

struct provider_domain {
    struct provider provider;
    const char *domain;
    uint16_t first_port, last_port;
    struct provider_pass pass;
    struct dns_query *query; /* NULL when none is under way */
};

/* Loopback of the family that this host does not use for it, while the other one is named too. */
static bool is_twin(const struct dns_answer *answer, const struct addr *addr,
                    const struct addr *loopback)
{
    if (addr_is_v4(addr) == addr_is_v4(loopback) || !addr_is_loopback(addr)) {
        return false;
    }
    for (size_t i = 0; i < answer->count; i++) {
        const struct addr *other = &answer->addrs[i];
        if (addr_is_v4(other) == addr_is_v4(loopback) && addr_is_loopback(other)) {
            return true;
        }
    }
    return false;
}

static void name_ports(struct provider_domain *d, const struct addr *addr)
{
    for (uint32_t port = d->first_port; port <= d->last_port; port++) {
        struct addr there = *addr;
        there.port = (uint16_t)port;
        d->pass.candidate(d->pass.arg, &d->provider, &there);
    }
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
    struct provider_domain *d = arg;
    const struct addr loopback = hostinfo_loopback();
    char detail[DETAIL_SIZE] = "";
    d->query = NULL;
    if (answer->detail[0] != '\0') {
        (void)snprintf(detail, sizeof(detail), "%s: %s", d->domain, answer->detail);
    }
    for (size_t i = 0; i < answer->count; i++) {
        if (!is_twin(answer, &answer->addrs[i], &loopback)) {
            name_ports(d, &answer->addrs[i]);
        }
    }
    if (answer->rc != RC_OK && d->first_port != d->last_port) {
        /* Those that share the range with this node need no name server to meet, nor a name. */
        name_ports(d, &loopback);
    }
    d->pass.done(d->pass.arg, &d->provider, answer->rc, detail);
}

static void start(struct provider *p, const struct provider_pass *pass)
{
    struct provider_domain *d = (struct provider_domain *)p;
    ASSERT(d->query == NULL);
    d->pass = *pass;
    d->query = dns_resolve(pass->dns, d->domain, pass->wanted, on_resolved, d);
}

static void cancel(struct provider *p)
{
    struct provider_domain *d = (struct provider_domain *)p;
    dns_cancel(d->query);
    d->query = NULL;
}

static void provider_domain_free(struct provider *p)
{
    free(p);
}

struct provider *provider_domain_new(const char *name, const char *domain, uint16_t first_port,
                                     uint16_t last_port)
{
    struct provider_domain *d = mem_new(1, sizeof(*d));
    d->provider = (struct provider){
        .name = name, .start = start, .cancel = cancel, .free = provider_domain_free};
    d->domain = domain;
    d->first_port = first_port;
    d->last_port = last_port;
    return &d->provider;
}
