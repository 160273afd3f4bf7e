/*
 * mget_request: the body of a batch read, from JSON to keys. Sans-IO.
 *
 *   {"keys": ["a", "b"], "keys_base64": ["/w=="]}
 *
 * cJSON reads it, after a pass over the text has refused what cJSON would let through or be slow
 * at: arrays in arrays, more elements than keys are allowed, control characters, and NULs, which
 * would cut a key short.
 */
#ifndef NET_API_MGET_REQUEST_H
#define NET_API_MGET_REQUEST_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MGET_KEYS_MAX = 1000,
    MGET_BODY_MAX = 256 * 1024,
};

struct mget_key {
    uint32_t at; /* into `bytes` */
    uint16_t len;
    bool is_text;      /* from "keys" */
    bool is_forbidden; /* who asks may not read it; the caller's to set */
};

struct mget_request {
    struct mget_key *keys; /* those of "keys" first, each in the order of the request */
    size_t count;
    uint8_t *bytes;
    size_t bytes_len;
    bool is_short; /* there was no memory for it, which is wrong with it then */
};

/*
 * Reads a body of at most MGET_BODY_MAX bytes. Returns what is wrong with it, for people, or NULL;
 * *ret_is_key tells that it is a key that is wrong. mget_request_fini() follows in every case. The
 * parser without memory takes the body for no JSON.
 */
const char *mget_request_read(const char *text, size_t len, struct mget_request *ret_request,
                              bool *ret_is_key);
void mget_request_fini(struct mget_request *request);

#endif
