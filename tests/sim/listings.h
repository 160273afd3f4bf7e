/*
 * listings: whether a node of a simulated cluster lists what it shows. The part of oracle that
 * judges it; oracle.h says by which rules. It shares its state with writes.
 */
#ifndef SIM_LISTINGS_H
#define SIM_LISTINGS_H

#include "tests/sim/writes.h"

/* Whether two records are one entry: of the same key, version and end. */
bool listings_is_same(const struct record *x, const struct record *y);

/* Goes through the listing of a node key by key, and reads each of the keys that there may be. */
void listings_judge(struct writes *w, uint32_t node);

#endif
