/*
 * metrics: the page that Prometheus scrapes, in its text format 0.0.4 or in OpenMetrics 1.0.
 *
 * Every family is named repram_*, or process_* where all programs have it, in base units, once, and
 * listed in docs/metrics.md (a test compares the two). No family has a label whose values a client
 * or a peer can choose, so the page has a bound however large the cluster.
 */
#ifndef NET_API_METRICS_H
#define NET_API_METRICS_H

#include "core/base/buf.h"
#include "core/base/rc.h"
#include "gossip/engine.h"
#include "net/api/api_view.h"
#include "net/api/latency.h"
#include "net/watch/watch.h"

/* They differ in counters, whose families have no "_total" in OpenMetrics, and in its last line. */
enum metrics_format { METRICS_TEXT, METRICS_OPEN };

/* What the client wants rather, by its Accept; text when it says nothing. */
enum metrics_format metrics_format(const struct http_request *rq);

const char *metrics_content_type(enum metrics_format format);

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
    struct sealing_status sealing;
    struct metrics_links links;
    struct watch_stats watch;
    struct access_stats access;
    const struct latency *latency; /* borrowed */
};

/* Appends the page. RC_FULL or RC_NO_MEMORY: `out` then holds a part of it. */
MUST_USE enum rc metrics_write(const struct metrics *m, enum metrics_format format,
                               struct buf *out);

#endif
