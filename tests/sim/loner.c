#include "tests/sim/loner.h"

#include "tests/sim/stage.h"

#define SECOND_US UINT64_C(1000000)
#define MINUTE_MS INT64_C(60000)

enum {
    LONERS_MIN = 8, /* nodes, so that one that starts beside a loner meets more of the others */
    LONER_TURNS = 6,
    LONER_TTL_MS = 20 * 60 * 1000, /* longer than any loner is behind */
};

/* Sets what passes between a node and all others. */
static void set_ways(struct cluster *c, uint32_t node, uint8_t blocked)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (i != node) {
            cluster_block(c, i, node, blocked);
            cluster_block(c, node, i, blocked);
        }
    }
}

/* A ready node but this one, whose clock is the cluster's; the cluster's count when there is none.
 */
static uint32_t any_other(const struct cluster *c, uint32_t node)
{
    uint32_t other = 0;
    while (other < c->count && (other == node || !c->nodes[other].is_up ||
                                engine_unready(c->nodes[other].engine) != 0)) {
        other++;
    }
    return other;
}

/* Started where nobody hears it, with a wall clock that is minutes off the cluster's: founds a
 * clock of its own. */
static void start_alone(struct faults *f, uint32_t node)
{
    struct cluster *c = f->cluster;
    const uint32_t other = any_other(c, node);
    const int64_t wall_offset_ms = c->nodes[node].wall_offset_ms;
    const int64_t wrong_ms = 2 * MINUTE_MS + (int64_t)rng_below(&c->net.rng, 8 * MINUTE_MS);
    if (other == c->count) {
        return;
    }
    set_ways(c, node, BLOCK_ALL);
    c->effects.cuts++;
    c->nodes[node].wall_offset_ms =
        (int64_t)(engine_clock_ms(c->nodes[other].engine, stage_now_us(c, other)) -
                  CLUSTER_WALL_MS - c->net.now_us / 1000);
    c->nodes[node].wall_offset_ms += rng_below(&c->net.rng, 2) == 0 ? wrong_ms : -wrong_ms;
    c->effects.clocks_set++;
    cluster_start(c, node);
    f->loner_life = c->nodes[node].life;
    c->nodes[node].wall_offset_ms = wall_offset_ms; /* the next start has it */
}

uint64_t loner_act(struct faults *f)
{
    struct cluster *c = f->cluster;
    uint32_t *loner = &f->victim[FAULT_LONER];
    switch (f->turn[FAULT_LONER] % LONER_TURNS) {
    case 0:
        *loner = faults_is_lonely(f) || c->count < LONERS_MIN ? c->count : faults_choose_up(f);
        if (*loner == c->count) {
            return UINT64_MAX - c->net.now_us;
        }
        cluster_kill(c, *loner);
        return 3 * SECOND_US;
    case 1:
        if (!c->nodes[*loner].is_up) {
            start_alone(f, *loner);
        }
        return 4 * SECOND_US;
    case 2:
        if (c->nodes[*loner].is_up && c->nodes[*loner].life == f->loner_life) {
            oracle_write(f->oracle, *loner, LONER_TTL_MS);
        } else if (c->nodes[*loner].is_up) {
            cluster_kill(c, *loner); /* it was restarted meanwhile, with some other clock */
        }
        set_ways(c, *loner, 0);
        c->effects.heals++;
        return 4 * SECOND_US;
    case 3:
        f->newcomer = faults_choose_up(f);
        f->newcomer = f->newcomer == *loner ? c->count : f->newcomer;
        if (f->newcomer < c->count) {
            cluster_kill(c, f->newcomer);
        }
        return SECOND_US;
    case 4:
        if (f->newcomer < c->count && !c->nodes[f->newcomer].is_up) {
            cluster_start(c, f->newcomer);
        }
        return 8 * SECOND_US;
    default:
        if (c->nodes[*loner].is_up) {
            cluster_kill(c, *loner);
        }
        cluster_start(c, *loner);
        *loner = c->count;
        return 3 * SECOND_US;
    }
}

void loner_end(struct faults *f)
{
    struct cluster *c = f->cluster;
    const uint32_t loner = f->victim[FAULT_LONER];
    if (loner < c->count && c->nodes[loner].is_up) {
        cluster_kill(c, loner);
    }
}
