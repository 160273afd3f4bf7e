#include "tests/sim/story.h"

#include "core/base/assert.h"
#include "tests/sim/faults.h"
#include "tests/sim/introduce.h"
#include "tests/sim/oracle.h"
#include "tests/sim/pipe.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    STEP_US = 100 * 1000,    /* between two looks around */
    FORMING_STEP_MS = 20,    /* how exactly the time to the full view is measured */
    FORMING_MAX_MS = 120000, /* not formed by then is broken */
    READY_MAX_MS = 60000,
    REST_MAX_MS = 180000, /* not at rest by then is broken */
    REST_STEP_MS = 50,
    /* Digests are as of two seconds ago, and a write waits five for its quorum. By then everything
     * under way has arrived, and every write is answered. */
    REST_MORE_MS = 6000,
    TTL_SPREAD = 5, /* halvings: from twice the asked time to live to an eighth of it */
    PROMISED_LOSS_PPM = 250000,
    STREAMS_ONLY_LOSS_PPM = 50000,
    STREAMS_ONLY_NODES = 8,
    PROMISED_BURST_US = 250 * 1000, /* longer ones are outages */
    /* By then a crash is known to all: at any size, under any fault, up to a quarter of loss; and
     * where nothing is lost or far, as docs/scale.md promises, under a stranger a little later. */
    NOTICED_MS = 30000,
    PROMPT_3_MS = 10000, /* at most two nodes are left */
    PROMPT_16_MS = 5500,
    PROMPT_128_MS = 6000,
    PROMPT_HOSTILE_MS = 2000,
    PROMPT_DELAY_US = 2000,
    /* A forged accusation has all ask at once, so that a silence of two probes ends a member. */
    OUTAGE_HOSTILE_US = 1500 * 1000,
    OUTAGE_US = 2000 * 1000, /* ten bursts' length: nobody can tell it from a crash */
    /* What writes may cost where all is quiet. The first ones in a large enclave shape its trees.
     */
    COST_WRITES_MIN = 100,
    COST_COPIES_PERCENT = 150,
    COST_LARGE_PERCENT = 102, /* of a large value, which travels once to each */
    COST_MORE_BYTES = 250,    /* a copy: keys, versions, acknowledgements, announcements */
    WALKED_NODES = 64,        /* clusters up to this are walked after each event */
    VALUE_LEN = 100,
    KEYS = 64,
    FULL_VALUE_LEN = 4096, /* brings a node under "full" over its memory in a minute */
    FULL_KEYS = 2000,
};

struct run {
    const struct story *story;
    struct cluster *cluster;
    struct oracle *oracle;
    struct faults faults;
    struct figures *figures;
    volatile uint64_t *now_us;
    uint64_t look_us, write_us;
    uint64_t mark_us; /* node time is added up to here */
    uint64_t last_us; /* since when the last minutes are measured apart */
    uint64_t last_from_bytes;
    bool is_heal_viewed; /* views are equal since the last partition healed */
};

uint32_t story_walk_every(uint32_t nodes)
{
    return nodes <= WALKED_NODES ? 1 : 0;
}

static struct cluster *make_cluster(const struct story *s)
{
    struct cluster *c = cluster_new(s->nodes, s->seed);
    c->loss_ppm = s->loss_ppm;
    c->stream_loss_ppm = s->stream_loss_ppm;
    c->delay_us = s->delay_us;
    c->jitter_us = s->jitter_us;
    c->enclave_size = s->enclave_size;
    c->order = s->order;
    c->contacts = s->contacts;
    c->config.ttl_min_ms = 1;
    c->config.replication_factor = s->factor != 0 ? s->factor : c->config.replication_factor;
    c->plan = (s->faults & 1U << FAULT_ROTATE) != 0 ? RINGS_ROTATE : s->sealing;
    for (uint32_t i = 0; i < c->count && c->plan != RINGS_OPEN; i++) {
        c->nodes[i].step = c->plan == RINGS_MIXED
                               ? (uint32_t)rng_below(&c->net.rng, RINGS_MIXED_STEPS)
                               : RINGS_STEP_SEALED;
    }
    if (s->burst_ppm > 0) {
        burst_set(&c->burst, s->burst_ppm, s->burst_us);
    }
    return c;
}

static void tell_progress(struct run *r, uint64_t done_ms)
{
    *r->now_us = r->cluster->net.now_us;
    if (r->story->progress != NULL) {
        r->story->progress(r->story, done_ms, 0);
    }
}

static void tell_introduced(void *arg, uint32_t nodes)
{
    const struct run *r = arg;
    if (r->story->progress != NULL) {
        r->story->progress(r->story, 0, nodes);
    }
}

/* Starts everybody, one after the other if it is to take a while. */
static void start(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint64_t pause_us = r->story->stagger_ms * 1000 / c->count;
    for (uint32_t i = 0; i < c->count; i++) {
        cluster_start(c, i);
        if (pause_us > 0 && i + 1 < c->count) {
            cluster_run_until(c, c->net.now_us + pause_us);
            tell_progress(r, 0);
        }
    }
    if (r->story->is_formed != 0) {
        introduce_all(c, tell_introduced, r);
    }
}

/* Runs until everybody sees everybody; false when that takes too long. */
static bool form(struct run *r)
{
    const uint64_t from_us = r->cluster->net.now_us;
    while (!cluster_has_full_view(r->cluster)) {
        if (r->cluster->net.now_us - from_us > (uint64_t)FORMING_MAX_MS * 1000) {
            oracle_broken(r->oracle, INVARIANT_FORMED, "not formed after %d s",
                          FORMING_MAX_MS / 1000);
            return false;
        }
        cluster_run_for(r->cluster, FORMING_STEP_MS);
        tell_progress(r, 0);
    }
    sample_add(&r->figures->forming, r->cluster->net.now_us - from_us);
    return true;
}

/* ---- While it runs ---- */

static uint64_t write_pause_us(const struct story *s)
{
    ASSERT(s->writes_per_1000_s > 0); /* a node that writes nothing does not ask */
    return UINT64_C(1000000000) / s->writes_per_1000_s;
}

static void write_once(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint32_t node = (uint32_t)rng_below(&c->net.rng, c->count);
    /* Far apart, so that many a write is overwritten by one that ends before it. */
    const uint64_t ttl_ms = r->story->ttl_ms * 2 >> rng_below(&c->net.rng, TTL_SPREAD);
    if (c->nodes[node].is_up && c->net.now_us >= c->nodes[node].paused_until_us &&
        engine_unready(c->nodes[node].engine) == 0) {
        oracle_write(r->oracle, node, ttl_ms + rng_below(&c->net.rng, ttl_ms + 1) + 1);
    }
    r->write_us += write_pause_us(r->story);
}

static uint64_t sent_bytes(const struct traffic *t)
{
    return t->datagram_bytes + t->stream_bytes + t->stream_headers;
}

/* A partition was healed: how long until views, and then digests, are equal? */
static void watch_healing(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint64_t healed_us = r->faults.healed_us;
    if (healed_us == 0) {
        r->is_heal_viewed = false;
        return;
    }
    if (!r->is_heal_viewed && cluster_has_full_view(c)) {
        sample_add(&r->figures->heal_views, c->net.now_us - healed_us);
        r->is_heal_viewed = true;
    }
    if (r->is_heal_viewed && cluster_has_equal_digests(c)) {
        sample_add(&r->figures->heal_digests, c->net.now_us - healed_us);
        r->faults.healed_us = 0;
    }
}

static void look(struct run *r)
{
    struct cluster *c = r->cluster;
    oracle_sample(r->oracle);
    watch_healing(r);
    if (r->faults.forming_us > 0 && cluster_has_full_view(c)) {
        sample_add(&r->figures->forming, c->net.now_us - r->faults.forming_us);
        r->faults.forming_us = 0;
    }
    uint64_t up = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        up += c->nodes[i].is_up;
    }
    r->figures->node_us += up * (c->net.now_us - r->mark_us);
    if (c->net.now_us > r->last_us) {
        r->figures->last_node_us += up * (c->net.now_us - r->mark_us);
    } else {
        r->last_from_bytes = sent_bytes(&c->traffic);
    }
    r->mark_us = c->net.now_us;
    r->look_us += STEP_US;
}

static uint64_t earliest(const struct run *r, uint64_t end_us)
{
    uint64_t first_us = r->look_us < r->write_us ? r->look_us : r->write_us;
    const uint64_t fault_us = faults_deadline(&r->faults);
    first_us = fault_us < first_us ? fault_us : first_us;
    return first_us < end_us ? first_us : end_us;
}

static void add_counters(struct engine_counters *sum, const struct engine_counters *before,
                         const struct engine_counters *after)
{
#define ADD_COUNTER(name, help) sum->name += after->name - before->name;
    ENGINE_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
}

static void add_effects(struct effects *sum, const struct effects *more)
{
#define ADD_EFFECT(name, help) sum->name += more->name;
    SIM_EFFECTS(ADD_EFFECT)
#undef ADD_EFFECT
}

static bool is_near_and_lossless(const struct story *s, const struct cluster *c)
{
    return c->loss_ppm == 0 && c->stream_loss_ppm == 0 && c->burst.leave_good_ppm == 0 &&
           s->delay_us + s->jitter_us <= PROMPT_DELAY_US;
}

/* Nothing goes wrong, and nothing is far. */
static bool is_quiet(const struct story *s, const struct cluster *c)
{
    return (s->faults & ~(1U << FAULT_WATCH)) == 0 && is_near_and_lossless(s, c);
}

/* Nothing is sent in vain where nothing goes wrong: `copies` were sent where so many were wanted,
 * in so many bytes of streams. */
static void judge_cost(struct run *r, uint64_t copies, uint64_t wanted, uint64_t bytes)
{
    const uint64_t wanted_min = (uint64_t)COST_WRITES_MIN * r->story->nodes;
    const uint64_t percent =
        r->story->value_len > VALUE_INLINE_MAX ? COST_LARGE_PERCENT : COST_COPIES_PERCENT;
    const uint64_t bytes_max = r->story->value_len * percent / 100 + COST_MORE_BYTES;
    if (!is_quiet(r->story, r->cluster) || wanted < wanted_min) {
        return;
    }
    if (copies > wanted * COST_COPIES_PERCENT / 100) {
        oracle_broken(r->oracle, INVARIANT_COST, "%" PRIu64 " copies were sent of %" PRIu64, copies,
                      wanted);
    }
    if (bytes > wanted * bytes_max) {
        oracle_broken(r->oracle, INVARIANT_COST,
                      "a copy cost %" PRIu64 " bytes, of which %" PRIu64 " are its value",
                      bytes / wanted, r->story->value_len);
    }
}

static void live(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint64_t from_us = c->net.now_us;
    const uint64_t end_us = from_us + r->story->run_ms * 1000;
    struct engine_counters before;
    struct engine_counters after;
    const struct traffic traffic = c->traffic;
    const uint64_t wanted = r->figures->copies_wanted;
    r->last_us =
        from_us +
        (r->story->run_ms > r->story->last_ms ? (r->story->run_ms - r->story->last_ms) * 1000 : 0);
    r->last_from_bytes = sent_bytes(&traffic);
    cluster_counters(c, &before);
    faults_begin(&r->faults, r->oracle);
    r->mark_us = from_us;
    r->look_us = from_us + STEP_US;
    r->write_us = r->story->writes_per_1000_s > 0 ? from_us : UINT64_MAX;
    while (c->net.now_us < end_us) {
        cluster_run_until(c, earliest(r, end_us));
        if (c->net.now_us >= r->look_us) {
            look(r);
            tell_progress(r, (c->net.now_us - from_us) / 1000);
        }
        if (c->net.now_us >= r->write_us) {
            write_once(r);
        }
        if (c->net.now_us >= faults_deadline(&r->faults)) {
            faults_act(&r->faults);
        }
    }
    cluster_counters(c, &after);
    add_counters(&r->figures->counters, &before, &after);
    const uint64_t synced = after.sync_records_received - before.sync_records_received;
    const uint64_t copies = after.records_received - before.records_received - synced;
    r->figures->copies += copies;
    judge_cost(r, copies, r->figures->copies_wanted - wanted,
               c->traffic.stream_bytes - traffic.stream_bytes);
    r->figures->last_bytes += sent_bytes(&c->traffic) - r->last_from_bytes;
    r->figures->sync_copies += synced;
    r->figures->datagram_bytes += c->traffic.datagram_bytes - traffic.datagram_bytes;
    r->figures->stream_bytes += c->traffic.stream_bytes - traffic.stream_bytes;
    r->figures->stream_headers += c->traffic.stream_headers - traffic.stream_headers;
}

/* ---- And at rest ---- */

static bool is_at_rest(struct cluster *c)
{
    return pipe_is_quiet(c) && cluster_has_full_view(c) && cluster_has_equal_digests(c);
}

/* Runs until the cluster is at rest; false when that takes too long. */
static bool come_to_rest(struct run *r, uint64_t end_us)
{
    struct cluster *c = r->cluster;
    while (!is_at_rest(c)) {
        if (c->net.now_us > end_us && !cluster_has_full_view(c)) {
            oracle_broken(r->oracle, INVARIANT_VIEWS, "views differ %d s after the last fault",
                          REST_MAX_MS / 1000);
            return false;
        }
        if (c->net.now_us > end_us) {
            oracle_broken(r->oracle, INVARIANT_DIGESTS, "digests differ %d s after the last fault",
                          REST_MAX_MS / 1000);
            return false;
        }
        cluster_run_for(c, REST_STEP_MS);
        tell_progress(r, r->story->run_ms);
    }
    return true;
}

/* Runs until everybody sees everybody, or too long. */
static void come_to_equal_views(struct run *r, uint64_t from_us, uint64_t end_us)
{
    struct cluster *c = r->cluster;
    while (!cluster_has_full_view(c)) {
        if (c->net.now_us > end_us) {
            return; /* come_to_rest() says so */
        }
        cluster_run_for(c, REST_STEP_MS);
        tell_progress(r, r->story->run_ms);
    }
    sample_add(&r->figures->rest_views, c->net.now_us - from_us);
}

static void rest(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint64_t from_us = c->net.now_us;
    const uint64_t end_us = from_us + (uint64_t)REST_MAX_MS * 1000;
    uint64_t rest_us;
    faults_end(&r->faults);
    if (c->plan == RINGS_ROTATE) {
        cluster_run_for(c, 0); /* the last keys are taken */
    }
    come_to_equal_views(r, from_us, end_us);
    /* Digests are of two seconds ago, and what was under way may make them differ once more. */
    do {
        if (!come_to_rest(r, end_us)) {
            return;
        }
        rest_us = c->net.now_us;
        oracle_rests(r->oracle, true);
        cluster_run_for(c, REST_MORE_MS);
        oracle_rests(r->oracle, false);
    } while (!is_at_rest(c));
    sample_add(&r->figures->convergences, rest_us - from_us);
    oracle_judge_rest(r->oracle);
}

/* More loss than the promise covers, or longer bursts of it. */
static bool is_deadly(const struct story *s, const struct cluster *c)
{
    const uint32_t burst_ppm =
        c->burst.leave_good_ppm > 0 ? (s->burst_ppm > 0 ? s->burst_ppm : FAULTS_BURST_PPM) : 0;
    /* Where only streams pass and some pairs are cut, there may be no way left: when streams stand
     * still for seconds, or when hardly any node reaches both of a pair.
     */
    if ((c->barrier.everywhere & BLOCK_UDP) != 0 && (s->faults & 1U << FAULT_PAIRS) != 0 &&
        (c->stream_loss_ppm + burst_ppm > STREAMS_ONLY_LOSS_PPM || c->count < STREAMS_ONLY_NODES)) {
        return true;
    }
    return c->loss_ppm + burst_ppm > PROMISED_LOSS_PPM ||
           c->stream_loss_ppm + burst_ppm > PROMISED_LOSS_PPM ||
           (burst_ppm > 0 && s->burst_us > PROMISED_BURST_US);
}

static bool is_hostile(const struct story *s)
{
    return (s->faults & 1U << FAULT_HOSTILE) != 0;
}

static uint64_t noticed_us(const struct story *s, const struct cluster *c)
{
    /* Of two, a stranger that says HELLO in the name of the one that has ended speaks for it often.
     */
    const bool is_spoken_for = is_hostile(s) && s->nodes <= 2;
    if (!is_near_and_lossless(s, c) || is_spoken_for ||
        (s->faults & ~(uint32_t)FAULTS_PROMPT) != 0 || s->nodes > 128) {
        return (uint64_t)NOTICED_MS * 1000;
    }
    const uint64_t ms = s->nodes <= 3 ? PROMPT_3_MS : s->nodes <= 16 ? PROMPT_16_MS : PROMPT_128_MS;
    return (ms + (is_hostile(s) ? PROMPT_HOSTILE_MS : 0)) * 1000;
}

/* Shows the reader of a broken invariant its circumstances. */
static void tell_faults(const struct story *s)
{
    static const char *const keys[] = {"", ", sealed", ", mixed", ""};
    const char *name = NULL;
    const char *help = NULL;
    printf("broken: seed %" PRIu64
           " was %u nodes, %.1f %% of datagrams and %.1f %% of segments lost,",
           s->seed, s->nodes, (double)s->loss_ppm / 10000, (double)s->stream_loss_ppm / 10000);
    for (size_t i = 0; i < FAULT_COUNT && (name = faults_name(i, &help)) != NULL; i++) {
        if ((s->faults & 1U << i) != 0) {
            printf(" %s", name);
        }
    }
    printf("%s%s\n", s->faults == 0 ? " no faults" : "", keys[s->sealing]);
}

void story_run(const struct story *as_told, struct figures *figures, volatile uint64_t *now_us)
{
    struct story story = *as_told;
    struct run r = {.story = &story, .figures = figures, .now_us = now_us};
    const uint64_t broken_before = figures->broken;
    const bool is_full = (story.faults & 1U << FAULT_FULL) != 0;
    const bool has_large = is_full || (story.faults & 1U << FAULT_MEMORY) != 0;
    story.value_len = story.value_len != 0 ? story.value_len
                      : has_large          ? FULL_VALUE_LEN
                                           : VALUE_LEN;
    story.key_count = story.key_count != 0 ? story.key_count : is_full ? FULL_KEYS : KEYS;
    r.cluster = make_cluster(&story);
    faults_init(&r.faults, r.cluster, story.faults);
    const struct oracle_config config = {
        .cluster = r.cluster,
        .figures = figures,
        .seed = story.seed,
        .key_count = story.key_count,
        .value_len = story.value_len,
        .walk_every = story.walk_every,
        .is_divided = (story.faults & FAULTS_DIVIDING) != 0,
        .is_deadly = is_deadly(&story, r.cluster),
        .outage_us = is_hostile(&story) ? OUTAGE_HOSTILE_US : OUTAGE_US,
        .noticed_us = noticed_us(&story, r.cluster),
        .may_leave = (story.faults & FAULTS_LEAVING) != 0,
        .is_quiet = is_quiet(&story, r.cluster),
        .is_watched = (story.faults & 1U << FAULT_WATCH) != 0,
        .is_calm = (story.faults & ~(uint32_t)FAULTS_CALM) == 0 && r.cluster->loss_ppm == 0 &&
                   r.cluster->stream_loss_ppm == 0,
    };
    r.oracle = oracle_new(&config);
    start(&r);
    if (form(&r)) {
        if (!cluster_wait_ready(r.cluster, READY_MAX_MS)) {
            oracle_broken(r.oracle, INVARIANT_FORMED, "formed, and not ready after %d s",
                          READY_MAX_MS / 1000);
        }
        cluster_run_for(r.cluster, story.settle_ms);
        live(&r);
        rest(&r);
    }
    if (figures->broken > broken_before) {
        tell_faults(&story);
    }
    figures->seeds++;
    figures->events += r.cluster->net.age;
    figures->hash = figures->hash * 31 + cluster_hash(r.cluster);
    add_effects(&figures->effects, &r.cluster->effects);
    oracle_free(r.oracle);
    cluster_free(r.cluster);
}
