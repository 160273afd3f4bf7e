#include "tests/sim/writes_state.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "gossip/membership/swim.h"
#include "tests/sim/answers.h"
#include "tests/sim/stage.h"
#include "tests/sim/tries.h"
#include "tests/unit/twins.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRITES_MIN = 256,
    WRITES_MAX = 1 << 26,
    KEY_LEN = 12,
    KEY_SIZE = TWIN_KEY_LEN + 1,
    TWINS_FROM = 8, /* keys; where there are fewer each is an ordinary one */
    APART_MS = 60 * 1000,
    ARRIVED_US = 5 * 1000 * 1000,       /* where nothing is wrong, a write is everywhere by then */
    SHADOW_REACH_US = 60 * 1000 * 1000, /* later versions are written at most this much earlier */
    UNREPAIRED_MS = 2 * EPOCH_MS,       /* an entry about to expire may go unrepaired */
    MILLION = 1000000,
    SLEW_PPM = 1000, /* drift and slewing while the record lives */
};

struct writes *writes_new(struct oracle *oracle, const struct oracle_config *config)
{
    struct writes *w = mem_new(1, sizeof(*w));
    const uint32_t nodes = config->cluster->count;
    w->oracle = oracle;
    w->config = *config;
    w->twin_seed = swim_cluster_hash(config->cluster->config.network);
    w->seen = mem_new((size_t)nodes * config->key_count, sizeof(*w->seen));
    w->awaited = mem_new(nodes, sizeof(*w->awaited));
    w->value = mem_new(1, config->value_len);
    slotindex_init(&w->index, WRITES_MAX);
    return w;
}

void writes_free(struct writes *w)
{
    slotindex_fini(&w->index);
    for (uint64_t i = 0; i < w->count; i++) {
        free(w->all[i].shown_by);
    }
    free(w->all);
    free(w->seen);
    free(w->awaited);
    free(w->value);
    free(w);
}

/* ---- What was written ---- */

/* "key-" and eight digits; the last two keys are twins. Every check of a key writes one, so it is
 * done by hand. Returns the length. */
static size_t key_text(const struct writes *w, uint32_t key, char text[static KEY_SIZE])
{
    if (w->config.key_count >= TWINS_FROM && key + 2 >= w->config.key_count) {
        twin_key(w->twin_seed, key + 1 == w->config.key_count, (uint8_t *)text);
        text[TWIN_KEY_LEN] = '\0';
        return TWIN_KEY_LEN;
    }
    memcpy(text, "key-", 4);
    for (uint32_t i = KEY_LEN; i-- > 4; key /= 10) {
        text[i] = (char)('0' + key % 10);
    }
    text[KEY_LEN] = '\0';
    return KEY_LEN;
}

uint32_t writes_key_number(const struct writes *w, const uint8_t *key, size_t len)
{
    char text[KEY_SIZE];
    uint32_t number = 0;
    for (size_t i = 4; len == KEY_LEN && i < len; i++) {
        number = number * 10 + key[i] - '0';
    }
    /* The twins are the last two. */
    for (uint32_t i = 2; len == TWIN_KEY_LEN && i > 0; i--) {
        number = w->config.key_count - i;
        if (key_text(w, number, text) == len && memcmp(text, key, len) == 0) {
            return number;
        }
    }
    const bool is_ours = number < w->config.key_count && key_text(w, number, text) == len &&
                         memcmp(text, key, len) == 0;
    return is_ours ? number : UINT32_MAX;
}

static void fill_value(struct writes *w, uint64_t token)
{
    struct cursor c = cursor_writer(w->value, w->config.value_len);
    cursor_put_u64(&c, token);
    memset(w->value + ORACLE_VALUE_MIN, (int)(token & UINT8_MAX),
           w->config.value_len - ORACLE_VALUE_MIN);
}

static uint32_t version_hash(const struct version *v)
{
    uint64_t mixed = v->stamp;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        mixed = (mixed ^ v->origin.bytes[i]) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return (uint32_t)(mixed >> 32);
}

struct write *writes_find(const struct writes *w, const struct version *version)
{
    uint32_t walk = 0;
    uint32_t slot = 0;
    while (slotindex_next(&w->index, version_hash(version), &walk, &slot)) {
        if (version_compare(&w->all[slot].version, version) == 0) {
            return &w->all[slot];
        }
    }
    return NULL;
}

void writes_learn(struct writes *w, uint64_t token)
{
    struct write *at = &w->all[token];
    const struct put_done *done = &w->config.cluster->puts[token].done;
    /* A node that does not show the write may show the one before. */
    if (at->is_stored || done->expiry_ms == 0 || writes_find(w, &done->version) != NULL) {
        return;
    }
    at->is_stored = true;
    at->version = done->version;
    at->expiry_ms = done->expiry_ms;
    slotindex_add(&w->index, version_hash(&at->version), (uint32_t)token);
}

/* A node's clock minus true time. */
static int64_t clock_ms(const struct writes *w, uint32_t node)
{
    const struct cluster *c = w->config.cluster;
    return (int64_t)engine_clock_ms(c->nodes[node].engine, stage_now_us(c, node)) -
           (int64_t)(c->net.now_us / 1000);
}

static void give_up(struct writes *w, uint32_t node, uint32_t at)
{
    struct awaited *list = &w->awaited[node];
    w->all[list->writes[at]].missing--;
    list->count--;
    memmove(list->writes + at, list->writes + at + 1, (list->count - at) * sizeof(list->writes[0]));
}

static void await(struct writes *w, uint64_t token)
{
    struct write *at = &w->all[token];
    const struct cluster *c = w->config.cluster;
    for (uint32_t i = at->first; i < at->end; i++) {
        struct awaited *list = &w->awaited[i];
        if (i == at->node || !c->nodes[i].is_up) {
            continue;
        }
        if (list->count == WRITES_AWAITED_MAX) {
            w->config.figures->undelivered++;
            give_up(w, i, 0);
        }
        list->writes[list->count++] = (uint32_t)token;
        at->missing++;
        w->config.figures->copies_wanted++;
    }
}

/* The nodes of its enclave that the node of a write sees alive, bits by node from the enclave's
 * first on. */
static uint32_t seen_alive(struct cluster *c, const struct write *at)
{
    uint32_t seen = 0;
    for (uint32_t i = at->first; i < at->end && at->end - at->first <= WRITES_JUDGED_MAX; i++) {
        const bool is_seen =
            i != at->node && c->nodes[i].is_up && cluster_view(c, at->node, i) == MEMBER_ALIVE;
        seen |= (uint32_t)is_seen << (i - at->first);
    }
    return seen;
}

void writes_put(struct writes *w, uint32_t node, uint32_t key, uint64_t ttl_ms, uint32_t well)
{
    struct cluster *c = w->config.cluster;
    char text[KEY_SIZE];
    if (w->count == w->size) {
        w->size = w->size == 0 ? WRITES_MIN : 2 * w->size;
        w->all = mem_resize(w->all, w->size, sizeof(*w->all));
    }
    const uint64_t token = w->count++;
    struct write *at = &w->all[token];
    *at = (struct write){.node = node,
                         .key = key,
                         .well = well,
                         .life = c->nodes[node].life,
                         .at_us = c->net.now_us,
                         .ttl_ms = ttl_ms};
    at->clock_ms = clock_ms(w, node);
    cluster_enclave(c, node, &at->first, &at->end);
    at->seen_alive = w->config.is_calm ? seen_alive(c, at) : 0;
    at->shown_by = mem_new((at->end - at->first + 7) / 8, 1);
    (void)key_text(w, key, text);
    fill_value(w, token);
    w->config.figures->writes++;
    if (tries_put(w, token, text) == UINT64_MAX) {
        w->config.figures->refused++;
        return;
    }
    writes_learn(w, token);
    answers_judge_own(w, token);
    writes_read(w, node, key);
    await(w, token);
}

/* ---- What a node shows ---- */

enum rc writes_get(const struct writes *w, uint32_t node, uint32_t key, struct record *ret_record)
{
    const struct cluster *c = w->config.cluster;
    char text[KEY_SIZE];
    const size_t len = key_text(w, key, text);
    return engine_get(c->nodes[node].engine, (const uint8_t *)text, len, stage_now_us(c, node),
                      ret_record);
}

/* Whether the record's value is that of the write, byte by byte. */
static bool has_value(struct writes *w, const struct record *r, uint64_t token)
{
    if (r->value_len != w->config.value_len) {
        return false;
    }
    fill_value(w, token);
    if (r->blob == NULL) {
        return memcmp(r->value, w->value, r->value_len) == 0;
    }
    for (size_t at = 0; at < r->value_len;) {
        const uint8_t *bytes = NULL;
        const size_t run = blob_run(r->blob, at, &bytes);
        if (run == 0 || memcmp(bytes, w->value + at, run) != 0) {
            return false;
        }
        at += run;
    }
    return true;
}

static bool was_shown_by(const struct write *at, uint32_t node)
{
    const uint32_t bit = node - at->first;
    return (at->shown_by[bit / 8] >> bit % 8 & 1) != 0;
}

/* Whether `node` must know that `at` is over: it has shown a later version, and either that one is
 * still alive or the node has shown `at` too, so it has seen it replaced. (A later write that came
 * alone leaves no guard against an earlier one that nobody here knew of.) */
static bool is_replaced_for(const struct writes *w, uint32_t node, const struct write *at)
{
    const struct cluster *c = w->config.cluster;
    const struct seen *seen = &w->seen[(size_t)node * w->config.key_count + at->key];
    const struct write *latest = &w->all[seen->write];
    ASSERT(w->all != NULL);
    if (!c->nodes[node].is_up || seen->life != c->nodes[node].life ||
        version_compare(&at->version, &latest->version) >= 0) {
        return false;
    }
    const uint64_t now_ms = engine_clock_ms(c->nodes[node].engine, stage_now_us(c, node));
    return latest->expiry_ms > now_ms || was_shown_by(at, node);
}

static void judge(struct writes *w, uint32_t node, uint32_t key, const struct record *r)
{
    const struct cluster *c = w->config.cluster;
    const uint64_t now_us = c->net.now_us;
    struct write *at = writes_find(w, &r->version);
    if (r->expiry_ms <= engine_clock_ms(c->nodes[node].engine, stage_now_us(c, node))) {
        oracle_broken(w->oracle, INVARIANT_EXPIRED, "node %u shows key %u past its expiry", node,
                      key);
    }
    if (at == NULL || at->key != key || node < at->first || node >= at->end ||
        at->expiry_ms != r->expiry_ms || !has_value(w, r, (uint64_t)(at - w->all))) {
        oracle_broken(w->oracle, INVARIANT_WRITTEN, "node %u shows of key %u what nobody wrote",
                      node, key);
        return;
    }
    /* All nodes say when it was written and how long it was to live, wherever its stamp ran to. */
    const uint64_t written_ms = record_written_ms(r);
    const int64_t late_ms = (int64_t)(written_ms - at->at_us / 1000) - at->clock_ms;
    if (late_ms < -WRITES_TAKEN_SLACK_MS || late_ms > WRITES_TAKEN_SLACK_MS ||
        r->expiry_ms != written_ms + at->ttl_ms) {
        oracle_broken(w->oracle, INVARIANT_LIFETIME,
                      "node %u shows key %u as written at another time, or to live longer", node,
                      key);
    }
    const uint64_t slack_us = WRITES_TRUE_SLACK_US + at->ttl_ms * 1000 / MILLION * SLEW_PPM;
    if (now_us > at->at_us + at->ttl_ms * 1000 + slack_us) {
        oracle_broken(w->oracle, INVARIANT_OUTLIVED, "node %u shows key %u after its time to live",
                      node, key);
    }
    const int64_t apart_ms = at->clock_ms - clock_ms(w, node);
    if (apart_ms > APART_MS || apart_ms < -APART_MS) {
        oracle_broken(w->oracle, INVARIANT_APART,
                      "node %u shows key %u of a clock %" PRId64 " ms off", node, key, apart_ms);
    }
    if (is_replaced_for(w, node, at)) {
        const struct seen *seen = &w->seen[(size_t)node * w->config.key_count + key];
        const bool is_live = w->all[seen->write].expiry_ms >
                             engine_clock_ms(c->nodes[node].engine, stage_now_us(c, node));
        w->config.figures->resurrections++;
        oracle_broken(w->oracle, is_live ? INVARIANT_BACK : INVARIANT_REPLACED,
                      "node %u shows a version of key %u that it has seen replaced", node, key);
        return;
    }
    const uint32_t bit = node - at->first;
    at->shown_by[bit / 8] |= (uint8_t)(1U << bit % 8);
    w->seen[(size_t)node * w->config.key_count + key] =
        (struct seen){.life = c->nodes[node].life, .write = (uint32_t)(at - w->all)};
}

bool writes_may_be_shadowed(const struct writes *w, const struct write *at)
{
    for (uint64_t i = w->count; i-- > 0 && w->all[i].at_us + SHADOW_REACH_US > at->at_us;) {
        const struct write *other = &w->all[i];
        if (other->is_stored && other->key == at->key && other->first == at->first &&
            version_compare(&other->version, &at->version) > 0 &&
            w->config.cluster->net.now_us + WRITES_TRUE_SLACK_US >
                other->at_us + other->ttl_ms * 1000) {
            return true;
        }
    }
    return false;
}

/* The node shows nothing of the key. Had it shown something whose time is not over? Nothing takes
 * that away, not even memory that is full. */
static void judge_nothing(struct writes *w, uint32_t node, uint32_t key)
{
    const struct cluster *c = w->config.cluster;
    struct seen *seen = &w->seen[(size_t)node * w->config.key_count + key];
    if (seen->life != c->nodes[node].life || seen->is_over) {
        return;
    }
    const struct write *at = &w->all[seen->write];
    ASSERT(w->all != NULL);
    const uint64_t now_ms = engine_clock_ms(c->nodes[node].engine, stage_now_us(c, node));
    /* A clock may step back once nothing is left by it, so that true time counts as well. */
    const uint64_t slewed_us = at->ttl_ms * 1000 / MILLION * SLEW_PPM;
    seen->is_over = at->expiry_ms <= now_ms ||
                    c->net.now_us + slewed_us >= at->at_us + at->ttl_ms * 1000 ||
                    writes_may_be_shadowed(w, at);
    if (!seen->is_over) {
        oracle_broken(w->oracle, INVARIANT_SERVED,
                      "node %u shows nothing of key %u, %" PRIu64
                      " ms before the end of what it has shown",
                      node, key, at->expiry_ms - now_ms);
    }
}

void writes_read(struct writes *w, uint32_t node, uint32_t key)
{
    struct record r;
    w->config.figures->reads++;
    if (writes_get(w, node, key, &r) == RC_OK) {
        judge(w, node, key, &r);
    } else {
        judge_nothing(w, node, key);
    }
}

void writes_arrived(struct writes *w, uint32_t node)
{
    const uint64_t now_us = w->config.cluster->net.now_us;
    struct awaited *list = &w->awaited[node];
    for (uint32_t i = list->count; i-- > 0;) {
        struct write *at = &w->all[list->writes[i]];
        struct record r;
        if (now_us >= at->at_us + at->ttl_ms * 1000) {
            w->config.figures->undelivered++;
            give_up(w, node, i);
            continue;
        }
        if (writes_get(w, node, at->key, &r) != RC_OK ||
            version_compare(&r.version, &at->version) < 0) {
            continue;
        }
        sample_add(&w->config.figures->deliveries, now_us - at->at_us);
        if (at->missing == 1) {
            sample_add(&w->config.figures->last_copies, now_us - at->at_us);
        }
        give_up(w, node, i);
    }
}

static bool is_missing(const struct writes *w, uint32_t node, const struct write *at)
{
    const struct cluster *c = w->config.cluster;
    struct record r;
    if (writes_get(w, node, at->key, &r) == RC_OK &&
        version_compare(&r.version, &at->version) >= 0) {
        return false;
    }
    return at->is_stored && (engine_unready(c->nodes[node].engine) & READY_FULL) == 0 &&
           c->net.now_us + WRITES_TRUE_SLACK_US < at->at_us + at->ttl_ms * 1000 &&
           !writes_may_be_shadowed(w, at);
}

void writes_judge_missing(struct writes *w, uint32_t node)
{
    const uint64_t now_us = w->config.cluster->net.now_us;
    const struct awaited *list = &w->awaited[node];
    for (uint32_t i = 0; w->config.is_quiet && i < list->count; i++) {
        const struct write *at = &w->all[list->writes[i]];
        if (now_us < at->at_us + ARRIVED_US) {
            return; /* and the others are younger */
        }
        if (is_missing(w, node, at)) {
            oracle_broken(w->oracle, INVARIANT_LOST,
                          "node %u lacks key %u, %.1f s after it was written", node, at->key,
                          (double)(now_us - at->at_us) / 1000000);
            give_up(w, node, i);
            return;
        }
    }
}

void writes_stopping(struct writes *w, uint32_t node)
{
    for (uint64_t i = 0; i < w->count; i++) {
        const uint32_t bit = node - w->all[i].first;
        if (node >= w->all[i].first && node < w->all[i].end) {
            w->all[i].shown_by[bit / 8] &= (uint8_t) ~(1U << bit % 8);
        }
    }
    while (w->awaited[node].count > 0) {
        give_up(w, node, w->awaited[node].count - 1);
    }
}

/* ---- At rest ---- */

void writes_judge_rest(struct writes *w, uint32_t node)
{
    const struct cluster *c = w->config.cluster;
    uint32_t first = 0;
    uint32_t end = 0;
    cluster_enclave(c, node, &first, &end);
    for (uint32_t key = 0; key < w->config.key_count; key++) {
        struct record r;
        if (writes_get(w, node, key, &r) != RC_OK) {
            judge_nothing(w, node, key);
            continue;
        }
        judge(w, node, key, &r);
        const struct write *at =
            oracle_is_repaired(w->oracle, node, &r) ? writes_find(w, &r.version) : NULL;
        for (uint32_t i = first; at != NULL && i < end; i++) {
            if (is_replaced_for(w, i, at)) {
                w->config.figures->resurrections++;
                oracle_broken(w->oracle, INVARIANT_RESURRECTED,
                              "node %u shows of key %u what node %u saw replaced", node, key, i);
                break;
            }
        }
    }
}

static bool is_shown_by_any(const struct write *at)
{
    for (uint32_t i = at->first; i < at->end; i++) {
        if (was_shown_by(at, i)) {
            return true;
        }
    }
    return false;
}

static void judge_loss(struct writes *w, const struct write *at)
{
    const struct cluster *c = w->config.cluster;
    for (uint32_t i = at->first; i < at->end; i++) {
        struct record r;
        const bool is_lasting =
            c->nodes[i].is_up &&
            at->expiry_ms > engine_clock_ms(c->nodes[i].engine, stage_now_us(c, i)) + UNREPAIRED_MS;
        if (is_lasting && (writes_get(w, i, at->key, &r) != RC_OK ||
                           version_compare(&r.version, &at->version) < 0)) {
            oracle_broken(w->oracle, INVARIANT_LOST,
                          "node %u has lost key %u, which a living node has shown", i, at->key);
            return;
        }
    }
}

void writes_judge_losses(struct writes *w)
{
    const struct cluster *c = w->config.cluster;
    const uint32_t size = c->enclave_size == 0 ? c->count : c->enclave_size;
    const size_t lists = (c->count + size - 1) / size;
    /* By enclave and key: the latest write's number plus 1. */
    uint64_t *latest_1 = mem_new(lists * w->config.key_count, sizeof(*latest_1));
    for (uint64_t i = 0; i < w->count; i++) {
        const struct write *at = &w->all[i];
        uint64_t *best_1 = &latest_1[(size_t)(at->first / size) * w->config.key_count + at->key];
        if (at->is_stored &&
            (*best_1 == 0 || version_compare(&at->version, &w->all[*best_1 - 1].version) > 0)) {
            *best_1 = i + 1;
        }
    }
    for (size_t i = 0; i < lists * w->config.key_count; i++) {
        if (latest_1[i] != 0 && is_shown_by_any(&w->all[latest_1[i] - 1])) {
            judge_loss(w, &w->all[latest_1[i] - 1]);
        }
    }
    free(latest_1);
}
