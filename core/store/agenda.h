/*
 * agenda: which entries of one epoch come due when, in slots of 64 ms (a timing wheel of one turn:
 * Varghese and Lauck, SOSP 1987).
 *
 * It holds hints, not entries. A handle that was freed, or given to another entry meanwhile, stays
 * in it and is looked at once in vain. So nothing is ever taken out of an agenda, and an entry
 * needs no links for it. Only the one or two epochs about to expire have one.
 */
#ifndef CORE_STORE_AGENDA_H
#define CORE_STORE_AGENDA_H

#include "core/store/epoch.h"

#include <stdint.h>

enum { AGENDA_SLOT_MS = 64, AGENDA_SLOTS = EPOCH_MS / AGENDA_SLOT_MS, AGENDA_PEEK_MAX = 256 };

struct agenda_chunk;

struct agenda {
    struct agenda_chunk **slots; /* NULL while the agenda is empty */
    uint32_t next_slot;          /* those before are due and drained */
    uint64_t count;
};

/* A zeroed agenda is an empty one. Drops what is in it. */
void agenda_clear(struct agenda *agenda);

/* Notes a handle that comes due `after_ms` into the epoch. One whose slot is past goes to the next
 * slot that is drained. */
void agenda_add(struct agenda *agenda, uint32_t handle, uint64_t after_ms);

/* Takes a handle out of a slot that ended at or before `after_ms` into the epoch; 0: none left. */
uint32_t agenda_take(struct agenda *agenda, uint64_t after_ms);

/* Copies the handles of the slot that `after_ms` falls in, if it is not drained and they are at
 * most AGENDA_PEEK_MAX. Returns how many. */
uint32_t agenda_peek(const struct agenda *agenda, uint64_t after_ms,
                     uint32_t ret_handles[static AGENDA_PEEK_MAX]);

/* When the next handle can be taken: milliseconds into the epoch, at most EPOCH_MS. */
uint64_t agenda_due_after_ms(const struct agenda *agenda);

#endif
