#include "gossip/sealing/budget.h"

#include <xxhash.h>

enum { NET4_BYTES = 15, NET6_BYTES = 8 }; /* IPv4 is mapped into IPv6 */

void budget_init(struct budget *b, uint64_t seed)
{
    *b = (struct budget){.seed = seed};
}

static struct budget_net *net_of(struct budget *b, const struct addr *from)
{
    const size_t len = addr_is_v4(from) ? NET4_BYTES : NET6_BYTES;
    return &b->nets[XXH3_64bits_withSeed(from->ip, len, b->seed) % BUDGET_NETS];
}

bool budget_has(struct budget *b, const struct addr *from, bool is_near, uint64_t now_us)
{
    if (now_us - b->since_us >= BUDGET_PERIOD_US) {
        *b = (struct budget){.seed = b->seed, .since_us = now_us};
    }
    if (b->failed >= BUDGET_FAILED || b->opened >= BUDGET_OPENED) {
        return false;
    }
    const struct budget_net *net = net_of(b, from);
    return is_near || (net->failed < BUDGET_NET_FAILED && net->opened < BUDGET_NET_OPENED);
}

void budget_opened(struct budget *b, const struct addr *from, bool is_near)
{
    b->opened++;
    net_of(b, from)->opened += !is_near;
}

void budget_failed(struct budget *b, const struct addr *from, bool is_near)
{
    b->failed++;
    net_of(b, from)->failed += !is_near;
}
