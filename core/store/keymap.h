/*
 * keymap: finds slots by a 32-bit hash; linear hashing (Litwin, "Linear Hashing", VLDB 1980;
 * Larson, "Dynamic Hash Tables", CACM 31(4), 1988).
 *
 * Every insert splits at most one bucket and every removal joins at most four, so there is never a
 * rehash, and the memory goes back after a storm. Buckets are chains through the slots themselves:
 * every slot begins with a struct keymap_link. The hash must have a secret that clients, who choose
 * the keys, do not know.
 *
 * Invariant: a slot is in the bucket that its hash names for the present number of buckets.
 * Left out: comparing keys. Iteration yields what has an equal hash; the caller looks.
 */
#ifndef CORE_STORE_KEYMAP_H
#define CORE_STORE_KEYMAP_H

#include "core/store/slab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Among a hundred million random hashes no bucket has half as many. */
enum { KEYMAP_CHAIN_MAX = 32 };

/* How every slot in a keymap begins. */
struct keymap_link {
    uint32_t next;
    uint32_t hash;
};

struct keymap {
    const struct slab *slab; /* borrowed: where the slots are */
    uint32_t **segments;     /* the directory: runs of buckets */
    size_t segment_slots;    /* allocated length of the directory */
    uint32_t bucket_count;
    uint32_t round; /* the largest power of two up to bucket_count */
    uint64_t count;
};

/* Allocates nothing until the first insert. */
void keymap_init(struct keymap *map, const struct slab *slab);
void keymap_fini(struct keymap *map);

/* Whether the hash's bucket holds KEYMAP_CHAIN_MAX slots already. */
bool keymap_is_crowded(const struct keymap *map, uint32_t hash);

/* The slot's link is set; the slot must not be in a keymap. */
void keymap_insert(struct keymap *map, uint32_t hash, uint32_t handle);

/* The slot must be in this keymap. */
void keymap_remove(struct keymap *map, uint32_t handle);

/* The first slot with this hash, then the next one; 0 at the end. */
uint32_t keymap_first(const struct keymap *map, uint32_t hash);
uint32_t keymap_next(const struct keymap *map, uint32_t handle);

/* Walks the invariants and asserts them, calling `visit` (may be NULL) on each slot. For tests. */
void keymap_check(const struct keymap *map, void (*visit)(void *arg, uint32_t handle), void *arg);

#endif
