#include "net/discovery/discovery.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "net/discovery/provider_domain.h"
#include "net/discovery/provider_flux.h"
#include "net/discovery/provider_srv.h"
#include "net/discovery/provider_static.h"
#include "net/out/dns.h"
#include "net/sys/hostclock.h"
#include "net/sys/hostinfo.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    PROVIDERS_MAX = 5,
    /* Until all have answered they hold up readiness, so one that fails is asked again soon. A slow
     * API gets twice the time at each further try. */
    FIRST_LOOKUP_MS = 1000,
    FIRST_FETCH_MS = 1700,
    LOOKUP_MS = 3000,
    FETCH_MS = 10000,
    PASS_REST_MS = 100, /* a pass takes no longer than the slower of these and so much */
    INTERVAL_MS = 30000,
    FAILED_MIN_MS = 250, /* doubling */
    ALONE_MIN_MS = 1000, /* doubling */
    ALONE_MAX_MS = 5000,
    HURRY_MS = 200, /* several deaths often come in a row */
    JITTER_PERCENT = 20,
    DETAIL_SIZE = 512,
};

/* A provider and what it last had to say, so that only changes are logged. */
struct source {
    struct provider *provider;
    bool is_running;
    bool has_answered; /* in some pass */
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
    struct dns *dns; /* of the last pass, until the next begins */
    enum dns_family wanted;
    struct event *timer; /* to the next pass, or the end of this one */
    bool is_in_pass;
    bool has_failed; /* a provider has, in this pass or the last one */
    bool is_stopped;
    bool was_alone;     /* when the timer was set */
    uint32_t alone_ms;  /* the pause after the next pass that leaves us alone */
    uint32_t failed_ms; /* and after the next one in which a provider fails, at most */
    uint32_t fetch_ms;  /* the time that an API has in the next pass */
    struct alone alone;
    struct addr own[HOSTINFO_ADDRS_MAX]; /* of this host, as of this pass */
    size_t own_count;
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

static uint32_t doubled(uint32_t ms, uint32_t max)
{
    return 2 * ms < max ? 2 * ms : max;
}

static void schedule_next(struct discovery *d)
{
    d->was_alone = d->config.is_alone(d->config.arg);
    uint32_t pause_ms = d->was_alone ? d->alone_ms : INTERVAL_MS;
    d->alone_ms = d->was_alone ? doubled(d->alone_ms, ALONE_MAX_MS) : ALONE_MIN_MS;
    if (d->has_failed && d->failed_ms < pause_ms) {
        pause_ms = d->failed_ms;
    }
    d->failed_ms = d->has_failed ? doubled(d->failed_ms, INTERVAL_MS) : FAILED_MIN_MS;
    arm(d, jittered(d, pause_ms));
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

/*
 * A node that is bound to one address meets those that are bound to the same one. These do not
 * listen on loopback, so a loopback candidate stands for that address. Where the node is bound to
 * loopback itself, only 127.0.0.1 does: others of 127.0.0.0/8 were named on purpose then.
 */
static struct addr reachable(const struct discovery *d, const struct addr *addr)
{
    const struct addr *bind = &d->config.node->bind;
    const struct addr v4 = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    const bool is_localhost = addr_same_ip(addr, &v4) || !addr_is_v4(addr);
    struct addr there = *addr;
    if (!addr_is_any(bind) && addr_is_loopback(addr) && (!addr_is_loopback(bind) || is_localhost)) {
        there = *bind;
        there.port = addr->port;
    }
    return there;
}

static bool is_own_host(const struct discovery *d, const struct addr *addr)
{
    bool is_own = addr_same_ip(addr, &d->config.node->advertise);
    for (size_t i = 0; i < d->own_count && !is_own; i++) {
        is_own = addr_same_ip(addr, &d->own[i]);
    }
    return is_own;
}

static void on_candidate(void *arg, struct provider *p, const struct addr *addr)
{
    struct discovery *d = arg;
    struct source *s = source_of(d, p);
    const struct addr there = reachable(d, addr);
    const bool is_new =
        there.port != 0 && !addr_is_any(&there) && !d->config.knows(d->config.arg, &there);
    s->named++;
    s->sum += XXH3_64bits(addr, sizeof(*addr));
    alone_named(&d->alone, addr, is_own_host(d, addr), is_new);
    if (is_new) {
        d->config.candidate(d->config.arg, &there);
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
    } else if (detail[0] != '\0') {
        hooks->log(hooks->arg, LOG_WARN, "discovery", "%s: %s; addresses named: %u",
                   s->provider->name, detail, s->named);
    } else {
        hooks->log(hooks->arg, LOG_INFO, "discovery", "%s: addresses named: %u", s->provider->name,
                   s->named);
    }
}

static bool have_all_answered(const struct discovery *d)
{
    bool all = true;
    for (uint32_t i = 0; i < d->source_count; i++) {
        all = all && d->sources[i].has_answered;
    }
    return all;
}

static void tell_alone(struct discovery *d)
{
    const struct node_hooks *hooks = d->config.hooks;
    char text[ALONE_TEXT_SIZE];
    if (alone_pass_over(&d->alone, d->config.is_alone(d->config.arg), hostclock_boot_ms())) {
        hooks->log(hooks->arg, LOG_WARN, "discovery", "%s",
                   alone_text(&d->alone, d->config.node->network, text));
    }
}

static void end_pass(struct discovery *d)
{
    d->is_in_pass = false;
    d->stats.passes++;
    tell_alone(d);
    d->config.pass_done(d->config.arg, have_all_answered(d));
    schedule_next(d);
}

static void take_outcome(struct discovery *d, struct source *s, enum rc rc, const char *detail)
{
    const bool is_answer = rc == RC_OK || rc == RC_NOT_FOUND;
    s->has_answered = s->has_answered || is_answer;
    d->has_failed = d->has_failed || !is_answer;
    d->stats.failures += !is_answer;
    log_change(d, s, rc, detail);
}

static void on_done(void *arg, struct provider *p, enum rc rc, const char *detail)
{
    struct discovery *d = arg;
    struct source *s = source_of(d, p);
    ASSERT(s->is_running);
    s->is_running = false;
    d->running--;
    take_outcome(d, s, rc, detail);
    if (d->running == 0) {
        end_pass(d);
    }
}

/* ---- Passes ---- */

/* The files that say whom to ask may have changed. */
static void renew_dns(struct discovery *d, uint32_t lookup_ms)
{
    const struct node_config *node = d->config.node;
    const struct dns_config config = {.base = d->config.base,
                                      .timeout_ms = lookup_ms,
                                      .servers = node->dns_servers,
                                      .server_count = node->dns_server_count};
    dns_free(d->dns);
    d->dns = dns_new(&config);
}

/* Providers end by themselves; this is for one that does not. */
static uint32_t pass_max_ms(const struct discovery *d)
{
    const bool has_srv = (d->config.node->providers & PROVIDER_SRV) != 0;
    const uint32_t lookup_max_ms = dns_limit_ms(d->dns) * (has_srv ? 2 : 1); /* then its targets */
    return (d->fetch_ms > lookup_max_ms ? d->fetch_ms : lookup_max_ms) + PASS_REST_MS;
}

static void begin_pass(struct discovery *d)
{
    const bool are_waited_for = !have_all_answered(d);
    const uint32_t lookup_ms = are_waited_for ? FIRST_LOOKUP_MS : LOOKUP_MS;
    d->fetch_ms = are_waited_for ? doubled(d->fetch_ms, FETCH_MS) : FETCH_MS;
    renew_dns(d, lookup_ms);
    if (d->dns == NULL) {
        arm(d, ALONE_MAX_MS); /* no memory or no descriptor now */
        return;
    }
    const struct provider_pass pass = {.base = d->config.base,
                                       .dns = d->dns,
                                       .wanted = d->wanted,
                                       .timeout_ms = d->fetch_ms,
                                       .arg = d,
                                       .candidate = on_candidate,
                                       .done = on_done};
    d->is_in_pass = true;
    d->own_count = hostinfo_addrs(d->own);
    d->has_failed = false;
    d->running = d->source_count;
    arm(d, d->source_count == 0 ? 0 : pass_max_ms(d));
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

static void give_up(struct discovery *d)
{
    for (uint32_t i = 0; i < d->source_count; i++) {
        struct provider *p = d->sources[i].provider;
        if (d->sources[i].is_running) {
            take_outcome(d, &d->sources[i], RC_TIMEOUT,
                         p->give_up == NULL ? "no answer in time" : p->give_up(p));
        }
    }
    cancel_pass(d);
    end_pass(d);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct discovery *d = arg;
    (void)fd;
    (void)what;
    if (d->is_in_pass) {
        give_up(d);
    } else if (d->was_alone && !d->has_failed && !d->config.is_alone(d->config.arg)) {
        schedule_next(d); /* found, or been found, meanwhile */
    } else {
        begin_pass(d);
    }
}

void discovery_stop(struct discovery *d)
{
    if (d != NULL) {
        cancel_pass(d);
        (void)event_del(d->timer);
        d->is_stopped = true;
    }
}

void discovery_hurry(struct discovery *d)
{
    if (!d->is_stopped && !d->is_in_pass && !d->was_alone && d->config.is_alone(d->config.arg)) {
        d->was_alone = true;
        d->alone_ms = ALONE_MIN_MS;
        arm(d, HURRY_MS);
    }
}

/* ---- Life ---- */

/* A socket that is bound to an address sends to its own family. */
static enum dns_family reachable_families(const struct addr *bind)
{
    if (addr_is_any(bind)) {
        return DNS_BOTH;
    }
    return addr_is_v4(bind) ? DNS_IPV4 : DNS_IPV6;
}

static void add_source(struct discovery *d, struct provider *provider)
{
    ASSERT(d->source_count < PROVIDERS_MAX);
    d->sources[d->source_count++].provider = provider;
}

static void add_sources(struct discovery *d)
{
    const struct node_config *node = d->config.node;
    const uint16_t first = node->base_port;
    const uint16_t last = (uint16_t)(first + node->max_ports - 1);
    if ((node->providers & PROVIDER_PORT_RANGE) != 0) {
        add_source(d, provider_domain_new("port-range", node->discovery_domain, first, last));
    }
    if ((node->providers & PROVIDER_DNS) != 0) {
        const uint16_t port = node->fixed_port != 0 ? node->fixed_port : first;
        add_source(d, provider_domain_new("dns", node->discovery_domain, port, port));
    }
    if ((node->providers & PROVIDER_SRV) != 0) {
        add_source(d, provider_srv_new(node->discovery_domain));
    }
    if ((node->providers & PROVIDER_STATIC) != 0) {
        add_source(d, provider_static_new(node->peers, node->peer_count));
    }
    if ((node->providers & PROVIDER_FLUX) != 0) {
        add_source(d, provider_flux_new(&node->flux_api, node->flux_app, first, last));
    }
}

struct discovery *discovery_new(const struct discovery_config *config)
{
    struct discovery *d = mem_new(1, sizeof(*d));
    d->config = *config;
    d->alone_ms = ALONE_MIN_MS;
    d->failed_ms = FAILED_MIN_MS;
    d->fetch_ms = FIRST_FETCH_MS / 2; /* doubled by the first pass */
    d->wanted = reachable_families(&config->node->bind);
    alone_init(&d->alone, config->node->has_siblings || config->node->expect_members > 1,
               (config->node->providers & (PROVIDER_STATIC | PROVIDER_DNS | PROVIDER_SRV)) != 0);
    rng_init(&d->rng, config->seed);
    d->timer = evtimer_new(config->base, on_timer, d);
    ASSERT(d->timer != NULL);
    add_sources(d);
    begin_pass(d);
    return d;
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

void discovery_warn(const struct discovery *d)
{
    const struct node_hooks *hooks = d->config.hooks;
    for (uint32_t i = 0; i < d->source_count; i++) {
        const struct source *s = &d->sources[i];
        if (!s->has_answered) {
            hooks->log(hooks->arg, LOG_WARN, "discovery",
                       "going on without %s, which has not said who is there: %s",
                       s->provider->name, s->has_spoken ? s->last_detail : "no answer so far");
        }
    }
}

bool discovery_is_alone(const struct discovery *d, char ret_text[static ALONE_TEXT_SIZE])
{
    (void)alone_text(&d->alone, d->config.node->network, ret_text);
    return !d->is_stopped && d->config.is_alone(d->config.arg) &&
           alone_lasts(&d->alone, hostclock_boot_ms());
}

struct discovery_stats discovery_stats(const struct discovery *d)
{
    return d->stats;
}
