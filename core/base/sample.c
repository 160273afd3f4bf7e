#include "core/base/sample.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PERMILLE = 1000, BITS = 64 };

static uint32_t place_of(uint64_t value)
{
    if (value < SAMPLE_STEPS) {
        return (uint32_t)value;
    }
    const uint32_t shift = (uint32_t)(BITS - 1 - __builtin_clzll(value)) - SAMPLE_STEP_BITS;
    return SAMPLE_STEPS * (shift + 1) + (uint32_t)(value >> shift) - SAMPLE_STEPS;
}

/* The largest value that belongs there. */
static uint64_t value_of(uint32_t place)
{
    if (place < SAMPLE_STEPS) {
        return place;
    }
    const uint32_t shift = place / SAMPLE_STEPS - 1;
    return (((uint64_t)(place % SAMPLE_STEPS) + SAMPLE_STEPS + 1) << shift) - 1;
}

void sample_add_many(struct sample *s, uint64_t value, uint64_t count)
{
    if (count == 0) {
        return;
    }
    if (s->places == NULL) {
        s->places = mem_new(SAMPLE_PLACES, sizeof(*s->places));
    }
    s->places[place_of(value)] += count;
    s->count += count;
    s->sum += value * count;
    s->max = value > s->max ? value : s->max;
}

void sample_add(struct sample *s, uint64_t value)
{
    sample_add_many(s, value, 1);
}

void sample_merge(struct sample *s, const struct sample *other)
{
    if (other->count == 0) {
        return;
    }
    if (s->places == NULL) {
        s->places = mem_new(SAMPLE_PLACES, sizeof(*s->places));
    }
    for (uint32_t i = 0; i < SAMPLE_PLACES; i++) {
        s->places[i] += other->places[i];
    }
    s->count += other->count;
    s->sum += other->sum;
    s->max = other->max > s->max ? other->max : s->max;
}

void sample_clear(struct sample *s)
{
    if (s->places != NULL && s->count > 0) {
        memset(s->places, 0, SAMPLE_PLACES * sizeof(*s->places));
    }
    *s = (struct sample){.places = s->places};
}

void sample_fini(struct sample *s)
{
    free(s->places);
    *s = (struct sample){.count = 0};
}

uint64_t sample_percentile(const struct sample *s, uint32_t permille)
{
    uint64_t rank = (s->count * permille + PERMILLE - 1) / PERMILLE;
    if (s->count == 0) {
        return 0;
    }
    rank = rank == 0 ? 1 : rank;
    uint32_t place = 0;
    for (uint64_t seen = 0; place < SAMPLE_PLACES && (seen += s->places[place]) < rank;) {
        place++;
    }
    const uint64_t value = value_of(place);
    return value < s->max ? value : s->max;
}

bool sample_resolves(const struct sample *s, uint32_t permille)
{
    return s->count >= PERMILLE || s->count * (PERMILLE - permille) >= PERMILLE;
}

uint64_t sample_mean(const struct sample *s)
{
    return s->count > 0 ? s->sum / s->count : 0;
}
