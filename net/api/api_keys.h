/*
 * api_keys: the listings, /keys and /scan, streamed in pieces of bounded size.
 *
 * A piece begins behind the last key of the one before it. So a listing costs the same memory
 * whatever its length, and holds nothing in the store. It may miss or show what changes meanwhile.
 * Keys that are not UTF-8 cannot stand in JSON and are listed in base64 behind the others. They are
 * set aside in a bounded buffer. When that is full a page ends; a full listing finds the rest by a
 * second walk.
 */
#ifndef NET_API_API_KEYS_H
#define NET_API_API_KEYS_H

#include "gossip/engine.h"
#include "net/http/http.h"

enum { API_KEYS_LIMIT_MAX = 10000, API_KEYS_LIMIT_DEFAULT = 1000 };

/* The engine's time now, for pieces that are asked for long after the request. */
struct api_clock {
    uint64_t (*now_us)(void *arg);
    void *arg;
};

/* Whether the parameters of GET /keys are good; else `rs` is the refusal. */
bool api_keys_is_good(const struct http_request *rq, struct http_response *rs);

/* GET /keys?prefix=&limit=&cursor=. The engine must outlive the answer. */
void api_keys_list(const struct engine *e, const struct api_clock *clock,
                   const struct http_request *rq, struct http_response *rs);

/* GET /scan: every key, whatever the parameters. */
void api_keys_scan(const struct engine *e, const struct api_clock *clock, struct http_response *rs);

#endif
