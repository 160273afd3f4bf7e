/*
 * api_view: the sources of the interface's pages: the engine, the settings of the process around
 * it, and its counters.
 */
#ifndef NET_API_API_VIEW_H
#define NET_API_API_VIEW_H

#include "gossip/engine.h"
#include "net/access/access.h"
#include "net/access/cors.h"
#include "net/api/pages.h"
#include "net/http/http_server_config.h"
#include "net/sys/proc_figures.h"
#include "net/watch/watch.h"

struct api_config {
    struct engine *engine; /* borrowed */
    const char *version;   /* borrowed */
    char domain[256];
    char network[NAME_SIZE];
    uint16_t port;
    uint64_t ttl_default_s, ttl_min_s, ttl_max_s;
    uint64_t value_max;
    uint64_t config_digest;
    struct pages pages;      /* under /fade/ */
    struct watch *watch;     /* borrowed; NULL: nobody may watch */
    struct access *access;   /* borrowed; NULL: all may do everything */
    const struct cors *cors; /* borrowed; NULL: pages of any origin may read */
    /* The engine's time now, for streams whose pieces are asked for after their request; NULL:
     * CLOCK_BOOTTIME. */
    uint64_t (*now_us)(void *arg);
    void *now_arg;
};

/* What the driver knows and the pages show; filled before each request that needs it. */
struct api_figures {
    struct http_server_stats http;
    struct proc_figures process;
    uint64_t process_began_ms;     /* since the epoch */
    uint64_t loop_stall_max_us;    /* longest loop turn since the last scrape; else 0 */
    uint64_t loop_turn_cpu_max_us; /* likewise, processor time */
    uint64_t discovery_passes, discovery_failures;
    const char *alone; /* borrowed: why the node, which should know others, knows none; else NULL */
    uint64_t log_lines_dropped;
    int64_t tls_expiry_s;            /* of the certificate that is served; 0: none */
    uint64_t tls_taken, tls_refused; /* looks at its files that found something new */
    uint64_t udp_in_bytes, udp_out_bytes, link_in_bytes, link_out_bytes;
};

/* All that the pages are made of; borrowed for the call. */
struct api_view {
    struct engine *engine;
    const struct api_config *config;
    const struct api_figures *figures; /* only for api_cluster_status() */
    uint64_t started_us;
    uint64_t began_us, now_us; /* as for api_handle() */
};

/* An instant of the engine's clock as one of the cluster's, in milliseconds; 0 without one. */
static inline uint64_t api_view_ms(const struct api_view *v, uint64_t at_us)
{
    const uint64_t ago_ms = at_us < v->now_us ? (v->now_us - at_us) / 1000 : 0;
    const uint64_t clock_ms = engine_clock_ms(v->engine, v->now_us);
    return clock_ms > ago_ms ? clock_ms - ago_ms : 0;
}

#endif
