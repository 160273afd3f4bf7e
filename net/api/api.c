#include "net/api/api.h"

#include "core/base/mem.h"
#include "net/api/api_cluster.h"
#include "net/api/api_data.h"
#include "net/api/api_keys.h"
#include "net/api/api_mget.h"
#include "net/api/api_watch.h"
#include "net/api/metrics.h"
#include "net/link/upgrade.h"
#include "net/sys/hostclock.h"

#include <stdlib.h>
#include <string.h>

#define READ_METHODS "GET, HEAD, OPTIONS"
#define ALL_METHODS "GET, HEAD, PUT, POST, OPTIONS"
#define MGET_PATH "/mget"

enum {
    /* Bodies of requests that take none are read and dropped up to this, so that their answer says
     * what is wrong with them and not that they are large. */
    BODY_IGNORED_MAX = 64 * 1024,
    METRICS_BYTES_MAX = 256 * 1024,
};

struct api {
    struct api_config config;
    struct api_data data;
    struct api_clock clock;
    uint64_t started_us;
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

struct api *api_new(const struct api_config *config, uint64_t now_us)
{
    struct api *a = mem_new(1, sizeof(*a));
    a->config = *config;
    a->started_us = now_us;
    a->clock = (struct api_clock){.now_us = config->now_us, .arg = config->now_arg};
    if (a->clock.now_us == NULL) {
        a->clock.now_us = boottime_us;
    }
    a->data = (struct api_data){.engine = config->engine,
                                .ttl_default_s = config->ttl_default_s,
                                .ttl_min_s = config->ttl_min_s,
                                .ttl_max_s = config->ttl_max_s,
                                .value_max = config->value_max};
    api_data_init(&a->data);
    return a;
}

void api_free(struct api *a)
{
    if (a != NULL) {
        api_data_fini(&a->data);
        free(a);
    }
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

static bool is_text(struct http_text text, const char *wanted)
{
    return text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
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

static bool is_read(const struct http_request *rq)
{
    return rq->method == HTTP_GET_ || rq->method == HTTP_HEAD_;
}

/* ---- Pages ---- */

static void get_health(struct exchange *x)
{
    api_cluster_health(&x->view, x->rs);
}

static void get_livez(struct exchange *x)
{
    api_cluster_livez(&x->view, x->rs);
}

static void get_readyz(struct exchange *x)
{
    api_cluster_readyz(&x->view, x->rs);
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
    api_watch(x->api->config.watch, x->api->config.engine, x->rq, x->rs);
}

static void get_metrics(struct exchange *x)
{
    struct engine *e = x->api->config.engine;
    struct metrics m = {.version = x->api->config.version,
                        .uptime_s = (double)(x->view.now_us - x->api->started_us) / 1e6,
                        .figures = x->figures};
    if (x->api->config.watch != NULL) {
        m.watch = watch_stats(x->api->config.watch);
    }
    engine_status(e, x->view.now_us, &m.status);
    struct engine_link_view link = {0};
    for (uint32_t slot = 0; engine_next_link(e, &slot, &link); slot++) {
        m.links.count++;
        m.links.unacked += link.unacked;
        m.links.queued += link.queued;
    }
    x->rs->bytes.max = METRICS_BYTES_MAX;
    if (metrics_write(&m, &x->rs->bytes) != RC_OK) {
        buf_clear(&x->rs->bytes);
        http_problem(x->rs, 500, "internal", "The answer did not fit into memory.");
        return;
    }
    x->rs->status = 200;
    x->rs->kind = HTTP_BODY_BYTES;
    http_add(x->rs, "Content-Type", "%s", METRICS_CONTENT_TYPE);
    http_add(x->rs, "Cache-Control", "no-store");
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
        "  curl -N 'http://HOST:PORT/watch?prefix=a'                  see changes as they come\n"
        "  curl http://HOST:PORT/peers                                the other nodes\n"
        "  curl http://HOST:PORT/status                               this node\n"
        "\n"
        "Also /scan /topology /health /livez /readyz /metrics; every path exists under /v1 too.\n"
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

static void get_gossip(struct exchange *x)
{
    if (upgrade_is_asked(x->rq)) {
        x->rs->status = 101;
        x->rs->kind = HTTP_BODY_UPGRADE;
    } else {
        http_problem(x->rs, 426, "unsupported",
                     "This path is for links between nodes, by an upgrade to " UPGRADE_PROTOCOL
                     ".");
    }
    upgrade_name(x->rs);
}

/* ---- Routes ---- */

static const struct route {
    const char *path;
    void (*get)(struct exchange *x);
    bool has_figures; /* the page shows them */
    bool is_probe;    /* exempt from rate limits */
} ROUTES[] = {
    {"/health", get_health, false, true},   {"/livez", get_livez, false, true},
    {"/readyz", get_readyz, false, true},   {"/keys", get_keys, false, false},
    {"/scan", get_scan, false, false},      {"/peers", get_peers, false, false},
    {"/status", get_status, true, false},   {"/topology", get_topology, false, false},
    {"/metrics", get_metrics, true, false}, {"/gossip", get_gossip, false, false},
    {"/watch", get_watch, false, false},    {"/", get_help, false, false},
};

static const struct route *find_route(struct http_text path)
{
    for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
        if (is_text(path, ROUTES[i].path)) {
            return &ROUTES[i];
        }
    }
    return NULL;
}

uint64_t api_body_max(const struct api *a, const struct http_request *rq)
{
    struct http_text path = plain_path(rq);
    /* Who posts a value is to learn that it is PUT (405), not that his value is too large. */
    if (skip_prefix(&path, "/data/") && (rq->method == HTTP_PUT_ || rq->method == HTTP_POST_)) {
        return a->config.value_max;
    }
    if (is_text(path, MGET_PATH) && rq->method == HTTP_POST_) {
        return MGET_BODY_MAX;
    }
    return BODY_IGNORED_MAX;
}

bool api_is_exempt(const struct api *a, const struct http_request *rq)
{
    (void)a;
    const struct route *route = find_route(plain_path(rq));
    return route != NULL &&
           ((route->is_probe && is_read(rq)) || (route->get == get_gossip && upgrade_is_asked(rq)));
}

/* Pages of any origin may use a node (CORS); a preflight may be remembered for a day. Refusals
 * that the server makes by itself say the first of these lines too. */
static void add_cors(struct http_response *rs)
{
#define ORIGIN "Access-Control-Allow-Origin"
#define EXPOSED                       \
    "Access-Control-Expose-Headers: " \
    "ETag, X-Created-At, X-Original-TTL, X-Remaining-TTL, X-Replicas, Retry-After\r\n"
    /* A problem says the first already. */
    const bool has_origin = rs->status >= 400 && memmem(buf_data(&rs->headers), rs->headers.len,
                                                        ORIGIN, sizeof(ORIGIN) - 1) != NULL;
    http_add_lines(rs, has_origin ? EXPOSED : ORIGIN ": *\r\n" EXPOSED);
#undef ORIGIN
#undef EXPOSED
}

static void answer_options(struct http_response *rs)
{
    rs->status = 204;
    rs->kind = HTTP_BODY_BYTES;
    http_add(rs, "Allow", ALL_METHODS);
    http_add(rs, "Access-Control-Allow-Methods", ALL_METHODS);
    http_add(rs, "Access-Control-Allow-Headers",
             "Content-Type, X-TTL, If-Match, If-None-Match, Cache-Control, Last-Event-ID");
    http_add(rs, "Access-Control-Max-Age", "86400");
}

/* Whether the method only reads; answers it if not. */
static bool is_read_only(struct exchange *x)
{
    if (is_read(x->rq)) {
        return true;
    }
    http_problem(x->rs, 405, "method_not_allowed", "This path is only read.");
    http_add(x->rs, "Allow", READ_METHODS);
    return false;
}

static void answer_route(const struct route *route, struct exchange *x,
                         void (*figures)(void *arg, bool is_scrape, struct api_figures *ret),
                         void *arg)
{
    if (!is_read_only(x)) {
        return;
    }
    if (route->has_figures && figures != NULL) {
        figures(arg, route->get == get_metrics, &x->figures);
    }
    route->get(x);
}

void api_handle(struct api *a, const struct http_request *rq, struct http_response *rs,
                uint64_t now_us,
                void (*figures)(void *arg, bool is_scrape, struct api_figures *ret), void *arg)
{
    struct http_text path = plain_path(rq);
    struct http_text page = {.data = NULL};
    struct exchange x = {.api = a, .rq = rq, .rs = rs};
    const struct route *route = find_route(path);
    if (rq->method == HTTP_OPTIONS_) {
        answer_options(rs);
    } else if (skip_prefix(&path, "/data/")) {
        api_data_handle(&a->data, rq, path, rs, now_us);
    } else if (is_text(path, MGET_PATH)) {
        api_mget(a->config.engine, &a->clock, rq, rs);
    } else if (a->config.pages.files != NULL && pages_match(path, &page)) {
        if (is_read_only(&x)) {
            pages_answer(&a->config.pages, rq, page, rs);
        }
    } else if (route == NULL) {
        http_problem(rs, 404, "not_found", "No such path; GET / says which there are.");
    } else {
        x.view = (struct api_view){.engine = a->config.engine,
                                   .config = &a->config,
                                   .figures = &x.figures,
                                   .started_us = a->started_us,
                                   .now_us = now_us};
        answer_route(route, &x, figures, arg);
    }
    if (rs->kind != HTTP_BODY_DEFER && rs->kind != HTTP_BODY_UPGRADE) {
        add_cors(rs);
    }
}

bool api_put_done(struct api *a, const struct put_done *done, uint64_t now_us,
                  struct http_response *rs)
{
    if (!api_data_done(&a->data, done, now_us, rs)) {
        return false;
    }
    add_cors(rs);
    return true;
}

void api_gone(struct api *a, uint64_t id)
{
    api_data_gone(&a->data, id);
}
