/*
 * series: numbers of which nobody can tell the next, however many of them he has seen: SipHash of a
 * count, under a key made of a secret and of what the numbers are for. Choices and jitter, which
 * give nothing away, are rng's.
 */
#ifndef CORE_BASE_SERIES_H
#define CORE_BASE_SERIES_H

#include "core/base/siphash.h"

struct series {
    uint8_t key[SIPHASH_KEY_BYTES];
    uint64_t count;
};

/* Different labels are independent series; the same secret and label make the same one again. */
void series_init(struct series *s, const uint8_t secret[static SIPHASH_KEY_BYTES],
                 const char *label);

uint64_t series_next(struct series *s);

#endif
