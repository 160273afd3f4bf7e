#include "core/base/iblt.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>

/*
 * A place is a cell's index in the low bits and the number of steps taken in the high ones, so that
 * a million of them take 4 MB. The step's random number is the id times a power of a multiplier
 * (a multiplicative generator; Steele and Vigna, "Computationally Easy, Spectrally Good
 * Multipliers", 2022), which can be picked up again at any step.
 */
enum { PLACE_INDEX_BITS = 24, PLACE_INDEX_MAX = (1 << PLACE_INDEX_BITS) - 1 };

/* The table of gap factors: over the high bits of a draw, with fixed-point fractions. Below
 * STEEP_BELOW, once in 128 times, interpolation would be off by more than a thousandth. */
enum { DRAWN_REST_BITS = 22, STEEP_BELOW = IBLT_GAPS / 128, GAP_BITS = 24 };

#define GAP_MULTIPLIER UINT64_C(0xf1357aea2e62a9c5)
#define CHECK_MULTIPLIER UINT64_C(0x9fb21c651e98df25)

_Static_assert((int)IBLT_CELLS_MAX < (int)PLACE_INDEX_MAX, "a place beyond all cells exists");

void iblt_init(struct iblt *t)
{
    *t = (struct iblt){.cells = NULL};
    uint64_t power = GAP_MULTIPLIER;
    for (int i = 0; i <= IBLT_STEPS_MAX; i++) {
        t->powers[i] = power;
        power *= GAP_MULTIPLIER;
    }
    t->gaps[0] = UINT32_MAX; /* not used, as all below STEEP_BELOW */
    for (int i = 1; i <= IBLT_GAPS; i++) {
        const double factor = sqrt((double)IBLT_GAPS / i) - 1.0;
        t->gaps[i] = (uint32_t)(factor * (1 << GAP_BITS));
    }
}

void iblt_fini(struct iblt *t)
{
    free(t->cells);
    t->cells = NULL;
    t->count = 0;
    t->size = 0;
}

void iblt_clear(struct iblt *t)
{
    t->count = 0;
}

void iblt_extend(struct iblt *t, uint32_t count)
{
    ASSERT(count >= t->count && count <= IBLT_CELLS_MAX);
    if (count > t->size) {
        t->size = count > 2 * t->size ? count : 2 * t->size;
        t->cells = mem_resize(t->cells, t->size, sizeof(*t->cells));
    }
    for (uint32_t i = t->count; i < count; i++) {
        t->cells[i] = (struct iblt_cell){.id = 0};
    }
    t->count = count;
}

static uint32_t check_of(uint64_t id)
{
    return (uint32_t)(((id ^ id >> 32) * CHECK_MULTIPLIER) >> 32);
}

/*
 * With u uniform in (0, 1] the next index after i is i + (i + 3/2) f, rounded up, where f is
 * u^-1/2 - 1 (section 4.2 of the paper). f comes from a table with linear interpolation, in fixed
 * point: a root and a quotient for each of 14 million steps would take three times as long. Only
 * where f is steep is it computed. All of it is exact in integers or IEEE arithmetic, so every
 * machine finds the same index.
 */
static uint64_t far_gap(uint32_t index, uint32_t drawn)
{
    const double factor = 65536.0 / sqrt((double)drawn + 1.0) - 1.0;
    const double gap = ((double)index + 1.5) * factor;
    return gap >= (double)PLACE_INDEX_MAX ? PLACE_INDEX_MAX : (uint64_t)gap + 1;
}

static uint64_t gap_after(const struct iblt *t, uint32_t index, uint32_t drawn)
{
    const uint32_t at = drawn >> DRAWN_REST_BITS;
    if (at < STEEP_BELOW) {
        return far_gap(index, drawn);
    }
    const uint64_t rest = drawn & ((1U << DRAWN_REST_BITS) - 1);
    const uint64_t fall = (t->gaps[at] - t->gaps[at + 1]) * rest >> DRAWN_REST_BITS;
    return ((2 * (uint64_t)index + 3) * (t->gaps[at] - fall) >> (GAP_BITS + 1)) + 1;
}

/* How far an id has come on its way through the cells. The random state does not depend on the
 * index, so the processor can compute it ahead. */
struct way {
    uint32_t index, step;
    uint64_t state;
};

static struct way way_from(const struct iblt *t, uint64_t id, uint32_t place)
{
    const uint32_t step = place >> PLACE_INDEX_BITS;
    return (struct way){
        .index = place & PLACE_INDEX_MAX, .step = step, .state = id * t->powers[step]};
}

static void way_on(struct way *w, const struct iblt *t)
{
    const uint64_t index = w->index + gap_after(t, w->index, (uint32_t)(w->state >> 32));
    w->index = index < PLACE_INDEX_MAX && w->step < IBLT_STEPS_MAX ? (uint32_t)index
                                                                   : (uint32_t)PLACE_INDEX_MAX;
    w->step += w->step < IBLT_STEPS_MAX;
    w->state *= GAP_MULTIPLIER;
}

static uint32_t way_place(const struct way *w)
{
    return w->step << PLACE_INDEX_BITS | w->index;
}

uint32_t iblt_add(struct iblt *t, uint64_t id, uint32_t place, int32_t sign)
{
    const uint32_t check = check_of(id);
    struct way w = way_from(t, id, place);
    while (w.index < t->count) {
        struct iblt_cell *cell = &t->cells[w.index];
        cell->id ^= id;
        cell->check ^= check;
        cell->count = (int32_t)((uint32_t)cell->count + (uint32_t)sign);
        way_on(&w, t);
    }
    return way_place(&w);
}

double iblt_density(uint32_t index)
{
    return 1.0 / (1.0 + (double)index / 2.0);
}

/* ---- Decoding ---- */

void iblt_decoder_init(struct iblt_decoder *d)
{
    *d = (struct iblt_decoder){.items = NULL};
    iblt_init(&d->diff);
}

void iblt_decoder_fini(struct iblt_decoder *d)
{
    iblt_fini(&d->diff);
    free(d->items);
    free(d->pending);
    d->items = NULL;
    d->pending = NULL;
    d->item_count = 0;
    d->item_size = 0;
    d->pending_count = 0;
    d->pending_size = 0;
}

void iblt_decoder_clear(struct iblt_decoder *d)
{
    iblt_clear(&d->diff);
    d->item_count = 0;
    d->pending_count = 0;
}

static bool is_single(const struct iblt_cell *cell)
{
    return (cell->count == 1 || cell->count == -1) && cell->check == check_of(cell->id);
}

static void note_pending(struct iblt_decoder *d, uint32_t index)
{
    if (d->pending_count == d->pending_size) {
        d->pending_size = d->pending_size == 0 ? 64 : 2 * d->pending_size;
        d->pending = mem_resize(d->pending, d->pending_size, sizeof(*d->pending));
    }
    d->pending[d->pending_count++] = index;
}

void iblt_decoder_extend(struct iblt_decoder *d, const struct iblt_cell *theirs,
                         const struct iblt_cell *ours, uint32_t count)
{
    const uint32_t first = d->diff.count;
    iblt_extend(&d->diff, first + count);
    for (uint32_t i = 0; i < count; i++) {
        /* A garbled count may be anything; it wraps instead of overflowing. */
        d->diff.cells[first + i] = (struct iblt_cell){
            .id = theirs[i].id ^ ours[i].id,
            .check = theirs[i].check ^ ours[i].check,
            .count = (int32_t)((uint32_t)theirs[i].count - (uint32_t)ours[i].count),
        };
    }
    for (size_t i = 0; i < d->item_count; i++) {
        struct iblt_item *item = &d->items[i];
        item->place = iblt_add(&d->diff, item->id, item->place, -item->sign);
    }
    for (uint32_t i = first; i < d->diff.count; i++) {
        if (is_single(&d->diff.cells[i])) {
            note_pending(d, i);
        }
    }
}

/* Takes a found id out of all its cells; those that hold one id afterwards are pending. */
static uint32_t take_out(struct iblt_decoder *d, uint64_t id, int32_t sign)
{
    const uint32_t check = check_of(id);
    struct way w = way_from(&d->diff, id, 0);
    while (w.index < d->diff.count) {
        struct iblt_cell *cell = &d->diff.cells[w.index];
        cell->id ^= id;
        cell->check ^= check;
        cell->count = (int32_t)((uint32_t)cell->count - (uint32_t)sign);
        if (is_single(cell)) {
            note_pending(d, w.index);
        }
        way_on(&w, &d->diff);
    }
    return way_place(&w);
}

static bool is_empty(const struct iblt_cell *cell)
{
    return cell->id == 0 && cell->check == 0 && cell->count == 0;
}

enum rc iblt_decoder_peel(struct iblt_decoder *d, size_t budget)
{
    while (d->pending_count > 0) {
        if (budget == 0) {
            return RC_AGAIN;
        }
        budget--;
        const struct iblt_cell cell = d->diff.cells[d->pending[--d->pending_count]];
        if (!is_single(&cell)) {
            continue;
        }
        /* Two sets give no more ids than cells; garbage could go on for ever. */
        if (d->item_count == d->diff.count) {
            return RC_MALFORMED;
        }
        if (d->item_count == d->item_size) {
            d->item_size = d->item_size == 0 ? 64 : 2 * d->item_size;
            d->items = mem_resize(d->items, d->item_size, sizeof(*d->items));
        }
        const uint32_t place = take_out(d, cell.id, cell.count);
        d->items[d->item_count++] =
            (struct iblt_item){.id = cell.id, .place = place, .sign = cell.count};
    }
    return d->diff.count > 0 && is_empty(&d->diff.cells[0]) ? RC_OK : RC_NOT_FOUND;
}

uint64_t iblt_decoder_estimate(const struct iblt_decoder *d)
{
    /* In the first cells the gap's formula, which is exact for many cells, is a few percent off. */
    const uint32_t first = 8;
    if (d->diff.count <= first) {
        return d->item_count;
    }
    const double total = d->diff.cells[0].count;
    double sum = 0;
    for (uint32_t i = first; i < d->diff.count; i++) {
        const double density = iblt_density(i);
        const double off = (double)d->diff.cells[i].count - density * total;
        sum += off * off / (density * (1 - density));
    }
    const double left = sum / (double)(d->diff.count - first);
    return d->item_count + (left < 1e15 ? (uint64_t)left : UINT64_C(1000000000000000));
}
