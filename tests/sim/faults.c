#include "tests/sim/faults.h"

#include "tests/sim/eavesdropper.h"
#include "tests/sim/loner.h"
#include "tests/sim/memory.h"
#include "tests/sim/pipe.h"
#include "tests/sim/rotate.h"
#include "tests/sim/stage.h"
#include "tests/sim/stranger.h"

#include <string.h>

#define SECOND_US UINT64_C(1000000)
#define HOUR_MS INT64_C(3600000)
#define NEVER UINT64_MAX

enum {
    QUARTER_PPM = 250000,
    TENTH_PPM = 100000,
    SOME_PPM = 50000,  /* of datagrams come twice, or again */
    CORRUPT_PPM = 500, /* of pieces of streams: a link is lost to it each few minutes */
    GARBAGE_PPM = 20000,
    DRIFT_PPM_MAX = 100, /* a bad quartz */
    BURST_CONTACTS = 3,
    FULL_BYTES = 1 << 20,
    EXCUSED_US = 30 * 1000 * 1000, /* after a partition, until both halves have refuted */
    CHURN_US = 160 * 1000 * 1000,  /* each node changes about this often */
    CHURN_MIN_US = 250 * 1000,
    LEAVE_US = 300 * 1000, /* between saying goodbye and ending */
    CUT_MIN_US = 3 * 1000 * 1000,
    PAUSE_MIN_MS = 1000,
    PAUSE_MAX_MS = 20000,
    BLIND_MAX_US = 8 * 1000 * 1000,
    SALVO_MAX = 16, /* forged datagrams at once, to one node */
    SALVO_PAUSE_US = 200 * 1000,
    MEMORY_CALLS_MAX = 64,   /* until one fails */
    MEMORY_FAILURES_MAX = 8, /* in a row */
    MEMORY_PAUSE_US = 2 * 1000 * 1000,
    CLAIM_EVERY = 8, /* salvos; then a stranger says HELLO as somebody too */
};

static uint64_t draw(struct faults *f, uint64_t bound)
{
    return rng_below(&f->cluster->net.rng, bound);
}

uint32_t faults_choose_up(struct faults *f)
{
    const struct cluster *c = f->cluster;
    uint32_t up = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        up += c->nodes[i].is_up && c->net.now_us >= c->nodes[i].paused_until_us;
    }
    if (2 * up <= c->count) {
        return c->count;
    }
    for (;;) {
        const uint32_t node = (uint32_t)draw(f, c->count);
        if (c->nodes[node].is_up && c->net.now_us >= c->nodes[node].paused_until_us) {
            return node;
        }
    }
}

/* How long a cut or its absence lasts. While it is the only fault, as its help says, so that
 * figures can be compared. Else it is drawn, so that it ends and begins while the others go on. */
static uint64_t lasting(struct faults *f, uint64_t alone_us)
{
    const bool is_alone = (f->set & (f->set - 1)) == 0;
    return is_alone ? alone_us : CUT_MIN_US + draw(f, alone_us - CUT_MIN_US);
}

/* Ends a node, and on the next turn starts it again. */
static uint64_t end_and_start(struct faults *f, enum fault fault, bool is_silent, uint64_t down_us,
                              uint64_t up_us)
{
    struct cluster *c = f->cluster;
    uint32_t *victim = &f->victim[fault];
    if (*victim < c->count) {
        if (!c->nodes[*victim].is_up) {
            cluster_start(c, *victim);
        }
        *victim = c->count;
        return up_us;
    }
    *victim = faults_choose_up(f);
    if (*victim < c->count && is_silent) {
        cluster_crash_silently(c, *victim);
    } else if (*victim < c->count) {
        cluster_kill(c, *victim);
    }
    return down_us;
}

static uint64_t act_crash(struct faults *f)
{
    return end_and_start(f, FAULT_CRASH, true, 20 * SECOND_US, 5 * SECOND_US);
}

static uint64_t act_kill(struct faults *f)
{
    return end_and_start(f, FAULT_KILL, false, 8 * SECOND_US, 4 * SECOND_US);
}

static uint64_t act_burst(struct faults *f)
{
    struct cluster *c = f->cluster;
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].is_up) {
            cluster_kill(c, i);
        }
    }
    cluster_start_all(c);
    f->forming_us = c->net.now_us;
    return 60 * SECOND_US;
}

static uint64_t act_churn(struct faults *f)
{
    struct cluster *c = f->cluster;
    uint32_t *leaver = &f->victim[FAULT_CHURN];
    const uint64_t pause_us = CHURN_US / c->count;
    if (*leaver < c->count) {
        if (c->nodes[*leaver].is_up) {
            cluster_kill(c, *leaver);
        }
        *leaver = c->count;
        return pause_us > CHURN_MIN_US ? pause_us : CHURN_MIN_US;
    }
    const uint32_t node = (uint32_t)draw(f, c->count);
    const uint32_t victim = c->nodes[node].is_up ? faults_choose_up(f) : c->count;
    const uint64_t how = draw(f, 3);
    if (!c->nodes[node].is_up) {
        cluster_start(c, node);
    } else if (victim < c->count && how == 0) {
        cluster_kill(c, victim);
    } else if (victim < c->count && how == 1) {
        cluster_crash_silently(c, victim);
    } else if (victim < c->count) {
        cluster_leave(c, victim);
        *leaver = victim;
        return LEAVE_US;
    }
    return pause_us > CHURN_MIN_US ? pause_us : CHURN_MIN_US;
}

/* Two sides that do not hear each other, or only one the other; and on the next turn they do. */
static uint64_t divide(struct faults *f, enum fault fault, uint64_t cut_us, uint64_t healed_us)
{
    struct cluster *c = f->cluster;
    const uint64_t excused_us = c->net.now_us + EXCUSED_US;
    const bool is_end = f->turn[fault] % 2 == 1;
    const uint64_t next_us = lasting(f, is_end ? healed_us : cut_us);
    if (is_end) {
        memset(c->barrier.between, 0, sizeof(c->barrier.between));
        c->effects.heals++;
        f->healed_us = c->net.now_us;
        oracle_excuse(f->oracle, fault == FAULT_ONEWAY, excused_us);
        return next_us;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        c->barrier.sides[i] = (uint8_t)draw(f, 2);
    }
    c->effects.cuts++;
    f->healed_us = 0;
    c->barrier.between[0][1] = BLOCK_ALL;
    c->barrier.between[1][0] = fault == FAULT_PARTITION ? BLOCK_ALL : 0;
    oracle_excuse(f->oracle, fault == FAULT_ONEWAY, excused_us + next_us);
    return next_us;
}

static uint64_t act_partition(struct faults *f)
{
    return divide(f, FAULT_PARTITION, 30 * SECOND_US, 60 * SECOND_US);
}

static uint64_t act_oneway(struct faults *f)
{
    return divide(f, FAULT_ONEWAY, 15 * SECOND_US, 60 * SECOND_US);
}

/* As firewalls and routing do it: about one pair a node, for datagrams, streams or both, and half
 * of them one way only. On the next turn all are open. */
static uint64_t act_pairs(struct faults *f)
{
    struct cluster *c = f->cluster;
    if (f->turn[FAULT_PAIRS] % 2 == 1) {
        barrier_open_pairs(&c->barrier, c->net.now_us);
        c->effects.heals++;
        return lasting(f, 20 * SECOND_US);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        const uint32_t from = (uint32_t)draw(f, c->count);
        const uint32_t to = (uint32_t)draw(f, c->count);
        const uint8_t what = (uint8_t)(BLOCK_UDP + draw(f, BLOCK_ALL));
        if (from == to) {
            continue;
        }
        cluster_block(c, from, to, what);
        if (draw(f, 2) == 0) {
            cluster_block(c, to, from, what);
        }
    }
    return lasting(f, 30 * SECOND_US);
}

static uint64_t act_tcp_block(struct faults *f)
{
    const bool is_end = f->turn[FAULT_TCP_BLOCK] % 2 == 1;
    const uint64_t next_us = lasting(f, (is_end ? 40 : 20) * SECOND_US);
    *(is_end ? &f->cluster->effects.heals : &f->cluster->effects.cuts) += 1;
    f->cluster->barrier.everywhere =
        (uint8_t)((f->cluster->barrier.everywhere & BLOCK_UDP) | (is_end ? 0 : BLOCK_TCP));
    if ((f->set & 1U << FAULT_UDP_BLOCK) != 0) {
        oracle_excuse(f->oracle, true, f->cluster->net.now_us + EXCUSED_US + next_us);
    }
    return next_us;
}

/* A node that has no link yet gets none. */
static uint64_t act_no_tcp(struct faults *f)
{
    f->cluster->effects.cuts++;
    f->cluster->barrier.everywhere |= BLOCK_TCP;
    return NEVER - f->cluster->net.now_us;
}

static uint64_t act_pause(struct faults *f)
{
    const uint32_t node = faults_choose_up(f);
    if (node < f->cluster->count) {
        cluster_pause(f->cluster, node, PAUSE_MIN_MS + draw(f, PAUSE_MAX_MS - PAUSE_MIN_MS));
    }
    return 10 * SECOND_US;
}

/* Whether a starting node, or half of a starting cluster, may be left alone. It would found a clock
 * of its own, and clusters whose clocks were founded apart do not exchange data. So all wall clocks
 * are wrong by the same then. */
enum {
    LONELY = 1 << FAULT_PARTITION | 1 << FAULT_ONEWAY | 1 << FAULT_PAIRS | 1 << FAULT_LOSS |
             1 << FAULT_BURSTS | 1 << FAULT_UDP_BLOCK | 1 << FAULT_TCP_BLOCK | 1 << FAULT_PAUSE,
    /* A node that knows only three others (before_burst) may meet none of them where some are
     * down. */
    DOWN = 1 << FAULT_CRASH | 1 << FAULT_KILL | 1 << FAULT_CHURN | 1 << FAULT_ROLLING,
};

bool faults_is_lonely(const struct faults *f)
{
    return (f->set & LONELY) != 0 || ((f->set & 1U << FAULT_BURST) != 0 && (f->set & DOWN) != 0);
}

static void set_clocks(struct faults *f)
{
    struct cluster *c = f->cluster;
    const bool is_shared = faults_is_lonely(f);
    if (is_shared && c->effects.clocks_set > 0) {
        return;
    }
    const int64_t shared_ms = (int64_t)draw(f, 2 * HOUR_MS) - HOUR_MS;
    for (uint32_t i = 0; i < c->count; i++) {
        c->nodes[i].wall_offset_ms =
            is_shared ? shared_ms : (int64_t)draw(f, 2 * HOUR_MS) - HOUR_MS;
        c->effects.clocks_set++;
    }
}

static void before_clock(struct faults *f)
{
    struct cluster *c = f->cluster;
    set_clocks(f);
    for (uint32_t i = 0; i < c->count; i++) {
        c->nodes[i].boot_offset_us = draw(f, (uint64_t)HOUR_MS * 1000);
        c->nodes[i].drift_ppm = (int32_t)draw(f, UINT64_C(2) * DRIFT_PPM_MAX) - DRIFT_PPM_MAX;
    }
}

/* Wall clocks step, which a node sees when it starts next. */
static uint64_t act_clock(struct faults *f)
{
    set_clocks(f);
    return end_and_start(f, FAULT_CLOCK, false, 4 * SECOND_US, 10 * SECOND_US);
}

static uint64_t act_rolling(struct faults *f)
{
    struct cluster *c = f->cluster;
    const uint32_t turn = f->turn[FAULT_ROLLING];
    const uint32_t node = turn / 3 % c->count;
    switch (turn % 3) {
    case 0:
        if (c->nodes[node].is_up && c->net.now_us >= c->nodes[node].paused_until_us) {
            cluster_leave(c, node);
        }
        return LEAVE_US;
    case 1:
        if (c->nodes[node].is_up) {
            cluster_kill(c, node);
        }
        return SECOND_US;
    default:
        if (!c->nodes[node].is_up) {
            cluster_start(c, node);
        }
        return 5 * SECOND_US;
    }
}

static void before_burst(struct faults *f)
{
    if (f->cluster->order == CONTACTS_ALL) {
        f->cluster->order = CONTACTS_RANDOM;
        f->cluster->contacts = BURST_CONTACTS;
    }
}

static void before_loss(struct faults *f)
{
    struct cluster *c = f->cluster;
    c->loss_ppm = c->loss_ppm > QUARTER_PPM ? c->loss_ppm : QUARTER_PPM;
    c->stream_loss_ppm = c->stream_loss_ppm > QUARTER_PPM ? c->stream_loss_ppm : QUARTER_PPM;
}

static void before_bursts(struct faults *f)
{
    if (f->cluster->burst.leave_good_ppm == 0) {
        burst_set(&f->cluster->burst, FAULTS_BURST_PPM, BURST_MEAN_US);
    }
}

static void before_reorder(struct faults *f)
{
    f->cluster->late_ppm = TENTH_PPM;
}

/* Links form first, as this fault is about later. */
static uint64_t act_corrupt(struct faults *f)
{
    f->cluster->spoil_ppm = CORRUPT_PPM;
    return NEVER - f->cluster->net.now_us;
}

static void before_udp_block(struct faults *f)
{
    f->cluster->effects.cuts++;
    f->cluster->barrier.everywhere |= BLOCK_UDP;
}

static void before_replay(struct faults *f)
{
    f->cluster->duplicate_ppm = SOME_PPM;
    f->cluster->replay_ppm = SOME_PPM;
    f->cluster->garbage_ppm = GARBAGE_PPM;
}

static uint64_t act_hostile(struct faults *f)
{
    const uint32_t node = (uint32_t)draw(f, f->cluster->count);
    for (uint64_t left = 1 + draw(f, SALVO_MAX); left > 0; left--) {
        if (f->cluster->is_overheard && draw(f, 2) == 0) {
            eavesdropper_send(f->cluster);
        } else {
            stranger_send(f->cluster, node);
        }
    }
    if (draw(f, CLAIM_EVERY) == 0) {
        stranger_claim(f->cluster, node, (uint32_t)draw(f, f->cluster->count));
    }
    return 1 + draw(f, SALVO_PAUSE_US);
}

/* Each node's providers fail for a time of their own, less than a node waits for them. */
static void before_blind(struct faults *f)
{
    struct cluster *c = f->cluster;
    c->config.expect_members = c->count;
    for (uint32_t i = 0; i < c->count; i++) {
        c->nodes[i].providers = PROVIDERS_FAIL;
        c->nodes[i].answers_at_us = c->net.now_us + draw(f, BLIND_MAX_US);
        c->effects.blinded++;
    }
}

/* In half of the stories nodes know only from others what address they have for them. */
static void before_hostile(struct faults *f)
{
    f->cluster->is_addr_told = draw(f, 2) == 0;
    f->cluster->is_overheard = f->cluster->plan != RINGS_OPEN;
}

static void before_full(struct faults *f)
{
    f->cluster->config.bytes_max = FULL_BYTES;
}

static uint64_t act_memory(struct faults *f)
{
    const uint64_t calls = draw(f, MEMORY_CALLS_MAX);
    const uint64_t count = 1 + draw(f, MEMORY_FAILURES_MAX);
    memory_fail(calls, count);
    return 1 + draw(f, MEMORY_PAUSE_US);
}

/* As where a NAT forgets, or a host drops what it has open. */
static uint64_t act_half_open(struct faults *f)
{
    struct cluster *c = f->cluster;
    const uint32_t node = (uint32_t)draw(f, c->count);
    const uint32_t other = (uint32_t)draw(f, c->count);
    pipe_lose_end(c, node, other);
    return 2 * SECOND_US;
}

static const struct {
    const char *name;
    const char *help;
    void (*before)(struct faults *f);
    uint64_t (*act)(struct faults *f); /* microseconds until it acts again */
} kinds[FAULT_COUNT] = {
    [FAULT_CRASH] = {"crash", "a cable is pulled, later the node starts again", NULL, act_crash},
    [FAULT_KILL] = {"kill", "kill -9, later the node starts again", NULL, act_kill},
    [FAULT_BURST] = {"burst", "all are killed and started at once, knowing 3 others", before_burst,
                     act_burst},
    [FAULT_CHURN] = {"churn", "nodes come, crash, are killed, leave", NULL, act_churn},
    [FAULT_PARTITION] = {"partition", "30 s in two halves, 60 s healed", NULL, act_partition},
    [FAULT_ONEWAY] = {"oneway", "15 s in which one half is not heard, 60 s healed", NULL,
                      act_oneway},
    [FAULT_PAIRS] = {"pairs", "30 s in which about one pair a node is cut in some way, 20 s healed",
                     NULL, act_pairs},
    [FAULT_LOSS] = {"loss", "at least a quarter of all packets is lost", before_loss, NULL},
    [FAULT_BURSTS] = {"burst-loss", "a tenth of all packets is lost, in bursts of 200 ms",
                      before_bursts, NULL},
    [FAULT_REORDER] = {"reorder", "a tenth of all datagrams comes up to 50 ms late", before_reorder,
                       NULL},
    [FAULT_UDP_BLOCK] = {"udp-block", "datagrams pass nowhere, only streams do", before_udp_block,
                         NULL},
    [FAULT_TCP_BLOCK] = {"tcp-block",
                         "20 s in which streams stand still and only datagrams pass, 40 s healed",
                         NULL, act_tcp_block},
    [FAULT_PAUSE] = {"pause", "SIGSTOP for 1 to 20 s", NULL, act_pause},
    [FAULT_CLOCK] = {"clock", "wall clocks an hour off and stepping, drift, restarts", before_clock,
                     act_clock},
    [FAULT_ROLLING] = {"rolling", "one node after the other leaves and starts again", NULL,
                       act_rolling},
    [FAULT_REPLAY] = {"replay", "datagrams twice, again much later, cut, lengthened, noise",
                      before_replay, NULL},
    [FAULT_CORRUPT] = {"corrupt",
                       "streams carry noise and foreign words, which must cost a link only", NULL,
                       act_corrupt},
    [FAULT_FULL] = {"full", "1 MiB of memory a node", before_full, NULL},
    [FAULT_WATCH] = {"watch", "no fault: clients watch, go, and come back", NULL, NULL},
    [FAULT_MEMORY] = {"memory", "calls for memory fail, up to 8 in a row, values of 4 KiB", NULL,
                      act_memory},
    [FAULT_HOSTILE] = {"hostile", "a stranger, who receives nothing, forges datagrams and HELLOs",
                       before_hostile, act_hostile},
    [FAULT_LONER] = {"loner",
                     "one that started alone with a wrong clock is let in, beside a newcomer", NULL,
                     loner_act},
    [FAULT_NO_TCP] = {"no-tcp", "streams stand still for good, once all have formed", NULL,
                      act_no_tcp},
    [FAULT_BLIND] = {"blind", "for up to 8 s discovery fails at the start; all are expected",
                     before_blind, NULL},
    [FAULT_HALF_OPEN] = {"half-open", "of a link only one side hears that it was reset", NULL,
                         act_half_open},
    [FAULT_ROTATE] = {"rotate",
                      "keys change, from none to one to another and back, in any order of nodes",
                      rotate_before, rotate_act},
};

const char *faults_name(size_t index, const char **ret_help)
{
    static const char *const others[][2] = {
        {"steady", "nothing goes wrong"},
        {"swarm", "a random subset of the others but no-tcp, blind, half-open and rotate, by the "
                  "seed; cuts last 3 s and more"},
    };
    if (index < FAULT_COUNT) {
        *ret_help = kinds[index].help;
        return kinds[index].name;
    }
    if (index < FAULT_COUNT + sizeof(others) / sizeof(others[0])) {
        *ret_help = others[index - FAULT_COUNT][1];
        return others[index - FAULT_COUNT][0];
    }
    return NULL;
}

bool faults_find(const char *name, uint64_t seed, uint32_t *ret_set)
{
    *ret_set = 0;
    if (strcmp(name, "swarm") == 0) {
        struct rng rng;
        rng_init(&rng, seed);
        /* Each with a chance of a quarter: most seeds have a few, and some have one alone. */
        const uint64_t half = rng_next(&rng);
        *ret_set = (uint32_t)(half & rng_next(&rng)) & ((1U << FAULT_NO_TCP) - 1);
        return true;
    }
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *ret_set = 1U << i;
            return true;
        }
    }
    return strcmp(name, "steady") == 0;
}

void faults_init(struct faults *f, struct cluster *cluster, uint32_t set)
{
    *f = (struct faults){.cluster = cluster, .set = set, .failed = memory_failures()};
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        f->victim[i] = cluster->count;
        f->due_us[i] = NEVER;
        if ((set & 1U << i) != 0 && kinds[i].before != NULL) {
            kinds[i].before(f);
        }
    }
}

void faults_begin(struct faults *f, struct oracle *oracle)
{
    f->oracle = oracle;
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        if ((f->set & 1U << i) != 0 && kinds[i].act != NULL) {
            f->due_us[i] = f->cluster->net.now_us + SECOND_US + draw(f, 5 * SECOND_US);
        }
    }
}

uint64_t faults_deadline(const struct faults *f)
{
    uint64_t first_us = NEVER;
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        first_us = f->due_us[i] < first_us ? f->due_us[i] : first_us;
    }
    return first_us;
}

void faults_act(struct faults *f)
{
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        if (f->due_us[i] <= f->cluster->net.now_us) {
            const uint64_t pause_us = kinds[i].act(f);
            f->due_us[i] = f->cluster->net.now_us + pause_us;
            f->turn[i]++;
        }
    }
}

void faults_end(struct faults *f)
{
    struct cluster *c = f->cluster;
    const uint8_t everywhere = c->barrier.everywhere & BLOCK_UDP;
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        f->due_us[i] = NEVER;
    }
    cluster_heal(c);
    c->barrier.everywhere = everywhere; /* a network without UDP does not heal */
    c->loss_ppm = 0;
    c->stream_loss_ppm = 0;
    c->duplicate_ppm = 0;
    c->replay_ppm = 0;
    c->garbage_ppm = 0;
    c->late_ppm = 0;
    c->spoil_ppm = 0;
    burst_set(&c->burst, 0, 0);
    memory_fail(0, 0);
    c->effects.allocations_failed = memory_failures() - f->failed;
    for (uint32_t i = 0; i < c->count; i++) {
        /* A node that was about to end does so. */
        if (c->nodes[i].is_up && f->victim[FAULT_CHURN] == i) {
            cluster_kill(c, i);
        }
    }
    loner_end(f);
    rotate_end(f);
    const uint32_t turn = f->turn[FAULT_ROLLING];
    if ((f->set & 1U << FAULT_ROLLING) != 0 && turn % 3 == 1 &&
        c->nodes[turn / 3 % c->count].is_up) {
        cluster_kill(c, turn / 3 % c->count);
    }
    if (f->oracle != NULL && (f->set & (1U << FAULT_PARTITION | 1U << FAULT_ONEWAY)) != 0) {
        oracle_excuse(f->oracle, true, c->net.now_us + EXCUSED_US); /* the sides are forgotten */
    }
}
