#include "core/store/slab.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/store/pagepool.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGES_MIN = 16,
    SLOT_MASK = (1 << SLAB_SLOT_BITS) - 1,
    FINE_STEP = 2,  /* up to FINE_MAX, sizes go up by this */
    FINE_MAX = 128, /* above, by a 32nd of the power of two below */
    FINE_ORDER = 7,
    STEP_BITS = 5,
    STEPS_PER_ORDER = 1 << STEP_BITS,
    STEPPED_MAX = 1024, /* above, a page is cut into SPLIT_MAX slots, or one fewer, and so on */
    STEPPED_CLASSES = FINE_MAX / FINE_STEP + 3 * STEPS_PER_ORDER,
    SPLIT_MAX = SLAB_PAGE_BYTES / (STEPPED_MAX + 1),
    SPLIT_MIN = SLAB_PAGE_BYTES / SLAB_SLOT_MAX,
    TIGHTEN_MOVES_MAX = 16,  /* a MiB is copied, and wiped where it was */
    TIGHTEN_LOOKS_MAX = 256, /* each a search in the pool's table */
};

_Static_assert((int)SLAB_PAGE_BYTES <= (int)PAGEPOOL_PAGE_BYTES, "a pool's page is large enough");
_Static_assert(SLAB_PAGE_BYTES / SLAB_SLOT_MIN <= SLOT_MASK, "a slot's number fits");
_Static_assert((int)SLAB_CLASSES == STEPPED_CLASSES + 1 + SPLIT_MAX - SPLIT_MIN + 1,
               "every class has a list");

struct slab_page {
    uint8_t *base; /* NULL when vacant */
    uint32_t prev, next;
    uint16_t slot_size;
    uint16_t size_class;
    uint16_t used;
    uint16_t fresh;     /* slots from here on were never used */
    uint32_t free_slot; /* number + 1 of the first free slot below `fresh`; 0: none */
};

void slab_init(struct slab *slab, struct pagepool *pool)
{
    *slab = (struct slab){.pool = pool, .page_count = 1};
}

static uint8_t *memory_take(const struct slab *slab)
{
    return slab->pool != NULL ? pagepool_take(slab->pool) : malloc(SLAB_PAGE_BYTES);
}

static void memory_give(const struct slab *slab, uint8_t *base)
{
    if (slab->pool != NULL && base != NULL) {
        pagepool_give(slab->pool, base);
    } else {
        free(base);
    }
}

void slab_fini(struct slab *slab)
{
    for (uint32_t i = 1; i < slab->page_count; i++) {
        memory_give(slab, slab->pages[i].base);
    }
    free(slab->pages);
    slab_init(slab, slab->pool);
}

static uint32_t class_of(size_t size)
{
    if (size <= FINE_MAX) {
        return (uint32_t)((size + FINE_STEP - 1) / FINE_STEP);
    }
    if (size > STEPPED_MAX) {
        const size_t even = size + size % 2;
        return (uint32_t)(STEPPED_CLASSES + 1 + SPLIT_MAX - SLAB_PAGE_BYTES / even);
    }
    const uint32_t order = 31 - (uint32_t)__builtin_clz((unsigned int)size - 1);
    const uint32_t above = ((uint32_t)size - 1) & ((1U << order) - 1);
    return FINE_MAX / FINE_STEP + (order - FINE_ORDER) * STEPS_PER_ORDER +
           (above >> (order - STEP_BITS)) + 1;
}

static size_t class_size(uint32_t size_class)
{
    if (size_class <= FINE_MAX / FINE_STEP) {
        return (size_t)size_class * FINE_STEP;
    }
    if (size_class > STEPPED_CLASSES) {
        const uint32_t slots = SPLIT_MAX - (size_class - STEPPED_CLASSES - 1);
        return (size_t)SLAB_PAGE_BYTES / slots / 2 * 2;
    }
    const uint32_t above = size_class - FINE_MAX / FINE_STEP - 1;
    const uint32_t order = FINE_ORDER + above / STEPS_PER_ORDER;
    return ((size_t)1 << order) + ((size_t)(above % STEPS_PER_ORDER + 1) << (order - STEP_BITS));
}

/* As class_size(class_of()), which is asked less often. */
size_t slab_slot_size(size_t size)
{
    ASSERT(size <= SLAB_SLOT_MAX);
    const size_t at_least = size < SLAB_SLOT_MIN ? SLAB_SLOT_MIN : size;
    if (at_least > STEPPED_MAX) {
        return SLAB_PAGE_BYTES / (SLAB_PAGE_BYTES / (at_least + at_least % 2)) / 2 * 2;
    }
    const int order =
        at_least <= FINE_MAX ? STEP_BITS + 1 : 31 - __builtin_clz((unsigned int)at_least - 1);
    const size_t step = (size_t)1 << (order - STEP_BITS);
    return (at_least + step - 1) & ~(step - 1);
}

static void list_push(struct slab *slab, uint32_t *head, uint32_t page)
{
    slab->pages[page].prev = 0;
    slab->pages[page].next = *head;
    if (*head != 0) {
        slab->pages[*head].prev = page;
    }
    *head = page;
}

static void list_remove(struct slab *slab, uint32_t *head, uint32_t page)
{
    const uint32_t prev = slab->pages[page].prev;
    const uint32_t next = slab->pages[page].next;
    if (prev != 0) {
        slab->pages[prev].next = next;
    } else {
        *head = next;
    }
    if (next != 0) {
        slab->pages[next].prev = prev;
    }
}

static bool is_full(const struct slab_page *page)
{
    return page->free_slot == 0 && page->fresh == SLAB_PAGE_BYTES / page->slot_size;
}

/* A page number with memory behind it, in no list; 0 when there is none to be had. */
static uint32_t map_page(struct slab *slab)
{
    uint32_t page = slab->vacant;
    if (page == 0 && slab->page_count == SLAB_PAGES_MAX) {
        return 0;
    }
    uint8_t *base = memory_take(slab);
    if (base == NULL) {
        return 0;
    }
    if (page != 0) {
        slab->vacant = slab->pages[page].next;
    } else {
        if (slab->page_count >= slab->page_slots) {
            slab->page_slots = slab->page_slots == 0 ? PAGES_MIN : 2 * slab->page_slots;
            slab->pages = mem_resize(slab->pages, slab->page_slots, sizeof(*slab->pages));
        }
        page = slab->page_count++;
    }
    slab->pages[page] = (struct slab_page){.base = base};
    slab->mapped++;
    return page;
}

/* A page of the class with room, at the head of its list; 0 when there is none to be had. */
static uint32_t page_with_room(struct slab *slab, uint32_t size_class)
{
    if (slab->partial[size_class] != 0) {
        return slab->partial[size_class];
    }
    uint32_t page = slab->empty;
    if (page != 0) {
        list_remove(slab, &slab->empty, page);
    } else {
        page = map_page(slab);
        if (page == 0) {
            return 0;
        }
    }
    struct slab_page *p = &slab->pages[page];
    *p = (struct slab_page){
        .base = p->base,
        .slot_size = (uint16_t)class_size(size_class),
        .size_class = (uint16_t)size_class,
    };
    list_push(slab, &slab->partial[size_class], page);
    return page;
}

uint32_t slab_alloc(struct slab *slab, size_t size)
{
    ASSERT(size <= SLAB_SLOT_MAX);
    const uint32_t page =
        page_with_room(slab, class_of(size < SLAB_SLOT_MIN ? SLAB_SLOT_MIN : size));
    if (page == 0) {
        return 0;
    }
    struct slab_page *p = &slab->pages[page];
    uint32_t slot = p->fresh;
    if (p->free_slot != 0) {
        slot = p->free_slot - 1;
        memcpy(&p->free_slot, p->base + (size_t)slot * p->slot_size, sizeof(p->free_slot));
    } else {
        p->fresh++;
    }
    memset(p->base + (size_t)slot * p->slot_size, 0, p->slot_size);
    p->used++;
    slab->used_count++;
    if (is_full(p)) {
        list_remove(slab, &slab->partial[p->size_class], page);
    }
    return page << SLAB_SLOT_BITS | slot;
}

void *slab_find(const struct slab *slab, uint32_t handle)
{
    const uint32_t page = handle >> SLAB_SLOT_BITS;
    const uint32_t slot = handle & SLOT_MASK;
    if (page == 0 || page >= slab->page_count) {
        return NULL;
    }
    const struct slab_page *p = &slab->pages[page];
    return p->base != NULL && slot < p->fresh ? p->base + (size_t)slot * p->slot_size : NULL;
}

void *slab_at(const struct slab *slab, uint32_t handle)
{
    void *slot = slab_find(slab, handle);
    ASSERT(slot != NULL);
    return slot;
}

void slab_free(struct slab *slab, uint32_t handle)
{
    void *slot = slab_at(slab, handle);
    const uint32_t page = handle >> SLAB_SLOT_BITS;
    struct slab_page *p = &slab->pages[page];
    const bool was_full = is_full(p);
    ASSERT(p->used > 0);
    mem_wipe(slot, p->slot_size);
    memcpy(slot, &p->free_slot, sizeof(p->free_slot));
    p->free_slot = (handle & SLOT_MASK) + 1;
    p->used--;
    slab->used_count--;
    if (was_full) {
        list_push(slab, &slab->partial[p->size_class], page);
    }
    if (p->used == 0) {
        list_remove(slab, &slab->partial[p->size_class], page);
        list_push(slab, &slab->empty, page);
    }
}

bool slab_trim(struct slab *slab)
{
    const uint32_t page = slab->empty;
    if (page == 0) {
        return false;
    }
    list_remove(slab, &slab->empty, page);
    memory_give(slab, slab->pages[page].base);
    slab->pages[page] = (struct slab_page){.next = slab->vacant};
    slab->vacant = page;
    slab->mapped--;
    return true;
}

/* Whether the page's memory has moved to a better place. */
static bool tighten_page(struct slab *slab, struct slab_page *page)
{
    uint8_t *from = page->base;
    uint8_t *to = from == NULL || page->used == 0 ? NULL : pagepool_tighter(slab->pool, from);
    if (to == NULL) {
        return false;
    }
    memcpy(to, from, SLAB_PAGE_BYTES);
    mem_wipe(from, SLAB_PAGE_BYTES);
    page->base = to;
    pagepool_give(slab->pool, from);
    return true;
}

bool slab_tighten(struct slab *slab)
{
    uint32_t moves = 0;
    for (uint32_t i = 0; i < TIGHTEN_LOOKS_MAX && moves < TIGHTEN_MOVES_MAX; i++) {
        if (slab->pool == NULL || !pagepool_is_loose(slab->pool)) {
            slab->vain_looks = 0;
            return false;
        }
        if (slab->vain_looks >= slab->page_count) {
            slab->vain_looks = 0;
            pagepool_settle(slab->pool);
            return false;
        }
        slab->look_at = slab->look_at + 1 < slab->page_count ? slab->look_at + 1 : 1;
        slab->vain_looks++;
        if (slab->look_at < slab->page_count && tighten_page(slab, &slab->pages[slab->look_at])) {
            slab->vain_looks = 0;
            moves++;
        }
    }
    return true;
}

static void check_page(const struct slab *slab, const struct slab_page *p)
{
    uint32_t free_count = 0;
    for (uint32_t at = p->free_slot; at != 0; free_count++) {
        ASSERT(at <= p->fresh && free_count < p->fresh);
        memcpy(&at, p->base + (size_t)(at - 1) * p->slot_size, sizeof(at));
    }
    ASSERT(p->used + free_count == p->fresh);
    ASSERT(p->size_class < SLAB_CLASSES && class_size(p->size_class) == p->slot_size);
    ASSERT(slab_slot_size(p->slot_size) == p->slot_size);
    uint32_t listed = 0;
    const uint32_t head = p->used == 0 ? slab->empty : slab->partial[p->size_class];
    for (uint32_t i = head; i != 0; i = slab->pages[i].next) {
        listed += &slab->pages[i] == p;
    }
    ASSERT(listed == (is_full(p) ? 0U : 1U));
}

void slab_check(const struct slab *slab)
{
    uint64_t used = 0;
    uint64_t mapped = 0;
    for (uint32_t i = 1; i < slab->page_count; i++) {
        const struct slab_page *p = &slab->pages[i];
        if (p->base == NULL) {
            continue;
        }
        mapped++;
        used += p->used;
        if (p->slot_size != 0) {
            check_page(slab, p);
        }
    }
    ASSERT(used == slab->used_count && mapped == slab->mapped);
}
