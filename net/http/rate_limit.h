/*
 * rate_limit: a token bucket for each client address, in a table of fixed size.
 *
 * A bucket holds up to two seconds' worth of requests and refills evenly. The table is
 * set-associative: an address has RATE_LIMIT_WAYS places, chosen by a seeded hash. When all are
 * taken the bucket nearest to full gives way, because it remembers least. So a flood of addresses
 * can at worst make the limit milder. It cannot refuse a client that kept to the limit.
 */
#ifndef NET_HTTP_RATE_LIMIT_H
#define NET_HTTP_RATE_LIMIT_H

#include "core/base/addr.h"

enum {
    RATE_LIMIT_SETS = 2048, /* times 8 ways: 16,384 addresses in 512 KiB, touched as they come */
    RATE_LIMIT_WAYS = 8,
    RATE_LIMIT_BURST_S = 2, /* a full bucket, in seconds of the rate */
};

struct rate_limit;

/* `per_second` > 0. `seed` should not be known to clients. NULL when out of memory. */
struct rate_limit *rate_limit_new(uint32_t per_second, uint64_t seed);
void rate_limit_free(struct rate_limit *r);

/* Takes one request of this address (its port is ignored) at `now_ms`; false when there is none
 * left. */
bool rate_limit_take(struct rate_limit *r, const struct addr *addr, uint64_t now_ms);

#endif
