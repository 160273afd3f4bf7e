#include "net/api/pending.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

enum { SLOTS_MIN = 64 };

void pending_init(struct pending *p)
{
    *p = (struct pending){.slots = mem_new(SLOTS_MIN, sizeof(*p->slots)), .slot_count = SLOTS_MIN};
}

void pending_fini(struct pending *p)
{
    free(p->slots);
    *p = (struct pending){0};
}

/* Ids are counters: Fibonacci hashing spreads them. */
static size_t home_of(const struct pending *p, uint64_t id)
{
    return (size_t)((id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (p->slot_count - 1);
}

/* The slot that holds `id`, or the free one where it would go. */
static size_t find(const struct pending *p, uint64_t id)
{
    size_t i = home_of(p, id);
    while (p->slots[i].is_used && p->slots[i].id != id) {
        i = (i + 1) & (p->slot_count - 1);
    }
    return i;
}

static void grow(struct pending *p)
{
    const struct pending old = *p;
    p->slot_count = 2 * old.slot_count;
    p->slots = mem_new(p->slot_count, sizeof(*p->slots));
    for (size_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i].is_used) {
            p->slots[find(p, old.slots[i].id)] = old.slots[i];
        }
    }
    free(old.slots);
}

enum rc pending_add(struct pending *p, const struct pending_put *put)
{
    if (p->count >= PENDING_MAX) {
        return RC_FULL;
    }
    if (2 * (p->count + 1) > p->slot_count) {
        grow(p);
    }
    const size_t i = find(p, put->id);
    ASSERT(!p->slots[i].is_used);
    p->slots[i] = *put;
    p->slots[i].is_used = true;
    p->count++;
    return RC_OK;
}

/* Closes the gap at `hole`: whoever was pushed past it by probing moves back into it. */
static void shift_back(struct pending *p, size_t hole)
{
    const size_t mask = p->slot_count - 1;
    for (size_t i = (hole + 1) & mask; p->slots[i].is_used; i = (i + 1) & mask) {
        const size_t wanted = home_of(p, p->slots[i].id);
        if (((i - wanted) & mask) >= ((i - hole) & mask)) {
            p->slots[hole] = p->slots[i];
            hole = i;
        }
    }
    p->slots[hole] = (struct pending_put){0};
}

bool pending_take(struct pending *p, uint64_t id, struct pending_put *ret_put)
{
    const size_t i = find(p, id);
    if (!p->slots[i].is_used) {
        return false;
    }
    if (ret_put != NULL) {
        *ret_put = p->slots[i];
    }
    shift_back(p, i);
    p->count--;
    return true;
}
