/*
 * api_data: /data/{key}: reading, writing, and refusing to delete.
 *
 * A write waits for its quorum in the engine, which says in its time all that the answer needs. The
 * key is whatever stands after "/data/", percent-decoded and not normalised.
 */
#ifndef NET_API_API_DATA_H
#define NET_API_API_DATA_H

#include "net/api/api_view.h"

/* Whether key, time to live, conditions and length of a request for a key are good, whose route is
 * known; else `rs` is the refusal. */
bool api_data_is_good(const struct api_config *config, const struct http_request *rq,
                      struct http_response *rs);

/* Answers a GET, HEAD or PUT of the key, which is still encoded. A PUT that was stored is left as
 * HTTP_BODY_DEFER until api_data_done(). */
void api_data_handle(const struct api_view *view, const struct http_request *rq,
                     struct http_text key, struct http_response *rs);

/* The time to live that an accepted write of this request would have, by the query, else the
 * header, else the default, and within the bounds. RC_EXISTS: given twice; RC_MALFORMED. */
MUST_USE enum rc api_data_ttl_s(const struct api_config *config, const struct http_request *rq,
                                uint64_t *ret_ttl_s);

/* The answer to a deferred PUT; `clock_ms` is the cluster's clock. */
void api_data_done(const struct put_done *done, uint64_t clock_ms, struct http_response *rs);

/* Why a key has no such method. */
const char *api_data_why_not(enum http_method method);

#endif
