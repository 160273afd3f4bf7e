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

struct region {
    uint8_t *base;
    uint32_t free; /* a set of page numbers */
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
};

struct pagepool *pagepool_new(void)
{
    return mem_new(1, sizeof(struct pagepool));
}

static void region_free(struct region *region)
{
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

void pagepool_check(const struct pagepool *pool)
{
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
