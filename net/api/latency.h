/*
 * latency: how long requests took, by route and method, and writes until their quorum held them; as
 * histograms for the metrics page.
 *
 * The times are the caller's, in microseconds. A histogram has fixed bounds, so that those of all
 * nodes can be added up. What a client chooses makes no series: the routes are the front door's
 * own, methods that none of them serves are left to `other`.
 */
#ifndef NET_API_LATENCY_H
#define NET_API_LATENCY_H

#include "net/http/http.h"

#include <stddef.h>
#include <stdint.h>

enum {
    LATENCY_BOUNDS = 16,
    LATENCY_ROUTES_MAX = 24,
    LATENCY_METHODS = HTTP_POST_ + 1, /* GET, HEAD, PUT, POST */
};

struct latency_histogram {
    uint64_t counts[LATENCY_BOUNDS + 1]; /* up to each bound and above the one before; the rest */
    uint64_t sum_us;
};

/* A bound, and how the page writes it: seconds, as OpenMetrics wants them. */
struct latency_bound {
    uint64_t us;
    const char *text;
};

extern const struct latency_bound LATENCY_BOUND[LATENCY_BOUNDS];

struct latency_route {
    struct http_text path; /* borrowed */
    struct latency_histogram by_method[LATENCY_METHODS];
};

struct latency {
    struct latency_route routes[LATENCY_ROUTES_MAX];
    size_t route_count;
    struct latency_histogram other, quorum;
};

/* What took as long as a bound counts up to it. */
void latency_add(struct latency_histogram *h, uint64_t us);

uint64_t latency_count(const struct latency_histogram *h);

/* The histogram of a request that the route with that number answers with that method. */
struct latency_histogram *latency_of(struct latency *l, size_t route, enum http_method method);

#endif
