/*
 * metrics: the page that Prometheus scrapes, text exposition format 0.0.4.
 *
 * Every family is named repram_*, in base units, once, and listed in docs/metrics.md (a test
 * compares the two). No family has a label whose values a client or a peer can choose, so the page
 * has a fixed length however large the cluster.
 */
#ifndef NET_API_METRICS_H
#define NET_API_METRICS_H

#include "core/base/buf.h"
#include "core/base/rc.h"
#include "gossip/engine.h"
#include "net/api/api_view.h"
#include "net/watch/watch.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Sums over the peer links that are up. */
struct metrics_links {
    uint64_t count;
    uint64_t unacked, queued;
};

struct metrics {
    const char *version;
    double uptime_s;
    struct engine_status status;
    struct api_figures figures;
    struct metrics_links links;
    struct watch_stats watch;
};

/* Appends the page. RC_FULL or RC_NO_MEMORY: `out` then holds a part of it. */
MUST_USE enum rc metrics_write(const struct metrics *m, struct buf *out);

#endif
