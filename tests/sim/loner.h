/*
 * loner: the fault by which a node that was alone with a wrong clock is let in. It restarts alone,
 * takes a write, and is let in while an ordinary node restarts beside it. The ordinary node must
 * take clock and data from the others. In the end the loner starts anew as well. The fault is left
 * out where nodes find too few of the others, because a node may then follow any of those few.
 */
#ifndef SIM_LONER_H
#define SIM_LONER_H

#include "tests/sim/faults.h"

/* Its next deed; microseconds until the one after it. */
uint64_t loner_act(struct faults *f);

/* Ends a loner that is still there. */
void loner_end(struct faults *f);

#endif
