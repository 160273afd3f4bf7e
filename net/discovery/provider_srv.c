#include "net/discovery/provider_srv.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/sys/hostclock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    LOOKUPS_MAX = 32, /* at a time; a name server may have a limit too */
    FOUND_MAX = DNS_ADDRS_MAX,
    FRESH_MAX_S = 300,
    DETAIL_SIZE = 512,
};

struct provider_srv;

/* The lookup of one target's addresses. */
struct lookup {
    struct provider_srv *owner;
    const struct srv_service *service;
    struct dns_query *query; /* NULL when none is under way */
};

/* What one answer has brought. */
struct found {
    struct addr *addrs; /* FOUND_MAX, with ports; NULL before the first */
    uint32_t *ranks;    /* of the service that each is of */
    size_t count;
    bool is_cut;
};

struct provider_srv {
    struct provider provider;
    const char *name;
    struct provider_pass pass;
    struct dns_query *query;      /* of the services; NULL when none is under way */
    struct event *answer;         /* delivers from memory; likewise */
    struct srv_service *services; /* of this pass, sorted; NULL when there are none */
    size_t service_count;
    size_t next; /* service whose target is to be looked up */
    struct lookup lookups[LOOKUPS_MAX];
    size_t waiting; /* lookups that are under way */
    enum rc rc;     /* of this pass so far */
    char detail[DETAIL_SIZE];
    uint32_t ttl_s;
    struct found found; /* of this pass */
    struct found kept;  /* of the last answer */
    uint64_t fresh_until_us;
};

static void found_clear(struct found *f)
{
    free(f->addrs);
    free(f->ranks);
    *f = (struct found){.count = 0};
}

static void found_add(struct found *f, uint32_t rank, const struct addr *addr, uint16_t port)
{
    if (f->addrs == NULL) {
        f->addrs = mem_new(FOUND_MAX, sizeof(*f->addrs));
        f->ranks = mem_new(FOUND_MAX, sizeof(*f->ranks));
    }
    if (f->count == FOUND_MAX) {
        f->is_cut = true;
        return;
    }
    f->addrs[f->count] = *addr;
    f->addrs[f->count].port = port;
    f->ranks[f->count++] = rank;
}

/* By the order of the services. */
static void name_all(struct provider_srv *s, const struct found *f)
{
    uint32_t rank = 0;
    for (size_t named = 0; named < f->count; rank++) {
        for (size_t i = 0; i < f->count; i++) {
            if (f->ranks[i] == rank) {
                s->pass.candidate(s->pass.arg, &s->provider, &f->addrs[i]);
                named++;
            }
        }
    }
}

static void clear_pass(struct provider_srv *s)
{
    free(s->services);
    s->services = NULL;
    s->service_count = 0;
    found_clear(&s->found);
}

static bool is_answer(enum rc rc)
{
    return rc == RC_OK || rc == RC_NOT_FOUND;
}

static void finish(struct provider_srv *s)
{
    if (is_answer(s->rc)) {
        const uint64_t fresh_s = s->ttl_s < FRESH_MAX_S ? s->ttl_s : FRESH_MAX_S;
        found_clear(&s->kept);
        s->kept = s->found;
        s->found = (struct found){.count = 0};
        s->fresh_until_us = s->rc == RC_OK ? hostclock_boot_us() + fresh_s * UINT64_C(1000000) : 0;
    } else {
        name_all(s, &s->found);
    }
    name_all(s, &s->kept);
    clear_pass(s);
    s->pass.done(s->pass.arg, &s->provider, s->rc, s->detail);
}

/* A failure weighs more than a name that does not exist, and that more than what was left out. The
 * first of each is told. */
static void settle(struct provider_srv *s, const char *name, enum rc rc, const char *detail)
{
    const bool is_worse = is_answer(s->rc) && (!is_answer(rc) || s->rc == RC_OK);
    if (is_worse && detail[0] != '\0' && (rc != RC_OK || s->detail[0] == '\0')) {
        s->rc = rc;
        (void)snprintf(s->detail, sizeof(s->detail), "%s: %s", name, detail);
    }
}

/* ---- The targets' addresses ---- */

static bool is_of(const struct srv_service *service, const char *target)
{
    return strcasecmp(service->target, target) == 0;
}

/* One target may have several services. */
static void take_addr(struct provider_srv *s, const char *target, const struct addr *addr)
{
    for (size_t i = 0; i < s->service_count; i++) {
        if (is_of(&s->services[i], target)) {
            found_add(&s->found, (uint32_t)i, addr, s->services[i].port);
        }
    }
}

static bool is_found(const struct provider_srv *s, size_t service)
{
    for (size_t i = 0; i < s->found.count; i++) {
        if (s->found.ranks[i] == service) {
            return true;
        }
    }
    return false;
}

static bool is_asked_for(const struct provider_srv *s, size_t service)
{
    for (size_t i = 0; i < service; i++) {
        if (is_of(&s->services[i], s->services[service].target)) {
            return true;
        }
    }
    return false;
}

static void look_up_more(struct provider_srv *s);

static void on_target(void *arg, const struct dns_answer *answer)
{
    struct lookup *l = arg;
    struct provider_srv *s = l->owner;
    l->query = NULL;
    s->waiting--;
    for (size_t i = 0; i < answer->count; i++) {
        take_addr(s, l->service->target, &answer->addrs[i]);
    }
    settle(s, l->service->target, answer->rc, answer->detail);
    s->ttl_s = answer->ttl_s < s->ttl_s ? answer->ttl_s : s->ttl_s;
    look_up_more(s);
}

static struct lookup *free_lookup(struct provider_srv *s)
{
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        if (s->lookups[i].query == NULL) {
            return &s->lookups[i];
        }
    }
    return NULL;
}

/* A target is a whole name (RFC 2782): with the root's dot behind it no search list adds to it. */
static void look_up(struct provider_srv *s, struct lookup *l, const struct srv_service *service)
{
    char name[DNS_NAME_SIZE + 1];
    (void)snprintf(name, sizeof(name), "%s.", service->target);
    l->owner = s;
    l->service = service;
    l->query = dns_resolve(s->pass.dns, name, s->pass.wanted, on_target, l);
    s->waiting++;
}

/* Looks up the targets that came without an address, each once; and finishes behind the last. */
static void look_up_more(struct provider_srv *s)
{
    for (struct lookup *l; s->next < s->service_count && (l = free_lookup(s)) != NULL; s->next++) {
        if (!is_found(s, s->next) && !is_asked_for(s, s->next)) {
            look_up(s, l, &s->services[s->next]);
        }
    }
    if (s->waiting == 0) {
        if (s->found.is_cut) {
            settle(s, s->name, RC_OK, "its services have more addresses than are taken");
        }
        finish(s);
    }
}

/* ---- Passes ---- */

static void on_services(void *arg, const struct dns_answer *answer)
{
    struct provider_srv *s = arg;
    const struct srv_list *list = answer->services;
    s->query = NULL;
    s->ttl_s = answer->ttl_s;
    settle(s, s->name, answer->rc, answer->detail);
    if (list->service_count > 0) {
        s->service_count = list->service_count;
        s->services = mem_new(s->service_count, sizeof(*s->services));
        memcpy(s->services, list->services, s->service_count * sizeof(*s->services));
    }
    for (size_t i = 0; i < list->addr_count; i++) {
        take_addr(s, list->addrs[i].target, &list->addrs[i].addr);
    }
    look_up_more(s);
}

static void forget_answer(struct provider_srv *s)
{
    if (s->answer != NULL) {
        event_free(s->answer);
        s->answer = NULL;
    }
}

static void on_remembered(evutil_socket_t fd, short what, void *arg)
{
    struct provider_srv *s = arg;
    (void)fd;
    (void)what;
    forget_answer(s);
    name_all(s, &s->kept);
    s->pass.done(s->pass.arg, &s->provider, RC_OK, s->detail);
}

static void start(struct provider *p, const struct provider_pass *pass)
{
    struct provider_srv *s = (struct provider_srv *)p;
    ASSERT(s->query == NULL && s->answer == NULL && s->waiting == 0);
    s->pass = *pass;
    if (hostclock_boot_us() < s->fresh_until_us) {
        s->answer = evtimer_new(pass->base, on_remembered, s);
        ASSERT(s->answer != NULL);
        event_active(s->answer, EV_TIMEOUT, 0);
        return;
    }
    s->rc = RC_OK;
    s->detail[0] = '\0';
    s->next = 0;
    s->query = dns_services(pass->dns, s->name, pass->wanted, on_services, s);
}

static const char *give_up(struct provider *p)
{
    struct provider_srv *s = (struct provider_srv *)p;
    const size_t left = s->waiting + s->service_count - s->next;
    const char *name = s->name;
    for (size_t i = LOOKUPS_MAX; i-- > 0;) {
        name = s->lookups[i].query != NULL ? s->lookups[i].service->target : name;
    }
    name_all(s, &s->found);
    name_all(s, &s->kept);
    (void)snprintf(s->detail, sizeof(s->detail), "%s: no answer in time%s", name,
                   left > 1 ? ", nor of other targets" : "");
    return s->detail;
}

static void cancel(struct provider *p)
{
    struct provider_srv *s = (struct provider_srv *)p;
    dns_cancel(s->query);
    s->query = NULL;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        dns_cancel(s->lookups[i].query);
        s->lookups[i].query = NULL;
    }
    s->waiting = 0;
    forget_answer(s);
    clear_pass(s);
}

static void provider_srv_free(struct provider *p)
{
    struct provider_srv *s = (struct provider_srv *)p;
    found_clear(&s->kept);
    free(s);
}

struct provider *provider_srv_new(const char *name)
{
    struct provider_srv *s = mem_new(1, sizeof(*s));
    s->provider = (struct provider){.name = "srv",
                                    .start = start,
                                    .give_up = give_up,
                                    .cancel = cancel,
                                    .free = provider_srv_free};
    s->name = name;
    return &s->provider;
}
