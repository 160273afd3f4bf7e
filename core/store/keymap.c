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

void keymap_init(struct keymap *map, const struct slab *slab, uint32_t load, keymap_hash *hash_of,
                 const void *arg)
{
    ASSERT(load > 0 && load <= KEYMAP_LOAD_MAX);
    *map = (struct keymap){.slab = slab, .load = load, .hash_of = hash_of, .arg = arg};
}

void keymap_fini(struct keymap *map)
{
    for (uint32_t i = 0; i < map->bucket_count; i += SEGMENT_BUCKETS) {
        free(map->segments[i / SEGMENT_BUCKETS]);
    }
    free(map->segments);
    keymap_init(map, map->slab, map->load, map->hash_of, map->arg);
}

static struct keymap_link *link_at(const struct keymap *map, uint32_t handle)
{
    return slab_at(map->slab, handle);
}

static struct keymap_link *bucket_at(const struct keymap *map, uint32_t index)
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
        map->segments = mem_resize(map->segments, map->segment_slots, sizeof(void *));
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
    struct keymap_link *from = bucket_at(map, index - map->round);
    struct keymap_link *to = bucket_at(map, index);
    while (from->next != 0) {
        const uint32_t handle = from->next;
        struct keymap_link *link = link_at(map, handle);
        if (index_of(map, map->hash_of(map->arg, link)) == index) {
            from->next = link->next;
            link->next = to->next;
            to->next = handle;
        } else {
            from = link;
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
    struct keymap_link *to = bucket_at(map, index - map->round);
    while (to->next != 0) {
        to = link_at(map, to->next);
    }
    *to = *bucket_at(map, index);
    bucket_at(map, index)->next = 0;
    map->bucket_count = index;
    if (index % SEGMENT_BUCKETS == 0) {
        free(map->segments[index / SEGMENT_BUCKETS]);
    }
}

bool keymap_is_crowded(const struct keymap *map, uint32_t hash)
{
    uint32_t left = KEYMAP_CHAIN_MAX;
    for (uint32_t h = keymap_first(map, hash); h != 0; h = keymap_next(map, h)) {
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
    struct keymap_link *bucket = bucket_at(map, index_of(map, hash));
    *link_at(map, handle) = *bucket;
    bucket->next = handle;
    map->count++;
    if (map->count > (uint64_t)map->bucket_count * map->load &&
        map->bucket_count < UINT32_MAX / 2) {
        split(map);
    }
}

void keymap_remove(struct keymap *map, uint32_t hash, uint32_t handle)
{
    ASSERT(map->count > 0);
    struct keymap_link *at = bucket_at(map, index_of(map, hash));
    while (at->next != handle) {
        ASSERT(at->next != 0);
        at = link_at(map, at->next);
    }
    *at = *link_at(map, handle);
    map->count--;
    for (int i = 0; i < JOINS_PER_REMOVAL; i++) {
        if (map->bucket_count > BUCKETS_MIN &&
            map->count < (uint64_t)map->bucket_count * map->load / 2) {
            join(map);
        }
    }
}

uint32_t keymap_first(const struct keymap *map, uint32_t hash)
{
    return map->count == 0 ? 0 : bucket_at(map, index_of(map, hash))->next;
}

uint32_t keymap_next(const struct keymap *map, uint32_t handle)
{
    return link_at(map, handle)->next;
}

size_t keymap_memory(const struct keymap *map)
{
    const size_t segments =
        ((size_t)map->bucket_count + SEGMENT_BUCKETS - 1) / SEGMENT_BUCKETS * SEGMENT_BUCKETS;
    return segments * sizeof(**map->segments) + map->segment_slots * sizeof(void *);
}

void keymap_check(const struct keymap *map, void (*visit)(void *arg, uint32_t handle), void *arg)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < map->bucket_count; i++) {
        for (uint32_t h = bucket_at(map, i)->next; h != 0; h = link_at(map, h)->next) {
            ASSERT(index_of(map, map->hash_of(map->arg, link_at(map, h))) == i);
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
