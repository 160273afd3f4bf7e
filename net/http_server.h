/*
 * http_server: HTTP/1.1 (RFC 9112) on bufferevents, parsed by llhttp in strict mode, plus what
 * llhttp lets through.
 *
 * Keep-alive, pipelining, HEAD, Expect: 100-continue, chunked bodies in, streams out with bounded
 * buffers, a timeout for each phase, limits on headers, bodies, connections and rates, and Upgrade.
 * Every refusal is problem+json. It knows no path: one handler answers all.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "net/http.h"

struct bufferevent;
struct event_base;
struct http_server;
struct node_cidr;

struct http_server_config {
    struct event_base *base; /* borrowed */
    int listen_fd;           /* listening, non-blocking; taken over */
    uint32_t connections_max, connections_per_ip_max;
    /* All bodies that are arriving may come to; one alone may exceed it. A body without room waits
     * unread, for as long as the request timeout. */
    uint64_t bodies_bytes_max;
    uint32_t idle_timeout_ms, request_timeout_ms;
    uint32_t rate_limit; /* requests per second per client, 0 off; burst is twice that */
    bool trust_all;      /* X-Forwarded-For from anybody */
    const struct node_cidr *trust;
    uint32_t trust_count;
    void *arg;
    /* The most bytes of body this request may have, asked when its headers are complete (rq->body
     * is not there yet). */
    uint64_t (*body_max)(void *arg, const struct http_request *rq);
    /* True for requests that no rate limit touches (probes). */
    bool (*is_exempt)(void *arg, const struct http_request *rq);
    void (*handle)(void *arg, const struct http_request *rq, struct http_response *rs);
    /* The client of a deferred exchange is gone: http_server_complete() for it will do nothing. */
    void (*gone)(void *arg, uint64_t id);
    /* After HTTP_BODY_UPGRADE: the 101 is written, the connection is the callee's (its callbacks
     * are unset, input not yet read stands in its input buffer), and it no longer counts against
     * any limit. */
    void (*upgraded)(void *arg, struct bufferevent *bev, const struct addr *from);
};

struct http_server_stats {
    uint64_t connections; /* open now */
    uint64_t connections_total, connections_refused;
    uint64_t requests_total;
    uint64_t requests_by_class[6]; /* [2] for 2xx ... */
    uint64_t requests_malformed, rate_limited, timeouts;
    uint64_t bytes_in, bytes_out;
};

/* All callbacks and both timeouts are needed. NULL when out of memory (the descriptor is the
 * caller's then). The process must ignore SIGPIPE. */
struct http_server *http_server_new(const struct http_server_config *config);

/* Closes everything at once: streams' `done` is called, gone() is not. */
void http_server_free(struct http_server *s);

/* Answers a deferred exchange, after handle() has returned; takes the content of `rs` and leaves it
 * empty. An unknown id is ignored. */
void http_server_complete(struct http_server *s, uint64_t id, struct http_response *rs);

/* The stream of that exchange has more to say; its producer is called at once if its client has
 * taken what it said before, and when it has otherwise. Not from within a producer. An unknown id
 * is ignored. */
void http_server_wake(struct http_server *s, uint64_t id);

/* Stops (and later resumes) reading the bodies of requests that have one. One that is held for the
 * request timeout is answered 503. */
void http_server_hold_bodies(struct http_server *s, bool is_held);

/* No new connections; open ones are closed after the request in progress. */
void http_server_drain(struct http_server *s);

/* Whether nothing is in progress any more. */
bool http_server_is_idle(const struct http_server *s);

struct http_server_stats http_server_stats(const struct http_server *s);

#endif
