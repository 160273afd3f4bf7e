/*
 * pipeline: many requests to one server over a few connections that are kept, several under way on
 * each (RFC 9112, 9.3.2).
 *
 * For programs that wait: nothing happens but within pipeline_send(), which connects, and
 * pipeline_wait(). Answers come in the order of the requests of their connection, and in no order
 * between connections. A connection that ends is opened again by the next request; requests that
 * were under way on it have failed, and nothing is asked a second time. What is under way is
 * bounded in count and in bytes. https is as in net/out/fetch. Left out: HEAD, bodies that come by
 * and by.
 *
 * The process must ignore SIGPIPE.
 */
#ifndef NET_OUT_PIPELINE_H
#define NET_OUT_PIPELINE_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct pipeline;
struct tls_client;

struct pipeline_answer {
    void *tag;
    enum rc rc;        /* RC_OK: an answer came; RC_TIMEOUT, RC_TOO_LONG, RC_MALFORMED, RC_IO */
    const char *error; /* for people; "" on RC_OK */
    int status;        /* 0 unless RC_OK */
    const uint8_t *body;
    size_t body_len;
    const void *headers; /* for pipeline_header_of() */
};

struct pipeline_config {
    struct event_base *base; /* borrowed, so that a test's server may be on it too; NULL: its own */
    const char *host;        /* name or address, IPv6 without brackets; borrowed, as `lines` */
    uint16_t port;
    bool is_tls;
    struct tls_client *tls; /* borrowed, as in net/out/fetch */
    const char *lines;      /* headers of every request, each ended by CR LF */
    uint32_t connections;   /* at most; opened as they are needed */
    uint32_t depth;         /* requests under way on each */
    size_t body_max;        /* of an answer, bytes */
    size_t pending_max;     /* bytes of requests under way; one alone may be larger */
    uint32_t
        timeout_ms; /* of a connect, and of a connection that owes answers and passes no bytes */
    /* Called once for each request that was sent, from pipeline_wait(); or from pipeline_send(),
     * for others than the one sent. It may not send. The answer is borrowed for the call. */
    void (*answered)(void *arg, const struct pipeline_answer *answer);
    void *arg;
};

struct pipeline_request {
    const char *method;
    const char *target; /* path and query, encoded */
    const char *lines;  /* more headers, each ended by CR LF; "" for none */
    const void *body;   /* copied */
    size_t body_len;
    void *tag; /* comes back with the answer */
};

/* Looks the host up, blocking. NULL when the system gives no memory. */
struct pipeline *pipeline_new(const struct pipeline_config *config);
/* Requests under way are not answered any more. NULL is ignored. */
void pipeline_free(struct pipeline *p);

/* RC_FULL: as much is under way as may be; pipeline_wait() makes room. RC_REFUSED, RC_TIMEOUT,
 * RC_IO, RC_NO_MEMORY: it was not sent, and pipeline_error() says why. */
MUST_USE enum rc pipeline_send(struct pipeline *p, const struct pipeline_request *request);

/* Waits until something under way is answered or has failed; returns at once when nothing is. */
void pipeline_wait(struct pipeline *p);

size_t pipeline_pending(const struct pipeline *p);

/* For people: what the last failure was. */
const char *pipeline_error(const struct pipeline *p);

/* The value of the answer's header, case ignored; NULL when absent. */
const char *pipeline_header_of(const struct pipeline_answer *answer, const char *name);

#endif
