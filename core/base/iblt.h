/*
 * iblt: rateless invertible Bloom lookup tables (Yang, Gilad, Alizadeh, "Practical Rateless Set
 * Reconciliation", SIGCOMM 2024): what two sets of 64-bit ids differ in, from about 1.4 cells per
 * difference, however large the sets are.
 *
 * A set is coded as a sequence of cells without an end; cell i holds the xor of the ids that map to
 * it, the xor of their checks, and their count. An id maps to cell 0, and then to cell i with
 * probability 1 / (1 + i / 2). The gap to its next cell is drawn, so an id costs about 2 ln(n / 2)
 * steps for n cells. Cells of two sets subtracted are cells of their difference. One that holds a
 * single id gives that id away; taking it out of its other cells may leave more such cells
 * (peeling). Cell 0 holds every difference: when it is empty nothing is left.
 *
 * Ids must look random, and be keyed for the occasion: whoever knows the key beforehand could make
 * sets that do not peel. A cell may look like a single id without being one; its check lets that
 * pass once in 2^32 times. Then the ids that are found do not add up, and the cells are given up.
 *
 * Left out: where ids come from, how cells travel, what an id stands for.
 */
#ifndef CORE_BASE_IBLT_H
#define CORE_BASE_IBLT_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    IBLT_CELLS_MAX = 1 << 17, /* 2 MiB; enough for 90,000 differences */
    IBLT_GAPS = 1024,         /* entries of the table that gaps are looked up in */
    IBLT_STEPS_MAX = 255,     /* of one id through the cells; about 24 on average at the maximum */
};

struct iblt_cell {
    uint64_t id;
    uint32_t check;
    int32_t count;
};

/* The first `count` cells of a set. */
struct iblt {
    struct iblt_cell *cells;
    uint32_t count, size;
    uint64_t powers[IBLT_STEPS_MAX + 1]; /* of the generator's multiplier */
    uint32_t gaps[IBLT_GAPS + 1];
};

void iblt_init(struct iblt *t);
void iblt_fini(struct iblt *t);

/* Drops the cells. */
void iblt_clear(struct iblt *t);

/* Makes it `count` cells, at most IBLT_CELLS_MAX and not fewer than it has; new ones are empty. */
void iblt_extend(struct iblt *t, uint32_t count);

/*
 * Adds an id to (`sign` 1) or takes it out of (-1) those of its cells that it has not been to:
 * `place` is 0 for a new id, later what the last call returned.
 */
uint32_t iblt_add(struct iblt *t, uint64_t id, uint32_t place, int32_t sign);

/* The probability that an id maps to cell `index`. */
double iblt_density(uint32_t index);

/* ---- Decoding ---- */

struct iblt_item {
    uint64_t id;
    uint32_t place;
    int32_t sign; /* 1: theirs only; -1: ours only */
};

struct iblt_decoder {
    struct iblt diff;
    struct iblt_item *items;
    size_t item_count, item_size;
    uint32_t *pending; /* cells that may hold one id */
    size_t pending_count, pending_size;
};

void iblt_decoder_init(struct iblt_decoder *d);
void iblt_decoder_fini(struct iblt_decoder *d);

/* As after iblt_decoder_init(). */
void iblt_decoder_clear(struct iblt_decoder *d);

/* The next `count` cells of theirs, and ours of the same places. The caller keeps the sum below
 * IBLT_CELLS_MAX. */
void iblt_decoder_extend(struct iblt_decoder *d, const struct iblt_cell *theirs,
                         const struct iblt_cell *ours, uint32_t count);

/*
 * Looks at up to `budget` cells. RC_OK: `items` are all there is. RC_AGAIN: the budget ran out.
 * RC_NOT_FOUND: more cells are needed. RC_MALFORMED: these are no cells of any two sets.
 */
MUST_USE enum rc iblt_decoder_peel(struct iblt_decoder *d, size_t budget);

/*
 * About how many differences there are, found ones included, from the spread of the counts: cell
 * i's is off its mean by sqrt(differences * density * (1 - density)). With n cells the standard
 * error is sqrt(2 / n).
 */
uint64_t iblt_decoder_estimate(const struct iblt_decoder *d);

#endif
