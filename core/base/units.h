/*
 * units: what every module counts with: no time at all, the seconds of a day, the smaller of two.
 */
#ifndef CORE_BASE_UNITS_H
#define CORE_BASE_UNITS_H

#include <stdint.h>

/* As a deadline: nothing is to be done. */
#define NEVER UINT64_MAX

#define DAY_S UINT64_C(86400)
#define DAY_MS (DAY_S * 1000)

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
