/*
 * introduce: everybody is told of everybody, as by the pull that a node begins with, at one moment
 * and without a network. Forming a cluster of ten thousand costs a simulator a hundred million such
 * entries, each in memory that nothing has touched for long; one node after the other it takes a
 * quarter of the time. What forming itself takes is for runs without it.
 */
#ifndef SIM_INTRODUCE_H
#define SIM_INTRODUCE_H

#include "tests/sim/cluster.h"

/* Every running node learns of all others, from the one after it. Call when they have been started
 * and time has not gone on. `told` hears after each how many know all. */
void introduce_all(struct cluster *c, void (*told)(void *arg, uint32_t nodes), void *arg);

#endif
