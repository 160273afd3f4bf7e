/*
 * failing_alloc: an allocator whose n-th call fails, for tests of what is left standing then.
 *
 * The linker puts it before the C library's functions and before core/base/mem.h (the target
 * failing_alloc of tests/CMakeLists.txt says so to whoever links it), and before the two of OpenSSL
 * that the product calls. libevent and cJSON get it by failing_alloc_hook(). The product has two
 * kinds of calls, and both promises are tested:
 *   - those that may fail (malloc and its like, and what the libraries ask for): the n-th of them
 *     fails, and in a second round all from the n-th on, while a story is told;
 *   - those of core/base/mem.h, which end the process instead: where one is reached for the first
 *     time, a child of the test finds no memory there, and must end by that assertion. Events of
 *     libevent are of the one kind or the other, as such a child shows.
 * Nothing that a story allocates may be left when it has ended.
 *
 * With REPRAM_ALLOC_SITES in the environment the places that were seen are written to the file that
 * it names, for tests/lint/memory.py, which knows all that there are; and the second kind is tried
 * also where a program's other tests come by. Left out: threads.
 */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* libevent and cJSON allocate here from now on; before any other call of theirs. */
void failing_alloc_hook(void);

/* Tells the story once with memory, and then with each n-th call failing, until a telling needs no
 * more than n. Says on standard error which n it was when something is wrong, and aborts. Returns
 * how many tellings met a failure. */
uint64_t failing_alloc_each(void (*story)(void *arg), void *arg);

/* The same of a long story, with one in `step` calls failing in turn. */
uint64_t failing_alloc_some(void (*story)(void *arg), void *arg, uint64_t step);

/* `usual`; 1 where REPRAM_ALLOC_ALL is in the environment. */
uint64_t failing_alloc_step(uint64_t usual);

/* For the story: whether a call has failed in this telling. */
bool failing_alloc_has_failed(void);

/* For the story: there is memory again until it ends. */
void failing_alloc_recover(void);

/* For rounds of another kind than failing_alloc_each(): the call number `skipped` from now on (0 is
 * the next one) fails, or all from it on, until failing_alloc_recover(). */
void failing_alloc_arm(uint64_t skipped, bool is_lasting);

/* Blocks that are allocated now. */
uint64_t failing_alloc_blocks(void);

#endif
