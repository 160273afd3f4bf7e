#include "net/api/api.h"

#include "core/base/mem.h"
#include "net/api/api_admit.h"
#include "net/api/api_cluster.h"
#include "net/api/api_data.h"
#include "net/api/api_keys.h"
#include "net/api/api_mget.h"
#include "net/api/api_watch.h"
#include "net/api/latency.h"
#include "net/api/metrics.h"
#include "net/link/upgrade.h"
#include "net/sys/hostclock.h"

#include <stdlib.h>
#include <string.h>

#define ALL_METHODS "GET, HEAD, PUT, POST, OPTIONS"

enum {
    /* A request that takes no body may have one up to this size: it is read and dropped. So the
     * answer says what is wrong with the request, and not that it is large. */
    BODY_IGNORED_MAX = 64 * 1024,
    METRICS_BYTES_MAX = 256 * 1024,
};

struct api {
    struct api_config config;
    struct api_clock clock;
    uint64_t started_us;
    struct latency latency; /* its routes are the rows of the table */
};

/* One request on its way through the table of routes. */
struct exchange {
    struct api *api;
    const struct http_request *rq;
    struct http_response *rs;
    struct api_view view;
    struct api_figures figures; /* zero but for the pages that show them */
};

/* The clock of the engine's driver; used when the configuration brings none. */
static uint64_t boottime_us(void *arg)
{
    (void)arg;
    return hostclock_boot_us();
}

/* ---- Paths ---- */

static bool skip_prefix(struct http_text *text, const char *prefix)
{
    const size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->data, prefix, len) != 0) {
        return false;
    }
    text->data += len;
    text->len -= len;
    return true;
}

/* The path without "/v1": both generations are the same from here on. */
static struct http_text plain_path(const struct http_request *rq)
{
    struct http_text path = rq->path;
    struct http_text rest = path;
    if (skip_prefix(&rest, "/v1") && rest.len > 1 && rest.data[0] == '/') {
        path = rest;
    }
    return path;
}

/* ---- Pages ---- */

static void get_health(struct exchange *x)
{
    api_cluster_health(&x->view, x->rs);
}

static void get_livez(struct exchange *x)
{
    api_cluster_livez(x->rs);
}

static void get_readyz(struct exchange *x)
{
    api_cluster_readyz(&x->view, x->rq, x->rs);
}

static void get_peers(struct exchange *x)
{
    api_cluster_peers(&x->view, x->rs);
}

static void get_topology(struct exchange *x)
{
    api_cluster_topology(&x->view, x->rs);
}

static void get_status(struct exchange *x)
{
    api_cluster_status(&x->view, x->rs);
}

static void get_keys(struct exchange *x)
{
    api_keys_list(x->api->config.engine, &x->api->clock, x->rq, x->rs);
}

static void get_scan(struct exchange *x)
{
    api_keys_scan(x->api->config.engine, &x->api->clock, x->rs);
}

static void get_watch(struct exchange *x)
{
    api_watch(x->api->config.watch, x->api->config.access, x->rq, x->rs);
}

static void get_metrics(struct exchange *x)
{
    struct engine *e = x->api->config.engine;
    struct metrics m = {.version = x->api->config.version,
                        .uptime_s = (double)(x->view.now_us - x->api->started_us) / 1e6,
                        .figures = x->figures,
                        .latency = &x->api->latency};
    if (x->api->config.watch != NULL) {
        m.watch = watch_stats(x->api->config.watch);
    }
    if (x->api->config.access != NULL) {
        m.access = access_stats(x->api->config.access);
    }
    engine_status(e, x->view.now_us, &m.status);
    engine_sealing(e, &m.sealing);
    struct engine_link_view link = {0};
    for (uint32_t slot = 0; engine_next_link(e, &slot, &link); slot++) {
        m.links.count++;
        m.links.unacked += link.unacked;
        m.links.queued += link.queued;
    }
    const enum metrics_format format = metrics_format(x->rq);
    x->rs->bytes.max = METRICS_BYTES_MAX;
    if (metrics_write(&m, format, &x->rs->bytes) != RC_OK) {
        buf_clear(&x->rs->bytes);
        http_problem(x->rs, 500, "internal", "The answer did not fit into memory.");
        return;
    }
    x->rs->status = 200;
    x->rs->kind = HTTP_BODY_BYTES;
    http_add(x->rs, "Content-Type", "%s", metrics_content_type(format));
    http_add(x->rs, "Vary", "Accept");
    http_add(x->rs, "Cache-Control", "no-store");
}

static void get_page(struct exchange *x)
{
    pages_answer(&x->api->config.pages, x->rq, x->rq->route.rest, x->rs);
}

/* A browser that shows a page, as it says itself; curl and scripts take anything. */
static bool wants_html(const struct http_request *rq)
{
    return http_lists(rq, "Accept", "text/html");
}

static void get_help(struct exchange *x)
{
    static const char HELP[] =
        "REPRAM: a key-value store in which every entry ends when its time to live is over.\n"
        "\n"
        "  curl -T file 'http://HOST:PORT/data/KEY?ttl=10m'           write a file (PUT)\n"
        "  curl -X PUT -d 'hello' 'http://HOST:PORT/data/KEY?ttl=1h'  write a text\n"
        "  curl http://HOST:PORT/data/KEY                             read\n"
        "  curl -I http://HOST:PORT/data/KEY                          what is left of its time\n"
        "  curl 'http://HOST:PORT/keys?prefix=a&limit=100'            list\n"
        "  curl -d '{\"keys\":[\"a\",\"b\"]}' http://HOST:PORT/mget         read many keys\n"
        "  curl -N 'http://HOST:PORT/watch?prefix=a'                  see changes as they come\n"
        "  curl http://HOST:PORT/peers                                the other nodes\n"
        "  curl http://HOST:PORT/status                               this node\n"
        "\n"
        "Also /scan /topology /health /livez /readyz /metrics; every path but / exists under /v1 "
        "too.\n"
        "There is no delete, by design.\n";
    static const char HELP_PAGES[] = "In a browser: http://HOST:PORT/fade/, a message board.\n";
    const struct pages *pages = &x->api->config.pages;
    http_add(x->rs, "Vary", "Accept");
    if (pages_has_index(pages) && wants_html(x->rq)) {
        pages_redirect(x->rs);
        return;
    }
    http_set_body(x->rs, 200, "text/plain; charset=utf-8", HELP, sizeof(HELP) - 1);
    if (pages_has_index(pages) &&
        buf_append(&x->rs->bytes, HELP_PAGES, sizeof(HELP_PAGES) - 1) != RC_OK) {
        x->rs->status = 500;
    }
}

/* Once all keys are secrets, links begin with a handshake that proves one. */
static bool takes_upgrades(const struct api *a)
{
    return keyring_state(engine_keyring(a->config.engine)) != SEALING_SEALED;
}

static void refuse_link(struct http_response *rs)
{
    http_problem(rs, 426, "unsupported",
                 "This path is for links between nodes, by an upgrade to " UPGRADE_PROTOCOL ".");
}

static void get_gossip(struct exchange *x)
{
    if (!takes_upgrades(x->api)) {
        http_problem(x->rs, 403, "forbidden",
                     "Links between the nodes of this cluster are sealed with its secret.");
        return;
    }
    if (upgrade_is_asked(x->rq)) {
        x->rs->status = 101;
        x->rs->kind = HTTP_BODY_UPGRADE;
    } else {
        refuse_link(x->rs);
    }
    upgrade_name(x->rs);
}

static void any_data(struct exchange *x)
{
    api_data_handle(&x->view, x->rq, x->rq->route.rest, x->rs);
}

static void post_mget(struct exchange *x)
{
    api_mget(x->api->config.engine, &x->api->clock, x->api->config.access, x->rq, x->rs);
}

static void refuse_path(struct http_response *rs)
{
    http_problem(rs, 404, "not_found", "No such path; GET / says which there are.");
}

static void any_unknown(struct exchange *x)
{
    refuse_path(x->rs);
}

/* ---- Routes ---- */

static const char *why_only_read(enum http_method method)
{
    (void)method;
    return "This path is only read.";
}

static const char *why_only_post(enum http_method method)
{
    (void)method;
    return "Many keys are read with POST; the body says which.";
}

#define BIT(method) (1U << (unsigned)(method))

/* OPTIONS is answered for every path alike. */
struct methods {
    uint32_t bits;
    const char *allow;
    const char *(*why_not)(enum http_method method);
};

static const struct methods READ = {BIT(HTTP_GET_) | BIT(HTTP_HEAD_), "GET, HEAD, OPTIONS",
                                    why_only_read};
static const struct methods KEY = {BIT(HTTP_GET_) | BIT(HTTP_HEAD_) | BIT(HTTP_PUT_),
                                   "GET, HEAD, PUT, OPTIONS", api_data_why_not};
static const struct methods MGET = {BIT(HTTP_POST_), "POST, OPTIONS", why_only_post};
static const struct methods ANY = {.bits = ~0U};

enum route_flag {
    IS_PREFIX = 1,    /* and all paths that begin with it */
    IS_PAGE = 2,      /* only where there are pages */
    IS_PROBE = 4,     /* exempt from rate limits when it is read */
    IS_LINK = 8,      /* exempt when a peer asks */
    IS_EVENTS = 32,   /* a stream of events when it is read */
    HAS_FIGURES = 16, /* the page shows them */
    IS_REST = 64      /* whatever is no path of ours */
};

/* The first that fits is the request's. A client that POSTs a value should learn that PUT is the
 * method (405), not that the value is too large. */
static const struct route {
    const char *path;
    const struct methods *methods;
    void (*answer)(struct exchange *x);
    uint32_t flags;
    uint32_t bodies;   /* methods that bring one */
    uint32_t body_max; /* 0: a value's */
    enum api_right right;
} ROUTES[] = {
    {"/data/", &KEY, any_data, IS_PREFIX, BIT(HTTP_PUT_) | BIT(HTTP_POST_), 0, API_RIGHT_KEY},
    {"/health", &READ, get_health, IS_PROBE, 0, 0, API_RIGHT_NONE},
    {"/livez", &READ, get_livez, IS_PROBE, 0, 0, API_RIGHT_NONE},
    {"/readyz", &READ, get_readyz, IS_PROBE, 0, 0, API_RIGHT_NONE},
    {"/keys", &READ, get_keys, 0, 0, 0, API_RIGHT_LIST},
    {"/scan", &READ, get_scan, 0, 0, 0, API_RIGHT_SCAN},
    {"/mget", &MGET, post_mget, 0, BIT(HTTP_POST_), MGET_BODY_MAX, API_RIGHT_MGET},
    {"/watch", &READ, get_watch, IS_EVENTS, 0, 0, API_RIGHT_WATCH},
    {"/peers", &READ, get_peers, 0, 0, 0, API_RIGHT_STATUS},
    {"/status", &READ, get_status, HAS_FIGURES, 0, 0, API_RIGHT_STATUS},
    {"/topology", &READ, get_topology, 0, 0, 0, API_RIGHT_STATUS},
    {"/metrics", &READ, get_metrics, HAS_FIGURES, 0, 0, API_RIGHT_METRICS},
    {"/gossip", &READ, get_gossip, IS_LINK, 0, 0, API_RIGHT_NONE},
    {"/fade", &READ, get_page, IS_PAGE, 0, 0, API_RIGHT_NONE},
    {"/fade/", &READ, get_page, IS_PAGE | IS_PREFIX, 0, 0, API_RIGHT_NONE},
    {"/", &READ, get_help, 0, 0, 0, API_RIGHT_NONE},
    {"", &ANY, any_unknown, IS_PREFIX | IS_REST, 0, 0, API_RIGHT_NONE},
};

enum { ROUTE_DATA = 0, ROUTES_COUNT = sizeof(ROUTES) / sizeof(ROUTES[0]) };

_Static_assert((int)ROUTES_COUNT <= (int)LATENCY_ROUTES_MAX, "a route has no place for its times");

/* Where the times of a route's requests are kept; rows of one path share a place. */
static size_t row_of(const struct route *route)
{
    const bool is_alias = (route->flags & IS_PAGE) != 0 && (route->flags & IS_PREFIX) == 0;
    return (size_t)(route - ROUTES) + (is_alias ? 1 : 0);
}

/* The routes' names on the metrics page: their paths, without the slash that the rest of a path
 * stands behind. */
static void name_routes(struct latency *l)
{
    l->route_count = ROUTES_COUNT;
    for (size_t i = 0; i < ROUTES_COUNT; i++) {
        const char *path = ROUTES[i].path;
        const size_t len = strlen(path);
        l->routes[i].path =
            (struct http_text){path, len > 1 && path[len - 1] == '/' ? len - 1 : len};
    }
}

struct api *api_new(const struct api_config *config, uint64_t now_us)
{
    struct api *a = mem_new(1, sizeof(*a));
    a->config = *config;
    a->started_us = now_us;
    a->clock = (struct api_clock){.now_us = config->now_us, .arg = config->now_arg};
    if (a->clock.now_us == NULL) {
        a->clock.now_us = boottime_us;
    }
    name_routes(&a->latency);
    return a;
}

void api_free(struct api *a)
{
    free(a);
}

/* What stands behind the row's path to *ret_rest, which has no data behind a whole path. */
static bool fits(bool has_pages, const struct route *route, struct http_text path,
                 struct http_text *ret_rest)
{
    const bool is_prefix = (route->flags & IS_PREFIX) != 0;
    if (((route->flags & IS_PAGE) != 0 && !has_pages) || !skip_prefix(&path, route->path) ||
        (!is_prefix && path.len > 0)) {
        return false;
    }
    *ret_rest = is_prefix ? path : (struct http_text){.data = NULL};
    return true;
}

static const struct route *find_route(bool has_pages, struct http_text path,
                                      struct http_text *ret_rest)
{
    const struct route *route = ROUTES;
    while (!fits(has_pages, route, path, ret_rest)) {
        route++; /* the last one fits all */
    }
    /* Browsers take "." and ".." out of paths, encoded or not. They reach these keys behind a slash
     * that is encoded. */
    if ((route->flags & IS_REST) != 0 &&
        (skip_prefix(&path, "/data%2F") || skip_prefix(&path, "/data%2f"))) {
        *ret_rest = path;
        return &ROUTES[ROUTE_DATA];
    }
    return route;
}

static uint8_t right_of(const struct route *route, enum http_method method)
{
    return (uint8_t)((route->methods->bits & BIT(method)) != 0 ? route->right : API_RIGHT_NONE);
}

void api_find_right(struct http_request *rq)
{
    rq->route.right = right_of(find_route(true, plain_path(rq), &rq->route.rest), rq->method);
}

struct http_route api_route(const struct api *a, const struct http_request *rq)
{
    struct http_route found = {.body_max = BODY_IGNORED_MAX};
    const struct route *route =
        find_route(a->config.pages.files != NULL, plain_path(rq), &found.rest);
    found.row = route;
    if ((route->bodies & BIT(rq->method)) != 0) {
        found.body_max = route->body_max > 0 ? route->body_max : a->config.value_max;
    }
    found.is_exempt =
        ((route->flags & IS_PROBE) != 0 && (route->methods->bits & BIT(rq->method)) != 0) ||
        ((route->flags & IS_LINK) != 0 && takes_upgrades(a) && upgrade_is_asked(rq));
    const bool is_served = (route->methods->bits & BIT(rq->method)) != 0;
    found.is_events = (route->flags & IS_EVENTS) != 0 && is_served;
    found.right = right_of(route, rq->method);
    found.cors = cors_lines(a->config.cors, rq);
    return found;
}

/* A preflight may be remembered for a day. */
static void answer_options(const struct http_request *rq, struct http_response *rs)
{
    rs->status = 204;
    rs->kind = HTTP_BODY_BYTES;
    http_add(rs, "Allow", ALL_METHODS);
    if (!cors_allows(rq->route.cors)) {
        return;
    }
    http_add(rs, "Access-Control-Allow-Methods", ALL_METHODS);
    http_add(rs, "Access-Control-Allow-Headers",
             "Authorization, Content-Type, X-TTL, If-Match, If-None-Match, Cache-Control, "
             "Last-Event-ID");
    http_add(rs, "Access-Control-Max-Age", "86400");
}

static uint64_t clock_us(const struct api *a)
{
    return a->clock.now_us(a->clock.arg);
}

/* What no route serves is measured together: its methods and paths are the client's choice. */
static struct latency_histogram *times_of(struct api *a, const struct http_request *rq)
{
    const struct route *route = rq->route.row;
    const bool is_served = (route->flags & IS_REST) == 0 && (size_t)rq->method < LATENCY_METHODS &&
                           (route->methods->bits & BIT(rq->method)) != 0;
    return is_served ? latency_of(&a->latency, row_of(route), rq->method) : &a->latency.other;
}

bool api_judge(struct api *a, struct http_request *rq, uint64_t now_us, struct http_response *rs)
{
    const struct api_admit admit = {
        .access = a->config.access, .config = &a->config, .mono_ms = now_us / 1000};
    return admit.access == NULL || api_admit(&admit, rq, rs);
}

static void refuse_method(const struct route *route, const struct http_request *rq,
                          struct http_response *rs)
{
    http_problem(rs, 405, "method_not_allowed", "%s", route->methods->why_not(rq->method));
    http_add(rs, "Allow", "%s", route->methods->allow);
}

bool api_is_good(const struct api_config *config, const struct http_request *rq,
                 struct http_response *rs)
{
    struct http_text rest = {.len = 0};
    const struct route *route = find_route(true, plain_path(rq), &rest);
    if (rq->method == HTTP_OPTIONS_) {
        return true;
    }
    if ((route->methods->bits & BIT(rq->method)) == 0) {
        refuse_method(route, rq, rs);
        return false;
    }
    if ((route->flags & IS_REST) != 0) {
        refuse_path(rs);
        return false;
    }
    if ((route->flags & IS_LINK) != 0) {
        refuse_link(rs);
        return false;
    }
    return route->right == API_RIGHT_KEY     ? api_data_is_good(config, rq, rs)
           : route->right == API_RIGHT_LIST  ? api_keys_is_good(rq, rs)
           : route->right == API_RIGHT_WATCH ? api_watch_is_good(rq, rs)
                                             : true;
}

/* The rules may have become others while the body came. */
static bool is_judged_by_others(const struct api *a, const struct http_request *rq)
{
    return a->config.access != NULL && rq->route.right != API_RIGHT_NONE &&
           rq->route.rules != access_serial(a->config.access);
}

void api_handle(struct api *a, const struct http_request *rq, struct http_response *rs,
                uint64_t began_us, uint64_t now_us,
                void (*figures)(void *arg, bool is_scrape, struct api_figures *ret), void *arg)
{
    const struct route *route = rq->route.row;
    struct exchange x = {.api = a, .rq = rq, .rs = rs};
    struct http_request again;
    bool is_allowed = true;
    x.view = (struct api_view){.engine = a->config.engine,
                               .config = &a->config,
                               .figures = &x.figures,
                               .started_us = a->started_us,
                               .began_us = began_us,
                               .now_us = now_us};
    if (is_judged_by_others(a, rq)) {
        again = *rq;
        x.rq = &again;
        is_allowed = api_judge(a, &again, now_us, rs);
    }
    if (rq->method == HTTP_OPTIONS_) {
        answer_options(rq, rs);
    } else if ((route->methods->bits & BIT(rq->method)) == 0) {
        refuse_method(route, rq, rs);
    } else if (is_allowed) {
        if ((route->flags & HAS_FIGURES) != 0 && figures != NULL) {
            figures(arg, route->answer == get_metrics, &x.figures);
        }
        route->answer(&x);
    }
    if (rs->kind != HTTP_BODY_DEFER) {
        latency_add(times_of(a, rq), clock_us(a) - began_us);
    }
}

void api_put_settled(struct api *a, const struct put_done *done, uint64_t now_us)
{
    if (done->status == PUT_QUORUM) {
        latency_add(&a->latency.quorum, now_us - done->began_us);
    }
}

void api_put_done(struct api *a, const struct put_done *done, uint64_t now_us,
                  struct http_response *rs)
{
    api_data_done(done, engine_clock_ms(a->config.engine, now_us), rs);
    latency_add(latency_of(&a->latency, ROUTE_DATA, HTTP_PUT_), now_us - done->began_us);
}
