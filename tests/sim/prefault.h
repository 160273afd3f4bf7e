/*
 * prefault: has the kernel clear a large cluster's memory while the simulator already works.
 *
 * Ten thousand nodes that know each other take 14 GB. The kernel clears each page when it is first
 * touched, which takes half a minute on a virtual machine. Here a second thread touches them and
 * does nothing else. The simulated history does not depend on it.
 */
#ifndef SIM_PREFAULT_H
#define SIM_PREFAULT_H

#include <stdint.h>

struct prefault;

/* For a cluster of so many nodes, each of which will know all. Call before the first node is made.
 * NULL where that is little memory, or the system does not allow this: then the pages come one by
 * one. */
struct prefault *prefault_begin(uint32_t nodes);

/* Waits until all is cleared. NULL is fine. */
void prefault_end(struct prefault *p);

#endif
