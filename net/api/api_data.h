/*
 * api_data: /data/{key}: reading, writing, and refusing to delete.
 *
 * A write waits for its quorum in the engine. What its answer needs is kept here. The key is
 * whatever stands after "/data/", percent-decoded and not normalised.
 */
#ifndef NET_API_API_DATA_H
#define NET_API_API_DATA_H

#include "gossip/engine.h"
#include "net/api/pending.h"
#include "net/http/http.h"

struct api_data {
    struct engine *engine; /* borrowed */
    uint64_t ttl_default_s, ttl_min_s, ttl_max_s;
    uint64_t value_max;
    struct pending pending;
};

/* `d` has its configuration already. */
void api_data_init(struct api_data *d);
void api_data_fini(struct api_data *d);

/* Answers a GET, HEAD or PUT of the key, which is still encoded. A PUT that was stored is left as
 * HTTP_BODY_DEFER until api_data_done(). */
void api_data_handle(struct api_data *d, const struct http_request *rq, struct http_text key,
                     struct http_response *rs, uint64_t now_us);

/* The answer to a deferred PUT; false when its client is gone. */
bool api_data_done(struct api_data *d, const struct put_done *done, uint64_t now_us,
                   struct http_response *rs);

/* Why a key has no such method. */
const char *api_data_why_not(enum http_method method);

/* The client of a deferred PUT is gone. */
void api_data_gone(struct api_data *d, uint64_t id);

#endif
