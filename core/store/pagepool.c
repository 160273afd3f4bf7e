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
    struct region *prev, *next;
};

struct pagepool {
    struct region **regions; /* ascending by base: to find the one that a page is of */
    uint32_t count, slots;
    struct region *partial, *idle; /* lists */
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
    *region = (struct region){.base = base, .free = ALL_FREE};
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

void *pagepool_take(struct pagepool *pool)
{
    struct region *region = pool->partial;
    if (region == NULL) {
        region = whole_region(pool);
        if (region == NULL) {
            return NULL;
        }
        list_push(&pool->partial, region);
    }
    const uint32_t number = (uint32_t)__builtin_ctz(region->free);
    region->free &= ~(1U << number);
    if (region->free == 0) {
        list_remove(&pool->partial, region);
    }
    return region->base + (size_t)number * PAGEPOOL_PAGE_BYTES;
}

void pagepool_give(struct pagepool *pool, void *page)
{
    const uint32_t after = above(pool, page);
    ASSERT(after > 0);
    struct region *region = pool->regions[after - 1];
    const size_t offset = (size_t)((uint8_t *)page - region->base);
    const size_t number = offset / PAGEPOOL_PAGE_BYTES;
    ASSERT(offset % PAGEPOOL_PAGE_BYTES == 0 && number < PAGEPOOL_REGION_PAGES);
    ASSERT((region->free & 1U << number) == 0);
    if (region->free == 0) {
        list_push(&pool->partial, region);
    }
    region->free |= 1U << number;
    if (region->free == ALL_FREE) {
        list_remove(&pool->partial, region);
        list_push(&pool->idle, region);
        pool->idle_count++;
    }
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

static uint32_t check_list(const struct region *head, bool is_idle)
{
    uint32_t count = 0;
    for (const struct region *r = head; r != NULL; r = r->next) {
        ASSERT(r->next == NULL || r->next->prev == r);
        ASSERT(r->free != 0 && (r->free == ALL_FREE) == is_idle);
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
        with_room += r->free != 0;
    }
    const uint32_t idle = check_list(pool->idle, true);
    ASSERT(idle == pool->idle_count && idle + check_list(pool->partial, false) == with_room);
    ASSERT(pool->idle_min <= idle && pool->due <= idle);
}
