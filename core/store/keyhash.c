#include "core/store/keyhash.h"

#include "core/base/rng.h"

#include <xxhash.h>

void keyhash_init(struct keyhash *h, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    for (size_t i = 0; i < KEYHASH_SECRET_BYTES; i += 8) {
        const uint64_t word = rng_next(&rng);
        for (size_t j = 0; j < 8; j++) {
            h->secret[i + j] = (uint8_t)(word >> (8 * j));
        }
    }
}

uint32_t keyhash_of(const struct keyhash *h, const uint8_t *key, size_t key_len)
{
    return (uint32_t)XXH3_64bits_withSecret(key, key_len, h->secret, sizeof(h->secret));
}
