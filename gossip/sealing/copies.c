#include "gossip/sealing/copies.h"

#include <string.h>
#include <xxhash.h>

void copies_init(struct copies *c, uint64_t seed)
{
    *c = (struct copies){.seed = seed};
}

static uint32_t place_of(const struct copies *c, uint32_t mark)
{
    return (uint32_t)(XXH3_64bits_withSeed(&mark, sizeof(mark), c->seed) % COPIES_SETS);
}

static uint32_t hash_of(const struct copies *c, const struct addr *from)
{
    uint8_t bytes[sizeof(from->ip) + sizeof(from->port)];
    memcpy(bytes, from->ip, sizeof(from->ip));
    memcpy(bytes + sizeof(from->ip), &from->port, sizeof(from->port));
    return (uint32_t)XXH3_64bits_withSeed(bytes, sizeof(bytes), c->seed);
}

enum copies_found copies_find(const struct copies *c, uint32_t mark, const struct addr *from)
{
    const struct copies_set *set = &c->sets[place_of(c, mark)];
    for (uint32_t i = 0; i < COPIES_WAYS; i++) {
        if (set->marks[i] == mark) {
            return set->froms[i] == hash_of(c, from) ? COPIES_SAME : COPIES_ELSEWHERE;
        }
    }
    return COPIES_NONE;
}

void copies_add(struct copies *c, uint32_t mark, const struct addr *from)
{
    struct copies_set *set = &c->sets[place_of(c, mark)];
    set->marks[set->next] = mark;
    set->froms[set->next] = hash_of(c, from);
    set->next = (set->next + 1) % COPIES_WAYS;
}
