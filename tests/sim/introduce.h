/*
 * introduce: makes all nodes know each other at one moment, without a network. Each learns of the
 * others as by the pull that a node begins with. To form a cluster of ten thousand, a simulator
 * handles a hundred million entries, each in memory that is in no cache. One node after the other,
 * that takes a quarter of the time. Runs that measure forming do without this.
 */
#ifndef SIM_INTRODUCE_H
#define SIM_INTRODUCE_H

#include "tests/sim/cluster.h"

/* Every running node learns of all others, from the one after it. Call when they have been started
 * and time has not gone on. `told` is called after each with how many know all. */
void introduce_all(struct cluster *c, void (*told)(void *arg, uint32_t nodes), void *arg);

#endif
