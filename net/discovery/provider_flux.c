#include "net/discovery/provider_flux.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/discovery/flux.h"
#include "net/out/dns.h"
#include "net/out/fetch.h"
#include "net/sys/hostclock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ASK_INTERVAL_US = 30 * 1000 * 1000, /* as long as the API caches its own answer */
    TARGET_SIZE = 2 * NODE_TEXT_SIZE + 32,
    DETAIL_SIZE = 512,
    HTTP_OK = 200,
};

struct provider_flux {
    struct provider provider;
    struct node_flux_api api;
    char target[TARGET_SIZE];
    uint16_t first_port, last_port;
    struct provider_pass pass;
    struct fetch *fetch;  /* NULL when none is under way */
    struct event *answer; /* delivers from memory; NULL when none is under way */
    uint64_t asked_us;    /* when the list was taken; 0 never */
    size_t count;
    struct addr *addrs; /* FLUX_INSTANCES_MAX; NULL before the first list */
};

static void finish(struct provider_flux *f, enum rc rc, const char *detail)
{
    for (uint32_t port = f->first_port; port <= f->last_port; port++) {
        for (size_t i = 0; i < f->count; i++) {
            struct addr addr = f->addrs[i];
            addr.port = (uint16_t)port;
            f->pass.candidate(f->pass.arg, &f->provider, &addr);
        }
    }
    f->pass.done(f->pass.arg, &f->provider, rc, detail);
}

/* Takes a good answer as the new list; a bad one leaves the old. */
static enum rc take(struct provider_flux *f, const struct fetch_answer *answer)
{
    if (f->addrs == NULL) {
        f->addrs = mem_new(FLUX_INSTANCES_MAX, sizeof(*f->addrs));
    }
    const enum rc rc = flux_parse_locations(answer->body, answer->body_len, f->addrs, &f->count);
    if (rc == RC_OK) {
        f->asked_us = hostclock_boot_us();
    }
    return rc;
}

static void on_fetched(void *arg, const struct fetch_answer *answer)
{
    struct provider_flux *f = arg;
    char detail[DETAIL_SIZE] = "";
    enum rc rc = answer->rc;
    f->fetch = NULL;
    if (rc != RC_OK) {
        (void)snprintf(detail, sizeof(detail), "%s: %s", f->api.server.host, answer->error);
    } else if (answer->status != HTTP_OK) {
        rc = RC_REFUSED;
        (void)snprintf(detail, sizeof(detail), "%s answered with status %d", f->api.server.host,
                       answer->status);
    } else if ((rc = take(f, answer)) == RC_REFUSED) {
        (void)snprintf(detail, sizeof(detail), "%s says that the request failed",
                       f->api.server.host);
    } else if (rc != RC_OK) {
        (void)snprintf(detail, sizeof(detail), "%s: its answer is %s", f->api.server.host,
                       rc_text(rc));
    }
    finish(f, rc, detail);
}

static void forget_answer(struct provider_flux *f)
{
    if (f->answer != NULL) {
        event_free(f->answer);
        f->answer = NULL;
    }
}

static void on_remembered(evutil_socket_t fd, short what, void *arg)
{
    struct provider_flux *f = arg;
    (void)fd;
    (void)what;
    forget_answer(f);
    finish(f, RC_OK, "");
}

static void on_not_asked(evutil_socket_t fd, short what, void *arg)
{
    struct provider_flux *f = arg;
    (void)fd;
    (void)what;
    forget_answer(f);
    finish(f, RC_IO, "the request cannot be made");
}

static void answer_soon(struct provider_flux *f, event_callback_fn callback)
{
    f->answer = evtimer_new(f->pass.base, callback, f);
    ASSERT(f->answer != NULL);
    event_active(f->answer, EV_TIMEOUT, 0);
}

static void start(struct provider *p, const struct provider_pass *pass)
{
    struct provider_flux *f = (struct provider_flux *)p;
    ASSERT(f->fetch == NULL && f->answer == NULL);
    f->pass = *pass;
    if (f->asked_us != 0 && hostclock_boot_us() - f->asked_us < ASK_INTERVAL_US) {
        answer_soon(f, on_remembered);
        return;
    }
    const struct fetch_header headers[] = {{"Accept", "application/json"}};
    const struct fetch_request request = {.method = "GET",
                                          .host = f->api.server.host,
                                          .port = f->api.server.port,
                                          .is_tls = f->api.is_tls,
                                          .target = f->target,
                                          .headers = headers,
                                          .header_count = 1,
                                          .timeout_ms = pass->timeout_ms,
                                          .bytes_max = FLUX_BODY_BYTES_MAX};
    f->fetch = fetch_start(pass->base, pass->dns, &request, on_fetched, f);
    if (f->fetch == NULL) {
        answer_soon(f, on_not_asked);
    }
}

static void cancel(struct provider *p)
{
    struct provider_flux *f = (struct provider_flux *)p;
    if (f->fetch != NULL) {
        fetch_cancel(f->fetch);
        f->fetch = NULL;
    }
    forget_answer(f);
}

static void provider_flux_free(struct provider *p)
{
    struct provider_flux *f = (struct provider_flux *)p;
    free(f->addrs);
    free(f);
}

struct provider *provider_flux_new(const struct node_flux_api *api, const char *app,
                                   uint16_t first_port, uint16_t last_port)
{
    struct provider_flux *f = mem_new(1, sizeof(*f));
    f->provider = (struct provider){
        .name = "flux", .start = start, .cancel = cancel, .free = provider_flux_free};
    f->api = *api;
    f->first_port = first_port;
    f->last_port = last_port;
    const int len = snprintf(f->target, sizeof(f->target), "%s/apps/location/%s", api->path, app);
    ASSERT(len > 0 && (size_t)len < sizeof(f->target));
    return &f->provider;
}
