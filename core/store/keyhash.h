/*
 * keyhash: the number by which the store's table finds a key.
 *
 * XXH3 under a secret of the process. A client that chooses keys must not be able to choose ones
 * that meet in one bucket, so the secret is 192 random bytes and not a seed. From a seed XXH3 makes
 * its secret by adding it to words that everybody knows. Some differences of those words stay as
 * they are, and they are enough to write long keys that meet under one seed in 20,000 (tried). When
 * the words of the secret are independent, two keys meet once in 2^32, however they were chosen.
 * The hashes never leave the process.
 *
 * Left out: what happens when keys meet all the same (core/store).
 */
#ifndef CORE_STORE_KEYHASH_H
#define CORE_STORE_KEYHASH_H

#include <stddef.h>
#include <stdint.h>

/* One word of its own for each place that a key of KEY_BYTES_MAX has (XXH3's stripes). */
enum { KEYHASH_SECRET_BYTES = 192 };

struct keyhash {
    uint8_t secret[KEYHASH_SECRET_BYTES];
};

/* `seed` is 64 unpredictable bits; the secret is made of it, equal for equal seeds. */
void keyhash_init(struct keyhash *h, uint64_t seed);

uint32_t keyhash_of(const struct keyhash *h, const uint8_t *key, size_t key_len);

#endif
