/*
 * scope: a set of expiry epochs that one exchange of reconciliation, or a join, is about.
 *
 * Kept and sent as rows of a group and a bit for each of its epochs, ascending by group. Bounded by
 * SCOPE_ROWS_MAX, which is more groups than the protocol's 30 days have.
 */
#ifndef GOSSIP_REPAIR_SCOPE_H
#define GOSSIP_REPAIR_SCOPE_H

#include "core/base/cursor.h"
#include "core/store/store.h"

enum {
    SCOPE_ROWS_MAX = 700, /* 30 days are 633 groups */
    SCOPE_ROW_BYTES = 4 + 8,
};

struct scope_row {
    uint32_t group;
    uint64_t epochs; /* bit i: epoch group * EPOCHS_PER_GROUP + i */
};

/* A zeroed scope is an empty one. */
struct scope {
    struct scope_row *rows;
    uint32_t count, size;
};

void scope_fini(struct scope *scope);

/* Adds epochs of a group that is not before those added so far. RC_FULL beyond SCOPE_ROWS_MAX;
 * RC_RANGE for a group out of order or beyond 32 bits. */
MUST_USE enum rc scope_add(struct scope *scope, uint64_t group, uint64_t epochs);

/* Adds all of `from`. RC_FULL: some of it. */
MUST_USE enum rc scope_merge(struct scope *scope, const struct scope *from);

/* Takes the latest epoch out, *ret_epoch; false when there is none. */
bool scope_pop(struct scope *scope, uint64_t *ret_epoch);

/* Entries of its epochs as of a cut. */
uint64_t scope_entries(const struct scope *scope, const struct store *store, uint64_t cut_s);

/*
 *   count 2 | (group 4 | epochs 8)*
 */
void scope_write(const struct scope *scope, struct cursor *c);

/* Into an empty scope. RC_MALFORMED: what it holds then is to be thrown away. */
MUST_USE enum rc scope_read(struct scope *scope, struct cursor *c);

#endif
