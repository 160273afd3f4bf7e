/*
 * api: every path of the public interface, as one function from request to response over an engine.
 *
 * Both generations of paths (with and without /v1) end here. No sockets: what the process around it
 * knows (connections, log) comes in through struct api_figures.
 */
#ifndef NET_API_H
#define NET_API_H

#include "gossip/engine.h"
#include "net/http.h"
#include "net/http_server.h"
#include "net/pages.h"
#include "net/watch.h"

struct api;

struct api_config {
    struct engine *engine; /* borrowed */
    const char *version;   /* borrowed */
    char domain[256];
    char network[NAME_SIZE];
    uint16_t port;
    uint64_t ttl_default_s, ttl_min_s, ttl_max_s;
    uint64_t value_max;
    uint64_t config_digest;
    struct pages pages;  /* under /fade/ */
    struct watch *watch; /* borrowed; NULL: nobody may watch */
    /* The engine's time now, for streams whose pieces are asked for after their request; NULL:
     * CLOCK_BOOTTIME. */
    uint64_t (*now_us)(void *arg);
    void *now_arg;
};

/* What the driver knows and the pages show; filled before each request that needs it. */
struct api_figures {
    struct http_server_stats http;
    uint64_t rss_bytes, cpu_us, open_fds;
    uint64_t loop_stall_max_us; /* longest loop turn since the last scrape */
    uint64_t discovery_passes, discovery_failures;
    uint64_t log_lines_dropped;
    uint64_t udp_in_bytes, udp_out_bytes, link_in_bytes, link_out_bytes;
};

struct api *api_new(const struct api_config *config, uint64_t now_us);
void api_free(struct api *a);

uint64_t api_body_max(const struct api *a, const struct http_request *rq);
bool api_is_exempt(const struct api *a, const struct http_request *rq);

/* Answers a request; a PUT that waits for its quorum comes back as HTTP_BODY_DEFER and is answered
 * by api_put_done(), a peer's upgrade as HTTP_BODY_UPGRADE. `figures` is asked for only by /status
 * and /metrics. */
void api_handle(struct api *a, const struct http_request *rq, struct http_response *rs,
                uint64_t now_us, void (*figures)(void *arg, struct api_figures *ret), void *arg);

/* Builds the answer of the deferred PUT with this id; false when its client is gone. */
bool api_put_done(struct api *a, const struct put_done *done, uint64_t now_us,
                  struct http_response *rs);

/* The client of a deferred PUT left; the write stands. */
void api_gone(struct api *a, uint64_t id);

#endif
