#include "gossip/repair/column.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

uint32_t column_share_bits(uint64_t entries)
{
    uint32_t bits = 0;
    while (entries >> bits > COLUMN_ENTRIES_MAX && bits < COLUMN_SHARE_BITS_MAX) {
        bits++;
    }
    return bits;
}

void column_init(struct column *c, uint64_t key, uint64_t cut_s, uint32_t share_bits,
                 struct scope *scope)
{
    ASSERT(share_bits <= COLUMN_SHARE_BITS_MAX);
    *c = (struct column){.key = key, .cut_s = cut_s, .share_bits = share_bits, .scope = *scope};
    *scope = (struct scope){.rows = NULL};
    iblt_init(&c->table);
}

void column_fini(struct column *c, struct store *store)
{
    store_walk_end(store, &c->walk);
    scope_fini(&c->scope);
    iblt_fini(&c->table);
    while (c->block_count > 0) {
        free(c->blocks[--c->block_count]);
    }
    free(c->blocks);
    c->blocks = NULL;
}

enum rc column_shed(struct column *c)
{
    c->count = 0;
    for (int i = 0; i < COLUMN_SHED_STEP && c->block_count > 0; i++) {
        free(c->blocks[--c->block_count]);
    }
    return c->block_count == 0 ? RC_OK : RC_AGAIN;
}

uint64_t column_id(const struct column *c, size_t at)
{
    return c->blocks[at / COLUMN_BLOCK_ENTRIES]->ids[at % COLUMN_BLOCK_ENTRIES];
}

uint32_t column_handle(const struct column *c, size_t at)
{
    return c->blocks[at / COLUMN_BLOCK_ENTRIES]->handles[at % COLUMN_BLOCK_ENTRIES];
}

static void add_block(struct column *c)
{
    if (c->block_count == c->block_size) {
        c->block_size = c->block_size == 0 ? 16 : 2 * c->block_size;
        c->blocks = mem_resize(c->blocks, c->block_size, sizeof(struct column_block *));
    }
    c->blocks[c->block_count++] = mem_new(1, sizeof(struct column_block));
}

static uint64_t high_bits(uint64_t id, uint32_t bits)
{
    return bits == 0 ? 0 : id >> (64 - bits);
}

static void add(struct column *c, uint64_t id, uint32_t handle)
{
    if (c->count == c->block_count * COLUMN_BLOCK_ENTRIES) {
        add_block(c);
    }
    struct column_block *block = c->blocks[c->count / COLUMN_BLOCK_ENTRIES];
    const size_t at = c->count++ % COLUMN_BLOCK_ENTRIES;
    block->ids[at] = id;
    block->handles[at] = handle;
    block->places[at] = 0;
}

/* Opens the walk of the next epoch. RC_NOT_FOUND: there is none. RC_FULL: too many are open. */
static enum rc next_epoch(struct column *c, struct store *store)
{
    c->has_epoch = c->has_epoch || scope_pop(&c->scope, &c->epoch);
    if (!c->has_epoch) {
        return RC_NOT_FOUND;
    }
    const enum rc rc = store_walk_begin(store, c->epoch, &c->walk);
    c->has_epoch = rc != RC_OK;
    return rc;
}

enum rc column_collect(struct column *c, struct store *store, uint64_t now_ms)
{
    enum { AT_ONCE = 256 };
    size_t budget = COLUMN_WALK_STEP;
    while (!c->is_collected && budget > 0) {
        if (!c->walk.is_open) {
            const enum rc rc = next_epoch(c, store);
            c->is_collected = rc == RC_NOT_FOUND;
            if (rc != RC_OK) {
                return rc == RC_NOT_FOUND ? RC_OK : RC_AGAIN;
            }
            budget--;
        }
        uint64_t ids[AT_ONCE];
        uint32_t handles[AT_ONCE];
        bool is_over = false;
        const size_t most = budget < AT_ONCE ? budget : AT_ONCE;
        const size_t count =
            store_walk_ids(store, &c->walk, now_ms, c->cut_s, c->key, most, ids, handles, &is_over);
        budget -= is_over ? count : most;
        for (size_t i = 0; i < count; i++) {
            if (high_bits(ids[i], c->share_bits) == 0) {
                add(c, ids[i], handles[i]);
            }
        }
        if (is_over) {
            store_walk_end(store, &c->walk);
        }
        if (c->count > 2 * (size_t)COLUMN_ENTRIES_MAX) {
            return RC_TOO_LONG;
        }
    }
    return c->is_collected ? RC_OK : RC_AGAIN;
}

void column_select(struct column *c, uint32_t slice_bits, uint32_t slice)
{
    ASSERT(slice_bits <= COLUMN_SLICE_BITS_MAX && slice >> slice_bits == 0);
    c->slice_bits = slice_bits;
    c->slice = slice;
    c->coded = 0;
    iblt_clear(&c->table);
    for (size_t i = 0; i < c->block_count; i++) {
        memset(c->blocks[i]->places, 0, sizeof(c->blocks[i]->places));
    }
}

void column_grow(struct column *c, uint32_t count)
{
    if (count > c->table.count) {
        iblt_extend(&c->table, count);
        c->coded = 0;
    }
}

enum rc column_code(struct column *c)
{
    const size_t left = c->count - c->coded;
    const size_t end = c->coded + (left < COLUMN_CODE_STEP ? left : COLUMN_CODE_STEP);
    for (; c->coded < end; c->coded++) {
        struct column_block *block = c->blocks[c->coded / COLUMN_BLOCK_ENTRIES];
        const size_t at = c->coded % COLUMN_BLOCK_ENTRIES;
        const uint64_t id = block->ids[at];
        if (high_bits(id << c->share_bits, c->slice_bits) == c->slice) {
            block->places[at] = iblt_add(&c->table, id, block->places[at], 1);
        }
    }
    return c->coded == c->count ? RC_OK : RC_AGAIN;
}

enum rc column_search(struct column *c, struct idset *ids, size_t *ret_at)
{
    const size_t left = c->count - c->looked_at;
    const size_t end = c->looked_at + (left < COLUMN_CODE_STEP ? left : COLUMN_CODE_STEP);
    while (c->looked_at < end && ids->count > 0) {
        const size_t at = c->looked_at++;
        if (idset_remove(ids, column_id(c, at))) {
            *ret_at = at;
            return RC_OK;
        }
    }
    if (c->looked_at < c->count && ids->count > 0) {
        return RC_AGAIN;
    }
    c->looked_at = 0;
    return RC_NOT_FOUND;
}
