#include "core/store/origin.h"

#include "core/base/assert.h"

#include <xxhash.h>

struct origin {
    struct keymap_link link; /* first: keymap asks for it */
    uint32_t holders;
    struct uuid uuid;
};

static uint32_t hash_of(const struct origins *origins, const struct uuid *uuid)
{
    return (uint32_t)XXH3_64bits_withSeed(uuid->bytes, sizeof(uuid->bytes), origins->seed);
}

static uint32_t hash_of_slot(const void *arg, const void *slot)
{
    const struct origin *origin = slot;
    return hash_of(arg, &origin->uuid);
}

void origin_init(struct origins *origins, uint64_t seed)
{
    slab_init(&origins->slab, NULL);
    keymap_init(&origins->map, &origins->slab, 1, hash_of_slot, origins);
    origins->seed = seed;
}

void origin_fini(struct origins *origins)
{
    keymap_fini(&origins->map);
    slab_fini(&origins->slab);
}

uint32_t origin_hold(struct origins *origins, const struct uuid *uuid)
{
    const uint32_t hash = hash_of(origins, uuid);
    uint32_t handle = keymap_first(&origins->map, hash);
    while (handle != 0) {
        struct origin *origin = slab_at(&origins->slab, handle);
        if (uuid_equal(&origin->uuid, uuid)) {
            origin->holders++;
            return handle;
        }
        handle = keymap_next(&origins->map, handle);
    }
    handle = slab_alloc(&origins->slab, sizeof(struct origin));
    if (handle != 0) {
        struct origin *origin = slab_at(&origins->slab, handle);
        origin->uuid = *uuid;
        origin->holders = 1;
        keymap_insert(&origins->map, hash, handle);
    }
    return handle;
}

void origin_release(struct origins *origins, uint32_t handle)
{
    struct origin *origin = slab_at(&origins->slab, handle);
    ASSERT(origin->holders > 0);
    if (--origin->holders == 0) {
        keymap_remove(&origins->map, hash_of(origins, &origin->uuid), handle);
        slab_free(&origins->slab, handle);
        /* Origins come and go one at a time, so giving back at once is never a burst. */
        (void)slab_trim(&origins->slab);
    }
}

const struct uuid *origin_at(const struct origins *origins, uint32_t handle)
{
    const struct origin *origin = slab_at(&origins->slab, handle);
    return &origin->uuid;
}

uint64_t origin_count(const struct origins *origins)
{
    return origins->map.count;
}

void origin_check(const struct origins *origins)
{
    slab_check(&origins->slab);
    keymap_check(&origins->map, NULL, NULL);
    ASSERT(origins->map.count == origins->slab.used_count);
}
