#include "net/discovery.h"

#include "core/assert.h"
#include "core/mem.h"
#include "core/rng.h"
#include "net/dns.h"
#include "net/provider_domain.h"
#include "net/provider_flux.h"
#include "net/provider_static.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    PROVIDERS_MAX = 4,
    /* The first pass holds up readiness, which has 2 s; later ones hold up nobody. */
    FIRST_LOOKUP_MS = 1000,
    FIRST_FETCH_MS = 1700,
    FIRST_PASS_MS = 1800,
    LOOKUP_MS = 3000,
    FETCH_MS = 10000,
    PASS_MS = 12000,
    INTERVAL_MS = 30000,
    ALONE_MIN_MS = 1000, /* doubling */
    ALONE_MAX_MS = 5000,
    HURRY_MS = 200, /* several deaths are told in a row */
    JITTER_PERCENT = 20,
    DETAIL_SIZE = 512,
};

/* A provider and what it last had to say, so that only changes are logged. */
struct source {
    struct provider *provider;
    bool is_running;
    bool has_spoken;
    uint32_t named; /* candidates in this pass */
    uint64_t sum;   /* of their addresses, free of order */
    uint64_t last_sum;
    char last_detail[DETAIL_SIZE];
};

struct discovery {
    struct discovery_config config;
    struct rng rng;
    struct source sources[PROVIDERS_MAX];
    uint32_t source_count;
    uint32_t running;
    struct dns *dns;     /* of the last pass, until the next begins */
    struct event *timer; /* to the next pass, or the end of this one */
    bool is_in_pass;
    bool was_alone;    /* when the timer was set */
    uint32_t alone_ms; /* the pause after the next pass that leaves us alone */
    struct discovery_stats stats;
};

static void arm(struct discovery *d, uint32_t ms)
{
    const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    ASSERT(event_add(d->timer, &after) == 0);
}

static uint32_t jittered(struct discovery *d, uint32_t ms)
{
    const uint32_t spread = ms * JITTER_PERCENT / 100;
    return ms - spread + (uint32_t)rng_below(&d->rng, 2 * spread + 1);
}

static void schedule_next(struct discovery *d)
{
    d->was_alone = d->config.is_alone(d->config.arg);
    if (!d->was_alone) {
        d->alone_ms = ALONE_MIN_MS;
        arm(d, jittered(d, INTERVAL_MS));
        return;
    }
    arm(d, jittered(d, d->alone_ms));
    d->alone_ms = 2 * d->alone_ms < ALONE_MAX_MS ? 2 * d->alone_ms : ALONE_MAX_MS;
}

/* ---- What a pass brings ---- */

static struct source *source_of(struct discovery *d, const struct provider *p)
{
    for (uint32_t i = 0; i < d->source_count; i++) {
        if (d->sources[i].provider == p) {
            return &d->sources[i];
        }
    }
    ASSERT(false);
    return NULL;
}

static void on_candidate(void *arg, struct provider *p, const struct addr *addr)
{
    struct discovery *d = arg;
    struct source *s = source_of(d, p);
    s->named++;
    s->sum += XXH3_64bits(addr, sizeof(*addr));
    if (addr->port != 0 && !addr_is_any(addr) && !d->config.knows(d->config.arg, addr)) {
        d->config.candidate(d->config.arg, addr);
    }
}

static void log_change(struct discovery *d, struct source *s, enum rc rc, const char *detail)
{
    const struct node_hooks *hooks = d->config.hooks;
    const bool is_same = s->has_spoken && s->sum == s->last_sum &&
                         strncmp(s->last_detail, detail, sizeof(s->last_detail) - 1) == 0;
    s->has_spoken = true;
    s->last_sum = s->sum;
    (void)snprintf(s->last_detail, sizeof(s->last_detail), "%s", detail);
    if (is_same) {
        return;
    }
    if (rc != RC_OK) {
        hooks->log(hooks->arg, LOG_WARN, "discovery",
                   "%s: %s; addresses named: %u, it is asked again", s->provider->name, detail,
                   s->named);
    } else {
        hooks->log(hooks->arg, LOG_INFO, "discovery", "%s: addresses named: %u", s->provider->name,
                   s->named);
    }
}

static void end_pass(struct discovery *d)
{
    d->is_in_pass = false;
    d->stats.passes++;
    d->config.pass_done(d->config.arg);
    schedule_next(d);
}

static void on_done(void *arg, struct provider *p, enum rc rc, const char *detail)
{
    struct discovery *d = arg;
    struct source *s = source_of(d, p);
    ASSERT(s->is_running);
    s->is_running = false;
    d->running--;
    d->stats.failures += rc != RC_OK;
    log_change(d, s, rc, detail);
    if (d->running == 0) {
        end_pass(d);
    }
}

/* ---- Passes ---- */

/* What was under way in evdns when the last pass ended has had a pause to end in. */
static void renew_dns(struct discovery *d, uint32_t lookup_ms)
{
    if (d->dns != NULL && !dns_is_idle(d->dns)) {
        return;
    }
    dns_free(d->dns);
    d->dns = dns_new(d->config.base, lookup_ms);
}

static void begin_pass(struct discovery *d)
{
    const bool is_first = d->stats.passes == 0;
    renew_dns(d, is_first ? FIRST_LOOKUP_MS : LOOKUP_MS);
    if (d->dns == NULL) {
        arm(d, ALONE_MAX_MS); /* no memory or no descriptor now */
        return;
    }
    const struct provider_pass pass = {.base = d->config.base,
                                       .dns = d->dns,
                                       .timeout_ms = is_first ? FIRST_FETCH_MS : FETCH_MS,
                                       .arg = d,
                                       .candidate = on_candidate,
                                       .done = on_done};
    d->is_in_pass = true;
    d->running = d->source_count;
    arm(d, d->source_count == 0 ? 0 : is_first ? FIRST_PASS_MS : PASS_MS);
    for (uint32_t i = 0; i < d->source_count; i++) {
        struct source *s = &d->sources[i];
        s->is_running = true;
        s->named = 0;
        s->sum = 0;
        s->provider->start(s->provider, &pass);
    }
}

static void cancel_pass(struct discovery *d)
{
    for (uint32_t i = 0; i < d->source_count; i++) {
        struct source *s = &d->sources[i];
        if (s->is_running) {
            s->is_running = false;
            s->provider->cancel(s->provider);
        }
    }
    d->running = 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct discovery *d = arg;
    (void)fd;
    (void)what;
    if (d->is_in_pass) {
        for (uint32_t i = 0; i < d->source_count; i++) {
            if (d->sources[i].is_running) {
                d->stats.failures++;
                log_change(d, &d->sources[i], RC_TIMEOUT, "no answer in time");
            }
        }
        cancel_pass(d);
        end_pass(d);
    } else if (d->was_alone && !d->config.is_alone(d->config.arg)) {
        schedule_next(d); /* found, or been found, meanwhile */
    } else {
        begin_pass(d);
    }
}

void discovery_hurry(struct discovery *d)
{
    if (!d->is_in_pass && !d->was_alone && d->config.is_alone(d->config.arg)) {
        d->was_alone = true;
        d->alone_ms = ALONE_MIN_MS;
        arm(d, HURRY_MS);
    }
}

/* ---- Life ---- */

static void add_source(struct discovery *d, struct provider *provider)
{
    ASSERT(d->source_count < PROVIDERS_MAX);
    d->sources[d->source_count++].provider = provider;
}

static enum rc add_flux(struct discovery *d, uint16_t first, uint16_t last)
{
    const struct node_config *node = d->config.node;
    const struct node_hooks *hooks = d->config.hooks;
    struct provider *flux = NULL;
    if (provider_flux_new(node->flux_api, node->flux_app, first, last, &flux) != RC_OK) {
        hooks->log(hooks->arg, LOG_ERROR, "discovery",
                   "flux: REPRAM_FLUX_API \"%s\" must be http:// or https:// and a host, and "
                   "FLUX_APP_NAME \"%s\" letters and digits",
                   node->flux_api, node->flux_app);
        return RC_CONFIG;
    }
    add_source(d, flux);
    return RC_OK;
}

static enum rc add_sources(struct discovery *d)
{
    const struct node_config *node = d->config.node;
    const uint16_t first = node->base_port;
    const uint16_t last = (uint16_t)(first + node->max_ports - 1);
    const bool is_v6_bound = !addr_is_any(&node->bind) && !addr_is_v4(&node->bind);
    if ((node->providers & PROVIDER_PORT_RANGE) != 0) {
        add_source(
            d, provider_domain_new("port-range", node->discovery_domain, first, last, is_v6_bound));
    }
    if ((node->providers & PROVIDER_DNS) != 0) {
        const uint16_t port = node->fixed_port != 0 ? node->fixed_port : first;
        add_source(d, provider_domain_new("dns", node->discovery_domain, port, port, is_v6_bound));
    }
    if ((node->providers & PROVIDER_STATIC) != 0 && node->peer_count > 0) {
        add_source(d, provider_static_new(node->peers, node->peer_count));
    }
    return (node->providers & PROVIDER_FLUX) != 0 ? add_flux(d, first, last) : RC_OK;
}

enum rc discovery_new(const struct discovery_config *config, struct discovery **ret_discovery)
{
    struct discovery *d = mem_new(1, sizeof(*d));
    d->config = *config;
    d->alone_ms = ALONE_MIN_MS;
    rng_init(&d->rng, config->seed);
    d->timer = evtimer_new(config->base, on_timer, d);
    ASSERT(d->timer != NULL);
    const enum rc rc = add_sources(d);
    if (rc != RC_OK) {
        discovery_free(d);
        return rc;
    }
    begin_pass(d);
    *ret_discovery = d;
    return RC_OK;
}

void discovery_free(struct discovery *d)
{
    if (d == NULL) {
        return;
    }
    cancel_pass(d);
    (void)event_del(d->timer);
    dns_free(d->dns);
    for (uint32_t i = 0; i < d->source_count; i++) {
        d->sources[i].provider->free(d->sources[i].provider);
    }
    event_free(d->timer);
    free(d);
}

struct discovery_stats discovery_stats(const struct discovery *d)
{
    return d->stats;
}
