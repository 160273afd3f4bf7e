#include "tests/sim/barrier.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 1 << 24, PAIRS_MIN = 64 };

void barrier_init(struct barrier *b, uint32_t count)
{
    *b = (struct barrier){.count = count};
    b->sides = mem_new(count == 0 ? 1 : count, 1);
    slotindex_init(&b->index, PAIRS_MAX);
}

void barrier_fini(struct barrier *b)
{
    slotindex_fini(&b->index);
    free(b->sides);
    free(b->pairs);
}

static uint32_t hash_of(uint32_t from, uint32_t to)
{
    const uint64_t mixed = ((uint64_t)from << 32 | to) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

static struct barrier_pair *find(const struct barrier *b, uint32_t from, uint32_t to)
{
    uint32_t walk = 0;
    uint32_t slot = 0;
    while (slotindex_next(&b->index, hash_of(from, to), &walk, &slot)) {
        if (b->pairs[slot].from == from && b->pairs[slot].to == to) {
            return &b->pairs[slot];
        }
    }
    return NULL;
}

uint8_t barrier_of(const struct barrier *b, uint32_t from, uint32_t to)
{
    uint8_t what = (uint8_t)(b->everywhere | b->between[b->sides[from]][b->sides[to]]);
    if (b->pair_count > 0 && b->opened_us == 0) {
        const struct barrier_pair *pair = find(b, from, to);
        what = (uint8_t)(what | (pair != NULL ? pair->what : 0));
    }
    return what;
}

static void remove_pair(struct barrier *b, struct barrier_pair *pair)
{
    const uint32_t slot = (uint32_t)(pair - b->pairs);
    const uint32_t last = --b->pair_count;
    slotindex_remove(&b->index, hash_of(pair->from, pair->to), slot);
    if (slot != last) {
        const struct barrier_pair *moved = &b->pairs[last];
        slotindex_remove(&b->index, hash_of(moved->from, moved->to), last);
        slotindex_add(&b->index, hash_of(moved->from, moved->to), slot);
        *pair = *moved;
    }
}

static void forget_pairs(struct barrier *b)
{
    slotindex_fini(&b->index);
    b->pair_count = 0;
    b->opened_us = 0;
}

void barrier_set_pair(struct barrier *b, uint32_t from, uint32_t to, uint8_t what)
{
    if (b->opened_us != 0) {
        forget_pairs(b);
    }
    struct barrier_pair *pair = find(b, from, to);
    if (pair != NULL && what == 0) {
        remove_pair(b, pair);
    } else if (pair != NULL) {
        pair->what = what;
    } else if (what != 0) {
        if (b->pair_count == b->pair_size) {
            b->pair_size = b->pair_size == 0 ? PAIRS_MIN : 2 * b->pair_size;
            b->pairs = mem_resize(b->pairs, b->pair_size, sizeof(*b->pairs));
        }
        b->pairs[b->pair_count] = (struct barrier_pair){.from = from, .to = to, .what = what};
        slotindex_add(&b->index, hash_of(from, to), b->pair_count++);
    }
}

void barrier_open_pairs(struct barrier *b, uint64_t now_us)
{
    b->opened_us = now_us;
}

bool barrier_was_closed(const struct barrier *b, uint32_t from, uint32_t to, uint64_t since_us)
{
    return b->opened_us != 0 && b->opened_us >= since_us && find(b, from, to) != NULL;
}

void barrier_clear(struct barrier *b)
{
    forget_pairs(b);
    b->everywhere = 0;
    memset(b->between, 0, sizeof(b->between));
    memset(b->sides, 0, b->count);
}
