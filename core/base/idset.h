/*
 * idset: a set of 64-bit record ids, bounded at its birth. Open addressing, linear probing; ids are
 * hashes already, so they need no other. A peer might choose ids that all want one place, so that
 * each look passes all others. So an id stands at most IDSET_PROBES_MAX places from its own, or is
 * refused.
 */
#ifndef CORE_BASE_IDSET_H
#define CORE_BASE_IDSET_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a table that is half full no hash is a third as far from its place. */
enum { IDSET_PROBES_MAX = 256 };

struct idset {
    uint64_t *slots; /* 0 is free */
    size_t size;     /* power of two, 0 before the first */
    size_t count;
    size_t max;
    bool has_zero; /* id 0 is kept beside the table */
};

void idset_init(struct idset *set, size_t max);
void idset_fini(struct idset *set);

/* Adding what is there already changes nothing. RC_FULL beyond the maximum, or IDSET_PROBES_MAX. */
MUST_USE enum rc idset_add(struct idset *set, uint64_t id);

/* Whether it was there. */
bool idset_remove(struct idset *set, uint64_t id);

/* The element at or after position *pos, which starts at 0 and is to be increased by the caller;
 * false at the end. No change of the set between calls. */
bool idset_next(const struct idset *set, size_t *pos, uint64_t *ret_id);

#endif
