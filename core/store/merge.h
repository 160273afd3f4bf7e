/*
 * merge: how two states of one key become one.
 *
 * A state is (version, value, expiry, guard). The later version wins, of equal ones the later
 * expiry, and the winner's guard becomes the latest of both guards and the loser's expiry. Two
 * things are forgotten as time passes. Therefore stores that saw the same records are equal,
 * whatever the order:
 *
 *   - a guard that does not outlive its record's expiry says nothing, and is as good as 0;
 *   - once the expiry is over a state is a shadow (version, guard), and once both are, nothing.
 *
 * A record that is over on arrival still does what its version says: it takes the place of an
 * earlier version, as a shadow. A shadow refuses its own version too. There is one moment in which
 * order matters: another node's clock is ahead, and its shadow meets our live record of the same
 * version. Both orders meet again when that record expires.
 *
 * Left out: where states are kept, and how.
 */
#ifndef CORE_STORE_MERGE_H
#define CORE_STORE_MERGE_H

#include "core/store/record.h"

#include <stdint.h>

/* What a merge did with a record. */
enum merge_outcome {
    MERGE_APPLIED, /* it is the key's record now */
    MERGE_SAME,    /* the very version was held already (its guard may have been raised) */
    MERGE_OLDER,   /* a newer version is held; nothing changed */
    MERGE_GUARDED, /* a newer version or a shadow is held, and its guard was raised: worth passing
                      on */
    MERGE_EXPIRED, /* its time, and its guard's, was over on arrival; nothing changed */
    MERGE_ABSENT,  /* a guard for a version that is not held; nothing changed */
};

/*
 * Merges `r` into `held`, which is not over at `now_ms`, or NULL. On MERGE_APPLIED *ret_next is the
 * new state, made of `r`; on MERGE_SAME and MERGE_GUARDED it is `held` with its guard as it should
 * be; else it is of no use. Pointers in it are those of `r` or `held`.
 */
enum merge_outcome merge_records(const struct record *held, const struct record *r, uint64_t now_ms,
                                 struct record *ret_next);

/* Makes a record whose time is over its shadow. */
void merge_shadow(struct record *r);

/* Until when a state refuses earlier versions: the later of its expiry and its guard. */
uint64_t merge_reach_ms(const struct record *r);

#endif
