/*
 * budget: how many introductions of strangers this node opens.
 *
 * So a flood of them takes neither its time nor the turn of its members' datagrams. A net may send
 * BUDGET_NET_FAILED a second that fail to open, all together BUDGET_FAILED. Those that open are
 * free, up to BUDGET_NET_OPENED of a net and BUDGET_OPENED in all. This host's own addresses count
 * only in all. A net is a /24 of IPv4 or a /64 of IPv6. It has a place by a hash under this
 * process's seed, and shares its counts with whoever has the same place. Nothing is kept for a net,
 * so strangers cost no memory, however many they are.
 *
 * Nobody has shown that he receives at the address he names. So who forges addresses of many nets
 * can use up what all may send, and newcomers wait for as long as he does.
 */
#ifndef GOSSIP_SEALING_BUDGET_H
#define GOSSIP_SEALING_BUDGET_H

#include "core/base/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BUDGET_NET_FAILED = 20, /* a second, as the others */
    BUDGET_FAILED = 2000,
    BUDGET_NET_OPENED = 1000, /* so many nodes may start in one net at once */
    BUDGET_OPENED = 5000,
    BUDGET_NETS = 1024, /* places */
    BUDGET_PERIOD_US = 1000000,
};

struct budget {
    uint64_t seed;
    uint64_t since_us; /* since when all is counted */
    uint32_t failed, opened;
    struct budget_net {
        uint16_t failed, opened;
    } nets[BUDGET_NETS];
};

/* `seed` is unpredictable. */
void budget_init(struct budget *b, uint64_t seed);

/* Whether one from that address may be opened now. `is_near`: it is one of this host's own. */
bool budget_has(struct budget *b, const struct addr *from, bool is_near, uint64_t now_us);

/* It opened, or failed to. After budget_has(). */
void budget_opened(struct budget *b, const struct addr *from, bool is_near);
void budget_failed(struct budget *b, const struct addr *from, bool is_near);

#endif
