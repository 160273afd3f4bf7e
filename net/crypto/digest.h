/*
 * digest: SHA-256 (FIPS 180-4) of short texts that come often, and how two of them are compared.
 *
 * One prepared context makes all of them: preparing one for each would cost several times the hash.
 * What was hashed does not stay in it longer than until the next one.
 */
#ifndef NET_CRYPTO_DIGEST_H
#define NET_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32 };

struct digest;

/* NULL when out of memory, or when the library has no SHA-256. */
struct digest *digest_new(void);
void digest_free(struct digest *d);

/* False when the library refuses, which it does for want of memory alone; `ret_hash` is then all
 * zero. */
bool digest_sha256(struct digest *d, const void *data, size_t len, uint8_t ret_hash[DIGEST_SIZE]);

/* Of one text alone, where no context is at hand. False for want of memory. */
bool digest_once(const void *data, size_t len, uint8_t ret_hash[DIGEST_SIZE]);

/* Takes as long whatever the bytes are. */
bool digest_is_equal(const uint8_t a[DIGEST_SIZE], const uint8_t b[DIGEST_SIZE]);

#endif
