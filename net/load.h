/*
 * load: drives servers with GETs and PUTs and measures how they answer. One thread, one event loop.
 *
 * A run has up to three parts: every key is written once (fill), requests go out unmeasured (warm
 * up), requests are measured. Each connection keeps up to `depth` requests under way, the next one
 * leaving as an answer comes: a closed loop, which asks less while the server stalls, so that a
 * stall is measured once for each request under way and not for all that would have come meanwhile
 * (coordinated omission). With a rate requests fall due by the clock, wherever the answers are, and
 * a latency counts from that moment, the time that a request had to wait for its turn included. In
 * bursts the next `depth` requests of a connection are written at once when all answers to the last
 * ones have come: a server that leaves some of them unanswered is not helped by requests that
 * follow, and the run does not end before the last burst is answered or its time is over.
 *
 * A connection that fails is opened again; what was under way on it has failed. Nothing is asked a
 * second time. Left out: TLS, checking values, output (cmd/client_bench).
 *
 * The process must ignore SIGPIPE.
 */
#ifndef NET_LOAD_H
#define NET_LOAD_H

#include "core/addr.h"
#include "core/sample.h"
#include "net/load_mix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_CONNECTIONS_MAX = 10000,
    LOAD_DEPTH_MAX = 1024,
    LOAD_UNDER_WAY_MAX = 1 << 20, /* connections x depth: 24 bytes each */
    LOAD_RATE_MAX = 10000000,
    LOAD_ADDRS_MAX = 8,    /* of one server */
    LOAD_STATUS_END = 600, /* what is not 100 to 599 is no answer (RFC 9110 section 15) */
    LOAD_ERROR_SIZE = 256,
};

enum load_kind { LOAD_GET, LOAD_PUT, LOAD_KIND_COUNT };

/* What befalls a request or a connection instead of an answer. */
enum load_fault {
    LOAD_FAULT_CONNECT,   /* a connection that could not be opened; no request */
    LOAD_FAULT_CLOSED,    /* the server ended the connection before it answered */
    LOAD_FAULT_IO,        /* a reset, or another error of the socket */
    LOAD_FAULT_TIMEOUT,   /* no answer in time */
    LOAD_FAULT_MALFORMED, /* what came is not HTTP, or longer than allowed, or was not asked for */
    LOAD_FAULT_COUNT,
};

/* Lower-case, one word, static. */
const char *load_fault_name(enum load_fault fault);

struct load_target {
    struct addr addrs[LOAD_ADDRS_MAX]; /* tried in turn until one accepts */
    size_t addr_count;
    const char *host; /* "host:port" as in the Host header; borrowed, LOAD_MIX_HOST_MAX at most */
};

enum load_part { LOAD_FILL, LOAD_WARM_UP, LOAD_MEASURE, LOAD_OVER };

/* How it stands, for a person who waits. */
struct load_progress {
    enum load_part part;
    uint64_t part_ns;      /* since the part began */
    uint64_t answered;     /* in this part */
    uint64_t recent_per_s; /* since the last report */
    uint64_t recent_p99_ns;
    uint64_t errors; /* in this part: faults, and answers that are not a success */
};

struct event_base;

struct load_config {
    struct event_base *base; /* borrowed, so that a test's server may be on it too; NULL: its own */
    const struct load_target *targets; /* borrowed; connection i goes to target i modulo count */
    size_t target_count;
    struct load_mix_config mix;
    uint32_t connections, depth;
    uint64_t requests_max; /* measured ones; 0: no limit */
    uint64_t duration_ms;  /* of the measured part; 0: no limit */
    uint64_t warm_up_ms;
    uint64_t rate;       /* requests a second over all connections; 0: as answers come */
    bool is_burst;       /* without a rate */
    uint32_t timeout_ms; /* of a connect, of an answer */
    bool does_fill;
    uint32_t progress_ms;                                       /* how often */
    void (*progress)(void *arg, const struct load_progress *p); /* NULL: never */
    void *arg;
};

struct load_kind_result {
    struct sample latency_ns; /* of the answers that are a success */
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
    uint64_t bytes_in, bytes_out;
    uint64_t elapsed_ns;
    uint64_t unanswered; /* under way at the end */
    uint64_t unsent;     /* with a rate: due, and never sent */
    uint64_t fill_answered, fill_errors;
    bool is_interrupted;
    char error[LOAD_ERROR_SIZE]; /* of the first fault, or why the run was given up; else "" */
};

/*
 * Runs it, on a loop of its own, until the requests or the time are used up, or SIGINT or SIGTERM
 * comes. RC_OK: *ret_result says what came of it, faults included. RC_REFUSED: given up, because
 * the key space could not be filled or nobody accepted a connection for `timeout_ms`; the result so
 * far is there. RC_NO_MEMORY: the loop could not be made. The caller calls load_result_fini() in
 * every case.
 */
MUST_USE enum rc load_run(const struct load_config *config, struct load_result *ret_result);
void load_result_fini(struct load_result *result);

#endif
