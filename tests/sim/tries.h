/*
 * tries: whether the nodes of a simulated cluster heed the conditions of writes. The part of oracle
 * that judges it; oracle.h says by which rules. It shares its state with writes.
 */
#ifndef SIM_TRIES_H
#define SIM_TRIES_H

#include "tests/sim/writes.h"

/* Writes what `value` of the writes' state holds, first under a condition that does not hold, and
 * then under one that does; which ones is up to the number of the write. As cluster_put_bytes(). */
uint64_t tries_put(struct writes *w, uint64_t token, const char *key);

#endif
