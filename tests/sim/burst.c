#include "tests/sim/burst.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 8, /* of the bad state on average: coarse enough to draw, fine enough to vary */
    MOMENT_US = 300 * 1000, /* between two retries of a probe */
    MILLION = 1000000,
};

void burst_init(struct burst *b, uint32_t count)
{
    *b = (struct burst){.count = count};
    b->lines = mem_new(count == 0 ? 1 : count, sizeof(*b->lines));
}

void burst_fini(struct burst *b)
{
    free(b->lines);
}

void burst_set(struct burst *b, uint32_t loss_ppm, uint64_t mean_us)
{
    ASSERT(loss_ppm <= BURST_SHARE_MAX_PPM && (loss_ppm == 0 || mean_us >= STEPS));
    /* Both lines must be good: (1 - share)^2 = 1 - loss. The root is exact on every machine. */
    const double share = 1 - sqrt(1 - (double)loss_ppm / (double)MILLION);
    b->leave_bad_ppm = MILLION / STEPS;
    b->leave_good_ppm = (uint32_t)(b->leave_bad_ppm * share / (1 - share));
    b->step_us = mean_us / STEPS;
    memset(b->lines, 0, b->count * sizeof(*b->lines));
}

static uint64_t line_left_us(struct burst *b, struct rng *rng, uint32_t node, uint64_t now_us)
{
    struct burst_line *line = &b->lines[node];
    if (line->until_us == 0) {
        line->until_us = now_us; /* all lines begin in the bad state's end, that is, good */
        line->is_bad = true;
    }
    while (line->until_us <= now_us) {
        const uint64_t from_us = line->until_us;
        line->is_bad = !line->is_bad;
        const uint32_t leave_ppm = line->is_bad ? b->leave_bad_ppm : b->leave_good_ppm;
        do {
            line->until_us += b->step_us;
        } while (rng_below(rng, MILLION) >= leave_ppm);
        if (line->is_bad) {
            line->bad_from_us = from_us;
            line->bad_to_us = line->until_us;
        }
    }
    return line->is_bad ? line->until_us - now_us : 0;
}

uint64_t burst_left_us(struct burst *b, struct rng *rng, uint32_t from, uint32_t to,
                       uint64_t now_us)
{
    if (b->leave_good_ppm == 0) {
        return 0;
    }
    const uint64_t here_us = line_left_us(b, rng, from, now_us);
    const uint64_t there_us = line_left_us(b, rng, to, now_us);
    return here_us > there_us ? here_us : there_us;
}

bool burst_was_outage(const struct burst *b, uint32_t node, uint64_t at_least_us, uint64_t now_us)
{
    const struct burst_line *line = &b->lines[node];
    const uint64_t to_us = line->bad_to_us < now_us ? line->bad_to_us : now_us;
    return to_us + MOMENT_US >= now_us && to_us >= line->bad_from_us + at_least_us;
}
