#include "gossip/wire/quiet.h"

#include <xxhash.h>

enum { IP6_NET_BYTES = 8 };

void quiet_init(struct quiet *q, uint64_t seed)
{
    *q = (struct quiet){.seed = seed};
}

static struct quiet_host *host_of(struct quiet *q, const struct addr *addr)
{
    const size_t len = addr_is_v4(addr) ? sizeof(addr->ip) : IP6_NET_BYTES;
    const uint32_t hash = (uint32_t)XXH3_64bits_withSeed(addr->ip, len, q->seed);
    const uint32_t tag = hash == 0 ? 1 : hash;
    struct quiet_host *h = &q->hosts[tag % QUIET_HOSTS];
    if (h->tag != tag) {
        *h = (struct quiet_host){.tag = tag};
    }
    return h;
}

/* Each is due a pace after the one before, and may go so much earlier as `most` of them take. */
static bool pass(uint64_t *due_us, uint64_t pace_us, uint32_t most, uint64_t now_us)
{
    const uint64_t from_us = *due_us > now_us ? *due_us : now_us;
    if (from_us + pace_us > now_us + most * pace_us) {
        return false;
    }
    *due_us = from_us + pace_us;
    return true;
}

bool quiet_may_ping(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    struct quiet_host *h = host_of(q, addr);
    return addr_is_loopback(addr) || h->has_answered ||
           pass(&h->pings_us, QUIET_PING_US, QUIET_PINGS, now_us);
}

bool quiet_may_dial(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    struct quiet_host *h = host_of(q, addr);
    return addr_is_loopback(addr) || h->has_answered ||
           pass(&h->dials_us, QUIET_DIAL_US, QUIET_DIALS, now_us);
}

void quiet_answered(struct quiet *q, const struct addr *addr)
{
    host_of(q, addr)->has_answered = true;
}
