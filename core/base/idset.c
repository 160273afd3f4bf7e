#include "core/base/idset.h"

#include "core/base/mem.h"

#include <stdlib.h>

enum { IDSET_SIZE_MIN = 64 };

void idset_init(struct idset *set, size_t max)
{
    *set = (struct idset){.max = max};
}

void idset_fini(struct idset *set)
{
    free(set->slots);
    idset_init(set, set->max);
}

/* The slot that holds the id, or the free one where it would stand; false when neither is near. */
static bool find_slot(const struct idset *set, uint64_t id, size_t *ret_slot)
{
    const size_t mask = set->size - 1;
    for (size_t n = 0; n < IDSET_PROBES_MAX && n < set->size; n++) {
        const size_t i = ((size_t)id + n) & mask;
        if (set->slots[i] == 0 || set->slots[i] == id) {
            *ret_slot = i;
            return true;
        }
    }
    return false;
}

static void grow(struct idset *set)
{
    const struct idset old = *set;
    set->size = old.size == 0 ? IDSET_SIZE_MIN : 2 * old.size;
    set->slots = mem_new(set->size, sizeof(*set->slots));
    for (size_t i = 0; i < old.size; i++) {
        size_t slot = 0;
        if (old.slots[i] == 0) {
            continue;
        }
        if (find_slot(set, old.slots[i], &slot)) {
            set->slots[slot] = old.slots[i];
        } else {
            set->count--; /* near its place in the smaller table but not here: somebody chose it */
        }
    }
    free(old.slots);
}

enum rc idset_add(struct idset *set, uint64_t id)
{
    size_t slot = 0;
    if (id == 0 && set->has_zero) {
        return RC_OK;
    }
    if (id != 0 && set->size > 0 && find_slot(set, id, &slot) && set->slots[slot] == id) {
        return RC_OK;
    }
    if (set->count == set->max) {
        return RC_FULL;
    }
    if (2 * (set->count + 1) > set->size) {
        grow(set);
    }
    if (id == 0) {
        set->has_zero = true;
    } else if (find_slot(set, id, &slot)) {
        set->slots[slot] = id;
    } else {
        return RC_FULL;
    }
    set->count++;
    return RC_OK;
}

/* Closes the gap at `hole` by moving up what probed past it. */
static void close_gap(struct idset *set, size_t hole)
{
    const size_t mask = set->size - 1;
    for (size_t i = (hole + 1) & mask; set->slots[i] != 0 && ((i - hole) & mask) < IDSET_PROBES_MAX;
         i = (i + 1) & mask) {
        const size_t home = (size_t)set->slots[i] & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            set->slots[hole] = set->slots[i];
            hole = i;
        }
    }
    set->slots[hole] = 0;
}

bool idset_remove(struct idset *set, uint64_t id)
{
    if (id == 0) {
        const bool was = set->has_zero;
        set->has_zero = false;
        set->count -= was;
        return was;
    }
    if (set->size == 0) {
        return false;
    }
    size_t slot = 0;
    if (!find_slot(set, id, &slot) || set->slots[slot] != id) {
        return false;
    }
    close_gap(set, slot);
    set->count--;
    return true;
}

bool idset_next(const struct idset *set, size_t *pos, uint64_t *ret_id)
{
    while (*pos < set->size && set->slots[*pos] == 0) {
        (*pos)++;
    }
    if (*pos < set->size) {
        *ret_id = set->slots[*pos];
        return true;
    }
    if (*pos == set->size && set->has_zero) {
        *ret_id = 0;
        return true;
    }
    return false;
}
