#include "gossip/repair/scope.h"

#include "core/base/mem.h"

#include <stdlib.h>

void scope_fini(struct scope *scope)
{
    free(scope->rows);
    *scope = (struct scope){.rows = NULL};
}

enum rc scope_add(struct scope *scope, uint64_t group, uint64_t epochs)
{
    if (epochs == 0) {
        return RC_OK;
    }
    const uint32_t last = scope->count == 0 ? 0 : scope->rows[scope->count - 1].group;
    if (group > UINT32_MAX || (scope->count > 0 && group < last)) {
        return RC_RANGE;
    }
    if (scope->count > 0 && group == last) {
        scope->rows[scope->count - 1].epochs |= epochs;
        return RC_OK;
    }
    if (scope->count == SCOPE_ROWS_MAX) {
        return RC_FULL;
    }
    if (scope->count == scope->size) {
        scope->size = scope->size == 0 ? 8 : 2 * scope->size;
        scope->rows = mem_resize(scope->rows, scope->size, sizeof(*scope->rows));
    }
    scope->rows[scope->count++] = (struct scope_row){.group = (uint32_t)group, .epochs = epochs};
    return RC_OK;
}

enum rc scope_merge(struct scope *scope, const struct scope *from)
{
    struct scope both = {.rows = NULL};
    enum rc rc = RC_OK;
    uint32_t i = 0, j = 0;
    while (rc == RC_OK && (i < scope->count || j < from->count)) {
        const bool takes_own =
            j == from->count || (i < scope->count && scope->rows[i].group <= from->rows[j].group);
        const struct scope_row *row = takes_own ? &scope->rows[i++] : &from->rows[j++];
        rc = scope_add(&both, row->group, row->epochs);
    }
    scope_fini(scope);
    *scope = both;
    return rc;
}

bool scope_pop(struct scope *scope, uint64_t *ret_epoch)
{
    if (scope->count == 0) {
        return false;
    }
    struct scope_row *row = &scope->rows[scope->count - 1];
    uint32_t bit = EPOCHS_PER_GROUP - 1;
    while ((row->epochs >> bit & 1) == 0) {
        bit--;
    }
    *ret_epoch = (uint64_t)row->group * EPOCHS_PER_GROUP + bit;
    row->epochs &= ~(UINT64_C(1) << bit);
    scope->count -= row->epochs == 0;
    return true;
}

uint64_t scope_entries(const struct scope *scope, const struct store *store, uint64_t cut_s)
{
    uint64_t entries = 0;
    struct digest digest;
    for (uint32_t i = 0; i < scope->count; i++) {
        const uint64_t first = (uint64_t)scope->rows[i].group * EPOCHS_PER_GROUP;
        for (uint64_t e = first;
             store_next_epoch(store, cut_s, &e, &digest) == RC_OK && e < first + EPOCHS_PER_GROUP;
             e++) {
            entries += scope->rows[i].epochs >> (e - first) & 1 ? digest.count : 0;
        }
    }
    return entries;
}

void scope_write(const struct scope *scope, struct cursor *c)
{
    cursor_put_u16(c, (uint16_t)scope->count);
    for (uint32_t i = 0; i < scope->count; i++) {
        cursor_put_u32(c, scope->rows[i].group);
        cursor_put_u64(c, scope->rows[i].epochs);
    }
}

enum rc scope_read(struct scope *scope, struct cursor *c)
{
    const uint32_t count = cursor_u16(c);
    for (uint32_t i = 0; i < count && cursor_ok(c); i++) {
        const uint32_t group = cursor_u32(c);
        const uint64_t epochs = cursor_u64(c);
        const bool is_ordered = i == 0 || group > scope->rows[scope->count - 1].group;
        if (!cursor_ok(c) || epochs == 0 || !is_ordered ||
            scope_add(scope, group, epochs) != RC_OK) {
            return RC_MALFORMED;
        }
    }
    return cursor_ok(c) ? RC_OK : RC_MALFORMED;
}
