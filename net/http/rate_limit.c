#include "net/http/rate_limit.h"

#include "core/base/units.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { TOKEN = 1000 }; /* a request; a bucket counts thousandths, so `rate` of them a millisecond */

struct bucket {
    uint8_t ip[16]; /* all zero, which no client has: unused */
    uint64_t updated_ms;
    uint64_t tokens;
};

struct rate_limit {
    uint32_t per_second;
    uint64_t burst;
    uint64_t seed;
    struct bucket buckets[RATE_LIMIT_SETS][RATE_LIMIT_WAYS];
};

struct rate_limit *rate_limit_new(uint32_t per_second, uint64_t seed)
{
    struct rate_limit *r = calloc(1, sizeof(*r));
    if (r != NULL) {
        r->per_second = per_second;
        r->burst = (uint64_t)per_second * RATE_LIMIT_BURST_S * TOKEN;
        r->seed = seed;
    }
    return r;
}

void rate_limit_free(struct rate_limit *r)
{
    free(r);
}

static uint64_t tokens_at(const struct rate_limit *r, const struct bucket *bucket, uint64_t now_ms)
{
    const uint64_t elapsed_ms = now_ms > bucket->updated_ms ? now_ms - bucket->updated_ms : 0;
    if (elapsed_ms >= RATE_LIMIT_BURST_S * UINT64_C(1000)) {
        return r->burst;
    }
    const uint64_t tokens = bucket->tokens + elapsed_ms * r->per_second;
    return min_u64(tokens, r->burst);
}

/* The bucket of this address, or the one it takes over, brought up to now. */
static struct bucket *bucket_of(struct rate_limit *r, const struct addr *addr, uint64_t now_ms)
{
    static const uint8_t unused[16] = {0};
    const uint64_t hash = XXH3_64bits_withSeed(addr->ip, sizeof(addr->ip), r->seed);
    struct bucket *set = r->buckets[hash % RATE_LIMIT_SETS];
    struct bucket *victim = NULL;
    uint64_t victim_tokens = 0;
    for (size_t i = 0; i < RATE_LIMIT_WAYS; i++) {
        const bool is_unused = memcmp(set[i].ip, unused, sizeof(unused)) == 0;
        const uint64_t tokens = is_unused ? UINT64_MAX : tokens_at(r, &set[i], now_ms);
        if (memcmp(set[i].ip, addr->ip, sizeof(addr->ip)) == 0) {
            set[i].tokens = is_unused ? r->burst : tokens;
            set[i].updated_ms = now_ms;
            return &set[i];
        }
        if (victim == NULL || tokens > victim_tokens) {
            victim = &set[i];
            victim_tokens = tokens;
        }
    }
    memcpy(victim->ip, addr->ip, sizeof(victim->ip));
    victim->tokens = r->burst;
    victim->updated_ms = now_ms;
    return victim;
}

bool rate_limit_take(struct rate_limit *r, const struct addr *addr, uint64_t now_ms)
{
    struct bucket *bucket = bucket_of(r, addr, now_ms);
    if (bucket->tokens < TOKEN) {
        return false;
    }
    bucket->tokens -= TOKEN;
    return true;
}
