/*
 * api_admit: which right a request takes, and whether who asks has it; from the head alone, before
 * any of the body is read.
 *
 * The table of routes says which kind of right a path takes; here that becomes questions to the
 * rules. What needs no right is served to everybody, whatever token he brings: probes, static
 * pages, what does not exist, and preflights, which never bring one. Whether a key is there is read
 * by nobody who may only write: a condition on a write needs the right to read.
 */
#ifndef NET_API_API_ADMIT_H
#define NET_API_API_ADMIT_H

#include "net/access/access.h"
#include "net/api/api_view.h"

enum api_right {
    API_RIGHT_NONE,
    API_RIGHT_KEY,  /* read it, or write it */
    API_RIGHT_MGET, /* read; which keys is in the body, so they are judged one by one */
    API_RIGHT_LIST,
    API_RIGHT_SCAN, /* list, of all keys whatever the query says */
    API_RIGHT_WATCH,
    API_RIGHT_STATUS,
    API_RIGHT_METRICS,
};

struct api_admit {
    struct access *access;
    const struct api_config *config; /* for the lives of entries; NULL where nothing is written */
    uint64_t mono_ms;                /* any clock that goes on evenly */
};

/* Judges a request whose route is known, and notes in it who asks. False: `rs` is the refusal. */
bool api_admit(const struct api_admit *admit, struct http_request *rq, struct http_response *rs);

/* What a request has to be allowed, in the order in which it is judged; returns how many things.
 * None for API_RIGHT_NONE and API_RIGHT_MGET. They point into `ret_key`. */
enum { API_ADMIT_ASKS_MAX = 2 };
size_t api_admit_asks(const struct api_config *config, const struct http_request *rq,
                      uint8_t ret_key[static KEY_BYTES_MAX],
                      struct acl_ask ret_asks[static API_ADMIT_ASKS_MAX]);

#endif
