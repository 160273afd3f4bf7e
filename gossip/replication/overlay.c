#include "gossip/replication/overlay.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_MIN = 16 };

void overlay_init(struct overlay *o, const struct uuid *self, uint32_t degree_min)
{
    *o = (struct overlay){.self = *self, .degree_min = degree_min};
}

void overlay_fini(struct overlay *o)
{
    free(o->members);
    o->members = NULL;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Where a member stands on a ring; the same on every machine. */
static uint64_t place(const struct uuid *uuid, uint32_t ring)
{
    uint64_t half[2];
    _Static_assert(sizeof(half) == UUID_BYTES, "a uuid has two halves");
    memcpy(half, uuid->bytes, sizeof(half));
    const uint64_t first = be64toh(half[0]) + (ring + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return mix(be64toh(half[1]) ^ mix(first));
}

static uint32_t log2_floor(uint32_t n)
{
    uint32_t bits = 0;
    while (n >>= 1) {
        bits++;
    }
    return bits;
}

static uint32_t rings_for(const struct overlay *o)
{
    uint32_t degree = log2_floor(o->count + 1) + OVERLAY_DEGREE_MORE;
    degree = degree < o->degree_min ? o->degree_min : degree;
    const uint32_t rings = (degree + 1) / 2;
    return rings < OVERLAY_RINGS_MAX ? rings : OVERLAY_RINGS_MAX;
}

static void offer(struct overlay *o, struct overlay_end *end, uint64_t distance,
                  const struct uuid *uuid)
{
    if (distance != 0 && (end->distance == 0 || distance < end->distance)) {
        *end = (struct overlay_end){.distance = distance, .uuid = *uuid};
        o->changes++;
    }
}

/* `own` is this node's place on the ring. */
static void offer_both(struct overlay *o, uint32_t ring, uint64_t own, const struct uuid *uuid)
{
    const uint64_t distance = place(uuid, ring) - own;
    offer(o, &o->after[ring], distance, uuid);
    offer(o, &o->before[ring], 0 - distance, uuid);
}

static void scan(struct overlay *o, uint32_t ring)
{
    o->after[ring].distance = 0;
    o->before[ring].distance = 0;
    o->changes++;
    const uint64_t own = place(&o->self, ring);
    for (uint32_t i = 0; i < o->count; i++) {
        offer_both(o, ring, own, &o->members[i]);
    }
}

/* After a change of the count: as many rings as it takes, and large or small. */
static void resize(struct overlay *o)
{
    const uint32_t rings = rings_for(o);
    for (; o->ring_count < rings; o->ring_count++) {
        scan(o, o->ring_count);
    }
    o->changes += o->ring_count != rings;
    o->ring_count = rings;
    const bool was_large = o->is_large;
    if (o->count + 1 >= OVERLAY_LARGE_UP) {
        o->is_large = true;
    } else if (o->count + 1 <= OVERLAY_SMALL_DOWN) {
        o->is_large = false;
    }
    o->changes += o->is_large != was_large;
}

/* The place of a uuid among the members, or where it would be. */
static uint32_t search(const struct overlay *o, const struct uuid *uuid, bool *ret_is_there)
{
    uint32_t low = 0;
    uint32_t high = o->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (uuid_compare(&o->members[middle], uuid) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_is_there = low < o->count && uuid_equal(&o->members[low], uuid);
    return low;
}

bool overlay_add(struct overlay *o, const struct uuid *uuid)
{
    bool is_there = false;
    const uint32_t at = search(o, uuid, &is_there);
    if (is_there || uuid_equal(uuid, &o->self)) {
        return false;
    }
    if (o->count == o->size) {
        o->size = o->size == 0 ? SIZE_MIN : 2 * o->size;
        o->members = mem_resize(o->members, o->size, sizeof(*o->members));
    }
    memmove(o->members + at + 1, o->members + at, (o->count - at) * sizeof(*o->members));
    o->members[at] = *uuid;
    o->count++;
    for (uint32_t ring = 0; ring < o->ring_count; ring++) {
        offer_both(o, ring, place(&o->self, ring), uuid);
    }
    resize(o);
    return true;
}

static bool is_end(const struct overlay_end *end, const struct uuid *uuid)
{
    return end->distance != 0 && uuid_equal(&end->uuid, uuid);
}

bool overlay_remove(struct overlay *o, const struct uuid *uuid)
{
    bool is_there = false;
    const uint32_t at = search(o, uuid, &is_there);
    if (!is_there) {
        return false;
    }
    o->count--;
    memmove(o->members + at, o->members + at + 1, (o->count - at) * sizeof(*o->members));
    for (uint32_t ring = 0; ring < o->ring_count; ring++) {
        if (is_end(&o->after[ring], uuid) || is_end(&o->before[ring], uuid)) {
            scan(o, ring);
        }
    }
    resize(o);
    return true;
}

bool overlay_told_large(struct overlay *o)
{
    if (o->is_large || o->count + 1 <= OVERLAY_SMALL_DOWN) {
        return false;
    }
    o->is_large = true;
    o->changes++;
    return true;
}

uint32_t overlay_members(const struct overlay *o)
{
    return o->count + 1;
}

uint32_t overlay_rings(const struct overlay *o, const struct uuid *uuid)
{
    uint32_t rings = 0;
    for (uint32_t ring = 0; ring < o->ring_count; ring++) {
        const bool is_next = is_end(&o->after[ring], uuid) || is_end(&o->before[ring], uuid);
        rings |= is_next ? UINT32_C(1) << ring : 0;
    }
    return rings;
}

const struct uuid *overlay_next(const struct overlay *o, uint32_t *walk)
{
    while (*walk < 2 * o->ring_count) {
        const uint32_t at = (*walk)++;
        const struct overlay_end *end = at % 2 == 0 ? &o->after[at / 2] : &o->before[at / 2];
        if (end->distance != 0) {
            return &end->uuid;
        }
    }
    return NULL;
}

void overlay_check(const struct overlay *o)
{
    ASSERT(o->count <= o->size && o->ring_count <= OVERLAY_RINGS_MAX);
    ASSERT(o->count == 0 || o->ring_count == rings_for(o));
    for (uint32_t i = 1; i < o->count; i++) {
        ASSERT(uuid_compare(&o->members[i - 1], &o->members[i]) < 0);
    }
    for (uint32_t ring = 0; ring < o->ring_count; ring++) {
        const uint64_t own = place(&o->self, ring);
        for (uint32_t i = 0; i < o->count; i++) {
            const uint64_t distance = place(&o->members[i], ring) - own;
            ASSERT(distance == 0 || distance >= o->after[ring].distance);
            ASSERT(distance == 0 || 0 - distance >= o->before[ring].distance);
        }
    }
}
