/*
 * loner: one of the faults. A node restarts alone with a wrong clock, takes a write, is let in, and
 * an ordinary one restarts beside it: that one is to take the clock and the data of the others. In
 * the end the loner starts anew as well. Left out where nodes may find too few of the others, of
 * which any may be followed.
 */
#ifndef SIM_LONER_H
#define SIM_LONER_H

#include "tests/sim/faults.h"

/* Its next deed; microseconds until the one after it. */
uint64_t loner_act(struct faults *f);

/* Ends a loner that is still there. */
void loner_end(struct faults *f);

#endif
