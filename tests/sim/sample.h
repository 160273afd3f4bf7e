/*
 * sample: measured values of one kind, and their percentiles.
 */
#ifndef SIM_SAMPLE_H
#define SIM_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sample {
    uint64_t *values;
    size_t count, size;
    bool is_sorted;
};

/* A sample that is all zeroes is an empty one. */
void sample_add(struct sample *s, uint64_t value);
void sample_fini(struct sample *s);

/* The smallest value that at least `permille` of 1000 do not exceed; 0 of an empty sample. */
uint64_t sample_percentile(struct sample *s, uint32_t permille);

#endif
