/*
 * keymap: finds slots by a 32-bit hash; linear hashing (Litwin, "Linear Hashing", VLDB 1980;
 * Larson, "Dynamic Hash Tables", CACM 31(4), 1988).
 *
 * Every insert splits at most one bucket and every removal joins at most four, so there is never a
 * rehash, and the memory goes back after a storm. Buckets are chains through the slots themselves:
 * every slot begins with a struct keymap_link, 4 bytes. The hash itself is kept nowhere: a split
 * asks for it, and has the slot at hand. It must have a secret that clients, who choose the keys,
 * do not know.
 *
 * Invariant: a slot is in the bucket that its hash names for the present number of buckets.
 * Left out: comparing keys. Iteration yields what is in one bucket; the caller looks.
 */
#ifndef CORE_STORE_KEYMAP_H
#define CORE_STORE_KEYMAP_H

#include "core/store/slab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Among a hundred million random hashes no bucket has as many. */
enum { KEYMAP_CHAIN_MAX = 32, KEYMAP_LOAD_MAX = 4 };

/* How every slot in a keymap begins. Slots may lie at any even address. */
struct keymap_link {
    uint32_t next;
} __attribute__((packed, aligned(2)));

/* The hash of what is in a slot, the same for as long as the slot is in the keymap. */
typedef uint32_t keymap_hash(const void *arg, const void *slot);

struct keymap {
    const struct slab *slab; /* borrowed: where the slots are */
    keymap_hash *hash_of;
    const void *arg;               /* borrowed: for hash_of */
    uint32_t load;                 /* slots that a bucket has on average, at most */
    struct keymap_link **segments; /* the directory: runs of buckets */
    size_t segment_slots;          /* allocated length of the directory */
    uint32_t bucket_count;
    uint32_t round; /* the largest power of two up to bucket_count */
    uint64_t count;
};

/* Allocates nothing until the first insert. `load`: 1 to KEYMAP_LOAD_MAX; 4 / load bytes a slot. */
void keymap_init(struct keymap *map, const struct slab *slab, uint32_t load, keymap_hash *hash_of,
                 const void *arg);
void keymap_fini(struct keymap *map);

/* Whether the hash's bucket holds KEYMAP_CHAIN_MAX slots already. */
bool keymap_is_crowded(const struct keymap *map, uint32_t hash);

/* The slot's link is set; the slot must not be in a keymap, and has this hash. */
void keymap_insert(struct keymap *map, uint32_t hash, uint32_t handle);

/* The slot must be in this keymap, and have this hash. */
void keymap_remove(struct keymap *map, uint32_t hash, uint32_t handle);

/* The first slot in this hash's bucket, then the next one; 0 at the end. */
uint32_t keymap_first(const struct keymap *map, uint32_t hash);
uint32_t keymap_next(const struct keymap *map, uint32_t handle);

/* Bytes of its buckets and their directory. */
size_t keymap_memory(const struct keymap *map);

/* Walks the invariants and asserts them, calling `visit` (may be NULL) on each slot. For tests. */
void keymap_check(const struct keymap *map, void (*visit)(void *arg, uint32_t handle), void *arg);

#endif
