/*
 * fetch: outgoing HTTP requests; https with verified certificates (net/out/tls_client).
 *
 * One connection a request; every address of a name is tried in turn until one accepts. Bounded in
 * time and in the bytes of the answer. It uses a plain socket and llhttp. evhttp's client tries
 * only the first address of a name (of "localhost", often the wrong one) and does not say whether a
 * connection was refused. Left out: redirects (so no header goes to another server than the one
 * that was named), proxies, keep-alive, compression.
 *
 * The process must ignore SIGPIPE.
 */
#ifndef NET_OUT_FETCH_H
#define NET_OUT_FETCH_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Statuses by which a server says that it does not answer this one: who it is, it wants to know, or
 * it does, and says no (RFC 9110 sections 15.5.2 and 15.5.4). */
enum { FETCH_UNAUTHORIZED = 401, FETCH_FORBIDDEN = 403 };

struct dns;
struct event_base;
struct fetch;
struct tls_client;

struct fetch_header {
    const char *name;
    const char *value;
};

struct fetch_request {
    const char *method; /* GET, HEAD, PUT, POST, DELETE or OPTIONS */
    const char *host;   /* name or address, IPv6 without brackets */
    uint16_t port;
    bool is_tls; /* verifies the chain and the host name */
    struct tls_client
        *tls;           /* borrowed: what is trusted and shown; NULL: the system's authorities */
    const char *target; /* path and query, already encoded */
    const struct fetch_header *headers; /* Host is added when missing */
    size_t header_count;
    const void *body; /* sent with Content-Length when body_len > 0 or the method is PUT or POST */
    size_t body_len;
    uint32_t timeout_ms; /* for the whole exchange, but for the lookup when `dns` is NULL; of a body
                            that goes to `piece`, for each silence */
    uint32_t connect_ms; /* for each address to accept, at most; 0: its share of timeout_ms */
    size_t bytes_max;    /* of the answer's body */
    int hangup_fd; /* borrowed; the exchange ends with RC_CLOSED once it is readable. 0: none */
    /* Takes the body of a 200 as it comes; the answer's is empty then. False ends the exchange with
     * RC_MALFORMED. NULL: it is collected. */
    bool (*piece)(void *arg, const uint8_t *data, size_t len);
    void *piece_arg;
};

struct fetch_answer {
    enum rc rc; /* RC_OK: an answer came, whatever its status; RC_REFUSED, RC_TIMEOUT, RC_TOO_LONG,
                   RC_CLOSED (see hangup_fd), RC_IO (name not found, reset, certificate refused) */
    bool was_sent;     /* the server may have got the request, whatever came of it */
    const char *error; /* for people; "" on RC_OK */
    int status;        /* 0 unless RC_OK */
    const uint8_t *body;
    size_t body_len;
    const void *headers; /* for fetch_header_of() */
};

/* The value of the answer's header, case ignored; NULL when absent. */
const char *fetch_header_of(const struct fetch_answer *answer, const char *name);

/*
 * Starts a request on a loop; the request's memory is copied. `done` is called exactly once, from
 * the loop, unless the fetch is cancelled; the answer is borrowed for that call. `dns` is
 * borrowed until then; without one (NULL) a name is resolved, blocking, before this returns. NULL
 * when there is no memory or the request cannot be made.
 */
struct fetch *fetch_start(struct event_base *base, struct dns *dns,
                          const struct fetch_request *request,
                          void (*done)(void *arg, const struct fetch_answer *answer), void *arg);
void fetch_cancel(struct fetch *f);

/* The same on a loop of its own, waiting. `seen` is called with the answer before this returns its
 * rc. */
enum rc fetch_wait(const struct fetch_request *request,
                   void (*seen)(void *arg, const struct fetch_answer *answer), void *arg);

#endif
