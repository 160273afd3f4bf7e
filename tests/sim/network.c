#include "tests/sim/network.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    SMALL_BYTES = 128, /* a steady ping with a few entries */
    CHUNK_SLOTS = 1024,
    HEAP_MIN = 1024,
    HEAP_WIDTH = 4, /* children of a heap's place: fewer levels, and they share cache lines */
    MILLION = 1000000,
    BEGIN_US = 1000000,
};

struct event_slot {
    struct event event;
    uint8_t *large; /* malloc'd bytes beyond SMALL_BYTES */
    uint8_t small[SMALL_BYTES];
};

void network_init(struct network *net, uint64_t seed)
{
    *net = (struct network){.now_us = BEGIN_US};
    rng_init(&net->rng, seed);
}

static struct event_slot *slot_at(const struct network *net, uint32_t slot)
{
    return &net->chunks[slot / CHUNK_SLOTS][slot % CHUNK_SLOTS];
}

void network_fini(struct network *net)
{
    for (uint32_t i = 0; i < net->slot_count; i++) {
        free(slot_at(net, i)->large);
    }
    for (uint32_t i = 0; i < net->slot_count / CHUNK_SLOTS; i++) {
        free(net->chunks[i]);
    }
    free((void *)net->chunks);
    free(net->free_slots);
    free(net->heap);
}

static void add_chunk(struct network *net)
{
    const uint32_t chunks = net->slot_count / CHUNK_SLOTS;
    net->chunks = mem_resize((void *)net->chunks, chunks + 1, sizeof(struct event_slot *));
    net->chunks[chunks] = mem_new(CHUNK_SLOTS, sizeof(struct event_slot));
    net->free_slots =
        mem_resize(net->free_slots, net->slot_count + CHUNK_SLOTS, sizeof(*net->free_slots));
    for (uint32_t i = CHUNK_SLOTS; i-- > 0;) {
        net->free_slots[net->free_count++] = net->slot_count + i;
    }
    net->slot_count += CHUNK_SLOTS;
}

static uint32_t take_slot(struct network *net, const struct event *event)
{
    if (net->free_count == 0) {
        add_chunk(net);
    }
    const uint32_t slot = net->free_slots[--net->free_count];
    struct event_slot *s = slot_at(net, slot);
    s->event = *event;
    s->event.data = NULL;
    if (event->len > 0) {
        s->large = event->len > SMALL_BYTES ? mem_new(1, event->len) : NULL;
        uint8_t *room = s->large != NULL ? s->large : s->small;
        memcpy(room, event->data, event->len);
        s->event.data = room;
    }
    return slot;
}

static void give_slot(struct network *net, uint32_t slot)
{
    struct event_slot *s = slot_at(net, slot);
    free(s->large);
    s->large = NULL;
    net->free_slots[net->free_count++] = slot;
}

static bool is_before(const struct event_key *a, const struct event_key *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->age < b->age;
}

void network_at(struct network *net, uint64_t at_us, const struct event *event)
{
    if (net->count == net->size) {
        net->size = net->size == 0 ? HEAP_MIN : 2 * net->size;
        net->heap = mem_resize(net->heap, net->size, sizeof(*net->heap));
    }
    const uint32_t slot = take_slot(net, event);
    const struct event_key key = {
        .at_us = at_us < net->now_us ? net->now_us : at_us, .age = net->age++, .slot = slot};
    slot_at(net, slot)->event.at_us = key.at_us;
    slot_at(net, slot)->event.age = key.age;
    uint32_t i = net->count++;
    while (i > 0 && is_before(&key, &net->heap[(i - 1) / HEAP_WIDTH])) {
        net->heap[i] = net->heap[(i - 1) / HEAP_WIDTH];
        i = (i - 1) / HEAP_WIDTH;
    }
    net->heap[i] = key;
}

/* The last key sinks from the top, which is free. */
static void sift_down(struct network *net)
{
    const struct event_key key = net->heap[net->count];
    uint32_t i = 0;
    for (;;) {
        const uint32_t first = HEAP_WIDTH * i + 1;
        uint32_t least = first;
        for (uint32_t j = first + 1; j < first + HEAP_WIDTH && j < net->count; j++) {
            least = is_before(&net->heap[j], &net->heap[least]) ? j : least;
        }
        if (first >= net->count || !is_before(&net->heap[least], &key)) {
            break;
        }
        net->heap[i] = net->heap[least];
        i = least;
    }
    net->heap[i] = key;
}

const struct event *network_next(struct network *net, uint64_t until_us)
{
    if (net->happening_1 != 0) {
        give_slot(net, net->happening_1 - 1);
        net->happening_1 = 0;
    }
    if (net->count == 0 || net->heap[0].at_us > until_us) {
        net->now_us = until_us > net->now_us ? until_us : net->now_us;
        return NULL;
    }
    const struct event_key first = net->heap[0];
    net->count--;
    if (net->count > 0) {
        sift_down(net);
    }
    net->now_us = first.at_us;
    net->happening_1 = first.slot + 1;
    return &slot_at(net, first.slot)->event;
}

bool network_chance(struct network *net, uint32_t ppm)
{
    return ppm > 0 && rng_below(&net->rng, MILLION) < ppm;
}

void network_note(struct network *net, const void *data, size_t len)
{
    net->hash = XXH3_64bits_withSeed(data, len, net->hash);
}
