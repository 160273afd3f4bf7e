/*
 * memory: an allocator that fails at a call that a fault chooses.
 *
 * The linker puts it before malloc() (--wrap). What core and gossip take for values, entries and
 * buffers, whose sizes peers and clients choose, comes from there; bookkeeping of fixed size does
 * not, and ends a node that gets none (core/base/mem.h). The simulator's own calls are spared.
 * (tests/unit/failing_alloc, for tests of one module, knows each block, which would slow a
 * simulation down.)
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* After `calls` more of the calls that are not spared, `count` of them fail, one after the other.
 * Takes the place of what was asked for before; with a count of 0 none fails. */
void memory_fail(uint64_t calls, uint64_t count);

/* While it is spared nothing fails, and nothing is counted. Returns how it was before; at the start
 * all is spared. */
bool memory_spare(bool is_spared);

/* Calls that have failed so far. */
uint64_t memory_failures(void);

#endif
