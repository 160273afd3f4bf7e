#include "net/discovery/claim_check.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/dns.h"
#include "net/out/fetch.h"

#include <event2/event.h>
#include <stdlib.h>

enum {
    LOOKUP_TIMEOUT_MS = 1000,
    ASK_TIMEOUT_MS = 500,
    ASK_AGAIN_US = 100 * 1000, /* the other's own check takes about one round trip */
};

struct claim_check {
    struct event_base *base;
    struct dns *dns;
    struct dns_query *query;
    struct fetch *fetch;
    struct event *again;
    struct addr at;
    struct uuid self;
    uint32_t attempt;
    bool (*is_own)(const struct addr *addr);
    void (*done)(void *arg, enum claim_verdict verdict, const struct health_answer *other);
    void *arg;
};

enum claim_verdict claim_check_judge(const struct uuid *self, const struct health_answer *other,
                                     uint32_t attempt)
{
    if (other == NULL || uuid_equal(self, &other->uuid)) {
        return CLAIM_KEEP;
    }
    if (!other->is_claiming || uuid_compare(&other->uuid, self) < 0) {
        return CLAIM_LEAVE;
    }
    return attempt < CLAIM_ATTEMPTS_MAX ? CLAIM_AGAIN : CLAIM_KEEP;
}

static void ask(struct claim_check *c);

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    ask(arg);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct claim_check *c = arg;
    struct health_answer other;
    c->fetch = NULL;
    const bool is_node =
        answer->rc == RC_OK && health_answer_parse(answer->body, answer->body_len, &other) == RC_OK;
    const enum claim_verdict verdict =
        claim_check_judge(&c->self, is_node ? &other : NULL, c->attempt++);
    if (verdict == CLAIM_AGAIN) {
        const struct timeval after = {.tv_usec = ASK_AGAIN_US};
        ASSERT(event_add(c->again, &after) == 0);
        return;
    }
    c->done(c->arg, verdict, is_node ? &other : NULL);
}

static void ask(struct claim_check *c)
{
    char text[ADDR_TEXT_SIZE];
    const struct fetch_request request = {.method = "GET",
                                          .host = addr_format_ip(&c->at, text),
                                          .port = c->at.port,
                                          .target = "/health",
                                          .timeout_ms = ASK_TIMEOUT_MS,
                                          .bytes_max = HEALTH_ANSWER_BYTES_MAX};
    c->fetch = fetch_start(c->base, NULL, &request, on_answer, c);
    if (c->fetch == NULL) {
        c->done(c->arg, CLAIM_KEEP, NULL);
    }
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
    struct claim_check *c = arg;
    c->query = NULL;
    if (answer->count != 1 || c->is_own(&answer->addrs[0])) {
        c->done(c->arg, CLAIM_KEEP, NULL);
        return;
    }
    const uint16_t port = c->at.port;
    c->at = answer->addrs[0];
    c->at.port = port;
    ask(c);
}

struct claim_check *claim_check_start(struct event_base *base, const struct node_config *node,
                                      uint16_t port, const struct uuid *self,
                                      bool (*is_own)(const struct addr *addr),
                                      void (*done)(void *arg, enum claim_verdict verdict,
                                                   const struct health_answer *other),
                                      void *arg)
{
    struct claim_check *c = mem_new(1, sizeof(*c));
    c->base = base;
    c->self = *self;
    c->is_own = is_own;
    c->done = done;
    c->arg = arg;
    c->at.port = port;
    c->again = evtimer_new(base, on_again, c);
    const struct dns_config dns = {.base = base,
                                   .timeout_ms = LOOKUP_TIMEOUT_MS,
                                   .servers = node->dns_servers,
                                   .server_count = node->dns_server_count};
    c->dns = dns_new(&dns);
    if (c->again == NULL || c->dns == NULL) {
        claim_check_free(c);
        return NULL;
    }
    c->query = dns_resolve(c->dns, node->discovery_domain, DNS_BOTH, on_resolved, c);
    return c;
}

void claim_check_free(struct claim_check *c)
{
    if (c == NULL) {
        return;
    }
    dns_cancel(c->query);
    if (c->fetch != NULL) {
        fetch_cancel(c->fetch);
    }
    if (c->again != NULL) {
        event_free(c->again);
    }
    dns_free(c->dns);
    free(c);
}
