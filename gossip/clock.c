#include "gossip/clock.h"

#include "core/base/assert.h"

void clock_found(struct clock *c, uint64_t wall_us, uint64_t now_us)
{
    *c = (struct clock){
        .is_set = true,
        .offset_us = (int64_t)(wall_us - now_us),
        .slewed_at_us = now_us,
    };
}

uint64_t clock_now_us(const struct clock *c, uint64_t now_us)
{
    ASSERT(c->is_set);
    return now_us + (uint64_t)c->offset_us;
}

/* The leader's clock minus ours as this sample has it. */
static int64_t difference_us(const struct clock *c, uint64_t remote_us, uint32_t rtt_us,
                             uint64_t at_us)
{
    return (int64_t)(remote_us + rtt_us / 2 - clock_now_us(c, at_us));
}

/* Samples of one clock differ by no more than their round trips; else another clock leads now. */
static bool is_of_same(const struct clock *c, int64_t offset_us, uint32_t rtt_us)
{
    const int64_t most_us = ((int64_t)c->first_rtt_us + rtt_us) / 2 + CLOCK_STEP_MIN_US;
    return offset_us - c->first_offset_us <= most_us && c->first_offset_us - offset_us <= most_us;
}

/* True when it is set now. */
static bool first_sample(struct clock *c, uint64_t remote_us, uint32_t rtt_us, uint64_t at_us)
{
    const int64_t offset_us = (int64_t)(remote_us + rtt_us / 2 - at_us);
    if (c->first_count > 0 && !is_of_same(c, offset_us, rtt_us)) {
        c->first_count = 0;
    }
    if (c->first_count == 0) {
        c->first_at_us = at_us;
    }
    if (c->first_count++ == 0 || rtt_us < c->first_rtt_us) {
        c->first_offset_us = offset_us;
        c->first_rtt_us = rtt_us;
    }
    if (rtt_us > CLOCK_FIRST_RTT_US && c->first_count < CLOCK_FIRST_SAMPLES &&
        at_us - c->first_at_us < CLOCK_FIRST_WAIT_US) {
        return false;
    }
    const uint32_t best_us = c->first_rtt_us;
    clock_found(c, at_us + (uint64_t)c->first_offset_us, at_us);
    c->rtt_us = best_us;
    c->rtt_at_us = at_us;
    return true;
}

bool clock_sample(struct clock *c, uint64_t remote_us, uint32_t rtt_us, uint64_t at_us,
                  bool may_step)
{
    if (rtt_us > CLOCK_RTT_MAX_US) {
        return false;
    }
    if (!c->is_set) {
        return first_sample(c, remote_us, rtt_us, at_us);
    }
    if (c->rtt_us != 0 && rtt_us > c->rtt_us && at_us - c->rtt_at_us < CLOCK_FILTER_US) {
        return false;
    }
    const int64_t difference = difference_us(c, remote_us, rtt_us, at_us);
    if (difference > CLOCK_CONFLICT_US || difference < -CLOCK_CONFLICT_US) {
        return false;
    }
    c->rtt_us = rtt_us;
    c->rtt_at_us = at_us;
    /* Within half a round trip the sample cannot tell the two clocks apart. */
    if (difference > -(int64_t)rtt_us / 2 && difference < (int64_t)rtt_us / 2) {
        c->error_us = 0;
        return false;
    }
    const int64_t magnitude = difference < 0 ? -difference : difference;
    if (may_step && magnitude >= CLOCK_STEP_MIN_US) {
        c->offset_us += difference;
        c->error_us = 0;
        return true;
    }
    c->error_us = difference;
    return false;
}

bool clock_jump(struct clock *c, uint64_t remote_us, uint32_t rtt_us, uint64_t at_us)
{
    if (rtt_us > CLOCK_RTT_MAX_US) {
        return false;
    }
    clock_found(c, remote_us + rtt_us / 2, at_us);
    c->rtt_us = rtt_us;
    c->rtt_at_us = at_us;
    return true;
}

uint32_t clock_error_us(const struct clock *c)
{
    const uint64_t size_us = (uint64_t)(c->error_us < 0 ? -c->error_us : c->error_us);
    return (uint32_t)(size_us + c->rtt_us / 2);
}

void clock_advance(struct clock *c, uint64_t now_us)
{
    if (!c->is_set || now_us <= c->slewed_at_us) {
        return;
    }
    const int64_t most = (int64_t)(now_us - c->slewed_at_us) * CLOCK_SLEW_PPM / 1000000;
    if (most == 0) {
        return;
    }
    const int64_t step = c->error_us > most ? most : c->error_us < -most ? -most : c->error_us;
    c->offset_us += step;
    c->error_us -= step;
    c->slewed_at_us = now_us;
}
