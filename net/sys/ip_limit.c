#include "net/sys/ip_limit.h"

#include "core/base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct place {
    uint8_t ip[16];
    uint32_t count; /* 0: free */
};

struct ip_limit {
    uint32_t per_ip_max, connections_max;
    uint32_t connection_count;
    uint64_t seed;
    size_t mask;
    struct place *places;
};

struct ip_limit *ip_limit_new(uint32_t per_ip_max, uint32_t connections_max, uint64_t seed)
{
    struct ip_limit *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    size_t size = 16;
    while (size < 2 * (size_t)connections_max) {
        size *= 2;
    }
    *l = (struct ip_limit){.per_ip_max = per_ip_max,
                           .connections_max = connections_max,
                           .seed = seed,
                           .mask = size - 1,
                           .places = calloc(size, sizeof(struct place))};
    if (l->places == NULL) {
        free(l);
        return NULL;
    }
    return l;
}

void ip_limit_free(struct ip_limit *l)
{
    if (l != NULL) {
        free(l->places);
        free(l);
    }
}

static size_t home_of(const struct ip_limit *l, const uint8_t ip[static 16])
{
    return (size_t)XXH3_64bits_withSeed(ip, 16, l->seed) & l->mask;
}

/* The place of this address, or the free one where it belongs. */
static size_t find(const struct ip_limit *l, const struct addr *addr)
{
    size_t at = home_of(l, addr->ip);
    while (l->places[at].count > 0 && memcmp(l->places[at].ip, addr->ip, 16) != 0) {
        at = (at + 1) & l->mask;
    }
    return at;
}

bool ip_limit_enter(struct ip_limit *l, const struct addr *addr)
{
    struct place *place = &l->places[find(l, addr)];
    if (place->count >= l->per_ip_max || l->connection_count >= l->connections_max) {
        return false;
    }
    if (place->count == 0) {
        memcpy(place->ip, addr->ip, sizeof(place->ip));
    }
    place->count++;
    l->connection_count++;
    return true;
}

/* Closes the hole by moving back whoever was pushed past it, so that no search stops too early. */
static void free_place(struct ip_limit *l, size_t hole)
{
    for (size_t at = (hole + 1) & l->mask; l->places[at].count > 0; at = (at + 1) & l->mask) {
        const size_t home = home_of(l, l->places[at].ip);
        if (((at - home) & l->mask) >= ((at - hole) & l->mask)) {
            l->places[hole] = l->places[at];
            hole = at;
        }
    }
    l->places[hole].count = 0;
}

void ip_limit_leave(struct ip_limit *l, const struct addr *addr)
{
    const size_t at = find(l, addr);
    ASSERT(l->places[at].count > 0 && l->connection_count > 0);
    l->connection_count--;
    if (--l->places[at].count == 0) {
        free_place(l, at);
    }
}
