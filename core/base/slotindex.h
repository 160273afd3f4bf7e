/*
 * slotindex: from a hash to the slots that have it. It is a multimap with open addressing (linear
 * probing, deletion by shifting back), for tables whose items sit in numbered slots and are looked
 * up by several keys.
 *
 * It keeps hashes and slots only: the caller compares the real key of each slot it is given, and
 * must use a hash that outsiders cannot choose collisions for.
 */
#ifndef CORE_BASE_SLOTINDEX_H
#define CORE_BASE_SLOTINDEX_H

#include <stdbool.h>
#include <stdint.h>

enum { SLOTINDEX_SLOTS_MAX = UINT16_MAX };

/* Small, as a node may know many members, and many nodes run on one machine. */
struct slotindex_entry {
    uint16_t hash;   /* the low half of it, which also says where it stands */
    uint16_t slot_1; /* slot plus 1; 0 is an empty place */
};

struct slotindex {
    struct slotindex_entry *entries;
    uint32_t size; /* power of two, or 0 */
    uint32_t count;
    uint32_t count_max;
};

/* At most `count_max` pairs at once, which is asserted. */
void slotindex_init(struct slotindex *ix, uint32_t count_max);
/* It is empty then, and may be used again. */
void slotindex_fini(struct slotindex *ix);

/* slot < SLOTINDEX_SLOTS_MAX. */
void slotindex_add(struct slotindex *ix, uint32_t hash, uint32_t slot);

/* The pair must be there. Of equal pairs one is removed. */
void slotindex_remove(struct slotindex *ix, uint32_t hash, uint32_t slot);

/* Goes through the slots with this hash, or with one of an equal low half: start with *walk = 0,
 * ends with false. The index must not change meanwhile. */
bool slotindex_next(const struct slotindex *ix, uint32_t hash, uint32_t *walk, uint32_t *ret_slot);

#endif
