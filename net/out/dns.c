#include "net/out/dns.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/hosts.h"
#include "net/out/resolve.h"
#include "net/out/search_list.h"
#include "net/sys/hostclock.h"
#include "net/sys/hostinfo.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ATTEMPTS = 2,          /* one datagram may be lost */
    LEAVE_ROUNDS_MAX = 16, /* turns of the loop that cancelled lookups get at the end */
    DETAIL_SIZE = 160,
    FAMILIES = 2,
};

struct dns {
    struct event_base *base;
    struct evdns_base *evdns;
    const char *hosts;
    struct search_list search;
    bool has_server;
    enum dns_family usable; /* by this host */
    uint32_t timeout_ms;
    uint32_t in_evdns; /* lookups whose callback has not come, cancelled ones included */
};

/* One family's lookup. evdns calls back later for cancelled lookups too, so this outlives the
 * query. */
struct lookup {
    struct dns *dns;
    struct dns_query *query; /* NULL once nobody waits */
    enum dns_family family;
    struct evdns_request *request;
};

struct dns_query {
    struct dns *dns;
    struct event *timer;              /* the answer's delivery, or the lookup's end */
    struct lookup *lookups[FAMILIES]; /* NULL when it is over, or was not wanted */
    enum dns_family wanted;
    char name[SEARCH_NAME_SIZE];
    uint32_t form; /* of the name, that is being looked up */
    uint64_t asked_us;
    void (*done)(void *arg, const struct dns_answer *answer);
    void *arg;
    enum rc rc; /* of the first failure, else of the answers so far */
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
    /* evdns probes a silent server with a name of its own choice. This resolver is freed before
     * that. */
    set_option(d, "initial-probe-timeout:", 3600 * 1000);
}

/* The families of which this host has an address that others could reach; both when it has none. */
static enum dns_family usable_families(void)
{
    struct addr own[HOSTINFO_ADDRS_MAX];
    const size_t count = hostinfo_addrs(own);
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!addr_is_loopback(&own[i])) {
            found |= addr_is_v4(&own[i]) ? DNS_IPV4 : DNS_IPV6;
        }
    }
    return found == 0 ? DNS_BOTH : (enum dns_family)found;
}

struct dns *dns_new(const struct dns_config *config)
{
    const char *resolv_conf =
        config->resolv_conf != NULL ? config->resolv_conf : "/etc/resolv.conf";
    struct dns *d = mem_new(1, sizeof(*d));
    d->base = config->base;
    d->timeout_ms = config->timeout_ms;
    d->hosts = config->hosts != NULL ? config->hosts : "/etc/hosts";
    d->usable = config->usable != 0 ? config->usable : usable_families();
    d->evdns = evdns_base_new(d->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (d->evdns == NULL) {
        free(d);
        return NULL;
    }
    (void)evdns_base_resolv_conf_parse(
        d->evdns, DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC | DNS_OPTION_NAMESERVERS_NO_DEFAULT,
        resolv_conf);
    search_list_read(&d->search, resolv_conf);
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
    for (size_t i = 0; i < FAMILIES; i++) {
        if (q->lookups[i] != NULL) {
            q->lookups[i]->query = NULL;
            evdns_cancel_request(q->dns->evdns, q->lookups[i]->request);
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

/* From the loop: all answers are here, or the time is up. The query ends before `done` is called;
 * only what the answer borrows outlives it. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct dns_query *q = arg;
    (void)fd;
    (void)what;
    struct dns_query lent = *q;
    const bool is_late = q->lookups[0] != NULL || q->lookups[1] != NULL;
    q->addrs = NULL;
    query_free(q);
    struct dns_answer answer = {
        .rc = lent.rc, .detail = lent.detail, .addrs = lent.addrs, .count = lent.count};
    if (is_late) {
        answer.rc = RC_TIMEOUT;
        answer.detail = "the name servers do not answer";
    }
    lent.done(lent.arg, &answer);
    free(lent.addrs);
}

static void deliver_soon(struct dns_query *q)
{
    event_active(q->timer, EV_TIMEOUT, 0);
}

static void add_addr(void *arg, const struct addr *addr)
{
    struct dns_query *q = arg;
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
    }
}

static bool is_failure(enum rc rc)
{
    return rc != RC_OK && rc != RC_NOT_FOUND;
}

/* Adds one family's outcome to the query's. A failure weighs more than addresses, and addresses
 * more than none. `text` describes an outcome that is not RC_OK. */
static void settle(struct dns_query *q, enum rc rc, const char *text)
{
    if (is_failure(q->rc)) {
        return;
    }
    const bool is_found = !is_failure(rc) && q->count > 0;
    q->rc = is_found ? RC_OK : rc;
    (void)snprintf(q->detail, sizeof(q->detail), "%s", is_found ? "" : text);
}

/* evdns asks the next server at once when one fails, and reports silence when that fails too. Only
 * its speed tells a failure from silence. */
static enum rc rc_of_error(const struct dns_query *q, int error, const char **ret_text)
{
    const uint64_t waited_ms = (hostclock_boot_us() - q->asked_us) / 1000;
    switch (error) {
    case DNS_ERR_NOTEXIST:
        *ret_text = "there is no such name";
        return RC_NOT_FOUND;
    case DNS_ERR_NODATA:
        *ret_text = "the name has no address";
        return RC_NOT_FOUND;
    case DNS_ERR_REFUSED:
        *ret_text = "the name server refuses to answer";
        return RC_IO;
    case DNS_ERR_TRUNCATED:
        *ret_text = "the answer is too long for a datagram";
        return RC_IO;
    case DNS_ERR_TIMEOUT:
        if (waited_ms >= q->dns->timeout_ms / ATTEMPTS) {
            *ret_text = "the name servers do not answer";
            return RC_TIMEOUT;
        }
        *ret_text = "the name servers fail (SERVFAIL)";
        return RC_IO;
    default:
        *ret_text = "the name server's answer cannot be used";
        return RC_IO;
    }
}

static void take_addrs(struct dns_query *q, char type, int count, const uint8_t *bytes)
{
    for (int i = 0; i < count; i++) {
        struct addr addr = {.port = 0};
        if (type == DNS_IPv4_A) {
            uint8_t ip[4];
            memcpy(ip, bytes + (size_t)i * sizeof(ip), sizeof(ip));
            addr = addr_v4(ip, 0);
        } else {
            memcpy(addr.ip, bytes + (size_t)i * sizeof(addr.ip), sizeof(addr.ip));
        }
        add_addr(q, &addr);
    }
}

static void look_up_next(struct dns_query *q);

static void on_lookup(int error, char type, int count, int ttl, void *addresses, void *arg)
{
    struct lookup *lookup = arg;
    struct dns_query *q = lookup->query;
    (void)ttl;
    lookup->dns->in_evdns--;
    if (q != NULL) {
        const char *text = "";
        q->lookups[lookup->family == DNS_IPV6] = NULL;
        if (error != DNS_ERR_NONE) {
            const enum rc rc = rc_of_error(q, error, &text);
            settle(q, rc, text);
        } else {
            take_addrs(q, type, count, addresses);
            settle(q, RC_NOT_FOUND, "the name has no address");
        }
        if (q->lookups[0] == NULL && q->lookups[1] == NULL) {
            look_up_next(q);
        }
    }
    free(lookup);
}

static void look_up(struct dns_query *q, const char *name, enum dns_family family)
{
    struct dns *d = q->dns;
    struct lookup *lookup = mem_new(1, sizeof(*lookup));
    *lookup = (struct lookup){.dns = d, .query = q, .family = family};
    lookup->request =
        family == DNS_IPV4
            ? evdns_base_resolve_ipv4(d->evdns, name, DNS_QUERY_NO_SEARCH, on_lookup, lookup)
            : evdns_base_resolve_ipv6(d->evdns, name, DNS_QUERY_NO_SEARCH, on_lookup, lookup);
    if (lookup->request == NULL) {
        settle(q, RC_NOT_FOUND, "it is no host name");
        free(lookup);
        return;
    }
    q->lookups[family == DNS_IPV6] = lookup;
    d->in_evdns++;
}

/* Looks up the name's next form, in both families, until one has an address. Silent servers are
 * asked for no further form. evdns could search by itself, but it takes "no such name" of the last
 * form for the answer where the first form's was cut or refused. */
static void look_up_next(struct dns_query *q)
{
    char form[SEARCH_NAME_SIZE];
    while (q->lookups[0] == NULL && q->lookups[1] == NULL) {
        if (q->count > 0 || q->rc == RC_TIMEOUT ||
            !search_list_form(&q->dns->search, q->name, q->form, form)) {
            deliver_soon(q);
            return;
        }
        q->form++;
        if (form[0] == '\0') {
            settle(q, RC_NOT_FOUND, "it is no host name");
            continue;
        }
        q->asked_us = hostclock_boot_us();
        for (uint32_t family = DNS_IPV4; family <= DNS_IPV6; family <<= 1) {
            if (((uint32_t)q->wanted & family) != 0) {
                look_up(q, form, (enum dns_family)family);
            }
        }
    }
}

static void ask_servers(struct dns_query *q, const char *name, enum dns_family wanted)
{
    const struct dns *d = q->dns;
    if (!d->has_server) {
        /* evdns would wait for one to come. */
        settle(q, RC_IO, "it is not in the hosts file, and resolv.conf names no server");
        deliver_soon(q);
        return;
    }
    const uint32_t usable = (uint32_t)wanted & (uint32_t)d->usable;
    /* evdns ends each lookup by itself; a search list makes several. */
    const struct timeval limit = to_timeval(d->timeout_ms + d->timeout_ms / 4);
    ASSERT(event_add(q->timer, &limit) == 0);
    q->wanted = usable == 0 ? wanted : (enum dns_family)usable;
    if (snprintf(q->name, sizeof(q->name), "%s", name) >= (int)sizeof(q->name)) {
        settle(q, RC_NOT_FOUND, "it is no host name");
        deliver_soon(q);
        return;
    }
    look_up_next(q);
}

/* Answers that need no server. False when one is needed. */
static bool is_known(struct dns_query *q, const char *name)
{
    struct addr addr;
    struct addr loopback[RESOLVE_LOCALHOST_ADDRS];
    const size_t loopback_count = resolve_localhost(name, loopback);
    if (addr_parse_ip(name, 0, &addr) == RC_OK) {
        add_addr(q, &addr);
    } else if (loopback_count > 0) {
        for (size_t i = 0; i < loopback_count; i++) {
            add_addr(q, &loopback[i]);
        }
    } else {
        hosts_find(q->dns->hosts, name, add_addr, q);
    }
    return q->count > 0;
}

struct dns_query *dns_resolve(struct dns *d, const char *name, enum dns_family wanted,
                              void (*done)(void *arg, const struct dns_answer *answer), void *arg)
{
    struct dns_query *q = mem_new(1, sizeof(*q));
    q->dns = d;
    q->done = done;
    q->arg = arg;
    q->timer = evtimer_new(d->base, on_timer, q);
    ASSERT(q->timer != NULL);
    if (is_known(q, name)) {
        deliver_soon(q);
    } else {
        ask_servers(q, name, wanted);
    }
    return q;
}
