/*
 * http_server: HTTP/1.1 (RFC 9112) over TCP or TLS, parsed by llhttp in strict mode, plus what
 * llhttp lets through.
 *
 * Keep-alive, pipelining, HEAD, Expect: 100-continue, chunked bodies in, streams out with bounded
 * buffers, a timeout for each phase, limits on headers, bodies, connections and rates, and Upgrade.
 * Every refusal is problem+json. It knows no path: one handler answers all.
 */
#ifndef NET_HTTP_HTTP_SERVER_H
#define NET_HTTP_HTTP_SERVER_H

#include "net/http/http_server_config.h"

struct http_server;

/* All callbacks and both timeouts are needed. NULL when out of memory (the descriptor is the
 * caller's then). The process must ignore SIGPIPE. */
struct http_server *http_server_new(const struct http_server_config *config);

/* Closes everything at once: streams' `done` is called. */
void http_server_free(struct http_server *s);

/* Whether that exchange is deferred still: its client waits, and is not gone. */
bool http_server_awaits(const struct http_server *s, uint64_t id);

/* Answers a deferred exchange, after handle() has returned; takes the content of `rs` and leaves it
 * empty, its memory kept for the next one. One that is not awaited is ignored. */
void http_server_complete(struct http_server *s, uint64_t id, struct http_response *rs);

/* The stream of that exchange has more to send. Its producer is called at once if the client has
 * taken everything so far, else when it has. Not from within a producer. An unknown id is
 * ignored. */
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
