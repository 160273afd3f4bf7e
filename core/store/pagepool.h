/*
 * pagepool: pages of 64 KiB for slabs and blobs, cut out of regions of 1 MiB.
 *
 * Mapping and unmapping memory is dear. The kernel clears each page at its first touch and informs
 * every processor when it goes; unmapping 64 KiB costs about as much as unmapping a megabyte. So a
 * page that is given back is used again, as it is. Only whole regions go back to the system, when
 * nobody has wanted them for a while.
 *
 * Invariant: a region is full, or in the list of those with as many free pages, or, with no page in
 * use, in the list of idle ones. Pages are taken from the fullest region with room, so that idle
 * ones stay so and sparse ones become idle. Who can move what his pages hold empties sparse regions
 * into others, page by page, while too much lies free between pages in use.
 *
 * A page can be cut into parts, down to 512 bytes, by the buddy system: a part's size is a power of
 * two, and it lies at a multiple of it. Whoever needs another size takes several, as the binary
 * digits of the size say, so that no part is larger than what lies in it. A page of which all parts
 * came back is whole again.
 *
 * Invariant: the free parts of a page are as large as they can be: two free halves are one part.
 *
 * Left out: wiping. Who gives a page or a part back has wiped what others must not see.
 */
#ifndef CORE_STORE_PAGEPOOL_H
#define CORE_STORE_PAGEPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAGEPOOL_PAGE_BYTES = 64 * 1024,
    PAGEPOOL_REGION_PAGES = 16,
    PAGEPOOL_PART_BYTES = 512, /* the smallest part of a page */
    PAGEPOOL_DEPTHS = 8,       /* a page's halves, and so on down to those: 64 KiB >> 7 */
    /* Where there is no part of the size that is wanted, and no larger one to be cut, one of up to
     * so many times less is taken before another page is cut. */
    PAGEPOOL_PART_DEEPER = 2,
    /* A region goes back when it was idle for one to two windows of so many calls of
     * pagepool_trim(): two to four seconds as the engine calls it. */
    PAGEPOOL_WINDOW_CALLS = 20,
    /* Regions that go back in one call: 120 MiB a second, and a few milliseconds where unmapping
     * is at its dearest (in virtual machines). */
    PAGEPOOL_TRIM_MAX = 12,
    /* Free pages among those in use are worth moving others for when they are more than one in so
     * many, and more than a few MiB. */
    PAGEPOOL_LOOSE_SHARE = 8,
    PAGEPOOL_LOOSE_MIN = 64,
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

/* What a part for so many bytes takes, if they are less than a page: the next multiple of 512. */
static inline size_t pagepool_part_size(size_t len)
{
    return (len + PAGEPOOL_PART_BYTES - 1) / PAGEPOOL_PART_BYTES * PAGEPOOL_PART_BYTES;
}

/* A part of a page for the first of `len` bytes, 1 to PAGEPOOL_PAGE_BYTES - 1; *ret_size, a power
 * of two, is no more than pagepool_part_size(len). Aligned for 8, with what its last user left in
 * it. NULL when there is no memory. */
void *pagepool_take_part(struct pagepool *pool, size_t len, size_t *ret_size);

/* Makes a page that was taken whole one of parts, all of them the caller's. False: there is no
 * memory for that, and the page is as it was. */
bool pagepool_cut(struct pagepool *pool, void *page);

/* Takes back a part, or its end, or its beginning: `size` is a multiple of 512. */
void pagepool_give_part(struct pagepool *pool, void *part, size_t size);

/* Hands idle regions back to the allocator, some a call; to be called ten times a second while it
 * returns true, which it does as long as there are any. */
bool pagepool_trim(struct pagepool *pool);

/* Whether pagepool_trim() has something to do, now or later. */
bool pagepool_has_idle(const struct pagepool *pool);

/* Whether so much lies free in regions in use that pages should be moved. */
bool pagepool_is_loose(const struct pagepool *pool);

/* Another page for what `page` holds, when its region is a sparse one and there is a fuller one
 * with room; NULL when it is well where it is. The caller moves the content and gives `page` back.
 */
void *pagepool_tighter(struct pagepool *pool, const void *page);

/* Nothing more can be moved: it counts as not loose until the next page is given back. */
void pagepool_settle(struct pagepool *pool);

/* Pages that have memory, in use or not. For tests: nothing else shows how much pagepool_trim()
 * gave back, and when. */
uint64_t pagepool_pages(const struct pagepool *pool);

/* Walks the invariants and asserts them. Slow; for tests. */
void pagepool_check(const struct pagepool *pool);

#endif
