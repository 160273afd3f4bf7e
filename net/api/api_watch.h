/*
 * api_watch: GET /watch, from the request's parameters to a stream of events.
 */
#ifndef NET_API_API_WATCH_H
#define NET_API_API_WATCH_H

#include "net/watch/watch.h"

/* `watch` is NULL where nobody may watch. A refusal that passes is a stream too, which ends at once
 * (http_events_refuse()). */
void api_watch(struct watch *watch, const struct http_request *rq, struct http_response *rs);

#endif
