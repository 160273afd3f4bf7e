#include "net/node.h"

#include "core/base/assert.h"
#include "core/store/pagepool.h"
#include "net/api/api.h"
#include "net/api/ready.h"
#include "net/claiming.h"
#include "net/crypto/psk.h"
#include "net/crypto/stream.h"
#include "net/discovery/discovery.h"
#include "net/discovery/node_claim.h"
#include "net/http/http_server.h"
#include "net/libevent_log.h"
#include "net/link/driver.h"
#include "net/node_access.h"
#include "net/node_engine.h"
#include "net/node_secret.h"
#include "net/node_tls.h"
#include "net/notice_teller.h"
#include "net/reload_gate.h"
#include "net/sys/hostclock.h"
#include "net/sys/hostinfo.h"
#include "net/sys/loop.h"
#include "net/sys/proc_figures.h"
#include "net/watch/watch_loop.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DRAIN_CHECK_MS = 20,
    LEAVE_MAX_MS = 6000, /* after the grace; the launcher kills a second later */
    BODIES_PART = 4,     /* part of the storage's size that arriving bodies may take */
    READY_LINE_SIZE = 32,
};

enum { SIGNALS = 2 };

struct node {
    const struct node_config *config;
    const struct node_hooks *hooks;
    struct event_base *base;
    struct loop loop;
    struct pagepool *pages;
    struct node_tls *tls;
    struct event *signals[SIGNALS];
    struct reload_gate reloads;
    struct event *drain_timer;
    struct notice_teller teller;
    struct node_access access;
    struct node_secret secret;
    uint64_t began_ms; /* by the wall clock */
    uint64_t leave_began_us;
    struct uuid uuid;
    char name[NAME_SIZE];
    struct claim claim;
    struct http_server *http; /* these from the claim on */
    struct watch_loop *watch;
    struct engine *engine; /* these from the claim's decision on */
    struct driver *driver;
    struct api *api;
    struct http_response answer; /* to a write; its memory is used again */
    struct discovery *discovery;
    char alone[ALONE_TEXT_SIZE]; /* what discovery last said of that */
    bool is_stopping;
    bool is_leaving; /* the grace is over: the listener is closed */
};

/* ---- The front door ---- */

static struct http_route on_route(void *arg, const struct http_request *rq)
{
    const struct node *n = arg;
    return n->api != NULL ? api_route(n->api, rq) : claiming_route(n->access.cors, rq);
}

static bool on_admit(void *arg, struct http_request *rq, struct http_response *rs)
{
    struct node *n = arg;
    return node_access_judge(&n->access, n->api, rq, hostclock_boot_us(), rs);
}

static void figures(void *arg, bool is_scrape, struct api_figures *ret)
{
    struct node *n = arg;
    const struct driver_stats driver = driver_stats(n->driver);
    struct discovery_stats discovery = {0};
    bool is_alone = false;
    if (n->discovery != NULL) {
        discovery = discovery_stats(n->discovery);
        is_alone = discovery_is_alone(n->discovery, n->alone);
    }
    *ret = (struct api_figures){
        .http = http_server_stats(n->http),
        .process_began_ms = n->began_ms,
        .discovery_passes = discovery.passes,
        .discovery_failures = discovery.failures,
        .alone = is_alone ? n->alone : NULL,
        .log_lines_dropped = n->hooks->lines_dropped(n->hooks->arg),
        .udp_in_bytes = driver.udp_in_bytes,
        .udp_out_bytes = driver.udp_out_bytes,
        .link_in_bytes = driver.link_in_bytes,
        .link_out_bytes = driver.link_out_bytes,
    };
    node_tls_figures(n->tls, ret);
    proc_figures_read(&ret->process);
    if (is_scrape) {
        ret->loop_stall_max_us = driver_take_stall_max_us(n->driver);
        ret->loop_turn_cpu_max_us = loop_take_cpu_max_us(&n->loop);
    }
}

static void on_handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
    struct node *n = arg;
    if (rq->route.row == NULL) {
        const struct claiming claiming = {.uuid = &n->uuid,
                                          .port = n->claim.port,
                                          .watch = watch_loop_watch(n->watch),
                                          .access = n->access.access};
        claiming_answer(&claiming, rq, rs);
        return;
    }
    const uint64_t now_us = driver_turn(n->driver);
    api_handle(n->api, rq, rs, driver_turn_began_us(n->driver), now_us, figures, n);
}

static void on_upgraded(void *arg, struct bufferevent *bev, const struct addr *from)
{
    struct node *n = arg;
    if (n->driver == NULL) {
        bufferevent_free(bev);
        return;
    }
    driver_accept(n->driver, bev, from);
}

static void on_sealed_link(void *arg, struct stream *stream, uint16_t key_id,
                           const struct addr *from)
{
    struct node *n = arg;
    if (n->driver == NULL) {
        stream_close(stream);
        return;
    }
    driver_accept_sealed(n->driver, stream, key_id, from);
}

static enum rc on_open(void *arg, struct claim *claim)
{
    struct node *n = arg;
    const struct node_config *config = n->config;
    const struct http_server_config http = {
        .base = n->base,
        .listen_fd = claim->tcp_fd,
        .connections_max = config->connections_max,
        .connections_per_ip_max = config->connections_per_ip_max,
        .bodies_bytes_max = config->bytes_max / BODIES_PART,
        .pages = n->pages,
        .idle_timeout_ms = config->idle_timeout_ms,
        .request_timeout_ms = config->request_timeout_ms,
        .rate_limit = config->rate_limit,
        .trust_all = config->trust_all,
        .trust = config->trust,
        .trust_count = config->trust_count,
        .arg = n,
        .route = on_route,
        .admit = n->access.access != NULL ? on_admit : NULL,
        .cors = cors_lines_blind(n->access.cors),
        .handle = on_handle,
        .upgraded = on_upgraded,
        .sealed_link = on_sealed_link,
        .tls = node_tls_context(n->tls),
    };
    n->http = http_server_new(&http);
    if (n->http == NULL) {
        n->hooks->log(n->hooks->arg, LOG_ERROR, "http", "the server cannot be made: %s",
                      rc_text(RC_NO_MEMORY));
        return RC_IO;
    }
    n->watch = watch_loop_new(n->base, n->http, &n->uuid, config->watchers_max);
    n->access.watch = watch_loop_watch(n->watch);
    claim->tcp_fd = -1;
    n->claim.port = claim->port;
    return RC_OK;
}

/* Streams hear that they end, for watch_end()'s `why`; then the server ends them. */
static void close_door(struct node *n, enum rc why)
{
    if (n->watch != NULL) {
        watch_end(watch_loop_watch(n->watch), why);
    }
    http_server_free(n->http);
    watch_loop_free(n->watch);
    n->http = NULL;
    n->watch = NULL;
    n->access.watch = NULL;
}

static void on_close(void *arg)
{
    struct node *n = arg;
    close_door(n, n->is_stopping ? RC_DRAINING : RC_JOINING);
}

/* ---- The engine's wishes that are not the network's ---- */

static void on_put_done(void *arg, const struct put_done *done, uint64_t now_us)
{
    struct node *n = arg;
    api_put_settled(n->api, done, now_us);
    if (http_server_awaits(n->http, done->token)) {
        api_put_done(n->api, done, now_us, &n->answer);
        http_server_complete(n->http, done->token, &n->answer);
    }
}

static void on_notice(void *arg, const struct notice *notice)
{
    struct node *n = arg;
    if (notice->kind == NOTICE_PASS_FAILED) {
        if (n->discovery != NULL) {
            discovery_warn(n->discovery); /* which knows the providers' names */
        }
        return;
    }
    notice_teller_tell(&n->teller, n->engine, notice);
    const bool is_loss = notice->kind == NOTICE_MEMBER_DEAD || notice->kind == NOTICE_MEMBER_LEFT;
    if (is_loss && n->discovery != NULL) {
        discovery_hurry(n->discovery);
    }
}

static void on_room(void *arg, bool has_room)
{
    const struct node *n = arg;
    http_server_hold_bodies(n->http, !has_room);
}

/* ---- Discovery's questions ---- */

static bool on_knows(void *arg, const struct addr *addr)
{
    const struct node *n = arg;
    return engine_knows_addr(n->engine, addr);
}

static void on_candidate(void *arg, const struct addr *addr)
{
    const struct node *n = arg;
    engine_candidate(n->engine, addr, driver_turn(n->driver));
}

static void on_pass_done(void *arg, bool have_all_answered)
{
    const struct node *n = arg;
    engine_candidates_done(n->engine, have_all_answered, driver_turn(n->driver));
}

static bool on_is_alone(void *arg)
{
    const struct node *n = arg;
    uint32_t slot = 0;
    for (const struct member *m; (m = engine_next_member(n->engine, &slot)) != NULL; slot++) {
        if (!m->is_self && member_is_live(m)) {
            return false;
        }
    }
    return true;
}

/* ---- Signals and draining ---- */

static void arm_drain(struct node *n, uint32_t ms)
{
    const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    ASSERT(event_add(n->drain_timer, &after) == 0);
}

/* The grace is over. Idle connections end, and those that have a request do after its answer. */
static void leave(struct node *n)
{
    n->hooks->log(n->hooks->arg, LOG_INFO, "drain", "leaving the cluster and finishing requests");
    n->is_leaving = true;
    n->leave_began_us = driver_turn(n->driver);
    engine_leave(n->engine, n->leave_began_us);
    http_server_drain(n->http);
    watch_drain(watch_loop_watch(n->watch));
    arm_drain(n, DRAIN_CHECK_MS);
}

static void on_drain_timer(evutil_socket_t fd, short what, void *arg)
{
    struct node *n = arg;
    (void)fd;
    (void)what;
    if (!n->is_leaving) {
        leave(n);
        return;
    }
    const uint64_t left_ms = (hostclock_boot_us() - n->leave_began_us) / 1000;
    if (http_server_is_idle(n->http) && driver_is_flushed(n->driver)) {
        (void)event_base_loopbreak(n->base);
    } else if (left_ms >= LEAVE_MAX_MS) {
        n->hooks->log(n->hooks->arg, LOG_WARN, "drain", "stopped with requests in progress");
        (void)event_base_loopbreak(n->base);
    } else {
        arm_drain(n, DRAIN_CHECK_MS);
    }
}

/* No proxy sends requests to a node that never was ready, so it needs no grace. */
static void begin_drain(struct node *n)
{
    const uint64_t now_us = driver_turn(n->driver);
    const bool was_ready = ready_against(engine_unready(n->engine), false) == 0;
    if (!was_ready || n->config->drain_grace_ms == 0) {
        leave(n);
        return;
    }
    n->hooks->log(n->hooks->arg, LOG_INFO, "drain", "not ready any more; serving for %u ms yet",
                  n->config->drain_grace_ms);
    engine_drain(n->engine, now_us);
    arm_drain(n, n->config->drain_grace_ms);
}

static void on_stop_signal(evutil_socket_t signal_number, short what, void *arg)
{
    struct node *n = arg;
    (void)signal_number;
    (void)what;
    const bool is_first = !n->is_stopping;
    n->is_stopping = true;
    discovery_stop(n->discovery);
    if (is_first && n->driver != NULL) {
        begin_drain(n);
    } else {
        (void)event_base_loopbreak(n->base);
    }
}

static void on_reload(void *arg)
{
    struct node *n = arg;
    node_tls_reload(n->tls);
    n->hooks->reload(n->hooks->arg);
    node_access_reload(&n->access);
    if (n->driver != NULL) {
        node_secret_reload(&n->secret, n->engine, driver_turn(n->driver));
    }
}

static enum rc watch_signals(struct node *n)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < SIGNALS; i++) {
        n->signals[i] = evsignal_new(n->base, numbers[i], on_stop_signal, n);
        if (n->signals[i] == NULL || event_add(n->signals[i], NULL) != 0) {
            return RC_IO;
        }
    }
    /* The error of a write shows that a peer is gone. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    return sigaction(SIGPIPE, &ignore, NULL) == 0
               ? reload_gate_init(&n->reloads, n->base, on_reload, n)
               : RC_IO;
}

/* ---- Life ---- */

/* cmd/settings has refused settings that cannot be served, and said why. */
static void assert_config(const struct node_config *c)
{
    ASSERT(c->fixed_port != 0 || (c->base_port != 0 && c->max_ports != 0 &&
                                  (uint32_t)c->base_port + c->max_ports - 1 <= UINT16_MAX));
    ASSERT(c->replication_factor != 0 && c->bytes_max != 0 && c->connections_max != 0);
    ASSERT(c->ttl_min_s <= c->ttl_default_s && c->ttl_default_s <= c->ttl_max_s);
    ASSERT((c->providers & PROVIDER_STATIC) == 0 || c->peer_count != 0);
    ASSERT((c->providers & PROVIDER_FLUX) == 0 || c->flux_app[0] != '\0');
}

static enum rc make_engine(struct node *n)
{
    const struct node_engine of = {.config = n->config,
                                   .uuid = &n->uuid,
                                   .name = n->name,
                                   .port = n->claim.port,
                                   .pages = n->pages};
    struct engine_config config;
    enum rc rc = node_engine_config(&of, &config);
    if (rc == RC_OK) {
        rc = node_secret_make_engine(&n->secret, n->hooks, &config, &n->engine);
        n->access.engine = n->engine;
    }
    return rc;
}

static void make_driver(struct node *n)
{
    const struct driver_config config = {.base = n->base,
                                         .engine = n->engine,
                                         .udp_fd = n->claim.udp_fd,
                                         .tls = node_tls_context(n->tls),
                                         .arg = n,
                                         .put_done = on_put_done,
                                         .notice = on_notice,
                                         .room = on_room};
    const struct psk_config links = {.ring = engine_keyring(n->engine),
                                     .key_records_max = PSK_KEY_RECORDS_MAX};
    tls_context_take_links(node_tls_context(n->tls), &links);
    n->driver = driver_new(&config);
    n->claim.udp_fd = -1;
}

static void make_api(struct node *n)
{
    const struct node_config *c = n->config;
    struct api_config config = {
        .engine = n->engine,
        .version = c->version,
        .port = n->claim.port,
        .ttl_default_s = c->ttl_default_s,
        .ttl_min_s = c->ttl_min_s,
        .ttl_max_s = c->ttl_max_s,
        .value_max = c->value_max,
        .config_digest = c->config_digest,
        .watch = watch_loop_watch(n->watch),
        .access = n->access.access,
        .cors = n->access.cors,
        .pages = {.files = c->has_pages ? PAGE_DATA : NULL, .folder = c->pages_folder}};
    (void)snprintf(config.domain, sizeof(config.domain), "%s", c->discovery_domain);
    (void)snprintf(config.network, sizeof(config.network), "%s", c->network);
    n->api = api_new(&config, driver_turn(n->driver));
}

static void start_discovery(struct node *n)
{
    const struct discovery_config config = {.base = n->base,
                                            .node = n->config,
                                            .hooks = n->hooks,
                                            .seed = hostclock_boot_us() ^ n->uuid.bytes[0],
                                            .arg = n,
                                            .knows = on_knows,
                                            .candidate = on_candidate,
                                            .pass_done = on_pass_done,
                                            .is_alone = on_is_alone};
    n->discovery = discovery_new(&config);
}

/* The parent may wait for the port. When it does not any more, that is no error. */
static void tell_ready(const struct node *n)
{
    char line[READY_LINE_SIZE];
    const int len = snprintf(line, sizeof(line), "port %u\n", n->claim.port);
    if (n->config->ready_fd < 0) {
        return;
    }
    if (write(n->config->ready_fd, line, (size_t)len) != len) {
        n->hooks->log(n->hooks->arg, LOG_DEBUG, "claim", "nobody reads the ready line: %s",
                      strerror(errno));
    }
    (void)close(n->config->ready_fd);
}

static enum rc claim(struct node *n)
{
    const struct node_claim_config config = {.base = n->base,
                                             .node = n->config,
                                             .hooks = n->hooks,
                                             .uuid = n->uuid,
                                             .is_stopping = &n->is_stopping,
                                             .arg = n,
                                             .open = on_open,
                                             .close = on_close};
    return node_claim(&config, &n->claim);
}

static enum rc serve(struct node *n)
{
    char uuid[UUID_TEXT_SIZE];
    const enum rc rc = make_engine(n);
    if (rc != RC_OK) {
        return rc;
    }
    make_driver(n);
    make_api(n);
    watch_serve(watch_loop_watch(n->watch), n->engine);
    start_discovery(n);
    n->hooks->log(n->hooks->arg, LOG_INFO, "claim", "node %s uuid %s serves on port %u", n->name,
                  uuid_format(&n->uuid, uuid), n->claim.port);
    tell_ready(n);
    return loop_run(&n->loop, n->base);
}

static void node_fini(struct node *n)
{
    discovery_free(n->discovery);
    close_door(n, RC_DRAINING);
    driver_free(n->driver);
    api_free(n->api);
    http_response_fini(&n->answer);
    node_access_fini(&n->access);
    engine_free(n->engine);
    node_secret_fini(&n->secret);
    claim_release(&n->claim);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (n->signals[i] != NULL) {
            event_free(n->signals[i]);
        }
    }
    reload_gate_fini(&n->reloads);
    if (n->drain_timer != NULL) {
        event_free(n->drain_timer);
    }
    notice_teller_fini(&n->teller);
    node_tls_free(n->tls);
    event_base_free(n->base);
    pagepool_free(n->pages); /* last: buffers that the base freed may have held values */
}

enum rc node_run(const struct node_config *config, const struct node_hooks *hooks)
{
    assert_config(config);
    struct node n = {.config = config,
                     .hooks = hooks,
                     .claim = {.tcp_fd = -1, .udp_fd = -1},
                     .began_ms = hostclock_wall_ms()};
    http_response_init(&n.answer);
    libevent_log_take(hooks);
    n.base = event_base_new();
    if (n.base == NULL) {
        return RC_IO;
    }
    n.pages = pagepool_new();
    n.drain_timer = evtimer_new(n.base, on_drain_timer, &n);
    enum rc rc = n.drain_timer == NULL ? RC_IO : notice_teller_init(&n.teller, n.base, hooks);
    if (rc == RC_OK) {
        rc = node_access_init(&n.access, n.base, config, hooks);
    }
    if (rc == RC_OK) {
        rc = node_tls_new(n.base, config, hooks, &n.tls);
    }
    if (rc == RC_OK) {
        rc = watch_signals(&n);
    }
    if (rc == RC_OK) {
        rc = hostinfo_random(n.uuid.bytes, sizeof(n.uuid.bytes));
    }
    if (rc == RC_OK) {
        node_engine_name(&n.uuid, config, n.name);
        rc = claim(&n);
    }
    if (rc == RC_OK && !n.is_stopping) {
        rc = serve(&n);
    } else if (rc == RC_CLOSED) {
        rc = RC_OK; /* it was stopped before it began */
    }
    node_fini(&n);
    libevent_log_take(NULL);
    return rc;
}
