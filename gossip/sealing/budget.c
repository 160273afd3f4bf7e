#include "gossip/sealing/budget.h"

#include <xxhash.h>

enum { NET4_BYTES = 15, NET6_BYTES = 8 }; /* IPv4 is mapped into IPv6 */

void budget_init(struct budget *b, uint64_t seed)
{
    *b = (struct budget){.seed = seed};
}

static uint8_t *net_of(struct budget *b, const struct addr *from)
{
    const size_t len = addr_is_v4(from) ? NET4_BYTES : NET6_BYTES;
    return &b->nets[XXH3_64bits_withSeed(from->ip, len, b->seed) % BUDGET_NETS];
}

bool budget_has(struct budget *b, const struct addr *from, bool is_near, uint64_t now_us)
{
    if (now_us - b->since_us >= BUDGET_PERIOD_US) {
        *b = (struct budget){.seed = b->seed, .since_us = now_us};
    }
    return b->failed < BUDGET_FAILED && b->opened < BUDGET_OPENED &&
           (is_near || *net_of(b, from) < BUDGET_NET_FAILED);
}

void budget_opened(struct budget *b)
{
    b->opened++;
}

void budget_failed(struct budget *b, const struct addr *from, bool is_near)
{
    b->failed++;
    if (!is_near) {
        ++*net_of(b, from);
    }
}
