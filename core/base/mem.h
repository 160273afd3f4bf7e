/*
 * mem: allocation that cannot fail, wiping that cannot be optimised away.
 *
 * Sizes that a client or a peer chooses go through the fallible calls of their module (blob, store,
 * buf). Bookkeeping of fixed size goes through these: a node that cannot get 100 bytes had better
 * stop and be restarted. An event of libevent is bookkeeping too: net may assert that it has one.
 */
#ifndef CORE_BASE_MEM_H
#define CORE_BASE_MEM_H

#include <stddef.h>

/* Zeroed memory for `count` objects of `size` bytes; aborts when there is none. Freed with free().
 */
void *mem_new(size_t count, size_t size);

/* Like realloc() for `count` objects of `size` bytes; aborts when there is none. New bytes are not
 * zeroed. */
void *mem_resize(void *ptr, size_t count, size_t size);

/* Overwrites `len` bytes with zeroes in a way the compiler must keep. */
void mem_wipe(void *ptr, size_t len);

#endif
