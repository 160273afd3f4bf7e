#include "tests/sim/cluster.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "tests/sim/memory.h"
#include "tests/sim/pipe.h"
#include "tests/sim/seal_model.h"
#include "tests/sim/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DELAY_US = 500,
    JITTER_US = 300,
    STEP_MS = 10, /* how often a wait looks at its condition */
    VALUE_TEXT_MAX = 256,
    KEPT_BYTES_MAX = 1 << 20,
    PUTS_MIN = 64,
    WALKED_MEMBERS_MAX = 2000000, /* about a second */
    UUID_RANDOM = UUID_BYTES - 8, /* the rest is the node's number and life */
};

uint32_t cluster_walk_step(const struct cluster *c)
{
    return 1 + (uint32_t)((uint64_t)c->count * c->count / WALKED_MEMBERS_MAX);
}

static void check_all(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i += cluster_walk_step(c)) {
        if (c->nodes[i].is_up) {
            engine_check(c->nodes[i].engine);
        }
    }
}

struct cluster *cluster_new(uint32_t count, uint64_t seed)
{
    ASSERT(count <= CLUSTER_NODES_MAX);
    struct cluster *c = mem_new(1, sizeof(*c));
    network_init(&c->net, seed);
    barrier_init(&c->barrier, count);
    streams_init(&c->streams);
    burst_init(&c->burst, count);
    c->count = count;
    c->nodes = mem_new(count == 0 ? 1 : count, sizeof(*c->nodes));
    c->delay_us = DELAY_US;
    c->jitter_us = JITTER_US;
    c->config = (struct engine_config){
        .replication_factor = 3,
        .write_timeout_ms = 5000,
        .bytes_max = 64 << 20,
        .value_max = 10 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = UINT64_C(86400) * 1000,
    };
    memcpy(c->config.network, "sim", 4);
    memcpy(c->config.enclave, "default", 8);
    buf_init(&c->kept, KEPT_BYTES_MAX);
    return c;
}

void cluster_free(struct cluster *c)
{
    check_all(c);
    for (uint32_t i = 0; i < c->count; i++) {
        engine_free(c->nodes[i].engine);
    }
    network_fini(&c->net);
    buf_fini(&c->kept);
    barrier_fini(&c->barrier);
    streams_fini(&c->streams);
    burst_fini(&c->burst);
    free(c->nodes);
    free(c->old);
    free(c->overheard);
    free(c->puts);
    free(c);
}

void cluster_run_until(struct cluster *c, uint64_t until_us)
{
    const struct event *e = NULL;
    while ((e = network_next(&c->net, until_us)) != NULL) {
        stage_step(c, e);
    }
}

void cluster_run_for(struct cluster *c, uint64_t ms)
{
    cluster_run_until(c, c->net.now_us + ms * 1000);
    if (c->is_checked_often) {
        check_all(c);
    }
}

/* ---- Lives ---- */

/* Random, but for its end, which says who it is. */
static struct uuid make_uuid(struct cluster *c, uint32_t node, uint32_t life)
{
    struct uuid uuid;
    struct cursor end = cursor_writer(uuid.bytes + UUID_RANDOM, UUID_BYTES - UUID_RANDOM);
    for (size_t i = 0; i < UUID_RANDOM; i++) {
        uuid.bytes[i] = (uint8_t)rng_next(&c->net.rng);
    }
    cursor_put_u32(&end, node);
    cursor_put_u32(&end, life);
    return uuid;
}

bool cluster_find(const struct cluster *c, const struct uuid *uuid, uint32_t *ret_node,
                  uint32_t *ret_life)
{
    struct cursor end = cursor_reader(uuid->bytes + UUID_RANDOM, UUID_BYTES - UUID_RANDOM);
    *ret_node = cursor_u32(&end);
    *ret_life = cursor_u32(&end);
    return *ret_node < c->count && *ret_life <= c->nodes[*ret_node].life;
}

void cluster_enclave(const struct cluster *c, uint32_t node, uint32_t *ret_first, uint32_t *ret_end)
{
    *ret_first = c->enclave_size == 0 ? 0 : node - node % c->enclave_size;
    *ret_end = c->enclave_size == 0 ? c->count : *ret_first + c->enclave_size;
    *ret_end = *ret_end < c->count ? *ret_end : c->count;
}

void cluster_start(struct cluster *c, uint32_t node)
{
    struct sim_node *n = &c->nodes[node];
    ASSERT(!n->is_up);
    engine_free(n->engine);
    struct engine_config config = c->config;
    config.uuid = make_uuid(c, node, n->life + 1);
    if (c->enclave_size > 0) {
        (void)snprintf(config.enclave, sizeof(config.enclave), "e%u", node / c->enclave_size);
    }
    config.seed = rng_next(&c->net.rng);
    config.table_seed = rng_next(&c->net.rng);
    memcpy(config.secret, &config.table_seed,
           sizeof(config.table_seed)); /* nobody keeps them here */
    memcpy(n->secret, config.secret, sizeof(n->secret));
    config.host_tag = node + 1;
    config.wall_ms = CLUSTER_WALL_MS + c->net.now_us / 1000 + (uint64_t)n->wall_offset_ms;
    config.boot = config.wall_ms;
    if (config.name[0] == '\0') {
        (void)snprintf(config.name, sizeof(config.name), "node-%u", node);
    }
    config.addr_count = 1;
    config.addrs[0] = (struct member_addr){.scope = c->is_addr_told ? SCOPE_HOST : SCOPE_GLOBAL,
                                           .addr = stage_addr(node)};
    const struct keyring_items keys = rings_items(n->step);
    if (c->plan != RINGS_OPEN) {
        config.seal = seal_model_ops();
        config.keys = &keys;
    }
    c->effects.starts++;
    n->life++;
    n->is_up = true;
    n->is_silent = false;
    n->uuid = config.uuid;
    n->tick_at_us = 0;
    n->started_us = c->net.now_us;
    n->ring_us = c->net.now_us;
    n->paused_until_us = 0;
    n->engine = engine_new(&config, stage_now_us(c, node));
    stage_discover(c, node);
    stage_drain(c, node);
}

void cluster_start_all(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (!c->nodes[i].is_up) {
            cluster_start(c, i);
        }
    }
}

static void add_counters(struct engine_counters *sum, const struct engine_counters *more)
{
#define ADD_COUNTER(name, help) sum->name += more->name;
    ENGINE_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
}

void cluster_counters(struct cluster *c, struct engine_counters *ret_counters)
{
    *ret_counters = c->retired;
    for (uint32_t i = 0; i < c->count; i++) {
        struct engine_status status;
        if (c->nodes[i].is_up) {
            engine_status(c->nodes[i].engine, stage_now_us(c, i), &status);
            add_counters(ret_counters, &status.counters);
        }
    }
}

static void stop(struct cluster *c, uint32_t node, bool is_silent)
{
    struct sim_node *n = &c->nodes[node];
    struct engine_status status;
    ASSERT(n->is_up);
    if (c->observer != NULL && c->observer->stopping != NULL) {
        c->observer->stopping(c->observer->arg, node);
    }
    engine_status(n->engine, stage_now_us(c, node), &status);
    add_counters(&c->retired, &status.counters);
    n->is_up = false;
    n->is_silent = is_silent;
    n->was_silent = is_silent;
    n->stopped_us = c->net.now_us;
    for (uint32_t i = 0; i < c->streams.count; i++) {
        for (uint32_t end = 0; end < 2; end++) {
            const struct stream *s = &c->streams.all[i];
            if (!s->is_used || s->link[end] == 0 || s->node[end] != node) {
                continue;
            }
            streams_set_link(&c->streams, i, end, 0);
            pipe_end(c, i, 1 - end, is_silent ? LINK_END_RESET : LINK_END_EOF,
                     c->net.now_us + (is_silent ? CLUSTER_STUCK_US : stage_one_way_us(c)));
        }
    }
}

void cluster_kill(struct cluster *c, uint32_t node)
{
    c->effects.kills++;
    stop(c, node, false);
}

void cluster_crash_silently(struct cluster *c, uint32_t node)
{
    c->effects.silent_crashes++;
    stop(c, node, true);
}

void cluster_pause(struct cluster *c, uint32_t node, uint64_t ms)
{
    c->effects.pauses++;
    c->nodes[node].paused_until_us = c->net.now_us + ms * 1000;
}

void cluster_leave(struct cluster *c, uint32_t node)
{
    c->effects.leaves++;
    engine_leave(c->nodes[node].engine, stage_now_us(c, node));
    stage_drain(c, node);
}

void cluster_set_step(struct cluster *c, uint32_t node, uint32_t step)
{
    struct sim_node *n = &c->nodes[node];
    c->effects.key_changes++;
    n->step = step;
    if (n->is_up) {
        network_at(&c->net, c->net.now_us,
                   &(struct event){.kind = EVENT_KEYS, .to = node, .to_life = n->life});
    }
}

/* ---- The network's faults ---- */

void cluster_block(struct cluster *c, uint32_t from, uint32_t to, uint8_t what)
{
    *(what != 0 ? &c->effects.cuts : &c->effects.heals) += 1;
    barrier_set_pair(&c->barrier, from, to, what);
}

void cluster_partition(struct cluster *c, uint32_t first)
{
    for (uint32_t i = 0; i < c->count; i++) {
        c->barrier.sides[i] = i >= first;
    }
    c->barrier.between[0][1] = BLOCK_ALL;
    c->barrier.between[1][0] = BLOCK_ALL;
    c->effects.cuts++;
}

void cluster_heal(struct cluster *c)
{
    barrier_clear(&c->barrier);
}

void cluster_record(struct cluster *c, uint32_t node)
{
    buf_clear(&c->kept);
    c->keep_to = node;
    c->is_keeping = true;
}

void cluster_replay(struct cluster *c, uint32_t from)
{
    const uint32_t to = c->keep_to;
    c->is_keeping = false;
    for (uint32_t i = 0; i < c->streams.count; i++) {
        const struct stream *s = &c->streams.all[i];
        const uint32_t end = s->node[0] == to ? 0 : 1;
        if (s->is_used && s->node[end] == to && s->node[1 - end] == from && s->link[end] != 0) {
            engine_link_input(c->nodes[to].engine, s->link[end], buf_data(&c->kept), c->kept.len,
                              stage_now_us(c, to));
            stage_drain(c, to);
            return;
        }
    }
    ASSERT(false);
}

/* ---- Waiting ---- */

static bool wait_until(struct cluster *c, bool (*holds)(struct cluster *c, uint32_t arg),
                       uint32_t arg, uint64_t ms)
{
    const uint64_t until_us = c->net.now_us + ms * 1000;
    while (!holds(c, arg)) {
        if (c->net.now_us >= until_us) {
            return false;
        }
        cluster_run_until(c, c->net.now_us + (uint64_t)STEP_MS * 1000);
    }
    return true;
}

enum member_state cluster_view(struct cluster *c, uint32_t node, uint32_t of)
{
    uint32_t slot = 0;
    for (const struct member *m; (m = engine_next_member(c->nodes[node].engine, &slot)) != NULL;
         slot++) {
        if (uuid_equal(&m->uuid, &c->nodes[of].uuid)) {
            return m->state;
        }
    }
    return MEMBER_LEFT;
}

/* When everybody counts as many as there are, and all digests, which include the node itself, are
 * equal, then each node is in all views. */
bool cluster_has_full_view(struct cluster *c)
{
    uint32_t up = 0;
    uint64_t digest = 0;
    bool has_digest = false;
    for (uint32_t i = 0; i < c->count; i++) {
        up += c->nodes[i].is_up;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        struct engine_status status;
        if (!c->nodes[i].is_up) {
            continue;
        }
        engine_status(c->nodes[i].engine, stage_now_us(c, i), &status);
        if (status.alive != up - 1 || status.suspect != 0 ||
            (has_digest && status.member_digest != digest)) {
            return false;
        }
        digest = status.member_digest;
        has_digest = true;
    }
    return true;
}

static bool has_full_view(struct cluster *c, uint32_t unused)
{
    (void)unused;
    return cluster_has_full_view(c);
}

bool cluster_wait_full_view(struct cluster *c, uint64_t ms)
{
    return wait_until(c, has_full_view, 0, ms);
}

static bool is_ready(struct cluster *c, uint32_t unused)
{
    (void)unused;
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].is_up && engine_unready(c->nodes[i].engine) != 0) {
            return false;
        }
    }
    return true;
}

bool cluster_wait_ready(struct cluster *c, uint64_t ms)
{
    return wait_until(c, is_ready, 0, ms);
}

static bool is_noticed(struct cluster *c, uint32_t node)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const enum member_state state =
            c->nodes[i].is_up && i != node ? cluster_view(c, i, node) : MEMBER_DEAD;
        if (state == MEMBER_ALIVE || state == MEMBER_SUSPECT) {
            return false;
        }
    }
    return true;
}

bool cluster_wait_noticed(struct cluster *c, uint32_t node, uint64_t ms)
{
    return wait_until(c, is_noticed, node, ms);
}

/* Whether the nodes of an enclave have equal digests as of one cut and, if asked, as many keys now.
 */
static bool is_enclave_equal(struct cluster *c, uint32_t first, uint32_t end, bool is_at_rest)
{
    struct engine_status one = {.has_clock = false};
    for (uint32_t i = first; i < end; i++) {
        struct engine_status status;
        if (!c->nodes[i].is_up) {
            continue;
        }
        engine_status(c->nodes[i].engine, stage_now_us(c, i), &status);
        if (!status.has_clock ||
            (one.has_clock && (status.root_digest != one.root_digest ||
                               (is_at_rest && status.store.keys != one.store.keys) ||
                               (!is_at_rest && status.root_cut_s != one.root_cut_s)))) {
            return false;
        }
        one = status;
    }
    return true;
}

static bool are_enclaves_equal(struct cluster *c, bool is_at_rest)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < c->count; i = end) {
        uint32_t first = 0;
        cluster_enclave(c, i, &first, &end);
        if (!is_enclave_equal(c, first, end, is_at_rest)) {
            return false;
        }
    }
    return true;
}

bool cluster_is_converged(struct cluster *c)
{
    return are_enclaves_equal(c, true);
}

bool cluster_has_equal_digests(struct cluster *c)
{
    return are_enclaves_equal(c, false);
}

static bool is_converged(struct cluster *c, uint32_t unused)
{
    (void)unused;
    return cluster_is_converged(c);
}

bool cluster_wait_converged(struct cluster *c, uint64_t ms)
{
    return wait_until(c, is_converged, 0, ms);
}

/* ---- Clients ---- */

/* What the node shows of the key of a write that it has just taken: found in the listing, where the
 * first key that begins with a key is the key itself, or else by reading it. */
static bool find_put(const struct engine *e, const struct put *put, uint64_t now_us,
                     struct record *ret_held)
{
    return (engine_next_key(e, put->key, put->key_len, NULL, 0, now_us, ret_held) == RC_OK &&
            ret_held->key_len == put->key_len &&
            memcmp(ret_held->key, put->key, put->key_len) == 0) ||
           engine_get(e, put->key, put->key_len, now_us, ret_held) == RC_OK;
}

static enum rc try_put(struct engine *e, const struct put *put, const struct put *condition,
                       uint64_t now_us)
{
    struct put tried = *put;
    tried.condition = condition->condition;
    tried.is_any = condition->is_any;
    tried.versions = condition->versions;
    tried.version_count = condition->version_count;
    return engine_put(e, &tried, now_us);
}

uint64_t cluster_put_tries(struct cluster *c, uint32_t node, const char *key, const void *value,
                           size_t value_len, uint64_t ttl_ms, struct sim_tries *tries)
{
    struct blob *blob = value_len > VALUE_INLINE_MAX ? blob_new(NULL, value_len) : NULL;
    if (value_len > VALUE_INLINE_MAX &&
        (blob == NULL || blob_append(blob, value, value_len) != RC_OK)) {
        blob_release(blob);
        return UINT64_MAX;
    }
    const uint64_t token = c->put_count++;
    if (token == c->put_size) {
        c->put_size = token == 0 ? PUTS_MIN : 2 * token;
        c->puts = mem_resize(c->puts, c->put_size, sizeof(*c->puts));
    }
    c->puts[token] = (struct sim_put){.is_done = false};
    const struct put put = {
        .token = token,
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = blob == NULL ? value : NULL,
        .blob = blob,
        .value_len = value_len,
        .ttl_ms = ttl_ms,
    };
    struct engine *e = c->nodes[node].engine;
    const uint64_t now_us = stage_now_us(c, node);
    struct record held;
    const bool was_spared = memory_spare(false);
    tries->ret_holds = RC_OK;
    tries->ret_fails = tries->fails.condition == PUT_ALWAYS
                           ? RC_PRECONDITION
                           : try_put(e, &put, &tries->fails, now_us);
    if (tries->ret_fails != RC_OK) {
        tries->ret_holds = try_put(e, &put, &tries->holds, now_us);
    }
    (void)memory_spare(was_spared);
    c->puts[token].is_accepted = tries->ret_holds == RC_OK;
    if (tries->ret_holds == RC_OK && find_put(e, &put, now_us, &held)) {
        c->puts[token].done.version = held.version;
        c->puts[token].done.expiry_ms = held.expiry_ms;
    }
    blob_release(blob);
    (void)memory_spare(false);
    stage_drain(c, node);
    (void)memory_spare(was_spared);
    return tries->ret_holds == RC_OK ? token : UINT64_MAX;
}

uint64_t cluster_put_bytes(struct cluster *c, uint32_t node, const char *key, const void *value,
                           size_t value_len, uint64_t ttl_ms)
{
    struct sim_tries tries = {.fails = {.condition = PUT_ALWAYS},
                              .holds = {.condition = PUT_ALWAYS}};
    return cluster_put_tries(c, node, key, value, value_len, ttl_ms, &tries);
}

uint64_t cluster_put(struct cluster *c, uint32_t node, const char *key, const char *value,
                     uint64_t ttl_ms)
{
    return cluster_put_bytes(c, node, key, value, strlen(value), ttl_ms);
}

static bool is_answered(struct cluster *c, uint32_t put)
{
    return c->puts[put].is_done;
}

enum put_status cluster_wait_put(struct cluster *c, uint64_t put, uint32_t *ret_have)
{
    ASSERT(put != UINT64_MAX);
    const bool is_done =
        wait_until(c, is_answered, (uint32_t)put, c->config.write_timeout_ms + 1000);
    ASSERT(is_done);
    *ret_have = c->puts[put].done.have;
    return c->puts[put].done.status;
}

const char *cluster_get(struct cluster *c, uint32_t node, const char *key)
{
    static char text[VALUE_TEXT_MAX];
    struct record r;
    if (engine_get(c->nodes[node].engine, (const uint8_t *)key, strlen(key), stage_now_us(c, node),
                   &r) != RC_OK) {
        return NULL;
    }
    ASSERT(r.expiry_ms > engine_clock_ms(c->nodes[node].engine, stage_now_us(c, node)));
    const size_t len = r.blob != NULL || r.value_len >= sizeof(text) ? 0 : r.value_len;
    memcpy(text, len > 0 ? r.value : (const uint8_t *)"", len);
    text[len] = '\0';
    return text;
}

uint64_t cluster_keys(struct cluster *c, uint32_t node)
{
    struct engine_status status;
    engine_status(c->nodes[node].engine, stage_now_us(c, node), &status);
    return status.store.keys;
}

uint64_t cluster_hash(const struct cluster *c)
{
    return c->net.hash;
}
