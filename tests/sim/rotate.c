#include "tests/sim/rotate.h"

enum {
    FRONT_EVERY = 3,           /* where it may go on, it does at one in so many changes */
    AT_ONCE_EVERY = 24,        /* changes, of which one is everybody's */
    STEP_US = 6 * 1000 * 1000, /* about as long as all need for one step */
    PAUSE_MIN_US = 20 * 1000,
};

static uint64_t draw(struct faults *f, uint64_t bound)
{
    return rng_below(&f->cluster->net.rng, bound);
}

void rotate_before(struct faults *f)
{
    struct cluster *c = f->cluster;
    c->plan = RINGS_ROTATE;
    c->front = (uint32_t)draw(f, RINGS_STEPS);
    for (uint32_t i = 0; i < c->count; i++) {
        c->nodes[i].step = c->front;
    }
}

/* Whether all would still share a key with all, were the front one step further. */
static bool may_go_on(const struct cluster *c)
{
    bool is_near = true;
    for (uint32_t i = 0; i < c->count && is_near; i++) {
        is_near = rings_behind(c->nodes[i].step, c->front) < RINGS_APART;
    }
    return is_near;
}

static bool can_take(const struct cluster *c, uint32_t node)
{
    return !c->nodes[node].is_up || c->net.now_us >= c->nodes[node].paused_until_us;
}

static void go_to_front(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].step != c->front && can_take(c, i)) {
            cluster_set_step(c, i, c->front);
        }
    }
}

/* One of those that are behind goes a step further, or to the front. */
static void go_on(struct faults *f)
{
    struct cluster *c = f->cluster;
    const uint32_t first = (uint32_t)draw(f, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        const uint32_t node = (first + i) % c->count;
        const uint32_t behind = rings_behind(c->nodes[node].step, c->front);
        if (behind > 0 && can_take(c, node)) {
            const uint32_t steps = 1 + (uint32_t)draw(f, behind);
            cluster_set_step(c, node, (c->nodes[node].step + steps) % RINGS_STEPS);
            return;
        }
    }
}

uint64_t rotate_act(struct faults *f)
{
    struct cluster *c = f->cluster;
    if (may_go_on(c) && draw(f, FRONT_EVERY) == 0) {
        c->front = (c->front + 1) % RINGS_STEPS;
    }
    if (draw(f, AT_ONCE_EVERY) == 0) {
        go_to_front(c);
    } else {
        go_on(f);
    }
    return PAUSE_MIN_US + draw(f, 2 * STEP_US / c->count);
}

void rotate_end(struct faults *f)
{
    struct cluster *c = f->cluster;
    for (uint32_t i = 0; i < c->count && c->plan == RINGS_ROTATE; i++) {
        if (c->nodes[i].step != c->front) {
            cluster_set_step(c, i, c->front);
        }
    }
}
