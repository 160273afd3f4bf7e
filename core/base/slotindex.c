#include "core/base/slotindex.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

enum { SLOTINDEX_SIZE_MIN = 32 };

void slotindex_init(struct slotindex *ix, uint32_t count_max)
{
    *ix = (struct slotindex){.count_max = count_max};
}

void slotindex_fini(struct slotindex *ix)
{
    free(ix->entries);
    *ix = (struct slotindex){.count_max = ix->count_max};
}

/* Half a hash, spread over all places: there may be more of those. */
static uint32_t home_of(const struct slotindex *ix, uint16_t hash)
{
    return (uint32_t)((uint64_t)hash * ix->size >> 16);
}

static void insert(struct slotindex *ix, struct slotindex_entry entry)
{
    uint32_t at = home_of(ix, entry.hash);
    while (ix->entries[at].slot_1 != 0) {
        at = (at + 1) & (ix->size - 1);
    }
    ix->entries[at] = entry;
}

static void grow(struct slotindex *ix)
{
    struct slotindex_entry *old = ix->entries;
    const uint32_t old_size = ix->size;
    ix->size = old_size == 0 ? SLOTINDEX_SIZE_MIN : 2 * old_size;
    ix->entries = mem_new(ix->size, sizeof(*ix->entries));
    for (uint32_t i = 0; i < old_size; i++) {
        if (old[i].slot_1 != 0) {
            insert(ix, old[i]);
        }
    }
    free(old);
}

void slotindex_add(struct slotindex *ix, uint32_t hash, uint32_t slot)
{
    ASSERT(ix->count < ix->count_max && slot < SLOTINDEX_SLOTS_MAX);
    if (4 * (ix->count + 1) > 3 * ix->size) {
        grow(ix);
    }
    insert(ix, (struct slotindex_entry){.hash = (uint16_t)hash, .slot_1 = (uint16_t)(slot + 1)});
    ix->count++;
}

void slotindex_remove(struct slotindex *ix, uint32_t hash, uint32_t slot)
{
    ASSERT(ix->size > 0);
    const uint32_t mask = ix->size - 1;
    uint32_t hole = home_of(ix, (uint16_t)hash);
    while (ix->entries[hole].hash != (uint16_t)hash || ix->entries[hole].slot_1 != slot + 1) {
        ASSERT(ix->entries[hole].slot_1 != 0);
        hole = (hole + 1) & mask;
    }
    /* Entries behind the hole that may stand in it move forward, so that no search ends early. */
    for (uint32_t at = (hole + 1) & mask; ix->entries[at].slot_1 != 0; at = (at + 1) & mask) {
        const uint32_t home = home_of(ix, ix->entries[at].hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            ix->entries[hole] = ix->entries[at];
            hole = at;
        }
    }
    ix->entries[hole] = (struct slotindex_entry){0};
    ix->count--;
}

bool slotindex_next(const struct slotindex *ix, uint32_t hash, uint32_t *walk, uint32_t *ret_slot)
{
    const uint32_t home = home_of(ix, (uint16_t)hash);
    while (*walk < ix->size) {
        const struct slotindex_entry *entry = &ix->entries[(home + *walk) & (ix->size - 1)];
        if (entry->slot_1 == 0) {
            return false;
        }
        (*walk)++;
        if (entry->hash == (uint16_t)hash) {
            *ret_slot = entry->slot_1 - 1;
            return true;
        }
    }
    return false;
}
