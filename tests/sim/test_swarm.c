/*
 * Seeded swarms: a few nodes, random writes and random faults, and an oracle that knows every
 * write.
 *
 * Checked every few virtual milliseconds: nothing is served after its expiry; what is served was
 * written, whole; on one life of a node a key never goes back to what was replaced there; a 201
 * means that as many members held the write (or a newer one). After healing: every node sees all
 * others, all hold the same, and no write is missing that a living node has held and nothing
 * replaced.
 *
 * `test_swarm` runs the usual seeds, `test_swarm FIRST COUNT` others. A failing seed is printed.
 */
#include "core/base/mem.h"
#include "tests/sim/cluster.h"
#include "tests/sim/stage.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SEEDS = 60,
    KEYS = 12,
    NODES_MAX = 8,
    WRITES_MAX = 400,
    ROUNDS = 80,
    SLICE_MS = 25,
    VALUE_MAX = 200 * 1000,
    UNREPAIRED_MS = 2 * EPOCH_MS,
};

/* The nodes' wall clocks are right here. */
#define SIM_WALL_MS UINT64_C(1767225600000)

struct write {
    uint32_t key;
    uint64_t put; /* the cluster's number */
    size_t len;
    struct version version;
    uint64_t expiry_ms;
    bool is_judged;                 /* its 201 was looked at */
    uint32_t held_by[NODES_MAX];    /* the node's life in which it was seen to hold it; 0 never */
    uint32_t held_newer[NODES_MAX]; /* likewise, this or a newer one */
};

struct swarm {
    struct cluster *c;
    struct rng rng;
    uint64_t seed;
    char wrong[160]; /* what the oracle found, first */
    struct write writes[WRITES_MAX];
    uint32_t write_count;
    struct version seen[NODES_MAX][KEYS]; /* the latest on this life of the node */
    uint32_t seen_life[NODES_MAX];
    bool is_leaving[NODES_MAX];
};

static uint64_t first_seed = 1;
static uint64_t seed_count = SEEDS;
static uint64_t current_seed;

static void say_seed(int signal_number)
{
    char text[64];
    const int len = snprintf(text, sizeof(text), "seed %lu aborted\n", (unsigned long)current_seed);
    (void)!write(STDERR_FILENO, text, (size_t)len);
    (void)signal(signal_number, SIG_DFL);
}

static bool is_wrong(const struct swarm *s)
{
    return s->wrong[0] != '\0';
}

static void blame(struct swarm *s, const char *what, uint32_t node, uint32_t key)
{
    if (!is_wrong(s)) {
        (void)snprintf(s->wrong, sizeof(s->wrong), "%s: node %u of %u, key-%u, at %lu ms", what,
                       node, s->c->count, key, (unsigned long)(s->c->net.now_us / 1000));
    }
}

static void key_text(uint32_t key, char ret_text[static 16])
{
    (void)snprintf(ret_text, 16, "key-%u", key);
}

/* ---- The oracle ---- */

static bool fetch(const struct swarm *s, uint32_t node, uint32_t key, struct record *ret_record)
{
    char text[16];
    key_text(key, text);
    return engine_get(s->c->nodes[node].engine, (const uint8_t *)text, strlen(text),
                      stage_now_us(s->c, node), ret_record) == RC_OK;
}

static struct write *find_write(struct swarm *s, uint32_t key, const struct version *version)
{
    for (uint32_t i = 0; i < s->write_count; i++) {
        struct write *w = &s->writes[i];
        if (w->key == key && version_compare(&w->version, version) == 0) {
            return w;
        }
    }
    return NULL;
}

static void look_at_key(struct swarm *s, uint32_t node, uint32_t key)
{
    struct record r;
    const uint32_t life = s->c->nodes[node].life;
    if (!fetch(s, node, key, &r)) {
        return;
    }
    const struct write *known = find_write(s, key, &r.version);
    const uint64_t now_ms = engine_clock_ms(s->c->nodes[node].engine, stage_now_us(s->c, node));
    if (known == NULL || known->len != r.value_len || known->expiry_ms != r.expiry_ms) {
        blame(s, "something is served that was never written so", node, key);
        return;
    }
    if (r.expiry_ms <= now_ms) {
        blame(s, "an expired value is served", node, key);
    }
    /* An earlier version may follow a later one only when the later one is over and did not replace
     * it here: the two were written apart. */
    if (version_compare(&r.version, &s->seen[node][key]) < 0) {
        const struct write *seen = find_write(s, key, &s->seen[node][key]);
        if (seen->expiry_ms > now_ms || known->held_by[node] == life) {
            blame(s, "a key went back to an earlier version", node, key);
        }
    }
    s->seen[node][key] = r.version;
    for (uint32_t i = 0; i < s->write_count; i++) {
        struct write *w = &s->writes[i];
        if (w->key == key && version_compare(&w->version, &r.version) <= 0) {
            w->held_newer[node] = life;
            w->held_by[node] = w == known ? life : w->held_by[node];
        }
    }
}

static const struct write *latest(const struct swarm *s, uint32_t key)
{
    const struct write *best = NULL;
    for (uint32_t i = 0; i < s->write_count; i++) {
        const struct write *w = &s->writes[i];
        if (w->key == key && (best == NULL || version_compare(&w->version, &best->version) > 0)) {
            best = w;
        }
    }
    return best;
}

static void judge_quorums(struct swarm *s)
{
    for (uint32_t i = 0; i < s->write_count; i++) {
        struct write *w = &s->writes[i];
        const struct sim_put *put = &s->c->puts[w->put];
        if (w->is_judged || !put->is_done) {
            continue;
        }
        w->is_judged = true;
        uint32_t held = 0;
        for (uint32_t node = 0; node < s->c->count; node++) {
            held += w->held_newer[node] != 0;
        }
        /* Where a later write replaced it, and is over too, there is nothing to be seen. */
        const uint64_t now_ms = SIM_WALL_MS + s->c->net.now_us / 1000;
        if (put->done.status == PUT_QUORUM && held < put->done.have &&
            w->expiry_ms > now_ms + 100 && latest(s, w->key) == w) {
            blame(s, "a 201 whose quorum did not hold it", held, w->key);
        }
    }
}

static void look(struct swarm *s)
{
    for (uint32_t node = 0; node < s->c->count; node++) {
        const struct sim_node *n = &s->c->nodes[node];
        if (!n->is_up) {
            continue;
        }
        if (s->seen_life[node] != n->life) {
            memset(s->seen[node], 0, sizeof(s->seen[node]));
            s->seen_life[node] = n->life;
        }
        for (uint32_t key = 0; key < KEYS; key++) {
            look_at_key(s, node, key);
        }
    }
    judge_quorums(s);
}

static void run(struct swarm *s, uint64_t ms)
{
    for (uint64_t i = 0; i < ms && !is_wrong(s); i += SLICE_MS) {
        cluster_run_for(s->c, SLICE_MS);
        look(s);
    }
}

/* ---- What happens ---- */

static uint32_t pick_up(struct swarm *s)
{
    for (;;) {
        const uint32_t node = (uint32_t)rng_below(&s->rng, s->c->count);
        if (s->c->nodes[node].is_up) {
            return node;
        }
    }
}

static uint32_t up_count(const struct swarm *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->c->count; i++) {
        count += s->c->nodes[i].is_up && !s->is_leaving[i];
    }
    return count;
}

static void put(struct swarm *s)
{
    static const uint64_t ttls_ms[] = {1500, 4000, 20000, 90000, 600000, 3600000};
    static char bytes[VALUE_MAX];
    const uint32_t node = pick_up(s);
    const uint32_t key = (uint32_t)rng_below(&s->rng, KEYS);
    const uint64_t about_ms = ttls_ms[rng_below(&s->rng, 6)];
    const uint64_t ttl_ms = about_ms + rng_below(&s->rng, 1000);
    /* Small, about the border of what stands inline, in one segment, in several. */
    static const uint32_t sizes[] = {20, 2040, 40000, VALUE_MAX - 20};
    const uint64_t kind = rng_below(&s->rng, 20);
    const size_t len = sizes[kind < 16 ? 0 : kind - 16] + rng_below(&s->rng, 16);
    char text[16];
    key_text(key, text);
    if (s->write_count == WRITES_MAX) {
        return;
    }
    const uint64_t number = cluster_put_bytes(s->c, node, text, bytes, len, ttl_ms);
    struct record r;
    if (number == UINT64_MAX) {
        return;
    }
    if (!fetch(s, node, key, &r)) {
        blame(s, "a write is not there after it", node, key);
        return;
    }
    struct write *w = &s->writes[s->write_count++];
    *w = (struct write){
        .key = key, .put = number, .len = len, .version = r.version, .expiry_ms = r.expiry_ms};
    look_at_key(s, node, key);
}

static void kill_one(struct swarm *s, bool is_silent)
{
    if (up_count(s) < 2) {
        return;
    }
    const uint32_t node = pick_up(s);
    if (is_silent) {
        cluster_crash_silently(s->c, node);
    } else {
        cluster_kill(s->c, node);
    }
    s->is_leaving[node] = false;
}

static void start_one(struct swarm *s)
{
    const uint32_t from = (uint32_t)rng_below(&s->rng, s->c->count);
    for (uint32_t i = 0; i < s->c->count; i++) {
        const uint32_t node = (from + i) % s->c->count;
        if (!s->c->nodes[node].is_up) {
            cluster_start(s->c, node);
            return;
        }
    }
}

static void leave_one(struct swarm *s)
{
    const uint32_t node = pick_up(s);
    if (up_count(s) < 2 || s->is_leaving[node]) {
        return;
    }
    s->is_leaving[node] = true;
    cluster_leave(s->c, node);
    run(s, 25 + rng_below(&s->rng, 1000));
    cluster_kill(s->c, node);
    s->is_leaving[node] = false;
}

static void pause_one(struct swarm *s)
{
    const uint32_t node = pick_up(s);
    cluster_pause(s->c, node, 100 + rng_below(&s->rng, 3000));
}

static void block_one(struct swarm *s)
{
    const uint32_t from = (uint32_t)rng_below(&s->rng, s->c->count);
    const uint32_t to = (uint32_t)rng_below(&s->rng, s->c->count);
    cluster_block(s->c, from, to, (uint8_t)(1 + rng_below(&s->rng, 3)));
}

static void something_happens(struct swarm *s)
{
    struct cluster *c = s->c;
    switch (rng_below(&s->rng, 30)) {
    case 0:
        kill_one(s, false);
        break;
    case 1:
        kill_one(s, true);
        break;
    case 2:
    case 3:
        start_one(s);
        break;
    case 4:
        cluster_partition(c, 1 + (uint32_t)rng_below(&s->rng, c->count - 1));
        break;
    case 5:
    case 6:
        cluster_heal(c);
        break;
    case 7:
        c->loss_ppm = (uint32_t)rng_below(&s->rng, 30) * 10000;
        c->stream_loss_ppm = c->loss_ppm;
        break;
    case 8:
        pause_one(s);
        break;
    case 9:
        leave_one(s);
        break;
    case 10:
        block_one(s);
        break;
    case 11:
        c->jitter_us = 100 + rng_below(&s->rng, 30000);
        break;
    case 12:
        run(s, rng_below(&s->rng, 20000));
        break;
    default:
        for (uint64_t i = rng_below(&s->rng, 6); i-- > 0;) {
            put(s);
        }
        break;
    }
}

/* ---- At the end ---- */

/* The latest write to a key when a node alive now was seen to hold it; NULL else. */
static const struct write *expected(const struct swarm *s, uint32_t key)
{
    const struct write *best = latest(s, key);
    for (uint32_t node = 0; best != NULL && node < s->c->count; node++) {
        const struct sim_node *n = &s->c->nodes[node];
        if (n->is_up && best->held_by[node] == n->life) {
            return best;
        }
    }
    return NULL;
}

static void compare_contents(struct swarm *s)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        const struct write *w = expected(s, key);
        for (uint32_t node = 0; node < s->c->count; node++) {
            struct record r;
            const uint64_t now_ms =
                engine_clock_ms(s->c->nodes[node].engine, stage_now_us(s->c, node));
            const bool is_there = fetch(s, node, key, &r);
            /* What is about to expire may go unrepaired. */
            if (w == NULL || w->expiry_ms <= now_ms + UNREPAIRED_MS) {
                continue;
            }
            if (!is_there) {
                blame(s, "a write that a living node held is missing", node, key);
            } else if (version_compare(&r.version, &w->version) != 0) {
                blame(s, "another version than the latest one is held", node, key);
            }
        }
    }
}

static void settle(struct swarm *s)
{
    struct cluster *c = s->c;
    cluster_heal(c);
    c->loss_ppm = 0;
    c->stream_loss_ppm = 0;
    c->jitter_us = 300;
    look(s);
    cluster_start_all(c);
    run(s, 1000);
    if (is_wrong(s)) {
        return;
    }
    if (!cluster_wait_full_view(c, 120000)) {
        blame(s, "the views do not meet", 0, 0);
    } else if (!cluster_wait_ready(c, 30000)) {
        blame(s, "a node does not get ready", 0, 0);
    } else if (!cluster_wait_converged(c, 240000)) {
        blame(s, "the contents do not meet", 0, 0);
    }
    look(s);
    compare_contents(s);
    run(s, 500);
}

/* True when nothing was wrong. */
static bool live(uint64_t seed)
{
    struct swarm *s = mem_new(1, sizeof(*s));
    current_seed = seed;
    s->seed = seed;
    rng_init(&s->rng, seed);
    s->c = cluster_new(3 + (uint32_t)rng_below(&s->rng, NODES_MAX - 2), seed);
    s->c->config.write_timeout_ms = 2000;
    cluster_start_all(s->c);
    run(s, 200 + rng_below(&s->rng, 3000));
    for (int i = 0; i < ROUNDS && !is_wrong(s); i++) {
        something_happens(s);
        run(s, SLICE_MS * (1 + rng_below(&s->rng, 20)));
    }
    if (!is_wrong(s)) {
        settle(s);
    }
    const bool is_right = !is_wrong(s);
    if (!is_right) {
        print_error("seed %lu: %s\n", (unsigned long)seed, s->wrong);
    }
    cluster_free(s->c);
    free(s);
    return is_right;
}

static void random_faults_break_no_promise(void **state)
{
    (void)state;
    uint64_t failed = 0;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        failed += !live(seed);
    }
    assert_int_equal(failed, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_faults_break_no_promise)};
    if (argc == 3) {
        first_seed = strtoull(argv[1], NULL, 10);
        seed_count = strtoull(argv[2], NULL, 10);
    }
    (void)signal(SIGABRT, say_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
