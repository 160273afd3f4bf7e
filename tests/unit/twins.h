/*
 * twins: keys that meet.
 *
 * twin_key() writes two keys of one XXH3-128 under a known seed, and crowd_key() any number of keys
 * of one hash in a table whose secret is known. Both are arithmetic. For a long input XXH3
 * multiplies the two halves of each word, after an xor with a secret. Where that makes the lower
 * half 0 the upper one does not count, and another word cancels what it adds to the neighbouring
 * sum.
 */
#ifndef UNIT_TWINS_H
#define UNIT_TWINS_H

#include "core/base/assert.h"
#include "core/store/keyhash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    TWIN_KEY_LEN = 321,
    TWIN_STRIPE = 64,       /* bytes from one word to the next of its lane */
    CROWD_KEYS = 254 * 254, /* how many crowd_key() has */
};

/* Four bytes at `to`, little-endian as XXH3 reads them; false when one of them is a NUL. */
static inline bool twin_put(uint8_t *to, uint64_t word)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(word >> (8 * i));
    }
    return memchr(to, 0, 4) == NULL;
}

/* The one or the other of two keys of one XXH3-128 under `seed`. */
static inline void twin_key(uint64_t seed, bool is_other, uint8_t ret_key[static TWIN_KEY_LEN])
{
    /* The words that XXH3 adds a seed to, and subtracts it from, in turn. */
    static const uint64_t words[9] = {
        UINT64_C(0xbe4ba423396cfeb8), UINT64_C(0x1cad21f72c81017c), UINT64_C(0xdb979083e96dd4de),
        UINT64_C(0x1f67b3b7a4a44072), UINT64_C(0x78e5c0cc4ee679cb), UINT64_C(0x2172ffcc7dd05a82),
        UINT64_C(0x8e2443f7744608b8), UINT64_C(0x4c263a81e69035e0), UINT64_C(0xcb00c391bb52283c),
    };
    memset(ret_key, 'k', TWIN_KEY_LEN);
    for (size_t lane = 0; lane < 8; lane++) {
        uint8_t *first = ret_key + 8 * lane;
        uint8_t *second = first + TWIN_STRIPE;
        const uint64_t way = lane % 2 == 0 ? seed : -seed;
        if (twin_put(first, words[lane] + way) && twin_put(second, words[lane + 1] - way)) {
            first[4] += is_other;
            second[4] -= is_other;
            return;
        }
        memset(ret_key, 'k', TWIN_KEY_LEN);
    }
    ASSERT(false);
}

/* A lane whose words have no NUL in the secret's lower halves of two stripes. */
static inline size_t crowd_lane(const struct keyhash *h)
{
    for (size_t lane = 0; lane < 8; lane++) {
        const uint8_t *word = h->secret + 8 * lane; /* the next stripe's is the word after it */
        if (memchr(word, 0, 4) == NULL && memchr(word + 8, 0, 4) == NULL) {
            return lane;
        }
    }
    ASSERT(false);
    return 0;
}

static inline void crowd_key(const struct keyhash *h, uint32_t number,
                             uint8_t ret_key[static TWIN_KEY_LEN])
{
    const size_t lane = crowd_lane(h);
    uint8_t *first = ret_key + 8 * lane;
    uint8_t *second = first + TWIN_STRIPE;
    ASSERT(number < CROWD_KEYS);
    memset(ret_key, 'c', TWIN_KEY_LEN);
    memcpy(first, h->secret + 8 * lane, 4);
    memcpy(second, h->secret + 8 * lane + 8, 4);
    first[4] = (uint8_t)(1 + number % 254);
    first[5] = (uint8_t)(1 + number / 254);
    second[4] = (uint8_t)(UINT8_MAX - first[4]);
    second[5] = (uint8_t)(UINT8_MAX - first[5]);
}

#endif
