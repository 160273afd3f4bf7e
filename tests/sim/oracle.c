#include "tests/sim/oracle.h"

#include "core/base/mem.h"
#include "gossip/clock.h"
#include "gossip/replication/link.h"
#include "tests/sim/answers.h"
#include "tests/sim/deaths.h"
#include "tests/sim/debts.h"
#include "tests/sim/listings.h"
#include "tests/sim/seals.h"
#include "tests/sim/stage.h"
#include "tests/sim/watchers.h"
#include "tests/sim/writes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAILED_PASS_US = 10 * 1000 * 1000, /* a failed provider may be waited for so long */
    EXPECTED_US = 60 * 1000 * 1000,    /* and missing members so long */
    LINES_MAX = 20,                    /* printed of one seed; the rest is counted */
    WALKED_MAX = 64,                   /* clusters up to this are walked in full */
    SAMPLED_NODES = 16,                /* of larger ones, each time */
    SAMPLED_KEYS = 4,                  /* of each node looked at */
    WALK_EVERY = 10,                   /* samples between two walks of everything */
    ALL_KEYS_MAX = 64,     /* of an enclave, all of which are read when a record has come */
    SAMPLED_ARRIVALS = 16, /* of more keys */
    SECOND_US = 1000 * 1000,
    MILLION = 1000000,
    CLOCK_ALLOWED_PPM = CLOCK_SLEW_PPM + 100,
    /* The error of rounding to milliseconds, and what a node that was stopped slews when it goes
     * on.
     */
    CLOCK_SLACK_US = 20 * 1000,
};

/* The state of a node at the last look. */
struct glimpse {
    uint32_t life; /* 0: never */
    uint32_t events;
    uint64_t now_us, clock_ms; /* its own monotonic clock, and the cluster's on it */
    bool has_records;          /* and a clock: from then on it must not step */
    uint64_t records;          /* that had come */
};

struct oracle {
    struct oracle_config config;
    struct observer observer;
    struct rng rng; /* its own, so that looking changes nothing */
    struct writes *writes;
    struct watchers *watchers; /* NULL: nobody watches */
    struct deaths *deaths;
    struct debts *debts;
    struct seals *seals;      /* NULL: nobody has a key */
    struct glimpse *glimpses; /* by node */
    uint64_t samples;
    uint64_t lines;
    bool has_begun; /* somebody was ready */
};

void oracle_broken(struct oracle *o, enum invariant invariant, const char *format, ...)
{
    va_list args;
    o->config.figures->broken++;
    o->config.figures->broken_by[invariant]++;
    if (o->lines++ >= LINES_MAX) {
        return;
    }
    const uint64_t now_us = o->config.cluster->net.now_us;
    printf("broken: seed %" PRIu64 " at %" PRIu64 ".%03" PRIu64 " s: ", o->config.seed,
           now_us / SECOND_US, now_us % SECOND_US / 1000);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* ---- Looking around ---- */

static void check_caps(struct oracle *o, uint32_t node, const struct engine_status *status)
{
    struct engine *e = o->config.cluster->nodes[node].engine;
    const uint64_t bytes_max =
        o->config.cluster->config.bytes_max; /* whatever the node takes it for */
    if (status->store.bytes_used > bytes_max) {
        oracle_broken(o, INVARIANT_MEMORY, "node %u holds %" PRIu64 " bytes of at most %" PRIu64,
                      node, status->store.bytes_used, bytes_max);
    }
    uint32_t slot = 0;
    struct engine_link_view view;
    for (; engine_next_link(e, &slot, &view); slot++) {
        /* Small and large values wait apart. */
        if (view.queued > 2 * (uint64_t)LINK_QUEUE_MAX) {
            oracle_broken(o, INVARIANT_QUEUE, "a link of node %u queues %" PRIu64 " writes", node,
                          view.queued);
        }
    }
}

/* Every node has one address, and knows it. No other is its own, whatever others say. */
static void check_address(struct oracle *o, uint32_t node)
{
    uint32_t slot = 0;
    const struct addr own = stage_addr(node);
    const struct member *self = engine_next_member(o->config.cluster->nodes[node].engine, &slot);
    for (uint32_t i = 0; i < self->addr_count; i++) {
        const struct member_addr at = member_addr_at(self, i);
        if (!addr_equal(&at.addr, &own)) {
            oracle_broken(o, INVARIANT_ADDRESS, "node %u says to be where it is not", node);
        }
    }
}

/* While a node has records, its clock runs as its monotonic one does, except for slewing. */
static void check_clock(struct oracle *o, uint32_t node, const struct engine_status *status)
{
    struct cluster *c = o->config.cluster;
    struct glimpse *g = &o->glimpses[node];
    const uint64_t now_us = stage_now_us(c, node);
    const uint64_t clock_ms = engine_clock_ms(c->nodes[node].engine, now_us);
    const bool has_records = status->has_clock && status->store.keys + status->store.shadows > 0;
    if (has_records && g->has_records && g->life == c->nodes[node].life) {
        const uint64_t passed_us = now_us - g->now_us;
        const int64_t stepped_us = (int64_t)((clock_ms - g->clock_ms) * 1000 - passed_us);
        const uint64_t allowed_us = passed_us * CLOCK_ALLOWED_PPM / MILLION + CLOCK_SLACK_US;
        if (stepped_us > (int64_t)allowed_us || -stepped_us > (int64_t)allowed_us) {
            oracle_broken(o, INVARIANT_CLOCK, "the clock of node %u stepped by %" PRId64 " us",
                          node, stepped_us);
        }
    }
    g->now_us = now_us;
    g->clock_ms = clock_ms;
    g->has_records = has_records;
}

static void walk(struct oracle *o, uint32_t node)
{
    engine_check(o->config.cluster->nodes[node].engine);
    o->config.figures->walks++;
}

/* The parts of a node that an event may have touched and that cost little to look at. */
static void look_at_state(struct oracle *o, uint32_t node)
{
    struct cluster *c = o->config.cluster;
    struct glimpse *g = &o->glimpses[node];
    struct engine_status status;
    engine_status(c->nodes[node].engine, stage_now_us(c, node), &status);
    check_caps(o, node, &status);
    check_clock(o, node, &status);
    check_address(o, node);
    const uint64_t records = status.counters.records_received +
                             status.counters.sync_records_received + status.counters.puts;
    if (g->life == c->nodes[node].life && g->records != records) {
        const bool is_all = o->config.key_count <= ALL_KEYS_MAX;
        for (uint32_t i = 0; i < (is_all ? o->config.key_count : SAMPLED_ARRIVALS); i++) {
            writes_read(o->writes, node,
                        is_all ? i : (uint32_t)rng_below(&o->rng, o->config.key_count));
        }
    }
    g->life = c->nodes[node].life;
    g->records = records;
}

static void look_at(struct oracle *o, uint32_t node, bool is_walk)
{
    if (!o->config.cluster->nodes[node].is_up) {
        return;
    }
    for (uint32_t i = 0; i < SAMPLED_KEYS; i++) {
        writes_read(o->writes, node, (uint32_t)rng_below(&o->rng, o->config.key_count));
    }
    writes_judge_missing(o->writes, node);
    if (is_walk) {
        look_at_state(o, node);
        if (o->config.key_count <= ALL_KEYS_MAX) {
            listings_judge(o->writes, node);
        }
        if (o->watchers != NULL) {
            watchers_judge(o->watchers, node);
        }
        walk(o, node);
    }
}

static void take_event(void *arg, const struct event *e)
{
    struct oracle *o = arg;
    struct glimpse *g = &o->glimpses[e->to];
    debts_event(o->debts, e);
    seals_event(o->seals, e);
    if (e->kind == EVENT_BYTES) {
        writes_arrived(o->writes, e->to);
        writes_read(o->writes, e->to, (uint32_t)rng_below(&o->rng, o->config.key_count));
    }
    if (o->config.cluster->count <= WALKED_MAX) {
        look_at_state(o, e->to);
    }
    if (o->config.walk_every > 0 && ++g->events % o->config.walk_every == 0) {
        walk(o, e->to);
    }
}

void oracle_sample(struct oracle *o)
{
    struct cluster *c = o->config.cluster;
    const uint64_t turn = o->samples++;
    deaths_judge_due(o->deaths);
    debts_sample(o->debts);
    seals_sample(o->seals);
    answers_judge_owed(o->writes, false);
    if (o->watchers != NULL) {
        watchers_sample(o->watchers);
    }
    if (c->count <= WALKED_MAX) {
        for (uint32_t i = 0; i < c->count; i++) {
            look_at(o, i, turn % WALK_EVERY == 0);
        }
        return;
    }
    for (uint32_t i = 0; i < SAMPLED_NODES; i++) {
        look_at(o, (uint32_t)rng_below(&o->rng, c->count), i == 0);
    }
}

/* ---- Events of the cluster ---- */

static uint64_t age_us(const struct oracle *o, uint32_t node)
{
    return o->config.cluster->net.now_us - o->config.cluster->nodes[node].started_us;
}

/* The first of the enclave is ready: does it know as many as are expected? */
static void judge_beginning(struct oracle *o, uint32_t node)
{
    struct cluster *c = o->config.cluster;
    const uint32_t expected = c->config.expect_members;
    uint32_t known = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        known += i == node || cluster_view(c, node, i) <= MEMBER_SUSPECT;
    }
    if (known < expected && (known <= expected / 2 || age_us(o, node) < EXPECTED_US)) {
        oracle_broken(o, INVARIANT_BEGUN, "node %u is ready and knows %u of %u", node, known,
                      expected);
    }
}

/* A node founds a clock: has discovery answered, on it or on a node that it knows? */
static void judge_founding(struct oracle *o, uint32_t node)
{
    struct cluster *c = o->config.cluster;
    bool is_told = age_us(o, node) >= FAILED_PASS_US;
    for (uint32_t i = 0; i < c->count && !is_told; i++) {
        is_told = c->nodes[i].is_up && c->nodes[i].providers == PROVIDERS_ANSWER &&
                  (i == node || cluster_view(c, node, i) <= MEMBER_SUSPECT);
    }
    if (!is_told) {
        oracle_broken(o, INVARIANT_FOUNDED, "node %u founds a cluster", node);
    }
}

static void take_notice(void *arg, uint32_t node, const struct notice *notice)
{
    struct oracle *o = arg;
    deaths_notice(o->deaths, node, notice);
    if (notice->kind == NOTICE_CLOCK_SET && uuid_is_nil(&notice->member)) {
        judge_founding(o, node);
    }
    if (notice->kind == NOTICE_READY && !o->has_begun) {
        o->has_begun = true;
        judge_beginning(o, node);
    }
}

static void take_put_done(void *arg, uint32_t node, const struct put_done *done)
{
    struct oracle *o = arg;
    (void)node;
    answers_done(o->writes, done);
}

static void take_sent(void *arg, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    const struct oracle *o = arg;
    uint8_t clear[DATAGRAM_BYTES_MAX];
    seals_sent(o->seals, from, to, data, len, clear);
    debts_sent(o->debts, from, to, clear, len);
}

static void take_stopping(void *arg, uint32_t node)
{
    struct oracle *o = arg;
    writes_stopping(o->writes, node);
    if (o->watchers != NULL) {
        watchers_stopping(o->watchers, node);
    }
    deaths_stopping(o->deaths, node);
}

struct oracle *oracle_new(const struct oracle_config *config)
{
    struct oracle *o = mem_new(1, sizeof(*o));
    o->config = *config;
    rng_init(&o->rng, ~config->seed);
    o->glimpses = mem_new(config->cluster->count, sizeof(*o->glimpses));
    o->writes = writes_new(o, config);
    o->watchers = config->is_watched ? watchers_new(o, config, o->writes) : NULL;
    o->deaths = deaths_new(o, config);
    o->debts = debts_new(o, config);
    o->seals = seals_new(o, config);
    o->observer = (struct observer){.arg = o,
                                    .stopping = take_stopping,
                                    .notice = take_notice,
                                    .put_done = take_put_done,
                                    .sent = take_sent,
                                    .happened = take_event};
    config->cluster->observer = &o->observer;
    return o;
}

void oracle_free(struct oracle *o)
{
    if (o == NULL) {
        return;
    }
    o->config.cluster->observer = NULL;
    free(o->glimpses);
    watchers_free(o->watchers);
    writes_free(o->writes);
    deaths_free(o->deaths);
    debts_free(o->debts);
    seals_free(o->seals);
    free(o);
}

void oracle_write(struct oracle *o, uint32_t node, uint64_t ttl_ms)
{
    writes_put(o->writes, node, (uint32_t)rng_below(&o->rng, o->config.key_count), ttl_ms,
               deaths_well_mates(o->deaths, node));
}

void oracle_excuse(struct oracle *o, bool is_everybody, uint64_t until_us)
{
    deaths_excuse(o->deaths, is_everybody, until_us);
}

void oracle_rests(struct oracle *o, bool is_at_rest)
{
    seals_rest(o->seals, is_at_rest);
}

/* ---- At rest ---- */

bool oracle_is_repaired(const struct oracle *o, uint32_t node, const struct record *r)
{
    const struct engine *e = o->config.cluster->nodes[node].engine;
    const uint64_t now_us = stage_now_us(o->config.cluster, node);
    return r->expiry_ms / EPOCH_MS > store_first_epoch(engine_clock_ms(e, now_us) / 1000);
}

/* The node's next key after `after` that is repaired. */
static bool next_repaired(struct oracle *o, uint32_t node, const struct record *after,
                          struct record *ret_next)
{
    const struct cluster *c = o->config.cluster;
    const struct engine *e = c->nodes[node].engine;
    const uint64_t now_us = stage_now_us(c, node);
    struct record at = *after;
    while (engine_next_key(e, NULL, 0, at.key, at.key_len, now_us, ret_next) == RC_OK) {
        if (oracle_is_repaired(o, node, ret_next)) {
            return true;
        }
        at = *ret_next;
    }
    return false;
}

/* Whether the node has the record that another one has, or is about to forget it. */
static bool has_same(struct oracle *o, uint32_t node, const struct record *r)
{
    const struct cluster *c = o->config.cluster;
    struct record own;
    return engine_get(c->nodes[node].engine, r->key, r->key_len, stage_now_us(c, node), &own) ==
               RC_OK &&
           listings_is_same(&own, r);
}

/* Equal digests must mean equal content: each node must have everything that the other has. */
static void compare_content(struct oracle *o, uint32_t a, uint32_t b)
{
    const uint32_t pair[2] = {a, b};
    for (uint32_t i = 0; i < 2; i++) {
        struct record r = {.key = NULL};
        while (
            next_repaired(o, pair[i], &(struct record){.key = r.key, .key_len = r.key_len}, &r)) {
            if (!has_same(o, pair[1 - i], &r)) {
                oracle_broken(o, INVARIANT_CONTENT,
                              "nodes %u and %u have equal digests and not the same content", a, b);
                return;
            }
        }
    }
}

void oracle_judge_rest(struct oracle *o)
{
    struct cluster *c = o->config.cluster;
    const uint32_t walk_step = cluster_walk_step(c);
    deaths_judge_rest(o->deaths);
    uint32_t end = 0;
    for (uint32_t i = 0; i < c->count; i = end) {
        uint32_t first = 0;
        cluster_enclave(c, i, &first, &end);
        while (first < end && !c->nodes[first].is_up) {
            first++;
        }
        for (uint32_t other = first + 1; other < end; other++) {
            if (c->nodes[other].is_up) {
                compare_content(o, first, other);
            }
        }
    }
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].is_up) {
            look_at_state(o, i);
            writes_judge_rest(o->writes, i);
            listings_judge(o->writes, i);
        }
        if (c->nodes[i].is_up && i % walk_step == 0) {
            walk(o, i);
        }
    }
    writes_judge_losses(o->writes);
    answers_judge_owed(o->writes, true);
    if (o->watchers != NULL) {
        watchers_judge_rest(o->watchers);
    }
}
