#include "gossip/wire/quiet.h"

#include <xxhash.h>

void quiet_init(struct quiet *q, uint64_t seed)
{
    *q = (struct quiet){.seed = seed};
}

static struct quiet_host *host_of(struct quiet *q, const struct addr *addr)
{
    const struct addr net = addr_net(addr);
    const uint32_t hash = (uint32_t)XXH3_64bits_withSeed(net.ip, sizeof(net.ip), q->seed);
    const uint32_t tag = hash == 0 ? 1 : hash;
    struct quiet_host *h = &q->hosts[tag % QUIET_HOSTS];
    if (h->tag != tag) {
        h->tag = tag; /* what went to the one before counts for this one too */
        h->has_answered = false;
    }
    return h;
}

/* Each is due a pace after the one before, and may go so much earlier as `most` of them take. */
static bool may(uint64_t due_us, uint64_t pace_us, uint32_t most, uint64_t now_us)
{
    return due_us <= now_us + (most - 1) * pace_us;
}

static void count(uint64_t *due_us, uint64_t pace_us, uint64_t now_us)
{
    *due_us = (*due_us > now_us ? *due_us : now_us) + pace_us;
}

bool quiet_may_ping(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    const struct quiet_host *h = host_of(q, addr);
    return addr_is_loopback(addr) || h->has_answered ||
           may(h->pings_us, QUIET_PING_US, QUIET_PINGS, now_us);
}

bool quiet_may_dial(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    const struct quiet_host *h = host_of(q, addr);
    return addr_is_loopback(addr) || h->has_answered ||
           may(h->dials_us, QUIET_DIAL_US, QUIET_DIALS, now_us);
}

void quiet_pinged(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    struct quiet_host *h = host_of(q, addr);
    if (!h->has_answered) {
        count(&h->pings_us, QUIET_PING_US, now_us);
    }
}

void quiet_dialed(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    struct quiet_host *h = host_of(q, addr);
    if (!h->has_answered) {
        count(&h->dials_us, QUIET_DIAL_US, now_us);
    }
}

void quiet_answered(struct quiet *q, const struct addr *addr)
{
    host_of(q, addr)->has_answered = true;
}
