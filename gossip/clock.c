#include "gossip/clock.h"

#include "core/assert.h"

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

int64_t clock_difference_us(const struct clock *c, uint64_t remote_us, uint32_t rtt_us,
                            uint64_t at_us)
{
    return (int64_t)(remote_us + rtt_us / 2 - clock_now_us(c, at_us));
}

bool clock_sample(struct clock *c, uint64_t remote_us, uint32_t rtt_us, uint64_t at_us,
                  bool may_step)
{
    if (rtt_us > CLOCK_RTT_MAX_US) {
        return false;
    }
    if (!c->is_set) {
        clock_found(c, remote_us + rtt_us / 2, at_us);
        c->rtt_us = rtt_us;
        c->rtt_at_us = at_us;
        return true;
    }
    if (c->rtt_us != 0 && rtt_us > c->rtt_us && at_us - c->rtt_at_us < CLOCK_FILTER_US) {
        return false;
    }
    const int64_t difference = clock_difference_us(c, remote_us, rtt_us, at_us);
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
