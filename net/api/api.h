/*
 * api: every path of the public interface, as one function from request to response over an engine.
 *
 * Both generations of paths (with and without /v1) end here. No sockets: what the process around it
 * knows (connections, log) comes in through struct api_figures (net/api/api_view).
 */
#ifndef NET_API_API_H
#define NET_API_API_H

#include "net/api/api_view.h"

struct api;

struct api *api_new(const struct api_config *config, uint64_t now_us);
void api_free(struct api *a);

/* Finds the request's row in the table of routes; every request has one. */
struct http_route api_route(const struct api *a, const struct http_request *rq);

/* Notes in a request which right it takes, and of which key, as api_route() does; for whoever wants
 * to know without a front door. */
void api_find_right(struct http_request *rq);

/* Whether a node would serve the request, were it allowed, as far as its head shows: path, method,
 * key and parameters; else `rs` is the refusal. Its right is api_find_right()'s. Of the
 * configuration it takes the bounds of lives and values. */
bool api_is_good(const struct api_config *config, const struct http_request *rq,
                 struct http_response *rs);

/* Whether a request, whose route is api_route()'s, may do what it asks for: api_admit(). True where
 * there are no rules. */
bool api_judge(struct api *a, struct http_request *rq, uint64_t now_us, struct http_response *rs);

/* Answers a request that was let through, whose route is api_route()'s and which has waited since
 * `began_us`; a PUT that waits for its quorum comes back as HTTP_BODY_DEFER and is answered by
 * api_put_done(), a peer's upgrade as HTTP_BODY_UPGRADE. `figures` is asked for only by /status
 * and, as a scrape, after which what is counted since the last one begins anew, by /metrics. */
void api_handle(struct api *a, const struct http_request *rq, struct http_response *rs,
                uint64_t began_us, uint64_t now_us,
                void (*figures)(void *arg, bool is_scrape, struct api_figures *ret), void *arg);

/* A deferred PUT is settled, whether its client still waits or not. */
void api_put_settled(struct api *a, const struct put_done *done, uint64_t now_us);

/* Builds the answer of the deferred PUT whose id is the token. */
void api_put_done(struct api *a, const struct put_done *done, uint64_t now_us,
                  struct http_response *rs);

#endif
