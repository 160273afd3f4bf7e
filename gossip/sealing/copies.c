#include "gossip/sealing/copies.h"

#include <xxhash.h>

void copies_init(struct copies *c, uint64_t seed)
{
    *c = (struct copies){.seed = seed};
}

static uint32_t place_of(const struct copies *c, uint32_t mark)
{
    return (uint32_t)(XXH3_64bits_withSeed(&mark, sizeof(mark), c->seed) % COPIES_SETS);
}

bool copies_has(const struct copies *c, uint32_t mark)
{
    const struct copies_set *set = &c->sets[place_of(c, mark)];
    bool has = false;
    for (uint32_t i = 0; i < COPIES_WAYS; i++) {
        has = has || set->marks[i] == mark;
    }
    return has;
}

void copies_add(struct copies *c, uint32_t mark)
{
    struct copies_set *set = &c->sets[place_of(c, mark)];
    set->marks[set->next] = mark;
    set->next = (set->next + 1) % COPIES_WAYS;
}
