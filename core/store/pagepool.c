#include "core/store/pagepool.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    REGION_BYTES = PAGEPOOL_REGION_PAGES * PAGEPOOL_PAGE_BYTES,
    ALL_FREE = (1 << PAGEPOOL_REGION_PAGES) - 1,
    SLOTS_MIN = 16,
};

/* A page that is cut: the page is part 1, and part n has the halves 2n and 2n + 1. */
struct cut {
    uint64_t is_free[(2 << (PAGEPOOL_DEPTHS - 1)) / 64]; /* a set of parts */
};

/* What stands in a free part. */
struct part {
    struct part *prev, *next;
};

struct region {
    uint8_t *base;
    struct cut *cuts[PAGEPOOL_REGION_PAGES]; /* NULL: the page is whole */
    uint32_t free;                           /* a set of page numbers */
    uint32_t free_count;
    struct region *prev, *next;
};

struct pagepool {
    struct region **regions; /* ascending by base: to find the one that a page is of */
    uint32_t count, slots;
    struct region *partial[PAGEPOOL_REGION_PAGES]; /* lists, by how many pages are free */
    struct region *idle;                           /* a list */
    uint32_t partial_count;                        /* regions in the lists of `partial` */
    uint32_t loose;                                /* free pages in them */
    bool is_settled;                               /* nobody can move anything more */
    uint32_t idle_count;
    uint32_t idle_min; /* the fewest idle ones in this window: nobody has wanted those */
    uint32_t due;      /* of these, from the last window, those that still have to go */
    uint32_t calls;    /* of this window */
    struct part *parts[PAGEPOOL_DEPTHS]; /* lists of the free ones, by size: 64 KiB >> number */
};

_Static_assert(PAGEPOOL_PAGE_BYTES >> (PAGEPOOL_DEPTHS - 1) == PAGEPOOL_PART_BYTES,
               "the smallest part is at the last depth");

struct pagepool *pagepool_new(void)
{
    return mem_new(1, sizeof(struct pagepool));
}

static void region_free(struct region *region)
{
    for (uint32_t i = 0; i < PAGEPOOL_REGION_PAGES; i++) {
        free(region->cuts[i]);
    }
    free(region->base);
    free(region);
}

void pagepool_free(struct pagepool *pool)
{
    if (pool != NULL) {
        for (uint32_t i = 0; i < pool->count; i++) {
            region_free(pool->regions[i]);
        }
        free((void *)pool->regions);
        free(pool);
    }
}

static void list_push(struct region **head, struct region *region)
{
    region->prev = NULL;
    region->next = *head;
    if (*head != NULL) {
        (*head)->prev = region;
    }
    *head = region;
}

static void list_remove(struct region **head, struct region *region)
{
    if (region->prev != NULL) {
        region->prev->next = region->next;
    } else {
        *head = region->next;
    }
    if (region->next != NULL) {
        region->next->prev = region->prev;
    }
}

static struct region *list_pop(struct region **head)
{
    struct region *region = *head;
    ASSERT(region != NULL);
    *head = region->next;
    if (region->next != NULL) {
        region->next->prev = NULL;
    }
    return region;
}

/* The number of the first region whose base is above the address. */
static uint32_t above(const struct pagepool *pool, const uint8_t *at)
{
    uint32_t low = 0;
    uint32_t high = pool->count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if ((uintptr_t)pool->regions[mid]->base <= (uintptr_t)at) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* A new region, in the table and in no list; NULL when there is no memory. */
static struct region *region_new(struct pagepool *pool)
{
    struct region *region = calloc(1, sizeof(*region));
    uint8_t *base = region == NULL ? NULL : malloc(REGION_BYTES);
    if (base == NULL) {
        free(region);
        return NULL;
    }
    *region = (struct region){.base = base, .free = ALL_FREE, .free_count = PAGEPOOL_REGION_PAGES};
    if (pool->count == pool->slots) {
        pool->slots = pool->slots == 0 ? SLOTS_MIN : 2 * pool->slots;
        pool->regions = mem_resize((void *)pool->regions, pool->slots, sizeof(struct region *));
    }
    const uint32_t at = above(pool, base);
    memmove((void *)&pool->regions[at + 1], (const void *)&pool->regions[at],
            (pool->count - at) * sizeof(struct region *));
    pool->regions[at] = region;
    pool->count++;
    return region;
}

/* An idle region, or a new one; in no list. */
static struct region *whole_region(struct pagepool *pool)
{
    if (pool->idle == NULL) {
        return region_new(pool);
    }
    struct region *region = list_pop(&pool->idle);
    pool->idle_count--;
    pool->idle_min = pool->idle_count < pool->idle_min ? pool->idle_count : pool->idle_min;
    pool->due = pool->idle_count < pool->due ? pool->idle_count : pool->due;
    return region;
}

/* A region that has pages in use and free ones goes into its list, or comes out of it. */
static void list_partial(struct pagepool *pool, struct region *region)
{
    if (region->free_count > 0 && region->free_count < PAGEPOOL_REGION_PAGES) {
        list_push(&pool->partial[region->free_count], region);
        pool->partial_count++;
        pool->loose += region->free_count;
    }
}

static void unlist_partial(struct pagepool *pool, struct region *region)
{
    if (region->free_count > 0 && region->free_count < PAGEPOOL_REGION_PAGES) {
        list_remove(&pool->partial[region->free_count], region);
        pool->partial_count--;
        pool->loose -= region->free_count;
    }
}

/* The region with the fewest free pages, but some, and some in use; NULL: there is none. */
static struct region *fullest(const struct pagepool *pool)
{
    for (uint32_t i = 1; i < PAGEPOOL_REGION_PAGES; i++) {
        if (pool->partial[i] != NULL) {
            return pool->partial[i];
        }
    }
    return NULL;
}

static void *take_of(struct pagepool *pool, struct region *region)
{
    const uint32_t number = (uint32_t)__builtin_ctz(region->free);
    unlist_partial(pool, region);
    region->free &= ~(1U << number);
    region->free_count--;
    list_partial(pool, region);
    return region->base + (size_t)number * PAGEPOOL_PAGE_BYTES;
}

void *pagepool_take(struct pagepool *pool)
{
    struct region *region = fullest(pool);
    if (region == NULL) {
        region = whole_region(pool);
    }
    return region == NULL ? NULL : take_of(pool, region);
}

/* The region that the page is of. */
static struct region *region_of(const struct pagepool *pool, const void *page)
{
    const uint32_t after = above(pool, page);
    ASSERT(after > 0);
    return pool->regions[after - 1];
}

void pagepool_give(struct pagepool *pool, void *page)
{
    struct region *region = region_of(pool, page);
    const size_t offset = (size_t)((uint8_t *)page - region->base);
    const size_t number = offset / PAGEPOOL_PAGE_BYTES;
    ASSERT(offset % PAGEPOOL_PAGE_BYTES == 0 && number < PAGEPOOL_REGION_PAGES);
    ASSERT((region->free & 1U << number) == 0);
    unlist_partial(pool, region);
    region->free |= 1U << number;
    region->free_count++;
    list_partial(pool, region);
    if (region->free == ALL_FREE) {
        list_push(&pool->idle, region);
        pool->idle_count++;
    }
    pool->is_settled = false;
}

/* ---- Parts of pages ---- */

static size_t part_bytes(uint32_t depth)
{
    return (size_t)PAGEPOOL_PAGE_BYTES >> depth;
}

static bool is_free(const struct cut *cut, uint32_t part)
{
    ASSERT(cut != NULL);
    return (cut->is_free[part / 64] >> part % 64 & 1) != 0;
}

static void push_part(struct pagepool *pool, struct cut *cut, uint8_t *page, uint32_t depth,
                      uint32_t part)
{
    struct part *at = (struct part *)(void *)(page + (part - (1U << depth)) * part_bytes(depth));
    cut->is_free[part / 64] |= UINT64_C(1) << part % 64;
    *at = (struct part){.next = pool->parts[depth]};
    if (at->next != NULL) {
        at->next->prev = at;
    }
    pool->parts[depth] = at;
}

static void remove_part(struct pagepool *pool, struct cut *cut, uint8_t *page, uint32_t depth,
                        uint32_t part)
{
    const struct part *at =
        (const struct part *)(const void *)(page + (part - (1U << depth)) * part_bytes(depth));
    cut->is_free[part / 64] &= ~(UINT64_C(1) << part % 64);
    if (at->prev != NULL) {
        at->prev->next = at->next;
    } else {
        pool->parts[depth] = at->next;
    }
    if (at->next != NULL) {
        at->next->prev = at->prev;
    }
}

/* The page that the part is of, and what says how it is cut. */
static uint8_t *page_of(const struct pagepool *pool, const void *part, struct cut ***ret_cut)
{
    struct region *region = region_of(pool, part);
    const size_t number = (size_t)((const uint8_t *)part - region->base) / PAGEPOOL_PAGE_BYTES;
    *ret_cut = &region->cuts[number];
    return region->base + number * PAGEPOOL_PAGE_BYTES;
}

bool pagepool_cut(struct pagepool *pool, void *page)
{
    struct cut **cut = NULL;
    (void)page_of(pool, page, &cut);
    ASSERT(*cut == NULL);
    *cut = calloc(1, sizeof(**cut));
    return *cut != NULL;
}

/* A page that is cut, all of it one part that is in no list. NULL: no memory. */
static void *take_cut(struct pagepool *pool)
{
    void *page = pagepool_take(pool);
    if (page != NULL && !pagepool_cut(pool, page)) {
        pagepool_give(pool, page);
        return NULL;
    }
    return page;
}

/* At which depth there is a free part that serves one of `wanted`: of its size, or the next larger
 * one, or one not much smaller; 0: nowhere. */
static uint32_t find_depth(const struct pagepool *pool, uint32_t wanted)
{
    for (uint32_t depth = wanted; depth > 0; depth--) {
        if (pool->parts[depth] != NULL) {
            return depth;
        }
    }
    for (uint32_t depth = wanted + 1;
         depth <= wanted + PAGEPOOL_PART_DEEPER && depth < PAGEPOOL_DEPTHS; depth++) {
        if (pool->parts[depth] != NULL) {
            return depth;
        }
    }
    return 0;
}

void *pagepool_take_part(struct pagepool *pool, size_t len, size_t *ret_size)
{
    ASSERT(len > 0 && len < PAGEPOOL_PAGE_BYTES);
    uint32_t wanted = 1;
    while (part_bytes(wanted) > pagepool_part_size(len)) {
        wanted++;
    }
    uint32_t depth = find_depth(pool, wanted);
    uint8_t *part = depth == 0 ? take_cut(pool) : (uint8_t *)pool->parts[depth];
    if (part == NULL) {
        return NULL;
    }
    struct cut **cut = NULL;
    uint8_t *page = page_of(pool, part, &cut);
    uint32_t number = (1U << depth) + (uint32_t)((size_t)(part - page) / part_bytes(depth));
    if (depth > 0) {
        remove_part(pool, *cut, page, depth, number);
    }
    while (depth < wanted) {
        depth++;
        number *= 2;
        push_part(pool, *cut, page, depth, number + 1);
    }
    *ret_size = part_bytes(depth);
    return part;
}

/* One part comes back, together with what is free beside it. */
static void give_one(struct pagepool *pool, struct cut **cut, uint8_t *page, uint32_t depth,
                     uint32_t number)
{
    ASSERT(!is_free(*cut, number));
    while (depth > 0 && is_free(*cut, number ^ 1)) {
        remove_part(pool, *cut, page, depth, number ^ 1);
        number /= 2;
        depth--;
    }
    if (depth > 0) {
        push_part(pool, *cut, page, depth, number);
        return;
    }
    free(*cut);
    *cut = NULL;
    pagepool_give(pool, page);
}

void pagepool_give_part(struct pagepool *pool, void *part, size_t size)
{
    struct cut **cut = NULL;
    uint8_t *page = page_of(pool, part, &cut);
    size_t offset = (size_t)((uint8_t *)part - page);
    ASSERT(*cut != NULL && size % PAGEPOOL_PART_BYTES == 0 && offset % PAGEPOOL_PART_BYTES == 0);
    ASSERT(size > 0 && size <= PAGEPOOL_PAGE_BYTES - offset);
    while (size > 0) {
        /* The largest part that begins there and ends by then. */
        uint32_t depth = 0;
        while (part_bytes(depth) > size || offset % part_bytes(depth) != 0) {
            depth++;
        }
        give_one(pool, cut, page, depth, (1U << depth) + (uint32_t)(offset / part_bytes(depth)));
        offset += part_bytes(depth);
        size -= part_bytes(depth);
    }
}

/* ---- Moving, and giving back ---- */

bool pagepool_is_loose(const struct pagepool *pool)
{
    const uint32_t in_use = (pool->count - pool->idle_count) * PAGEPOOL_REGION_PAGES;
    return !pool->is_settled && pool->loose > PAGEPOOL_LOOSE_MIN &&
           pool->loose > in_use / PAGEPOOL_LOOSE_SHARE;
}

void *pagepool_tighter(struct pagepool *pool, const void *page)
{
    const struct region *from = region_of(pool, page);
    struct region *to = fullest(pool);
    /* A sparse one has at least as many free pages as the mean, and so as the fullest: moving a
     * page to that one makes the sparse sparser, until all lie tight. */
    const bool is_sparse = from->free_count * pool->partial_count >= pool->loose;
    return is_sparse && to != NULL && to != from ? take_of(pool, to) : NULL;
}

void pagepool_settle(struct pagepool *pool)
{
    pool->is_settled = true;
}

static void drop_idle(struct pagepool *pool)
{
    struct region *region = list_pop(&pool->idle);
    pool->idle_count--;
    pool->idle_min = pool->idle_count < pool->idle_min ? pool->idle_count : pool->idle_min;
    const uint32_t at = above(pool, region->base) - 1;
    pool->count--;
    memmove((void *)&pool->regions[at], (const void *)&pool->regions[at + 1],
            (pool->count - at) * sizeof(struct region *));
    region_free(region);
}

bool pagepool_trim(struct pagepool *pool)
{
    for (uint32_t i = 0; i < PAGEPOOL_TRIM_MAX && pool->due > 0; i++) {
        drop_idle(pool);
        pool->due--;
    }
    pool->calls++;
    if (pool->calls >= PAGEPOOL_WINDOW_CALLS) {
        pool->calls = 0;
        pool->due = pool->idle_min;
        pool->idle_min = pool->idle_count;
    }
    return pagepool_has_idle(pool);
}

bool pagepool_has_idle(const struct pagepool *pool)
{
    return pool->idle_count > 0;
}

uint64_t pagepool_pages(const struct pagepool *pool)
{
    return (uint64_t)pool->count * PAGEPOOL_REGION_PAGES;
}

static uint32_t check_list(const struct region *head, uint32_t free_count)
{
    uint32_t count = 0;
    for (const struct region *r = head; r != NULL; r = r->next) {
        ASSERT(r->next == NULL || r->next->prev == r);
        ASSERT(r->free_count == free_count);
        count++;
    }
    return count;
}

/* Free parts of the page; no two of them are halves of one. */
static uint32_t check_cut(const struct cut *cut)
{
    uint32_t count = 0;
    ASSERT((cut->is_free[0] & 3) == 0); /* the page itself is none */
    for (uint32_t i = 2; i < 2U << (PAGEPOOL_DEPTHS - 1); i++) {
        count += is_free(cut, i);
        ASSERT(!is_free(cut, i) || !is_free(cut, i ^ 1));
    }
    return count;
}

static void check_parts(const struct pagepool *pool)
{
    uint32_t marked = 0;
    uint32_t listed = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        for (uint32_t j = 0; j < PAGEPOOL_REGION_PAGES; j++) {
            const struct cut *cut = pool->regions[i]->cuts[j];
            ASSERT(cut == NULL || (pool->regions[i]->free & 1U << j) == 0);
            marked += cut == NULL ? 0 : check_cut(cut);
        }
    }
    for (uint32_t depth = 1; depth < PAGEPOOL_DEPTHS; depth++) {
        for (const struct part *p = pool->parts[depth]; p != NULL; p = p->next) {
            ASSERT(p->next == NULL || p->next->prev == p);
            listed++;
        }
    }
    ASSERT(marked == listed && pool->parts[0] == NULL);
}

void pagepool_check(const struct pagepool *pool)
{
    check_parts(pool);
    uint32_t with_room = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct region *r = pool->regions[i];
        ASSERT(i == 0 || (uintptr_t)pool->regions[i - 1]->base < (uintptr_t)r->base);
        ASSERT(r->free_count == (uint32_t)__builtin_popcount(r->free));
        with_room += r->free != 0;
    }
    const uint32_t idle = check_list(pool->idle, PAGEPOOL_REGION_PAGES);
    uint32_t partial = 0;
    uint32_t loose = 0;
    for (uint32_t i = 1; i < PAGEPOOL_REGION_PAGES; i++) {
        const uint32_t count = check_list(pool->partial[i], i);
        partial += count;
        loose += count * i;
    }
    ASSERT(partial == pool->partial_count && loose == pool->loose);
    ASSERT(idle == pool->idle_count && idle + partial == with_room);
    ASSERT(pool->idle_min <= idle && pool->due <= idle);
}
