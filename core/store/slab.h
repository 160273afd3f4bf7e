/*
 * slab: fixed-size slots in pages of 64 KiB, named by 32-bit handles.
 *
 * A handle is the page's number and the slot's; 0 names nothing. Sizes are rounded up to classes
 * that lose 1.6 % from 128 to 1,024 bytes, less below, and above what a page cut into one slot
 * fewer loses; a page holds slots of one class. Handles stay valid when other slots come and go.
 * They are half as wide as pointers, which halves the memory of every link and index.
 *
 * Invariant: a page is full, or in its class's list, or empty and in the list of empty pages. A
 * free slot holds zeroes but for its first four bytes, which link it.
 *
 * Left out: what a slot holds, and giving pages back unasked (slab_trim() does, one at a time).
 * Addresses of slots are good until slab_tighten(); handles are for as long as the slot is in use.
 */
#ifndef CORE_STORE_SLAB_H
#define CORE_STORE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* With malloc's own 16 bytes a page is 64 KiB; of a pool's page these are left over. */
    SLAB_PAGE_BYTES = 64 * 1024 - 16,
    SLAB_SLOT_BITS = 12,
    SLAB_PAGES_MAX = 1 << (32 - SLAB_SLOT_BITS),
    SLAB_SLOT_MIN = 24,   /* so that a page's slots can be numbered in SLAB_SLOT_BITS */
    SLAB_SLOT_MAX = 4094, /* a sixteenth of a page */
    SLAB_CLASSES = 64 + 1 + 3 * 32 + 48,
};

struct slab_page;
struct pagepool;

struct slab {
    struct pagepool *pool;   /* borrowed; NULL: pages are from the allocator */
    struct slab_page *pages; /* by number; number 0 is never used */
    uint32_t page_slots;     /* allocated length of `pages` */
    uint32_t page_count;     /* numbers given out so far, 0 included */
    uint32_t vacant;         /* numbers whose memory went back, a list */
    uint32_t empty;          /* pages without a used slot, a list */
    uint32_t partial[SLAB_CLASSES];
    uint64_t used_count; /* slots in use */
    uint64_t mapped;     /* pages that have memory */
    uint32_t look_at;    /* the page that slab_tighten() looks at next */
    uint32_t vain_looks; /* pages that it has left where they are since it last moved one */
};

/* Pages come from a pool that outlives the slab; NULL: from the allocator. */
void slab_init(struct slab *slab, struct pagepool *pool);

/* Frees every page, whatever is in it. Used slots are not wiped: their owner frees them first. */
void slab_fini(struct slab *slab);

/* Zeroed memory for `size` bytes, at most SLAB_SLOT_MAX. It is aligned for 2, and for 4 or 8 where
 * slab_slot_size(size) is a multiple of that. 0: no memory, or SLAB_PAGES_MAX pages in use. */
uint32_t slab_alloc(struct slab *slab, size_t size);

/* Wipes the slot and takes it back. */
void slab_free(struct slab *slab, uint32_t handle);

/* The slot of a handle in use. */
void *slab_at(const struct slab *slab, uint32_t handle);

/* The slot of a handle that may be stale: NULL when there is no such slot, else a slot that may be
 * free (zeroes after its first four bytes) or in use by somebody else. */
void *slab_find(const struct slab *slab, uint32_t handle);

/* What a slot for `size` bytes takes. */
size_t slab_slot_size(size_t size);

/* Gives one empty page back to where it came from; false when there is none. */
bool slab_trim(struct slab *slab);

/* Moves some pages out of sparse regions of the pool while that is loose: work for a millisecond.
 * True: there is more to do. Handles stay, addresses of slots do not. */
bool slab_tighten(struct slab *slab);

/* Walks the invariants and asserts them. Slow; for tests. */
void slab_check(const struct slab *slab);

#endif
