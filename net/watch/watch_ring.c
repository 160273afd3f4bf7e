#include "net/watch/watch_ring.h"

#include "core/base/mem.h"

#include <stdlib.h>

void watch_ring_init(struct watch_ring *ring)
{
    *ring = (struct watch_ring){.first = 1, .next = 1};
}

static struct watch_event **slot_of(const struct watch_ring *ring, uint64_t number)
{
    return &ring->slots[number % WATCH_RING_EVENTS_MAX];
}

static void drop_oldest(struct watch_ring *ring)
{
    struct watch_event **slot = slot_of(ring, ring->first);
    ring->bytes -= (*slot)->size;
    free(*slot);
    *slot = NULL;
    ring->first++;
}

void watch_ring_fini(struct watch_ring *ring)
{
    while (ring->first < ring->next) {
        drop_oldest(ring);
    }
    free((void *)ring->slots);
    ring->slots = NULL;
}

void watch_ring_add(struct watch_ring *ring, struct watch_event *e)
{
    if (ring->slots == NULL) {
        ring->slots = mem_new(WATCH_RING_EVENTS_MAX, sizeof(struct watch_event *));
    }
    while (ring->next - ring->first >= WATCH_RING_EVENTS_MAX ||
           (ring->first < ring->next && ring->bytes + e->size > WATCH_RING_BYTES_MAX)) {
        drop_oldest(ring);
    }
    *slot_of(ring, ring->next) = e;
    ring->bytes += e->size;
    ring->next++;
}

const struct watch_event *watch_ring_at(const struct watch_ring *ring, uint64_t number)
{
    return number >= ring->first && number < ring->next ? *slot_of(ring, number) : NULL;
}

bool watch_ring_holds_after(const struct watch_ring *ring, uint64_t number)
{
    return number < ring->next && number + 1 >= ring->first;
}

void watch_ring_forget(struct watch_ring *ring)
{
    watch_ring_fini(ring);
    ring->next++;
    ring->first = ring->next;
}
