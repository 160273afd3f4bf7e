#include "gossip/membership/rotation.h"

static uint64_t phase_us(uint32_t tag)
{
    return (uint64_t)tag * ROTATION_PERIOD_US >> 32;
}

uint64_t rotation_round(uint64_t clock_us, uint32_t tag)
{
    /* A clock that is slewed may be a little short of the moment that it was waited for. */
    const uint64_t later_us = clock_us + ROTATION_PERIOD_US / 2;
    return later_us < phase_us(tag) ? 0 : (later_us - phase_us(tag)) / ROTATION_PERIOD_US;
}

uint64_t rotation_next_us(uint64_t round, uint32_t tag)
{
    return (round + 1) * ROTATION_PERIOD_US + phase_us(tag);
}

struct member *rotation_target(const struct roster *r, uint64_t round)
{
    const uint32_t others = roster_live_count(r) - 1;
    if (others == 0) {
        return NULL;
    }
    const uint32_t rank = roster_rank(r, r->self) + 1 + (uint32_t)(round % others);
    return roster_ranked(r, rank > others ? rank - others - 1 : rank);
}
