/*
 * rotate: the fault by which the keys of a cluster change while it runs. Nodes take another ring in
 * any order, now and then all at once, and some miss a step and take two later. Those that are down
 * or stopped have it when they go on. Nobody is given a ring that shares no key with another's, as
 * `repram status --keys` says when that would be.
 */
#ifndef SIM_ROTATE_H
#define SIM_ROTATE_H

#include "tests/sim/faults.h"

/* Before the nodes start: at some step of the circle. */
void rotate_before(struct faults *f);

/* The next change; microseconds until the one after it. */
uint64_t rotate_act(struct faults *f);

/* All take the ring that was meant for all. */
void rotate_end(struct faults *f);

#endif
