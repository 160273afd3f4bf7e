/*
 * api_watch: GET /watch, from the request's parameters to a stream of events.
 */
#ifndef NET_API_API_WATCH_H
#define NET_API_API_WATCH_H

#include "net/access/access.h"
#include "net/watch/watch.h"

/* `watch` is NULL where nobody may watch, `access` where everybody may. A refusal that passes is a
 * stream too, which ends at once (http_events_refuse()). */
void api_watch(struct watch *watch, struct access *access, const struct http_request *rq,
               struct http_response *rs);

/* Whether its parameters are good; else `rs` is the refusal. */
bool api_watch_is_good(const struct http_request *rq, struct http_response *rs);

/* Ends the streams of those who may not watch any more what they watch: watch_review(). */
void api_watch_review(struct watch *watch, struct access *access);

#endif
