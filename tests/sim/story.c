#include "tests/sim/story.h"

#include "core/assert.h"
#include "tests/sim/faults.h"
#include "tests/sim/oracle.h"
#include "tests/sim/pipe.h"

enum {
    STEP_US = 100 * 1000,    /* between two looks around */
    FORMING_STEP_MS = 20,    /* how exactly the time to the full view is measured */
    FORMING_MAX_MS = 120000, /* not formed by then is broken */
    READY_MAX_MS = 60000,
    REST_MAX_MS = 180000, /* not at rest by then is broken */
    REST_STEP_MS = 50,
    REST_MORE_MS = 4000, /* digests are as of two seconds ago: what was under way has come */
    TTL_SPREAD = 5,      /* halvings: from twice the asked time to live to an eighth of it */
    PROMISED_LOSS_PPM = 250000,
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
};

static struct cluster *make_cluster(const struct story *s)
{
    struct cluster *c = cluster_new(s->nodes, s->seed);
    c->loss_ppm = s->loss_ppm;
    c->stream_loss_ppm = s->stream_loss_ppm;
    c->delay_us = s->delay_us;
    c->jitter_us = s->jitter_us;
    c->enclave_size = s->enclave_size;
    c->contacts = s->contacts;
    c->config.ttl_min_ms = 1;
    return c;
}

static void tell_progress(struct run *r, uint64_t done_ms)
{
    *r->now_us = r->cluster->net.now_us;
    if (r->story->progress != NULL) {
        r->story->progress(r->story, done_ms);
    }
}

/* Runs until everybody sees everybody; false when that takes too long. */
static bool form(struct run *r)
{
    const uint64_t from_us = r->cluster->net.now_us;
    while (!cluster_has_full_view(r->cluster)) {
        if (r->cluster->net.now_us - from_us > (uint64_t)FORMING_MAX_MS * 1000) {
            oracle_broken(r->oracle, "not formed after %d s", FORMING_MAX_MS / 1000);
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
    ASSERT(s->writes_per_1000_s > 0); /* who writes nothing does not ask */
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

static void look(struct run *r)
{
    struct cluster *c = r->cluster;
    oracle_sample(r->oracle);
    if (r->faults.forming_us > 0 && cluster_has_full_view(c)) {
        sample_add(&r->figures->forming, c->net.now_us - r->faults.forming_us);
        r->faults.forming_us = 0;
    }
    uint64_t up = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        up += c->nodes[i].is_up;
    }
    r->figures->node_us += up * (c->net.now_us - r->mark_us);
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

static void live(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint64_t from_us = c->net.now_us;
    const uint64_t end_us = from_us + r->story->run_ms * 1000;
    struct engine_counters before;
    struct engine_counters after;
    const struct traffic traffic = c->traffic;
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
    const uint64_t synced = after.sync_records_received - before.sync_records_received;
    r->figures->copies += after.records_received - before.records_received - synced;
    r->figures->sync_copies += synced;
    r->figures->datagram_bytes += c->traffic.datagram_bytes - traffic.datagram_bytes;
    r->figures->stream_bytes += c->traffic.stream_bytes - traffic.stream_bytes;
    r->figures->stream_headers += c->traffic.stream_headers - traffic.stream_headers;
}

/* ---- And at rest ---- */

static bool is_at_rest(struct cluster *c)
{
    return pipe_is_quiet(c) && cluster_has_full_view(c) && cluster_is_converged(c);
}

/* Runs until the cluster is at rest; false when that takes too long. */
static bool come_to_rest(struct run *r, uint64_t end_us)
{
    struct cluster *c = r->cluster;
    while (!is_at_rest(c)) {
        if (c->net.now_us > end_us) {
            oracle_broken(r->oracle, "not at rest %d s after the last fault: %s",
                          REST_MAX_MS / 1000,
                          cluster_has_full_view(c) ? "digests differ" : "views differ");
            return false;
        }
        cluster_run_for(c, REST_STEP_MS);
        tell_progress(r, r->story->run_ms);
    }
    return true;
}

static void rest(struct run *r)
{
    struct cluster *c = r->cluster;
    const uint64_t from_us = c->net.now_us;
    const uint64_t end_us = from_us + (uint64_t)REST_MAX_MS * 1000;
    uint64_t rest_us;
    faults_end(&r->faults);
    /* Digests are of two seconds ago, and what was under way may make them differ once more. */
    do {
        if (!come_to_rest(r, end_us)) {
            return;
        }
        rest_us = c->net.now_us;
        cluster_run_for(c, REST_MORE_MS);
    } while (!is_at_rest(c));
    sample_add(&r->figures->convergences, rest_us - from_us);
    oracle_judge_rest(r->oracle);
}

void story_run(const struct story *s, struct figures *figures, volatile uint64_t *now_us)
{
    struct run r = {.story = s, .figures = figures, .now_us = now_us};
    r.cluster = make_cluster(s);
    faults_init(&r.faults, r.cluster, s->faults);
    const struct oracle_config config = {
        .cluster = r.cluster,
        .figures = figures,
        .seed = s->seed,
        .key_count = s->key_count,
        .value_len = s->value_len,
        .is_deadly = r.cluster->loss_ppm > PROMISED_LOSS_PPM ||
                     r.cluster->stream_loss_ppm > PROMISED_LOSS_PPM,
    };
    r.oracle = oracle_new(&config);
    cluster_start_all(r.cluster);
    if (form(&r)) {
        if (!cluster_wait_ready(r.cluster, READY_MAX_MS)) {
            oracle_broken(r.oracle, "formed, and not ready after %d s", READY_MAX_MS / 1000);
        }
        cluster_run_for(r.cluster, s->settle_ms);
        live(&r);
        rest(&r);
    }
    figures->seeds++;
    figures->events += r.cluster->net.age;
    figures->hash = figures->hash * 31 + cluster_hash(r.cluster);
    oracle_free(r.oracle);
    cluster_free(r.cluster);
}
