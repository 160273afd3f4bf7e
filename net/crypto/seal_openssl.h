/*
 * seal_openssl: the table of gossip/sealing/seal_ops by OpenSSL: HMAC-SHA256 and AES-256-GCM.
 *
 * There is one cipher context, which is given another key for each datagram, and one context for
 * each key of HMAC. Making a pair's key anew costs less than finding it in a cache of contexts
 * would cost memory (docs/design/sealing.md has the figures).
 */
#ifndef NET_CRYPTO_SEAL_OPENSSL_H
#define NET_CRYPTO_SEAL_OPENSSL_H

#include "gossip/sealing/seal_ops.h"

struct seal_openssl;

/* NULL where there is no memory, or the library lacks one of the two. */
struct seal_openssl *seal_openssl_new(void);

/* Takes NULL. Every seal_mac of its table is freed before. */
void seal_openssl_free(struct seal_openssl *seal);

/* Borrowed, as long as `seal` lives. */
const struct seal_ops *seal_openssl_ops(const struct seal_openssl *seal);

#endif
