#include "tests/sim/seal_model.h"

#include "core/base/cursor.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    WORD_BYTES = 8,
    HASH_WORDS = SEAL_HASH_BYTES / WORD_BYTES,
};

/* Of the words of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
 */
#define STEP UINT64_C(0x9e3779b97f4a7c15)
#define MIX_1 UINT64_C(0xbf58476d1ce4e5b9)
#define MIX_2 UINT64_C(0x94d049bb133111eb)
/* How a tag hides the number that its stream begins with. */
#define VEIL UINT64_C(0x5eaaed0fda7a6eed)

struct seal_mac {
    uint64_t seeds[HASH_WORDS];
};

static struct seal_mac *mac_new(void *arg, const uint8_t *key, size_t len)
{
    (void)arg;
    struct seal_mac *mac = malloc(sizeof(*mac));
    for (uint64_t i = 0; mac != NULL && i < HASH_WORDS; i++) {
        mac->seeds[i] = XXH3_64bits_withSeed(key, len, i);
    }
    return mac;
}

static void mac_free(void *arg, struct seal_mac *mac)
{
    (void)arg;
    free(mac);
}

static bool mac(void *arg, struct seal_mac *mac, const uint8_t *data, size_t len,
                uint8_t ret_hash[static SEAL_HASH_BYTES])
{
    (void)arg;
    struct cursor c = cursor_writer(ret_hash, SEAL_HASH_BYTES);
    for (size_t i = 0; i < HASH_WORDS; i++) {
        cursor_put_u64(&c, XXH3_64bits_withSeed(data, len, mac->seeds[i]));
    }
    return true;
}

/* Where the stream of this key and counter begins. */
static uint64_t begin_of(const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter)
{
    return XXH3_64bits_withSeed(key, SEAL_KEY_BYTES, counter);
}

/* In one direction as in the other. `to` may be `from`. */
static void scramble(uint64_t begin, const uint8_t *from, size_t len, uint8_t *to)
{
    uint64_t state = begin;
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % WORD_BYTES == 0) {
            state += STEP;
            word = (state ^ state >> 30) * MIX_1;
            word = (word ^ word >> 27) * MIX_2;
            word ^= word >> 31;
        }
        to[i] = from[i] ^ (uint8_t)(word >> i % WORD_BYTES * 8);
    }
}

static void make_tag(uint64_t begin, const uint8_t *data, size_t len,
                     uint8_t ret_tag[static SEAL_TAG_BYTES])
{
    struct cursor c = cursor_writer(ret_tag, SEAL_TAG_BYTES);
    cursor_put_u64(&c, XXH3_64bits_withSeed(data, len, begin));
    cursor_put_u64(&c, begin ^ VEIL);
}

static bool seal(void *arg, const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                 uint8_t *data, size_t head_len, size_t len)
{
    (void)arg;
    const uint64_t begin = begin_of(key, counter);
    scramble(begin, data + head_len, len - head_len, data + head_len);
    make_tag(begin, data, len, data + len);
    return true;
}

static bool open_from(uint64_t begin, const uint8_t *data, size_t head_len, size_t len,
                      uint8_t *ret_plain)
{
    uint8_t tag[SEAL_TAG_BYTES];
    const size_t sealed = len - SEAL_TAG_BYTES;
    make_tag(begin, data, sealed, tag);
    if (memcmp(tag, data + sealed, sizeof(tag)) != 0) {
        return false;
    }
    scramble(begin, data + head_len, sealed - head_len, ret_plain);
    return true;
}

static bool open_sealed(void *arg, const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                        const uint8_t *data, size_t head_len, size_t len, uint8_t *ret_plain)
{
    (void)arg;
    return open_from(begin_of(key, counter), data, head_len, len, ret_plain);
}

const struct seal_ops *seal_model_ops(void)
{
    static const struct seal_ops ops = {
        .mac_new = mac_new, .mac_free = mac_free, .mac = mac, .seal = seal, .open = open_sealed};
    return &ops;
}

bool seal_model_read(const uint8_t *data, size_t head_len, size_t len, uint8_t *ret_plain)
{
    if (len < head_len + SEAL_TAG_BYTES) {
        return false;
    }
    struct cursor c = cursor_reader(data + len - WORD_BYTES, WORD_BYTES);
    return open_from(cursor_u64(&c) ^ VEIL, data, head_len, len, ret_plain);
}
