#include "tests/sim/deaths.h"

#include "core/base/mem.h"
#include "core/base/units.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    GRACE_US = 30 * 1000 * 1000, /* after a pause, until all rumours about it have died down */
    ONCE_US = 10 * 1000 * 1000,  /* declarations of one node within this are one */
    KNOWN_US = 5 * 1000 * 1000,  /* by then a newcomer is listed and linked everywhere, and one that
                                  * was stopped has worked off what waited for it */
    MENDED_US = 1000 * 1000,     /* three retries of a probe */
    OBSERVERS_MAX = 256,         /* asked about one crash: each looks through its whole table */
};

/* The end of one life, and what became known of it. */
struct crash {
    uint32_t node, life;
    bool is_silent;
    uint64_t at_us;
    uint64_t last_us; /* when the latest observer so far knew; 0 none */
};

/* A life that has ended, until it is checked whether all know. */
struct due {
    uint32_t node;
    struct uuid uuid;
    uint64_t at_us;
};

struct deaths {
    struct oracle *oracle;
    struct oracle_config config;
    struct crash *crashes;
    size_t count, size;
    size_t *latest_1;      /* by node: its latest crash plus 1 */
    uint64_t *declared_us; /* by node: when it was last declared dead wrongly */
    uint64_t all_excused_until_us, sides_excused_until_us;
    struct due *due; /* oldest first, from due_first on */
    size_t due_first, due_count, due_size;
};

struct deaths *deaths_new(struct oracle *oracle, const struct oracle_config *config)
{
    struct deaths *d = mem_new(1, sizeof(*d));
    d->oracle = oracle;
    d->config = *config;
    d->latest_1 = mem_new(config->cluster->count, sizeof(*d->latest_1));
    d->declared_us = mem_new(config->cluster->count, sizeof(*d->declared_us));
    return d;
}

void deaths_free(struct deaths *d)
{
    free(d->crashes);
    free(d->due);
    free(d->latest_1);
    free(d->declared_us);
    free(d);
}

void deaths_excuse(struct deaths *d, bool is_everybody, uint64_t until_us)
{
    if (is_everybody) {
        d->all_excused_until_us = until_us;
    } else {
        d->sides_excused_until_us = until_us;
    }
}

static bool was_paused_within(const struct cluster *c, uint32_t node, uint64_t us)
{
    return c->nodes[node].paused_until_us + us > c->net.now_us &&
           c->nodes[node].paused_until_us > 0;
}

static bool was_paused(const struct cluster *c, uint32_t node)
{
    return was_paused_within(c, node, GRACE_US);
}

static uint8_t closed_between(const struct cluster *c, uint32_t a, uint32_t b)
{
    return barrier_of(&c->barrier, a, b) | barrier_of(&c->barrier, b, a);
}

/* A third node that both know by now and that reaches both. */
static bool has_relay(const struct cluster *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct sim_node *n = &c->nodes[i];
        const uint8_t closed = closed_between(c, a, i) | closed_between(c, b, i);
        if (i != a && i != b && n->is_up && n->started_us + KNOWN_US <= c->net.now_us &&
            !was_paused_within(c, i, KNOWN_US) && (closed & ~c->barrier.everywhere) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the way between two was closed until just now. Where packets are lost, those since may
 * have been, and a verification that began before is over soon. */
static bool is_just_mended(const struct cluster *c, uint32_t a, uint32_t b)
{
    const uint64_t since_us = c->net.now_us - min_u64(MENDED_US, c->net.now_us);
    return barrier_was_closed(&c->barrier, a, b, since_us) ||
           barrier_was_closed(&c->barrier, b, a, since_us);
}

/* Two that do not reach each other, and that nobody connects: there is no third between them, or
 * losses keep the others from carrying word. */
static bool is_cut_off(const struct cluster *c, uint32_t a, uint32_t b)
{
    const bool is_lossy = c->loss_ppm > 0 || c->stream_loss_ppm > 0 || c->burst.leave_good_ppm > 0;
    const bool is_closed = (closed_between(c, a, b) & ~c->barrier.everywhere) != 0;
    return is_lossy ? is_closed || is_just_mended(c, a, b) : is_closed && !has_relay(c, a, b);
}

static bool was_out(const struct deaths *d, uint32_t node)
{
    const struct cluster *c = d->config.cluster;
    return d->config.outage_us > 0 &&
           burst_was_outage(&c->burst, node, d->config.outage_us, c->net.now_us);
}

static void judge_wrong_death(struct deaths *d, uint32_t observer, uint32_t node)
{
    const struct cluster *c = d->config.cluster;
    const uint64_t now_us = c->net.now_us;
    const bool is_excused = now_us < d->all_excused_until_us ||
                            (now_us < d->sides_excused_until_us &&
                             c->barrier.sides[observer] != c->barrier.sides[node]) ||
                            was_paused(c, observer) || was_paused(c, node) ||
                            is_cut_off(c, observer, node) || was_out(d, observer) ||
                            was_out(d, node);
    const bool is_counted = d->declared_us[node] == 0 || now_us - d->declared_us[node] > ONCE_US;
    d->declared_us[node] = now_us;
    if (!is_counted) {
        return;
    }
    if (is_excused) {
        d->config.figures->excused_deaths++;
        return;
    }
    d->config.figures->false_deaths++;
    if (!d->config.is_deadly) {
        oracle_broken(d->oracle, INVARIANT_DEATH, "node %u declares node %u dead, which is well",
                      observer, node);
    }
}

/* Whether the node has run undisturbed for so long that all others must count it. */
static bool is_settled(const struct cluster *c, uint32_t node)
{
    const struct sim_node *n = &c->nodes[node];
    return n->is_up && n->started_us + GRACE_US <= c->net.now_us && !was_paused(c, node) &&
           (engine_unready(n->engine) & READY_DRAINING) == 0;
}

uint32_t deaths_well_mates(const struct deaths *d, uint32_t node)
{
    const struct cluster *c = d->config.cluster;
    uint32_t first = 0;
    uint32_t end = 0;
    uint32_t count = 1;
    cluster_enclave(c, node, &first, &end);
    if (d->config.is_divided || d->config.is_deadly || !is_settled(c, node)) {
        return count;
    }
    for (uint32_t i = first; i < end; i++) {
        count += i != node && is_settled(c, i);
    }
    return count;
}

/* The crash that ended a life. It is looked up when the first observer reports it. */
static struct crash *crash_of(struct deaths *d, uint32_t node, uint32_t life)
{
    const struct sim_node *n = &d->config.cluster->nodes[node];
    if (d->latest_1[node] > 0 && d->crashes[d->latest_1[node] - 1].life == life) {
        return &d->crashes[d->latest_1[node] - 1];
    }
    if (n->stopped_us == 0 || life + (n->is_up ? 1 : 0) != n->life) {
        return NULL; /* of a life before */
    }
    if (d->count == d->size) {
        d->size = d->size == 0 ? 64 : 2 * d->size;
        d->crashes = mem_resize(d->crashes, d->size, sizeof(*d->crashes));
    }
    d->crashes[d->count++] = (struct crash){
        .node = node, .life = life, .is_silent = n->was_silent, .at_us = n->stopped_us};
    d->latest_1[node] = d->count;
    return &d->crashes[d->count - 1];
}

void deaths_notice(struct deaths *d, uint32_t observer, const struct notice *notice)
{
    const struct cluster *c = d->config.cluster;
    uint32_t node = 0;
    uint32_t life = 0;
    if ((notice->kind != NOTICE_MEMBER_DEAD && notice->kind != NOTICE_MEMBER_SUSPECT) ||
        !cluster_find(c, &notice->member, &node, &life)) {
        return;
    }
    const bool is_living = c->nodes[node].is_up && c->nodes[node].life == life;
    if (notice->kind == NOTICE_MEMBER_SUSPECT) {
        d->config.figures->suspicions += is_living;
        return;
    }
    if (is_living) {
        judge_wrong_death(d, observer, node);
        return;
    }
    struct crash *crash = crash_of(d, node, life);
    if (crash != NULL && c->nodes[observer].started_us < crash->at_us &&
        c->net.now_us >= d->all_excused_until_us && c->net.now_us >= d->sides_excused_until_us &&
        !was_paused(c, observer)) {
        sample_add(crash->is_silent ? &d->config.figures->silent_each
                                    : &d->config.figures->killed_each,
                   c->net.now_us - crash->at_us);
        crash->last_us = c->net.now_us;
    }
}

void deaths_stopping(struct deaths *d, uint32_t node)
{
    const struct cluster *c = d->config.cluster;
    if (d->due_count == d->due_size) {
        d->due_size = d->due_size == 0 ? 64 : 2 * d->due_size;
        d->due = mem_resize(d->due, d->due_size, sizeof(*d->due));
    }
    d->due[d->due_count++] =
        (struct due){.node = node, .uuid = c->nodes[node].uuid, .at_us = c->net.now_us};
}

/* The member's state in the observer's view; dead when it is no longer known. */
static enum member_state held_for(struct engine *e, const struct uuid *uuid)
{
    uint32_t slot = 0;
    for (const struct member *m = NULL; (m = engine_next_member(e, &slot)) != NULL; slot++) {
        if (uuid_equal(&m->uuid, uuid)) {
            return (enum member_state)m->state;
        }
    }
    return MEMBER_DEAD;
}

static void judge_notice(struct deaths *d, const struct due *due)
{
    const struct cluster *c = d->config.cluster;
    const uint32_t step = 1 + c->count / OBSERVERS_MAX;
    for (uint32_t i = due->node % step; i < c->count; i += step) {
        const struct sim_node *n = &c->nodes[i];
        if (!n->is_up || n->started_us >= due->at_us || n->paused_until_us >= due->at_us) {
            continue;
        }
        const enum member_state held = held_for(n->engine, &due->uuid);
        const bool is_alive = held == MEMBER_ALIVE || held == MEMBER_SUSPECT;
        /* A member that left is not asked whether it is back. */
        const bool is_left = held == MEMBER_LEFT && !d->config.may_leave;
        if (is_alive || is_left) {
            oracle_broken(d->oracle, INVARIANT_NOTICED,
                          "node %u takes node %u for %s, %.1f s after its end", i, due->node,
                          is_left ? "one that left" : "alive",
                          (double)d->config.noticed_us / 1000000);
            return;
        }
    }
}

void deaths_judge_due(struct deaths *d)
{
    const uint64_t now_us = d->config.cluster->net.now_us;
    while (d->due_first < d->due_count &&
           now_us - d->due[d->due_first].at_us >= d->config.noticed_us) {
        const struct due *due = &d->due[d->due_first++];
        const bool is_excused = d->config.is_deadly || due->at_us < d->all_excused_until_us ||
                                due->at_us < d->sides_excused_until_us;
        if (!is_excused) {
            judge_notice(d, due);
        }
    }
}

void deaths_judge_rest(struct deaths *d)
{
    struct cluster *c = d->config.cluster;
    for (size_t i = 0; i < d->count; i++) {
        const struct crash *crash = &d->crashes[i];
        if (crash->last_us > 0) {
            sample_add(crash->is_silent ? &d->config.figures->silent_all
                                        : &d->config.figures->killed_all,
                       crash->last_us - crash->at_us);
        }
    }
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t slot = 0;
        for (const struct member *m = NULL;
             c->nodes[i].is_up && (m = engine_next_member(c->nodes[i].engine, &slot)) != NULL;
             slot++) {
            uint32_t node = 0;
            uint32_t life = 0;
            const bool is_ours = cluster_find(c, &m->uuid, &node, &life);
            const bool is_live = member_is_live(m);
            if (is_live && (!is_ours || !c->nodes[node].is_up || c->nodes[node].life != life)) {
                oracle_broken(d->oracle, INVARIANT_NOTICED,
                              "node %u still lists what was node %u alive", i, node);
            }
        }
    }
}
