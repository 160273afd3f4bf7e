#include "core/store/keymap.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

enum {
    SEGMENT_BUCKETS = 4096, /* 16 KiB: small beside a slab page, and few of them */
    BUCKETS_MIN = 16,
    /* Joining begins at half load, so emptying a map takes at least two per removal. */
    JOINS_PER_REMOVAL = 4,
};

void keymap_init(struct keymap *map, const struct slab *slab)
{
    *map = (struct keymap){.slab = slab};
}

void keymap_fini(struct keymap *map)
{
    for (uint32_t i = 0; i < map->bucket_count; i += SEGMENT_BUCKETS) {
        free(map->segments[i / SEGMENT_BUCKETS]);
    }
    free(map->segments);
    keymap_init(map, map->slab);
}

static struct keymap_link *link_at(const struct keymap *map, uint32_t handle)
{
    return slab_at(map->slab, handle);
}

static uint32_t *bucket_at(const struct keymap *map, uint32_t index)
{
    return &map->segments[index / SEGMENT_BUCKETS][index % SEGMENT_BUCKETS];
}

/* Buckets below the split point of the round, and those beyond the round, use one bit more. */
static uint32_t index_of(const struct keymap *map, uint32_t hash)
{
    const uint32_t wide = hash & (2 * map->round - 1);
    return wide < map->bucket_count ? wide : hash & (map->round - 1);
}

static void add_segment(struct keymap *map, size_t index)
{
    if (index == map->segment_slots) {
        map->segment_slots = index == 0 ? 1 : 2 * index;
        map->segments = mem_resize(map->segments, map->segment_slots, sizeof(*map->segments));
    }
    map->segments[index] = mem_new(SEGMENT_BUCKETS, sizeof(**map->segments));
}

/* Adds one bucket: those of its sibling's slots that belong there move. */
static void split(struct keymap *map)
{
    const uint32_t index = map->bucket_count;
    if (index % SEGMENT_BUCKETS == 0) {
        add_segment(map, index / SEGMENT_BUCKETS);
    }
    if (index == 2 * map->round) {
        map->round = index;
    }
    map->bucket_count++;
    uint32_t *from = bucket_at(map, index - map->round);
    uint32_t *to = bucket_at(map, index);
    while (*from != 0) {
        const uint32_t handle = *from;
        struct keymap_link *link = link_at(map, handle);
        if (index_of(map, link->hash) == index) {
            *from = link->next;
            link->next = *to;
            *to = handle;
        } else {
            from = &link->next;
        }
    }
}

/* Takes the last bucket away: its slots go back to its sibling. */
static void join(struct keymap *map)
{
    const uint32_t index = map->bucket_count - 1;
    if (index < map->round) {
        map->round /= 2;
    }
    uint32_t *to = bucket_at(map, index - map->round);
    while (*to != 0) {
        to = &link_at(map, *to)->next;
    }
    *to = *bucket_at(map, index);
    *bucket_at(map, index) = 0;
    map->bucket_count = index;
    if (index % SEGMENT_BUCKETS == 0) {
        free(map->segments[index / SEGMENT_BUCKETS]);
    }
}

bool keymap_is_crowded(const struct keymap *map, uint32_t hash)
{
    if (map->bucket_count == 0) {
        return false;
    }
    uint32_t left = KEYMAP_CHAIN_MAX;
    for (uint32_t h = *bucket_at(map, index_of(map, hash)); h != 0; h = link_at(map, h)->next) {
        if (--left == 0) {
            return true;
        }
    }
    return false;
}

void keymap_insert(struct keymap *map, uint32_t hash, uint32_t handle)
{
    if (map->bucket_count == 0) {
        add_segment(map, 0);
        map->bucket_count = BUCKETS_MIN;
        map->round = BUCKETS_MIN;
    }
    uint32_t *bucket = bucket_at(map, index_of(map, hash));
    *link_at(map, handle) = (struct keymap_link){.next = *bucket, .hash = hash};
    *bucket = handle;
    map->count++;
    if (map->count > map->bucket_count && map->bucket_count < UINT32_MAX / 2) {
        split(map);
    }
}

void keymap_remove(struct keymap *map, uint32_t handle)
{
    ASSERT(map->count > 0);
    uint32_t *at = bucket_at(map, index_of(map, link_at(map, handle)->hash));
    while (*at != handle) {
        ASSERT(*at != 0);
        at = &link_at(map, *at)->next;
    }
    *at = link_at(map, handle)->next;
    map->count--;
    for (int i = 0; i < JOINS_PER_REMOVAL; i++) {
        if (map->bucket_count > BUCKETS_MIN && map->count < map->bucket_count / 2) {
            join(map);
        }
    }
}

static uint32_t match(const struct keymap *map, uint32_t hash, uint32_t handle)
{
    while (handle != 0) {
        const struct keymap_link *link = link_at(map, handle);
        if (link->hash == hash) {
            return handle;
        }
        handle = link->next;
    }
    return 0;
}

uint32_t keymap_first(const struct keymap *map, uint32_t hash)
{
    return map->count == 0 ? 0 : match(map, hash, *bucket_at(map, index_of(map, hash)));
}

uint32_t keymap_next(const struct keymap *map, uint32_t handle)
{
    const struct keymap_link *link = link_at(map, handle);
    return match(map, link->hash, link->next);
}

void keymap_check(const struct keymap *map, void (*visit)(void *arg, uint32_t handle), void *arg)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < map->bucket_count; i++) {
        for (uint32_t h = *bucket_at(map, i); h != 0; h = link_at(map, h)->next) {
            ASSERT(index_of(map, link_at(map, h)->hash) == i);
            ASSERT(count < map->count);
            count++;
            if (visit != NULL) {
                visit(arg, h);
            }
        }
    }
    ASSERT(count == map->count);
    ASSERT(map->bucket_count == 0 ||
           (map->round <= map->bucket_count && map->bucket_count <= 2 * map->round));
}
