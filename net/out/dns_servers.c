#include "net/out/dns_servers.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/dns_channel.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    struct dns_channel *channel;
    char text[ADDR_TEXT_SIZE]; /* with the port where that is not the usual one */
    bool is_silent;            /* the last time that it was waited for */
};

struct dns_servers {
    struct event_base *base;
    uint32_t try_ms;
    size_t count;
    struct server servers[DNS_SERVERS_MAX];
};

/* One question to one server. */
struct
try {
    struct dns_lookup *lookup;
    size_t server;
    struct dns_ask *ask; /* NULL when it is over, or not begun */
};

/* What a server has said to this lookup. */
struct hearing {
    uint32_t tries;
    bool was_silent;     /* before this lookup */
    const char *failure; /* static; NULL: it has said nothing so far */
};

struct dns_lookup {
    struct dns_servers *servers;
    struct event *turn; /* the next server's, or the end */
    char name[DNS_NAME_SIZE];
    enum dns_type type;
    struct hearing heard[DNS_SERVERS_MAX];
    struct try tries[DNS_SERVERS_MAX * DNS_TRIES];
    size_t try_count;
    const char
        *nothing; /* the answer that there is no such name or record, static; NULL: none yet */
    bool is_name;
    void (*done)(void *arg, const struct dns_outcome *outcome);
    void *arg;
};

/* ---- Servers ---- */

struct dns_servers *dns_servers_new(struct event_base *base, const struct addr *at, size_t count,
                                    uint32_t try_ms)
{
    ASSERT(count > 0 && count <= DNS_SERVERS_MAX);
    struct dns_servers *s = mem_new(1, sizeof(*s));
    s->base = base;
    s->try_ms = try_ms;
    for (; s->count < count; s->count++) {
        struct server *server = &s->servers[s->count];
        server->channel = dns_channel_new(base, &at[s->count]);
        if (server->channel == NULL) {
            dns_servers_free(s);
            return NULL;
        }
        (void)(at[s->count].port == DNS_PORT ? addr_format_ip(&at[s->count], server->text)
                                             : addr_format(&at[s->count], server->text));
    }
    return s;
}

void dns_servers_free(struct dns_servers *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        dns_channel_free(s->servers[i].channel);
    }
    free(s);
}

uint32_t dns_servers_limit_ms(const struct dns_servers *s)
{
    return (uint32_t)s->count * DNS_TRIES * s->try_ms;
}

/* ---- Lookups ---- */

static void lookup_free(struct dns_lookup *l)
{
    for (size_t i = 0; i < l->try_count; i++) {
        dns_channel_forget(&l->tries[i].ask);
    }
    event_free(l->turn);
    free(l);
}

void dns_servers_cancel(struct dns_lookup *l)
{
    if (l != NULL) {
        lookup_free(l);
    }
}

/* The lookup ends before `done` is called. */
static void finish(struct dns_lookup *l, const struct dns_outcome *outcome)
{
    void (*done)(void *arg, const struct dns_outcome *outcome) = l->done;
    void *arg = l->arg;
    lookup_free(l);
    done(arg, outcome);
}

/* "10.0.0.1 does not answer, 10.0.0.2 fails (SERVFAIL)" */
static void finish_failed(struct dns_lookup *l)
{
    char detail[DNS_DETAIL_SIZE] = "";
    size_t len = 0;
    bool has_spoken = false;
    for (size_t i = 0; i < l->servers->count && len < sizeof(detail); i++) {
        const char *failure = l->heard[i].failure;
        has_spoken = has_spoken || failure != NULL;
        len += (size_t)snprintf(detail + len, sizeof(detail) - len, "%s%s %s", i > 0 ? ", " : "",
                                l->servers->servers[i].text,
                                failure != NULL ? failure : "does not answer");
    }
    finish(l, &(struct dns_outcome){.rc = has_spoken ? RC_IO : RC_TIMEOUT, .detail = detail});
}

/* Who is asked next: those that have not been, in their order, then those that have said nothing;
 * and of either first those that were not silent before. False: nobody is left. */
static bool choose(const struct dns_lookup *l, size_t *ret_server)
{
    for (uint32_t tries = 0; tries < DNS_TRIES; tries++) {
        for (int is_silent = 0; is_silent <= 1; is_silent++) {
            for (size_t i = 0; i < l->servers->count; i++) {
                const bool may_be_asked =
                    l->heard[i].failure == NULL && (tries == 0 || !l->heard[i].was_silent);
                if (may_be_asked && l->heard[i].tries == tries &&
                    l->servers->servers[i].is_silent == (is_silent != 0)) {
                    *ret_server = i;
                    return true;
                }
            }
        }
    }
    return false;
}

static void on_reply(void *arg, const struct dns_reply *reply)
{
    struct try *t = arg;
    struct dns_lookup *l = t->lookup;
    if (reply->kind == DNS_REPLY_SILENT || l->nothing != NULL) {
        return; /* c-ares has given up, but the turn tells when we do; or the end is on its way */
    }
    l->servers->servers[t->server].is_silent = false;
    if (reply->kind == DNS_REPLY_RECORDS) {
        finish(l, &(struct dns_outcome){.rc = RC_OK, .bytes = reply->bytes, .len = reply->len});
        return;
    }
    if (reply->kind == DNS_REPLY_FAILED) {
        l->heard[t->server].failure = reply->text;
    } else {
        l->nothing = reply->text;
        l->is_name = reply->kind == DNS_REPLY_NO_RECORDS;
    }
    /* This may come from within the question, so the lookup goes on in a turn of its own. Where
     * another server has been asked since, that keeps its time. */
    if (l->nothing != NULL || t == &l->tries[l->try_count - 1]) {
        event_active(l->turn, EV_TIMEOUT, 0);
    }
}

static void ask_next(struct dns_lookup *l, size_t server)
{
    struct dns_servers *s = l->servers;
    const struct timeval wait = {.tv_sec = s->try_ms / 1000,
                                 .tv_usec = (suseconds_t)(s->try_ms % 1000) * 1000};
    ASSERT(l->try_count < sizeof(l->tries) / sizeof(l->tries[0]));
    struct try *t = &l->tries[l->try_count++];
    *t = (struct try){.lookup = l, .server = server};
    l->heard[server].tries++;
    ASSERT(event_add(l->turn, &wait) == 0);
    dns_channel_ask(s->servers[server].channel, l->name, l->type, &t->ask, on_reply, t);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct dns_lookup *l = arg;
    size_t server = 0;
    (void)fd;
    (void)what;
    if (l->nothing != NULL) {
        finish(l, &(struct dns_outcome){
                      .rc = RC_NOT_FOUND, .is_name = l->is_name, .detail = l->nothing});
        return;
    }
    if (l->try_count > 0) {
        const size_t last = l->tries[l->try_count - 1].server;
        l->servers->servers[last].is_silent = l->heard[last].failure == NULL;
    }
    if (choose(l, &server)) {
        ask_next(l, server);
    } else {
        finish_failed(l);
    }
}

struct dns_lookup *dns_servers_ask(struct dns_servers *s, const char *name, enum dns_type type,
                                   void (*done)(void *arg, const struct dns_outcome *outcome),
                                   void *arg)
{
    struct dns_lookup *l = mem_new(1, sizeof(*l));
    l->servers = s;
    l->type = type;
    l->done = done;
    l->arg = arg;
    ASSERT(strlen(name) < sizeof(l->name));
    memcpy(l->name, name, strlen(name) + 1);
    for (size_t i = 0; i < s->count; i++) {
        l->heard[i].was_silent = s->servers[i].is_silent;
    }
    l->turn = evtimer_new(s->base, on_turn, l);
    ASSERT(l->turn != NULL);
    event_active(l->turn, EV_TIMEOUT, 0);
    return l;
}
