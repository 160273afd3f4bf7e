/*
 * load_mix: what a load generator asks for next (a GET or a PUT, of which key, of how many bytes)
 * and the bytes of that request. Sans-IO; the same seed makes the same sequence.
 *
 * Keys are the prefix and a number of fixed width below key_count, drawn uniformly. A value is a
 * piece of one block of random bytes, which does not compress; which piece depends on the key. Left
 * out: when requests are sent and over which connection (net/load).
 */
#ifndef NET_LOAD_LOAD_MIX_H
#define NET_LOAD_LOAD_MIX_H

#include "core/base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_MIX_PREFIX_MAX =
        3 * 512, /* percent-encoded; a key has 1,024 bytes at most, the number too */
    LOAD_MIX_TTL_MAX = 32,
    LOAD_MIX_HOST_MAX = 272,   /* a host name, brackets, a port */
    LOAD_MIX_LINES_MAX = 1280, /* a token of 1,024 bytes, and its name */
    LOAD_MIX_HEAD_MAX =
        LOAD_MIX_PREFIX_MAX + LOAD_MIX_TTL_MAX + LOAD_MIX_HOST_MAX + LOAD_MIX_LINES_MAX + 128,
};

#define LOAD_MIX_SIZE_MAX ((size_t)64 << 20) /* of a value; the largest that the protocol knows */

struct load_mix_config {
    const char *prefix; /* of every key, percent-encoded, LOAD_MIX_PREFIX_MAX at most; copied */
    uint32_t ttl_s;     /* of every PUT; 0 leaves it to the server */
    const char *lines;  /* more headers, each ended by CR LF, LOAD_MIX_LINES_MAX bytes at most;
                           borrowed; NULL: none */
    uint64_t key_count; /* 1 or more */
    uint32_t reads_percent;
    size_t size_min, size_max; /* of a value, both ends included */
    uint64_t seed;
};

struct load_ask {
    bool is_put;
    uint64_t key;
    size_t value_len; /* 0 of a GET */
};

struct load_mix {
    struct rng rng;
    uint64_t key_count;
    uint32_t reads_percent;
    uint32_t key_digits;
    size_t size_min, size_max;
    size_t prefix_len, ttl_len, lines_len;
    const char *lines; /* borrowed */
    char prefix[LOAD_MIX_PREFIX_MAX];
    char ttl[LOAD_MIX_TTL_MAX]; /* "?ttl=60", or nothing */
    uint8_t *block;             /* owned */
};

void load_mix_init(struct load_mix *m, const struct load_mix_config *config);
void load_mix_fini(struct load_mix *m);

/* The next request of the mix. */
struct load_ask load_mix_next(struct load_mix *m);

/* A PUT of that key, for filling the key space. */
struct load_ask load_mix_fill(struct load_mix *m, uint64_t key);

/* Writes the request's line and headers to ret_head, which has LOAD_MIX_HEAD_MAX bytes; returns how
 * many. `host` is what the Host header says, `host_len` of LOAD_MIX_HOST_MAX bytes at most. */
size_t load_mix_head(const struct load_mix *m, const struct load_ask *ask, const char *host,
                     size_t host_len, char *ret_head);

/* The value_len bytes of the request's body; they hold until the mix ends. */
const uint8_t *load_mix_value(const struct load_mix *m, const struct load_ask *ask);

#endif
