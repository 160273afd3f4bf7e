/*
 * siphash: SipHash-2-4 (Aumasson, Bernstein, INDOCRYPT 2012), a hash that nobody without its key
 * can predict. That holds however many of its values he has seen. XXH3 is quicker, but does not
 * hold it.
 */
#ifndef CORE_BASE_SIPHASH_H
#define CORE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_BYTES = 16 };

/* The hash of `len` bytes under the key. Equal on all machines. */
uint64_t siphash(const uint8_t key[static SIPHASH_KEY_BYTES], const void *data, size_t len);

#endif
