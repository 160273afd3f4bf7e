#include "net/out/dns.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/hosts.h"
#include "net/out/resolv_conf.h"
#include "net/out/resolve.h"
#include "net/sys/hostinfo.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKUPS_MAX = 2 };

struct dns {
    struct event_base *base;
    struct dns_servers *servers; /* NULL: there is none to ask */
    const char *hosts;
    struct resolv_conf conf;
    enum dns_family usable; /* by this host */
};

/* What a form of the name came to, or all of them. */
struct result {
    enum rc rc;
    char detail[DNS_DETAIL_SIZE];
};

struct dns_query {
    struct dns *dns;
    struct event *timer;                     /* the answer's delivery, or the query's end */
    struct dns_lookup *lookups[LOOKUPS_MAX]; /* NULL when it is over, or was not wanted */
    enum dns_type types[LOOKUPS_MAX];
    size_t type_count;
    char name[DNS_NAME_SIZE];
    uint32_t form; /* of the name, that is being looked up */
    void (*done)(void *arg, const struct dns_answer *answer);
    void *arg;
    struct result result; /* of this form so far */
    struct result failed; /* of a form before that could not be looked up; RC_OK: none */
    struct addr *addrs;   /* NULL before the first */
    size_t count;
    bool is_cut;              /* addresses were left out */
    uint32_t usable;          /* families that are of use */
    struct srv_list services; /* and not addresses, where these are asked for */
    uint32_t ttl_s;
};

/* ---- The resolver ---- */

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
    struct dns *d = mem_new(1, sizeof(*d));
    d->base = config->base;
    d->hosts = config->hosts != NULL ? config->hosts : "/etc/hosts";
    d->usable = config->usable != 0 ? config->usable : usable_families();
    resolv_conf_read(&d->conf,
                     config->resolv_conf != NULL ? config->resolv_conf : "/etc/resolv.conf");
    const bool is_named = config->server_count > 0;
    const size_t count = is_named ? config->server_count : d->conf.server_count;
    d->servers = dns_servers_new(d->base, is_named ? config->servers : d->conf.servers, count,
                                 config->timeout_ms / DNS_TRIES);
    if (d->servers == NULL) {
        free(d);
        return NULL;
    }
    return d;
}

uint32_t dns_limit_ms(const struct dns *d)
{
    const uint32_t limit_ms = dns_servers_limit_ms(d->servers);
    return limit_ms + limit_ms / 4;
}

void dns_free(struct dns *d)
{
    if (d == NULL) {
        return;
    }
    dns_servers_free(d->servers);
    free(d);
}

/* ---- Queries ---- */

static bool is_under_way(const struct dns_query *q)
{
    return q->lookups[0] != NULL || q->lookups[1] != NULL;
}

static void query_free(struct dns_query *q)
{
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        dns_servers_cancel(q->lookups[i]);
    }
    event_free(q->timer);
    free(q->addrs);
    srv_list_fini(&q->services);
    free(q);
}

void dns_cancel(struct dns_query *q)
{
    if (q != NULL) {
        query_free(q);
    }
}

static void say_cut(struct dns_query *q)
{
    if (q->is_cut || q->services.is_cut) {
        (void)snprintf(q->result.detail, sizeof(q->result.detail),
                       "it has more than %d %s; the others are left out",
                       q->is_cut ? DNS_ADDRS_MAX : SRV_SERVICES_MAX,
                       q->is_cut ? "addresses" : "services");
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
    const bool is_late = is_under_way(q);
    q->addrs = NULL;
    srv_list_init(&q->services);
    query_free(q);
    if (is_late) {
        lent.result = (struct result){RC_TIMEOUT, "the name servers have not answered in time"};
    } else if (lent.result.rc == RC_OK) {
        say_cut(&lent);
    }
    srv_list_sort(&lent.services);
    const struct dns_answer answer = {.rc = lent.result.rc,
                                      .detail = lent.result.detail,
                                      .addrs = lent.addrs,
                                      .count = lent.count,
                                      .services = &lent.services,
                                      .ttl_s = lent.ttl_s};
    lent.done(lent.arg, &answer);
    free(lent.addrs);
    srv_list_fini(&lent.services);
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
    if (q->count == DNS_ADDRS_MAX) {
        q->is_cut = true;
        return;
    }
    q->addrs[q->count] = *addr;
    q->addrs[q->count++].port = 0;
}

static bool is_for_services(const struct dns_query *q)
{
    return q->types[0] == DNS_TYPE_SRV;
}

/* That a name has nothing of what is asked for. */
static const char *nothing_of(const struct dns_query *q)
{
    return is_for_services(q) ? "the name has no service (SRV)" : "the name has no address";
}

static bool has_found(const struct dns_query *q)
{
    return q->count > 0 || q->services.service_count > 0;
}

static bool is_failure(enum rc rc)
{
    return rc != RC_OK && rc != RC_NOT_FOUND;
}

/* Adds one lookup's outcome to the form's. A failure weighs more than addresses, and addresses more
 * than none. `text` describes an outcome that is not RC_OK. */
static void settle(struct dns_query *q, enum rc rc, const char *text)
{
    if (is_failure(q->result.rc)) {
        return;
    }
    const bool is_found = !is_failure(rc) && has_found(q);
    q->result.rc = is_found ? RC_OK : rc;
    (void)snprintf(q->result.detail, sizeof(q->result.detail), "%s", is_found ? "" : text);
}

static void on_record(void *arg, const struct dns_record *record)
{
    struct dns_query *q = arg;
    if (is_for_services(q)) {
        const bool is_of_use =
            record->type == DNS_TYPE_SRV ||
            (q->usable & (record->type == DNS_TYPE_A ? DNS_IPV4 : DNS_IPV6)) != 0;
        if (is_of_use) {
            srv_list_take(&q->services, record);
        }
        q->ttl_s = q->services.ttl_s;
    } else if (!record->is_additional && record->type != DNS_TYPE_SRV) {
        add_addr(q, &record->addr);
        q->ttl_s = record->ttl_s < q->ttl_s ? record->ttl_s : q->ttl_s;
    }
}

static void look_up_next(struct dns_query *q);

static void on_lookup(struct dns_query *q, size_t index, const struct dns_outcome *outcome)
{
    q->lookups[index] = NULL;
    if (outcome->rc == RC_OK) {
        const enum rc rc = dns_message_read(outcome->bytes, outcome->len, on_record, q);
        ASSERT(rc == RC_OK); /* dns_channel has read it before */
        settle(q, RC_NOT_FOUND, nothing_of(q));
    } else if (outcome->rc == RC_NOT_FOUND) {
        settle(q, RC_NOT_FOUND, outcome->is_name ? nothing_of(q) : outcome->detail);
    } else {
        settle(q, outcome->rc, outcome->detail);
    }
    if (!is_under_way(q)) {
        look_up_next(q);
    }
}

static void on_first(void *arg, const struct dns_outcome *outcome)
{
    on_lookup(arg, 0, outcome);
}

static void on_second(void *arg, const struct dns_outcome *outcome)
{
    on_lookup(arg, 1, outcome);
}

static void look_up(struct dns_query *q, const char *form)
{
    static void (*const done[LOOKUPS_MAX])(void *arg, const struct dns_outcome *outcome) = {
        on_first, on_second};
    for (size_t i = 0; i < q->type_count; i++) {
        ASSERT(i < LOOKUPS_MAX);
        q->lookups[i] = dns_servers_ask(q->dns->servers, form, q->types[i], done[i], q);
    }
}

/* The first failure is what is told in the end, unless a later form has an address. */
static void end_form(struct dns_query *q)
{
    if (!has_found(q) && is_failure(q->result.rc) && !is_failure(q->failed.rc)) {
        q->failed = q->result;
    }
}

static void end_query(struct dns_query *q)
{
    if (!has_found(q) && is_failure(q->failed.rc)) {
        q->result = q->failed;
    }
    deliver_soon(q);
}

/* Looks up the name's next form, by all types, until one has what is asked for. Silent servers are
 * asked for no further form. */
static void look_up_next(struct dns_query *q)
{
    char form[DNS_NAME_SIZE];
    end_form(q);
    for (;;) {
        if (has_found(q) || q->failed.rc == RC_TIMEOUT ||
            !resolv_conf_form(&q->dns->conf, q->name, q->form, form)) {
            end_query(q);
            return;
        }
        q->form++;
        if (form[0] != '\0') {
            q->result.rc = RC_OK;
            look_up(q, form);
            return;
        }
        settle(q, RC_NOT_FOUND, "it is no host name");
    }
}

static void want_addrs(struct dns_query *q)
{
    if ((q->usable & DNS_IPV4) != 0) {
        q->types[q->type_count++] = DNS_TYPE_A;
    }
    if ((q->usable & DNS_IPV6) != 0) {
        q->types[q->type_count++] = DNS_TYPE_AAAA;
    }
}

static void ask_servers(struct dns_query *q, const char *name)
{
    const uint32_t limit_ms = dns_limit_ms(q->dns);
    const struct timeval limit = {.tv_sec = limit_ms / 1000,
                                  .tv_usec = (suseconds_t)(limit_ms % 1000) * 1000};
    ASSERT(event_add(q->timer, &limit) == 0);
    if (snprintf(q->name, sizeof(q->name), "%s", name) >= (int)sizeof(q->name)) {
        settle(q, RC_NOT_FOUND, "it is no host name");
        deliver_soon(q);
        return;
    }
    look_up_next(q);
}

/* Answers that need no server. False when one is needed. Names stand in the hosts file without the
 * root's dot. */
static bool is_known(struct dns_query *q, const char *whole_name)
{
    struct addr addr;
    struct addr loopback[RESOLVE_LOCALHOST_ADDRS];
    char name[DNS_NAME_SIZE];
    const size_t loopback_count = resolve_localhost(whole_name, loopback);
    const size_t len = strlen(whole_name);
    const size_t bare_len = len > 0 && whole_name[len - 1] == '.' ? len - 1 : len;
    (void)snprintf(name, sizeof(name), "%.*s", bare_len < sizeof(name) ? (int)bare_len : 0,
                   whole_name);
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

static struct dns_query *query_new(struct dns *d, enum dns_family wanted,
                                   void (*done)(void *arg, const struct dns_answer *answer),
                                   void *arg)
{
    struct dns_query *q = mem_new(1, sizeof(*q));
    const uint32_t usable = (uint32_t)wanted & (uint32_t)d->usable;
    q->dns = d;
    q->done = done;
    q->arg = arg;
    q->usable = usable != 0 ? usable : (uint32_t)wanted;
    q->ttl_s = UINT32_MAX;
    srv_list_init(&q->services);
    q->timer = evtimer_new(d->base, on_timer, q);
    ASSERT(q->timer != NULL);
    return q;
}

struct dns_query *dns_resolve(struct dns *d, const char *name, enum dns_family wanted,
                              void (*done)(void *arg, const struct dns_answer *answer), void *arg)
{
    struct dns_query *q = query_new(d, wanted, done, arg);
    want_addrs(q);
    if (is_known(q, name)) {
        deliver_soon(q);
    } else {
        ask_servers(q, name);
    }
    return q;
}

struct dns_query *dns_services(struct dns *d, const char *name, enum dns_family wanted,
                               void (*done)(void *arg, const struct dns_answer *answer), void *arg)
{
    struct dns_query *q = query_new(d, wanted, done, arg);
    q->types[q->type_count++] = DNS_TYPE_SRV;
    ask_servers(q, name);
    return q;
}
