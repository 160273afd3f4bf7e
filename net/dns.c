#include "net/dns.h"

#include "core/assert.h"
#include "core/mem.h"
#include "net/sockaddr.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ATTEMPTS = 2,          /* one datagram may be lost */
    LEAVE_ROUNDS_MAX = 16, /* turns of the loop that cancelled lookups get at the end */
    DETAIL_SIZE = 160,
};

struct dns {
    struct event_base *base;
    struct evdns_base *evdns;
    bool has_server;
    uint32_t timeout_ms;
    uint32_t in_evdns; /* lookups whose callback has not come, cancelled ones included */
};

/* evdns calls back also for what was cancelled, later: so what it calls outlives the query. */
struct lookup {
    struct dns *dns;
    struct dns_query *query; /* NULL once nobody waits */
};

struct dns_query {
    struct dns *dns;
    struct event *timer; /* the answer's delivery, or the lookup's end */
    struct lookup *lookup;
    struct evdns_getaddrinfo_request *request;
    void (*done)(void *arg, const struct dns_answer *answer);
    void *arg;
    enum rc rc;
    char detail[DETAIL_SIZE];
    struct addr *addrs; /* NULL before the first */
    size_t count;
};

static struct timeval to_timeval(uint32_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* ---- The resolver ---- */

static void set_option(struct dns *d, const char *name, uint32_t ms)
{
    char seconds[32];
    (void)snprintf(seconds, sizeof(seconds), "%u.%03u", ms / 1000, ms % 1000);
    (void)evdns_base_set_option(d->evdns, name, seconds);
}

/* After the files, whose own options would make a pass last many seconds. */
static void set_options(struct dns *d)
{
    char attempts[8];
    (void)snprintf(attempts, sizeof(attempts), "%d", ATTEMPTS);
    (void)evdns_base_set_option(d->evdns, "attempts:", attempts);
    set_option(d, "timeout:", d->timeout_ms / ATTEMPTS);
    /* A family that does not answer holds up the other one no longer than this. */
    set_option(d, "getaddrinfo-allow-skew:", d->timeout_ms / 2);
    /* evdns probes a silent server with a name of its own choice; this resolver is gone before. */
    set_option(d, "initial-probe-timeout:", 3600 * 1000);
}

struct dns *dns_new(struct event_base *base, uint32_t timeout_ms)
{
    struct dns *d = mem_new(1, sizeof(*d));
    d->base = base;
    d->timeout_ms = timeout_ms;
    d->evdns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (d->evdns == NULL) {
        free(d);
        return NULL;
    }
    (void)evdns_base_resolv_conf_parse(
        d->evdns, DNS_OPTIONS_ALL | DNS_OPTION_NAMESERVERS_NO_DEFAULT, "/etc/resolv.conf");
    d->has_server = evdns_base_count_nameservers(d->evdns) > 0;
    set_options(d);
    return d;
}

bool dns_is_idle(const struct dns *d)
{
    return d->in_evdns == 0;
}

void dns_free(struct dns *d)
{
    if (d == NULL) {
        return;
    }
    for (int i = 0; i < LEAVE_ROUNDS_MAX && d->in_evdns > 0; i++) {
        (void)event_base_loop(d->base, EVLOOP_NONBLOCK);
    }
    evdns_base_free(d->evdns, 0);
    free(d);
}

/* ---- Queries ---- */

static void query_free(struct dns_query *q)
{
    if (q->lookup != NULL) {
        q->lookup->query = NULL;
        if (q->request != NULL) {
            evdns_getaddrinfo_cancel(q->request);
        }
    }
    event_free(q->timer);
    free(q->addrs);
    free(q);
}

void dns_cancel(struct dns_query *q)
{
    if (q != NULL) {
        query_free(q);
    }
}

static void set_detail(struct dns_query *q, enum rc rc, const char *text)
{
    q->rc = rc;
    (void)snprintf(q->detail, sizeof(q->detail), "%s", text);
}

/* From the loop: the answer is here, or the time is up. The query is gone before `done` is called,
 * but for what the answer lends. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct dns_query *q = arg;
    (void)fd;
    (void)what;
    struct dns_query lent = *q;
    q->addrs = NULL;
    query_free(q);
    const struct dns_answer answer = {
        .rc = lent.rc, .detail = lent.detail, .addrs = lent.addrs, .count = lent.count};
    lent.done(lent.arg, &answer);
    free(lent.addrs);
}

static void deliver_soon(struct dns_query *q)
{
    event_active(q->timer, EV_TIMEOUT, 0);
}

static void add_addr(struct dns_query *q, const struct addr *addr)
{
    for (size_t i = 0; i < q->count; i++) {
        if (addr_same_ip(&q->addrs[i], addr)) {
            return;
        }
    }
    if (q->addrs == NULL) {
        q->addrs = mem_new(DNS_ADDRS_MAX, sizeof(*q->addrs));
    }
    if (q->count < DNS_ADDRS_MAX) {
        q->addrs[q->count] = *addr;
        q->addrs[q->count++].port = 0;
        set_detail(q, RC_OK, "");
    }
}

static enum rc rc_of_result(int result)
{
    switch (result) {
    case EVUTIL_EAI_NONAME:
    case EVUTIL_EAI_NODATA:
        return RC_NOT_FOUND;
    case EVUTIL_EAI_AGAIN:
        return RC_TIMEOUT;
    default:
        return RC_IO;
    }
}

/* evdns says the same for a server that is silent, one that refuses and one that fails. */
static const char *text_of_result(int result)
{
    return result == EVUTIL_EAI_FAIL ? "the name servers do not answer, or fail"
                                     : evutil_gai_strerror(result);
}

static void on_lookup(int result, struct evutil_addrinfo *list, void *arg)
{
    struct lookup *lookup = arg;
    struct dns_query *q = lookup->query;
    lookup->dns->in_evdns--;
    free(lookup);
    if (q != NULL) {
        q->lookup = NULL;
        q->request = NULL;
        if (result != 0) {
            set_detail(q, rc_of_result(result), text_of_result(result));
        } else {
            set_detail(q, RC_NOT_FOUND, "the name has no address");
        }
        for (const struct evutil_addrinfo *i = list; i != NULL; i = i->ai_next) {
            struct addr addr;
            if (sockaddr_to(i->ai_addr, i->ai_addrlen, &addr) == RC_OK) {
                add_addr(q, &addr);
            }
        }
        deliver_soon(q);
    }
    if (list != NULL) {
        evutil_freeaddrinfo(list);
    }
}

static void look_up(struct dns_query *q, const char *name)
{
    struct dns *d = q->dns;
    const struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *lookup = mem_new(1, sizeof(*lookup));
    *lookup = (struct lookup){.dns = d, .query = q};
    q->lookup = lookup;
    d->in_evdns++;
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(d->evdns, name, NULL, &hints, on_lookup, lookup);
    if (request == NULL) {
        return; /* on_lookup() was called already: a name of the hosts file, or no name at all */
    }
    q->request = request;
    if (!d->has_server) {
        /* It would wait for a server to come. */
        lookup->query = NULL;
        q->lookup = NULL;
        q->request = NULL;
        evdns_getaddrinfo_cancel(request);
        set_detail(q, RC_NOT_FOUND, "not in the hosts file, and resolv.conf names no server");
        deliver_soon(q);
        return;
    }
    /* evdns ends by itself unless a search list makes it try many names in turn. */
    const struct timeval limit = to_timeval(d->timeout_ms + d->timeout_ms / 4);
    set_detail(q, RC_TIMEOUT, "no answer in time");
    ASSERT(event_add(q->timer, &limit) == 0);
}

static bool is_localhost(const char *name)
{
    static const char suffix[] = ".localhost";
    const size_t len = strlen(name), suffix_len = sizeof(suffix) - 1;
    return strcasecmp(name, suffix + 1) == 0 ||
           (len > suffix_len && strcasecmp(name + len - suffix_len, suffix) == 0);
}

struct dns_query *dns_resolve(struct dns *d, const char *name,
                              void (*done)(void *arg, const struct dns_answer *answer), void *arg)
{
    struct dns_query *q = mem_new(1, sizeof(*q));
    q->dns = d;
    q->done = done;
    q->arg = arg;
    q->timer = evtimer_new(d->base, on_timer, q);
    ASSERT(q->timer != NULL);
    struct addr addr;
    if (addr_parse_ip(name, 0, &addr) == RC_OK) {
        add_addr(q, &addr);
        deliver_soon(q);
    } else if (is_localhost(name)) {
        const struct addr v4 = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
        const struct addr v6 = {.ip = {[15] = 1}};
        add_addr(q, &v4);
        add_addr(q, &v6);
        deliver_soon(q);
    } else {
        look_up(q, name);
    }
    return q;
}
