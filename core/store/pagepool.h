/*
 * pagepool: pages of 64 KiB for slabs and blobs, cut out of regions of 1 MiB.
 *
 * Mapping and unmapping memory is dear. The kernel clears each page at its first touch and informs
 * every processor when it goes; unmapping 64 KiB costs about as much as unmapping a megabyte. So a
 * page that is given back is used again, as it is. Only whole regions go back to the system, when
 * nobody has wanted them for a while.
 *
 * Invariant: a region is full, or in the list of those with free pages, or, with no page in use, in
 * the list of idle ones. Pages are taken from regions in use first, so that idle ones stay so.
 *
 * Left out: wiping. Who gives a page back has wiped what others must not see.
 */
#ifndef CORE_STORE_PAGEPOOL_H
#define CORE_STORE_PAGEPOOL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PAGEPOOL_PAGE_BYTES = 64 * 1024,
    PAGEPOOL_REGION_PAGES = 16,
    /* A region goes back when it was idle for one to two windows of so many calls of
     * pagepool_trim(): two to four seconds as the engine calls it. */
    PAGEPOOL_WINDOW_CALLS = 20,
    /* Regions that go back in one call: 120 MiB a second, and a few milliseconds where unmapping
     * is at its dearest (in virtual machines). */
    PAGEPOOL_TRIM_MAX = 12,
};

struct pagepool;

/* Never NULL. */
struct pagepool *pagepool_new(void);

/* Frees every region, whatever is in use of it; NULL is ignored. */
void pagepool_free(struct pagepool *pool);

/* A page, aligned for 8, with what its last user left in it. NULL when there is no memory. */
void *pagepool_take(struct pagepool *pool);

/* Takes back a page that pagepool_take() gave. */
void pagepool_give(struct pagepool *pool, void *page);

/* Hands idle regions back to the allocator, some a call; to be called ten times a second while it
 * returns true, which it does as long as there are any. */
bool pagepool_trim(struct pagepool *pool);

/* Whether pagepool_trim() has something to do, now or later. */
bool pagepool_has_idle(const struct pagepool *pool);

/* Pages that have memory, in use or not. For tests: nothing else shows how much pagepool_trim()
 * gave back, and when. */
uint64_t pagepool_pages(const struct pagepool *pool);

/* Walks the invariants and asserts them. Slow; for tests. */
void pagepool_check(const struct pagepool *pool);

#endif
