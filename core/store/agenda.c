#include "core/store/agenda.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_HANDLES = 15 }; /* 72 bytes: what malloc rounds up by nothing */

_Static_assert(AGENDA_SLOTS *AGENDA_SLOT_MS == EPOCH_MS, "slots cover the epoch");

struct agenda_chunk {
    struct agenda_chunk *next;
    uint32_t count;
    uint32_t handles[CHUNK_HANDLES];
};

void agenda_clear(struct agenda *agenda)
{
    for (uint32_t i = agenda->next_slot; agenda->slots != NULL && i < AGENDA_SLOTS; i++) {
        struct agenda_chunk *chunk = agenda->slots[i];
        while (chunk != NULL) {
            struct agenda_chunk *next = chunk->next;
            free(chunk);
            chunk = next;
        }
    }
    free(agenda->slots);
    *agenda = (struct agenda){.slots = NULL};
}

void agenda_add(struct agenda *agenda, uint32_t handle, uint64_t after_ms)
{
    if (agenda->slots == NULL) {
        agenda->slots = mem_new(AGENDA_SLOTS, sizeof(struct agenda_chunk *));
    }
    uint64_t slot = after_ms / AGENDA_SLOT_MS;
    if (slot < agenda->next_slot) {
        slot = agenda->next_slot;
    }
    if (slot >= AGENDA_SLOTS) {
        slot = AGENDA_SLOTS - 1;
    }
    struct agenda_chunk **at = &agenda->slots[slot];
    if (*at == NULL || (*at)->count == CHUNK_HANDLES) {
        struct agenda_chunk *chunk = mem_new(1, sizeof(*chunk));
        chunk->next = *at;
        *at = chunk;
    }
    (*at)->handles[(*at)->count++] = handle;
    agenda->count++;
}

uint32_t agenda_take(struct agenda *agenda, uint64_t after_ms)
{
    if (agenda->count == 0) {
        return 0;
    }
    while (agenda->next_slot < AGENDA_SLOTS &&
           (uint64_t)(agenda->next_slot + 1) * AGENDA_SLOT_MS <= after_ms) {
        struct agenda_chunk **at = &agenda->slots[agenda->next_slot];
        if (*at == NULL) {
            agenda->next_slot++;
            continue;
        }
        struct agenda_chunk *chunk = *at;
        const uint32_t handle = chunk->handles[--chunk->count];
        if (chunk->count == 0) {
            *at = chunk->next;
            free(chunk);
        }
        agenda->count--;
        return handle;
    }
    return 0;
}

uint32_t agenda_peek(const struct agenda *agenda, uint64_t after_ms,
                     uint32_t ret_handles[static AGENDA_PEEK_MAX])
{
    const uint64_t slot = after_ms / AGENDA_SLOT_MS;
    uint32_t count = 0;
    if (agenda->count == 0 || slot < agenda->next_slot || slot >= AGENDA_SLOTS) {
        return 0;
    }
    for (const struct agenda_chunk *chunk = agenda->slots[slot]; chunk != NULL;
         chunk = chunk->next) {
        if (count + chunk->count > AGENDA_PEEK_MAX) {
            return 0;
        }
        memcpy(ret_handles + count, chunk->handles, chunk->count * sizeof(*ret_handles));
        count += chunk->count;
    }
    return count;
}

uint64_t agenda_due_after_ms(const struct agenda *agenda)
{
    uint32_t slot = agenda->next_slot;
    while (agenda->count > 0 && slot < AGENDA_SLOTS && agenda->slots[slot] == NULL) {
        slot++;
    }
    return agenda->count == 0 || slot == AGENDA_SLOTS ? EPOCH_MS
                                                      : (uint64_t)(slot + 1) * AGENDA_SLOT_MS;
}
