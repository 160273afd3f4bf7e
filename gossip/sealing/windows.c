#include "gossip/sealing/windows.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

enum { FIRST_SIZE = 16 };

void windows_init(struct windows *ws, uint32_t count_max)
{
    ASSERT(count_max > 0 && count_max <= WINDOWS_MAX);
    *ws = (struct windows){.count_max = count_max};
    slotindex_init(&ws->by_tag, count_max);
}

void windows_fini(struct windows *ws)
{
    slotindex_fini(&ws->by_tag);
    free(ws->places);
    *ws = (struct windows){.count = 0};
}

static struct windows_place *find(const struct windows *ws, uint32_t tag, const struct uuid *uuid)
{
    uint32_t walk = 0, slot = 0;
    while (slotindex_next(&ws->by_tag, tag, &walk, &slot)) {
        if (uuid_equal(&ws->places[slot].uuid, uuid)) {
            return &ws->places[slot];
        }
    }
    return NULL;
}

/* The next that was not heard since the hand last passed. */
static uint32_t give_up(struct windows *ws)
{
    while (ws->places[ws->hand].is_used) {
        ws->places[ws->hand].is_used = false;
        ws->hand = (ws->hand + 1) % ws->count;
    }
    const uint32_t slot = ws->hand;
    ws->hand = (ws->hand + 1) % ws->count;
    slotindex_remove(&ws->by_tag, ws->places[slot].tag, slot);
    return slot;
}

static uint32_t free_slot(struct windows *ws)
{
    if (ws->count == ws->count_max) {
        return give_up(ws);
    }
    if (ws->count == ws->size) {
        const uint32_t grown = ws->size == 0 ? FIRST_SIZE : 2 * ws->size;
        ws->size = grown < ws->count_max ? grown : ws->count_max;
        ws->places = mem_resize(ws->places, ws->size, sizeof(ws->places[0]));
    }
    return ws->count++;
}

bool windows_is_new(const struct windows *ws, uint32_t tag, const struct uuid *uuid,
                    uint64_t counter)
{
    const struct windows_place *place = find(ws, tag, uuid);
    return place != NULL ? window_is_new(&place->window, counter) : counter != 0;
}

struct windows_place *windows_take(struct windows *ws, uint32_t tag, const struct uuid *uuid,
                                   uint64_t counter)
{
    struct windows_place *place = find(ws, tag, uuid);
    if (place == NULL) {
        const uint32_t slot = free_slot(ws);
        place = &ws->places[slot];
        *place = (struct windows_place){.uuid = *uuid, .tag = tag};
        slotindex_add(&ws->by_tag, tag, slot);
    }
    place->is_used = true;
    window_take(&place->window, counter);
    return place;
}

const struct windows_place *windows_find(const struct windows *ws, uint32_t tag,
                                         const struct uuid *uuid)
{
    return find(ws, tag, uuid);
}

void windows_note_open(struct windows *ws, uint32_t tag, const struct uuid *uuid)
{
    struct windows_place *place = find(ws, tag, uuid);
    if (place != NULL) {
        place->was_open = true;
    }
}

void windows_check(const struct windows *ws)
{
    ASSERT(ws->count <= ws->size && ws->size <= ws->count_max);
    ASSERT(ws->by_tag.count == ws->count && (ws->hand == 0 || ws->hand < ws->count));
    for (uint32_t i = 0; i < ws->count; i++) {
        const struct windows_place *place = &ws->places[i];
        ASSERT(find(ws, place->tag, &place->uuid) == place && place->window.highest != 0);
    }
}
