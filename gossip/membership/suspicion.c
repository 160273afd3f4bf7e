#include "gossip/membership/suspicion.h"

#include "core/base/assert.h"
#include "core/base/units.h"

#include <math.h>

void suspicion_start(struct suspicion *s, uint32_t members, uint32_t scale, uint64_t random,
                     uint64_t now_us)
{
    ASSERT(scale > 0);
    const double growth = fmax(1.0, log10((double)members));
    const uint64_t spread = random % (SUSPICION_UNIT_US * SUSPICION_SPREAD_PERCENT / 100 + 1);
    const double min_us = (double)(SUSPICION_UNIT_US + spread) * growth * scale;
    const uint32_t others = members > 2 ? members - 2 : 0;
    *s = (struct suspicion){
        .started_us = now_us,
        .min_us = (uint64_t)min_us,
        .max_us = (uint64_t)(min_us * (double)SUSPICION_MAX_FACTOR),
        .confirmations_wanted =
            others < SUSPICION_CONFIRMATIONS_MAX ? others : SUSPICION_CONFIRMATIONS_MAX,
    };
}

bool suspicion_accuse(struct suspicion *s, const struct uuid *accuser)
{
    if (s->accuser_count > s->confirmations_wanted) {
        return false;
    }
    for (uint32_t i = 0; i < s->accuser_count; i++) {
        if (uuid_equal(&s->accusers[i], accuser)) {
            return false;
        }
    }
    s->accusers[s->accuser_count++] = *accuser;
    return true;
}

void suspicion_prove(struct suspicion *s, uint64_t now_us)
{
    if (s->proof_due_us == 0) {
        s->proof_due_us = now_us + SUSPICION_PROOF_US;
    }
}

static uint64_t silence_deadline(const struct suspicion *s)
{
    uint64_t wait_us = s->max_us;
    if (s->confirmations_wanted > 0 && s->accuser_count > 1) {
        const double share =
            log((double)s->accuser_count) / log((double)s->confirmations_wanted + 1.0);
        const double shrunk = (double)s->max_us - (double)(s->max_us - s->min_us) * share;
        wait_us = (uint64_t)fmax(shrunk, (double)s->min_us);
    }
    return s->started_us + (s->is_first_hand ? 1 : SUSPICION_HEARSAY_FACTOR) * wait_us;
}

uint64_t suspicion_deadline(const struct suspicion *s)
{
    const uint64_t silence_us = silence_deadline(s);
    return s->proof_due_us != 0 ? min_u64(s->proof_due_us, silence_us) : silence_us;
}

void suspicion_delay(struct suspicion *s, uint64_t by_us)
{
    s->started_us += by_us;
    if (s->proof_due_us != 0) {
        s->proof_due_us += by_us;
    }
}
