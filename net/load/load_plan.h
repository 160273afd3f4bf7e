/*
 * load_plan: what a run of net/load is to do, and what it tells of itself meanwhile and afterwards.
 */
#ifndef NET_LOAD_LOAD_PLAN_H
#define NET_LOAD_LOAD_PLAN_H

#include "core/base/addr.h"
#include "core/base/rc.h"
#include "core/base/sample.h"
#include "net/load/load_mix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_CONNECTIONS_MAX = 10000,
    LOAD_DEPTH_MAX = 1024,
    LOAD_UNDER_WAY_MAX = 1 << 20, /* connections x depth: 24 bytes each */
    LOAD_RATE_MAX = 10000000,
    LOAD_ADDRS_MAX = 8,    /* of one server */
    LOAD_STATUS_END = 600, /* a status outside of 100 to 599 is no answer (RFC 9110 section 15) */
    LOAD_ERROR_SIZE = 256,
};

enum load_kind { LOAD_GET, LOAD_PUT, LOAD_KIND_COUNT };

/* What happens to a request or a connection instead of an answer. */
enum load_fault {
    LOAD_FAULT_CONNECT,   /* a connection that could not be opened; no request */
    LOAD_FAULT_CLOSED,    /* the server ended the connection before it answered */
    LOAD_FAULT_IO,        /* a reset, or another error of the socket */
    LOAD_FAULT_TIMEOUT,   /* no answer in time */
    LOAD_FAULT_MALFORMED, /* the bytes are not HTTP, or more than allowed, or were not asked for */
    LOAD_FAULT_COUNT,
};

struct load_target {
    struct addr addrs[LOAD_ADDRS_MAX]; /* tried in turn until one accepts */
    size_t addr_count;
    const char *host; /* "host:port" as in the Host header; borrowed, LOAD_MIX_HOST_MAX at most */
    const char *tls_name; /* whom its certificate must name; borrowed; NULL: plain HTTP */
};

enum load_part { LOAD_FILL, LOAD_WARM_UP, LOAD_MEASURE, LOAD_OVER };

/* How it stands, for a person who waits. */
struct load_progress {
    enum load_part part;
    uint64_t part_ns;       /* since the part began */
    uint64_t answered;      /* in this part */
    uint64_t recent_per_s;  /* since the last report */
    uint64_t recent_p99_ns; /* meaningless unless has_p99 */
    uint64_t recent_max_ns;
    bool has_p99;    /* enough were answered since the last report to speak of it */
    uint64_t errors; /* in this part: faults, and answers that are not a success */
};

struct event_base;
struct tls_client;

struct load_config {
    struct event_base *base; /* borrowed, so that a test's server may be on it too; NULL: its own */
    const struct load_target *targets; /* borrowed; connection i goes to target i modulo count */
    size_t target_count;
    struct tls_client *tls; /* borrowed; for targets with a tls_name */
    struct load_mix_config mix;
    uint32_t connections, depth;
    uint64_t requests_max; /* measured ones; 0: no limit */
    uint64_t duration_ms;  /* of the measured part; 0: no limit */
    uint64_t warm_up_ms;
    uint64_t rate; /* a second, over all connections, due by the clock; 0: as answers come */
    bool is_burst; /* `depth` at once, then as many again: when all are answered, or by the rate */
    uint32_t timeout_ms; /* of a connect, of an answer */
    bool does_fill;
    uint32_t progress_ms;                                       /* how often */
    void (*progress)(void *arg, const struct load_progress *p); /* NULL: never */
    void *arg;
};

struct load_kind_result {
    struct sample latency_ns; /* of the answers that are a success, and of what got none in time */
    uint64_t answered;
    uint64_t errors; /* answers that are none: not 2xx, and not 404 to a GET */
    uint64_t statuses[LOAD_STATUS_END];
};

struct load_target_result {
    uint64_t answered, errors; /* as above */
    uint64_t faults;
};

/* Of the measured part; all zeroes before a run. */
struct load_result {
    struct load_kind_result kinds[LOAD_KIND_COUNT];
    uint64_t faults[LOAD_FAULT_COUNT];  /* those of the warm-up included */
    struct load_target_result *targets; /* target_count of them; owned */
    size_t target_count;
    uint64_t bytes_in, bytes_out; /* of HTTP */
    uint64_t elapsed_ns;
    uint64_t unanswered; /* under way at the end */
    uint64_t unsent;     /* with a rate: due, and never sent */
    uint64_t fill_answered, fill_errors;
    bool is_interrupted;
    char error[LOAD_ERROR_SIZE]; /* of the first fault, or why the run was given up; else "" */
};

#endif
