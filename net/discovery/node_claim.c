#include "net/discovery/node_claim.h"

#include "core/base/assert.h"
#include "net/discovery/claim_check.h"
#include "net/discovery/holders.h"
#include "net/sys/hostinfo.h"

#include <event2/event.h>
#include <string.h>

enum {
    TRIES = 4,
    PAUSE_MS = 300, /* doubling: 2.1 s in all, about what a node that was killed takes to go */
};

struct claiming {
    const struct node_claim_config *config;
    uint16_t first, last;
    struct claim claim;
    bool is_over;  /* of the wait that is going on */
    bool is_quiet; /* skipped ports were reported in an earlier try */
    enum claim_verdict verdict;
};

/* Runs the loop until a callback has set c->is_over. RC_CLOSED when a signal ends it first. */
static enum rc wait_over(struct claiming *c)
{
    while (!c->is_over) {
        if (*c->config->is_stopping || event_base_loop(c->config->base, EVLOOP_ONCE) != 0) {
            return RC_CLOSED;
        }
    }
    return *c->config->is_stopping ? RC_CLOSED : RC_OK;
}

/* ---- One try ---- */

static void on_skipped(void *arg, uint16_t port, const struct claim_failure *failure)
{
    const struct claiming *c = arg;
    const struct node_hooks *hooks = c->config->hooks;
    hooks->log(hooks->arg, c->is_quiet ? LOG_DEBUG : LOG_INFO, "claim",
               "port %u is passed over: %s: %s", port, failure->is_udp ? "udp" : "tcp",
               strerror(failure->error));
}

static void on_verdict(void *arg, enum claim_verdict verdict, const struct health_answer *other)
{
    struct claiming *c = arg;
    const struct node_hooks *hooks = c->config->hooks;
    c->is_over = true;
    c->verdict = verdict;
    if (verdict == CLAIM_LEAVE) {
        char uuid[UUID_TEXT_SIZE];
        hooks->log(hooks->arg, LOG_INFO, "claim",
                   "port %u is passed over: at %s it leads to node %s uuid %s", c->claim.port,
                   c->config->node->discovery_domain, other->name[0] == '\0' ? "?" : other->name,
                   uuid_format(&other->uuid, uuid));
    }
}

/* Asks from outside whether the port is ours. */
static enum rc check(struct claiming *c)
{
    const struct node_config *node = c->config->node;
    c->verdict = CLAIM_KEEP;
    if (!node->claim_check || node->fixed_port != 0) {
        return RC_OK; /* a fixed port is the operator's decision */
    }
    c->is_over = false;
    struct claim_check *running = claim_check_start(
        c->config->base, node, c->claim.port, &c->config->uuid, hostinfo_is_own, on_verdict, c);
    const enum rc rc = running == NULL ? RC_OK : wait_over(c);
    claim_check_free(running);
    return rc;
}

static enum rc try_from(struct claiming *c, uint16_t first)
{
    const struct node_hooks *hooks = c->config->hooks;
    struct claim_failure failure;
    enum rc rc =
        claim_first(&c->config->node->bind, first, c->last, on_skipped, c, &c->claim, &failure);
    if (rc == RC_CONFIG) {
        char ip[ADDR_TEXT_SIZE];
        hooks->log(
            hooks->arg, LOG_ERROR, "claim",
            "REPRAM_BIND=%s cannot be listened on: %s: %s; allowed: all, or an IP address of "
            "this host",
            addr_format_ip(&c->config->node->bind, ip), failure.is_udp ? "udp" : "tcp",
            strerror(failure.error));
    } else if (rc == RC_IO) {
        hooks->log(hooks->arg, LOG_ERROR, "claim", "cannot listen: %s: %s",
                   failure.is_udp ? "udp" : "tcp", strerror(failure.error));
    }
    if (rc != RC_OK) {
        return rc;
    }
    rc = c->config->open(c->config->arg, &c->claim);
    if (rc == RC_OK) {
        rc = check(c);
        if (rc == RC_OK && c->verdict == CLAIM_KEEP) {
            return RC_OK;
        }
        c->config->close(c->config->arg);
    }
    claim_release(&c->claim);
    return rc;
}

static enum rc try_range(struct claiming *c)
{
    enum rc rc = RC_EXISTS;
    for (uint32_t next = c->first; next <= c->last; next = (uint32_t)c->claim.port + 1) {
        rc = try_from(c, (uint16_t)next);
        if (rc != RC_OK || c->verdict == CLAIM_KEEP) {
            return rc;
        }
    }
    return RC_EXISTS;
}

/* ---- When none is free ---- */

static void on_holders(void *arg, const struct holder *list, size_t count)
{
    struct claiming *c = arg;
    const struct node_hooks *hooks = c->config->hooks;
    c->is_over = true;
    for (size_t i = 0; i < count; i++) {
        char uuid[UUID_TEXT_SIZE];
        if (list[i].is_node) {
            const char *name = list[i].health.name;
            hooks->log(hooks->arg, LOG_ERROR, "claim", "port %u is held by node %s uuid %s",
                       list[i].port, name[0] == '\0' ? "?" : name,
                       uuid_format(&list[i].health.uuid, uuid));
        } else {
            hooks->log(hooks->arg, LOG_ERROR, "claim", "port %u is held by another program",
                       list[i].port);
        }
    }
}

static void report(struct claiming *c)
{
    const struct node_hooks *hooks = c->config->hooks;
    hooks->log(hooks->arg, LOG_ERROR, "claim", "no port is free in %u-%u after %d tries", c->first,
               c->last, TRIES);
    c->is_over = false;
    struct holders *asked =
        holders_ask(c->config->base, &c->config->node->bind, c->first, c->last, on_holders, c);
    if (wait_over(c) != RC_OK && !c->is_over) {
        holders_cancel(asked);
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct claiming *c = arg;
    (void)fd;
    (void)what;
    c->is_over = true;
}

static enum rc pause_for(struct claiming *c, uint32_t ms)
{
    const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    struct event *timer = evtimer_new(c->config->base, on_pause_over, c);
    ASSERT(timer != NULL && event_add(timer, &after) == 0);
    c->is_over = false;
    const enum rc rc = wait_over(c);
    event_free(timer);
    return rc;
}

enum rc node_claim(const struct node_claim_config *config, struct claim *ret_claim)
{
    const struct node_config *node = config->node;
    const struct node_hooks *hooks = config->hooks;
    struct claiming c = {.config = config, .claim = {.tcp_fd = -1, .udp_fd = -1}};
    c.first = node->fixed_port != 0 ? node->fixed_port : node->base_port;
    c.last = node->fixed_port != 0 ? node->fixed_port
                                   : (uint16_t)(node->base_port + node->max_ports - 1);
    enum rc rc = RC_EXISTS;
    uint32_t pause_ms = PAUSE_MS;
    for (int tried = 1; rc == RC_EXISTS; tried++) {
        rc = try_range(&c);
        if (rc != RC_EXISTS || tried == TRIES) {
            break;
        }
        hooks->log(hooks->arg, LOG_WARN, "claim", "no port is free in %u-%u, trying again in %u ms",
                   c.first, c.last, pause_ms);
        c.is_quiet = true;
        if (pause_for(&c, pause_ms) != RC_OK) {
            return RC_CLOSED;
        }
        pause_ms *= 2;
    }
    if (rc == RC_EXISTS) {
        report(&c);
        return RC_EXISTS;
    }
    if (rc == RC_OK) {
        *ret_claim = c.claim;
    }
    return rc;
}
