/*
 * prefault: has the kernel clear a large cluster's memory while the simulator already works.
 *
 * Ten thousand nodes that know each other take 14 GB. Their pages are cleared one after the other
 * when they are first touched, which is half a minute on a virtual machine, or, as here, by a
 * second thread that touches nothing else. What is simulated does not depend on it.
 */
#ifndef SIM_PREFAULT_H
#define SIM_PREFAULT_H

#include <stdint.h>

struct prefault;

/* For a cluster of so many nodes, in which each will know all. To be called before the first of
 * them is made. NULL, and nothing happens, where the memory cannot be had so or is little: it is
 * then had page by page. */
struct prefault *prefault_begin(uint32_t nodes);

/* Waits until all is cleared. NULL is fine. */
void prefault_end(struct prefault *p);

#endif
