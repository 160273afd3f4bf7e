/*
 * sample: measured values of one kind, and their percentiles, in constant memory.
 *
 * It is a histogram with 128 equal steps in each octave. A percentile is exact below 128 and at
 * most 0.8 % too high above. Count, sum and maximum are exact. Left out: what the values are (the
 * caller keeps one unit to a sample).
 */
#ifndef CORE_BASE_SAMPLE_H
#define CORE_BASE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SAMPLE_STEP_BITS = 7,
    SAMPLE_STEPS = 1 << SAMPLE_STEP_BITS,
    SAMPLE_PLACES = SAMPLE_STEPS * (64 - SAMPLE_STEP_BITS + 1),
};

struct sample {
    uint64_t *places; /* SAMPLE_PLACES of them once there is a value */
    uint64_t count, max;
    uint64_t sum; /* modulo 2^64: of nanoseconds it takes 584 years to get there */
};

/* A sample that is all zeroes is an empty one. */
void sample_add(struct sample *s, uint64_t value);

/* The same value so many times. */
void sample_add_many(struct sample *s, uint64_t value, uint64_t count);

/* Adds all values of the other. */
void sample_merge(struct sample *s, const struct sample *other);

/* Empties it and keeps its memory. */
void sample_clear(struct sample *s);

void sample_fini(struct sample *s);

/* The smallest value that at least `permille` of 1000 do not exceed; 0 of an empty sample. */
uint64_t sample_percentile(const struct sample *s, uint32_t permille);

/* Whether there are values enough to speak of that percentile, which is above the median: one at
 * least is beyond it. Of fewer it is the maximum, and to be called so. */
bool sample_resolves(const struct sample *s, uint32_t permille);

/* Rounded down; 0 of an empty sample. */
uint64_t sample_mean(const struct sample *s);

#endif
