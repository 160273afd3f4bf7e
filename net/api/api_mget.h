/*
 * api_mget: POST /mget, many keys read with one request, streamed in the order of the request.
 *
 * Each entry is read when its piece of the answer is made. So an answer takes the memory of the
 * keys and of one piece, however large the values are. It is no snapshot.
 */
#ifndef NET_API_API_MGET_H
#define NET_API_API_MGET_H

#include "gossip/engine.h"
#include "net/access/access.h"
#include "net/api/api_keys.h"
#include "net/api/mget_request.h"
#include "net/http/http.h"

/* The engine must outlive the answer. `access` is NULL where all may read everything; otherwise a
 * key that the request's user may not read is answered so, whether it is there or not. */
void api_mget(const struct engine *e, const struct api_clock *clock, const struct access *access,
              const struct http_request *rq, struct http_response *rs);

#endif
