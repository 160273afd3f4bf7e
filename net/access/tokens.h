/*
 * tokens: which user a token is, by the hash of its text.
 *
 * A table of bounded size that is made once, from a file. Nobody chooses who looks something up
 * where it lies: the place follows from a hash that has no second text. The comparison takes as
 * long whatever the bytes are, all the same.
 */
#ifndef NET_ACCESS_TOKENS_H
#define NET_ACCESS_TOKENS_H

#include "core/base/rc.h"
#include "net/crypto/digest.h"

enum { TOKENS_MAX = 2000 }; /* two for each user, while one replaces the other */

struct tokens;

/* NULL without memory. */
struct tokens *tokens_new(void);
void tokens_free(struct tokens *t);

/* RC_EXISTS: it is somebody's already. RC_FULL beyond TOKENS_MAX. */
MUST_USE enum rc tokens_add(struct tokens *t, const uint8_t hash[DIGEST_SIZE], uint32_t user);

/* RC_NOT_FOUND. */
MUST_USE enum rc tokens_find(const struct tokens *t, const uint8_t hash[DIGEST_SIZE],
                             uint32_t *ret_user);

#endif
