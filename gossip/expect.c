#include "gossip/expect.h"

#include "core/base/units.h"

void expect_init(struct expect *x, uint32_t wanted)
{
    *x = (struct expect){.wanted = wanted, .may_begin = wanted == 0};
}

void expect_exists(struct expect *x)
{
    x->exists = true;
}

enum expect_news expect_look(struct expect *x, uint32_t seen, uint64_t now_us)
{
    x->seen = seen;
    if (x->may_begin) {
        return EXPECT_NOTHING;
    }
    if (x->exists || seen >= x->wanted) {
        x->may_begin = true;
        return EXPECT_MET;
    }
    if (seen <= x->wanted / 2) {
        x->majority_us = 0;
    } else if (x->majority_us == 0) {
        x->majority_us = now_us;
    } else if (now_us - x->majority_us >= EXPECT_MAJORITY_US) {
        x->may_begin = true;
        return EXPECT_MAJORITY;
    }
    return EXPECT_NOTHING;
}

uint64_t expect_deadline(const struct expect *x)
{
    return x->may_begin || x->majority_us == 0 ? NEVER : x->majority_us + EXPECT_MAJORITY_US;
}
