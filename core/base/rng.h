/*
 * rng: the engine's seeded generator (xoshiro256**, Blackman and Vigna 2021, seeded by SplitMix64).
 *
 * Same seed, same sequence, on every machine. For choices (which peer, how much jitter), never for
 * secrets: those arrive as arguments from whoever can read the operating system's generator.
 */
#ifndef CORE_BASE_RNG_H
#define CORE_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);

/* The next 64 bits. */
uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound), without modulo bias; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
