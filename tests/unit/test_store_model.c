/* The store against a model of a few lines, and the laws of its merge, over random histories. A
 * failing seed is printed; REPEATS seeds are tried. Past 600 lines, because all of it tells one
 * kind of history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/pagepool.h"
#include "core/store/store.h"
#include "tests/unit/twins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Of the keys two are twins, and CROWD beyond them meet in one bucket of one store's table. */
enum {
    PLAIN = 10,
    KEYS = PLAIN + 2,
    CROWD = 40,
    KEYS_MAX = KEYS + CROWD,
    RECORDS = 60,
    REPEATS = 60,
    DIGEST_SEED = 5
};

static const uint64_t T0 = UINT64_C(1700000000000);

/* All stores': they lend each other large values. */
static struct pagepool *pages;

static struct store *new_store(uint64_t table_seed)
{
    return store_new(&(struct store_config){.bytes_max = UINT64_MAX,
                                            .table_seed = table_seed,
                                            .digest_seed = DIGEST_SEED,
                                            .pages = pages});
}

/* ---- Random records ---- */

static uint64_t seed_under_test;
static char key_names[KEYS_MAX][TWIN_KEY_LEN + 1];
static uint32_t key_first, key_end = KEYS; /* those in use */
static uint8_t value_bytes[3000];

/* One version has one value, expiry, guard and lead of its stamp, as honest writers have it. */
static struct record random_record(struct rng *rng, uint64_t now_ms)
{
    const uint64_t key = key_first + rng_below(rng, key_end - key_first);
    const uint64_t ms = now_ms - 2000 + rng_below(rng, 3000);
    const uint64_t counter = rng_below(rng, 2);
    const uint8_t origin = (uint8_t)rng_below(rng, 3);
    struct record r = {
        .key = (const uint8_t *)key_names[key],
        .key_len = strlen(key_names[key]),
        .version = {ms << VERSION_COUNTER_BITS | counter, {{origin}}},
    };
    struct rng own;
    rng_init(&own, r.version.stamp * 31 + r.version.origin.bytes[0] * UINT64_C(7) + key);
    static const size_t lens[] = {0, 1, 5, 30, 31, 200, 2048, 2049, 3000};
    r.value_len = lens[rng_below(&own, sizeof(lens) / sizeof(lens[0]))];
    r.value = value_bytes;
    static const uint64_t lives_ms[] = {1, 500, 3000, 30000, 100000, 400000};
    r.expiry_ms = ms + 1 + rng_below(&own, lives_ms[rng_below(&own, 6)]);
    r.guard_ms = rng_below(&own, 3) == 0 ? ms + rng_below(&own, 300000) : 0;
    r.ahead_ms = (uint16_t)(rng_below(&own, 3) == 0 ? rng_below(&own, RECORD_AHEAD_MAX_MS) : 0);
    assert_int_equal(record_check(&r), RC_OK);
    return r;
}

static void shuffle(struct rng *rng, struct record *records, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t j = rng_below(rng, i);
        const struct record swap = records[i - 1];
        records[i - 1] = records[j];
        records[j] = swap;
    }
}

/* ---- The content of a store ---- */

static uint64_t content_hash(const struct record *r)
{
    const uint64_t h =
        record_id(r, 99) + r->guard_ms * 3 + r->value_len + r->ahead_ms * UINT64_C(5);
    uint8_t *whole = malloc(r->value_len + 1);
    const uint8_t *run = r->value;
    for (size_t done = 0; done < r->value_len;) {
        const size_t len = r->blob == NULL ? r->value_len : blob_run(r->blob, done, &run);
        memcpy(whole + done, run, len);
        done += len;
    }
    const uint64_t hash = XXH3_64bits_withSeed(whole, r->value_len, h);
    free(whole);
    return hash;
}

/* Calls `each` for every entry of the store that has not expired. */
static void for_each(struct store *s, uint64_t now_ms,
                     void (*each)(void *arg, const struct record *r), void *arg)
{
    uint64_t epoch = 0;
    struct digest digest;
    for (; store_next_epoch(s, UINT64_MAX, &epoch, &digest) == RC_OK; epoch++) {
        struct store_walk walk;
        struct record r;
        assert_int_equal(store_walk_begin(s, epoch, &walk), RC_OK);
        while (store_walk_next(s, &walk, now_ms, &r) == RC_OK) {
            each(arg, &r);
        }
        store_walk_end(s, &walk);
    }
}

static void add_hash(void *arg, const struct record *r)
{
    *(uint64_t *)arg += content_hash(r);
}

static uint64_t fingerprint(struct store *s, uint64_t now_ms)
{
    uint64_t sum = 0;
    store_expire(s, now_ms, SIZE_MAX);
    for_each(s, now_ms, add_hash, &sum);
    store_check(s);
    return sum;
}

static void merge(struct store *s, const struct record *r, uint64_t now_ms)
{
    enum merge_outcome outcome = MERGE_ABSENT;
    assert_int_equal(store_merge(s, r, now_ms, &outcome), RC_OK);
}

struct export_to {
    struct store *to;
    uint64_t now_ms;
};

static void export_one(void *arg, const struct record *r)
{
    const struct export_to *e = arg;
    merge(e->to, r, e->now_ms);
}

/* ---- Laws ---- */

static void check_orders(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    struct record records[RECORDS];
    for (size_t i = 0; i < RECORDS; i++) {
        records[i] = random_record(&rng, T0);
    }
    const uint64_t now_ms = T0 - 2500; /* nothing is over yet: the laws hold without a "but" */
    struct store *first = new_store(seed);
    for (size_t i = 0; i < RECORDS; i++) {
        merge(first, &records[i], now_ms);
    }
    for (int order = 0; order < 4; order++) {
        struct store *one = new_store(seed + 1);
        struct store *two = new_store(seed + 2);
        shuffle(&rng, records, RECORDS);
        const size_t cut = rng_below(&rng, RECORDS);
        for (size_t i = 0; i < RECORDS; i++) {
            merge(i < cut ? one : two, &records[i], now_ms);
            if (rng_below(&rng, 4) == 0) {
                merge(i < cut ? one : two, &records[rng_below(&rng, i + 1)], now_ms);
            }
        }
        /* Associativity: (some) + (the others) is all, in either direction; and again. */
        struct export_to to_one = {one, now_ms};
        struct export_to to_two = {two, now_ms};
        for_each(two, now_ms, export_one, &to_one);
        for_each(one, now_ms, export_one, &to_two);
        for_each(two, now_ms, export_one, &to_one);
        uint64_t sums[3] = {0, 0, 0};
        for_each(first, now_ms, add_hash, &sums[0]);
        for_each(one, now_ms, add_hash, &sums[1]);
        for_each(two, now_ms, add_hash, &sums[2]);
        assert_int_equal(sums[0], sums[1]);
        assert_int_equal(sums[0], sums[2]);
        store_check(one);
        store_check(two);
        /* Passing time changes equal stores alike, however it is cut into steps. */
        uint64_t then_ms = T0;
        for (int step = 0; step < 20; step++) {
            then_ms += rng_below(&rng, 20000);
            store_expire(one, then_ms, rng_below(&rng, 10));
        }
        assert_int_equal(fingerprint(one, then_ms), fingerprint(two, then_ms));
        store_free(one);
        store_free(two);
    }
    store_free(first);
}

static void merge_is_commutative_associative_and_idempotent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= REPEATS; seed++) {
        seed_under_test = seed;
        check_orders(seed);
    }
}

/* Nodes that get the same records at different times, some too late, agree once they have exchanged
 * all that they hold. */
static void check_convergence(uint64_t seed)
{
    enum { NODES = 3 };
    struct rng rng;
    rng_init(&rng, seed);
    struct store *nodes[NODES];
    for (uint64_t i = 0; i < NODES; i++) {
        nodes[i] = new_store(seed + i);
    }
    uint64_t now_ms = T0;
    for (int i = 0; i < 300; i++) {
        now_ms += rng_below(&rng, 400);
        const struct record r = random_record(&rng, now_ms - rng_below(&rng, 2) * 20000);
        for (int j = 0; j < NODES; j++) {
            if (rng_below(&rng, 3) > 0) {
                merge(nodes[j], &r, now_ms);
            }
        }
        struct store *some = nodes[rng_below(&rng, NODES)];
        store_expire(some, now_ms, rng_below(&rng, 5));
    }
    for (int i = 0; i < NODES; i++) {
        store_expire(nodes[i], now_ms, SIZE_MAX); /* shadows are exported too */
    }
    for (int round = 0; round < 2; round++) {
        for (int from = 0; from < NODES; from++) {
            for (int to = 0; to < NODES; to++) {
                struct export_to e = {nodes[to], now_ms};
                if (from != to) {
                    for_each(nodes[from], now_ms, export_one, &e);
                }
            }
        }
    }
    for (int step = 0; step < 5; step++) {
        const uint64_t expected = fingerprint(nodes[0], now_ms);
        struct digest root;
        assert_int_equal(store_root(nodes[0], UINT64_MAX, &root), RC_OK);
        for (int i = 1; i < NODES; i++) {
            struct digest other;
            assert_int_equal(fingerprint(nodes[i], now_ms), expected);
            assert_int_equal(store_root(nodes[i], UINT64_MAX, &other), RC_OK);
            assert_int_equal(root.sum, other.sum);
            assert_int_equal(root.count, other.count);
        }
        now_ms += rng_below(&rng, 100000);
    }
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(fingerprint(nodes[i], now_ms + 900000), 0);
        assert_int_equal(store_stats(nodes[i]).bytes_used, 0);
        store_free(nodes[i]);
    }
}

static void nodes_that_exchange_all_they_hold_agree_at_any_later_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= REPEATS; seed++) {
        seed_under_test = seed;
        check_convergence(seed);
    }
}

/* The writes that one node has got, and for each whether the node saw it replaced. */
static void check_nothing_comes_back(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    struct record given[RECORDS * 4];
    bool is_replaced[RECORDS * 4] = {false};
    size_t count = 0;
    struct store *s = new_store(seed);
    uint64_t now_ms = T0;
    for (int step = 0; step < RECORDS * 8; step++) {
        now_ms += rng_below(&rng, 300);
        const bool is_replay =
            count > 0 && (count == (size_t)RECORDS * 4 || rng_below(&rng, 2) == 0);
        const struct record r =
            is_replay ? given[rng_below(&rng, count)] : random_record(&rng, now_ms);
        merge(s, &r, now_ms);
        for (size_t i = 0; i < count; i++) {
            if (given[i].key == r.key && version_compare(&given[i].version, &r.version) < 0) {
                is_replaced[i] = true;
            }
        }
        if (!is_replay) {
            given[count++] = r;
        }
        store_expire(s, now_ms, rng_below(&rng, 3));
        for (uint32_t k = key_first; k < key_end; k++) {
            struct record held;
            if (store_get(s, (const uint8_t *)key_names[k], strlen(key_names[k]), now_ms, &held) !=
                RC_OK) {
                continue;
            }
            assert_true(held.expiry_ms > now_ms);
            for (size_t i = 0; i < count; i++) {
                if (given[i].key == (const uint8_t *)key_names[k] &&
                    version_compare(&given[i].version, &held.version) == 0) {
                    assert_false(is_replaced[i]);
                }
            }
        }
    }
    store_check(s);
    store_free(s);
}

static void nothing_expired_and_nothing_replaced_comes_back_by_replays(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= REPEATS; seed++) {
        seed_under_test = seed;
        check_nothing_comes_back(seed);
    }
}

/* ---- The model: an array, and the rules said once more ---- */

struct slot {
    bool is_held;
    struct record r; /* a shadow keeps the plain key */
};

static void model_pass(struct slot *m, uint64_t now_ms)
{
    if (m->is_held && m->r.expiry_ms <= now_ms) {
        const bool leaves_shadow = !m->r.is_shadow && m->r.guard_ms > now_ms;
        m->is_held = leaves_shadow;
        m->r.is_shadow = true;
        m->r.expiry_ms = m->r.guard_ms;
        m->r.guard_ms = 0;
        m->r.ahead_ms = 0;
        m->r.value_len = 0;
    }
}

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void model_merge(struct slot *m, const struct record *r, uint64_t now_ms)
{
    model_pass(m, now_ms);
    struct slot in = {.is_held = true, .r = *r};
    if (m->is_held) {
        const bool wins = version_compare(&r->version, &m->r.version) > 0;
        const struct record *loser = wins ? &m->r : r;
        const uint64_t past = max(max(m->r.guard_ms, r->guard_ms), loser->expiry_ms);
        in.r = wins ? *r : m->r;
        if (in.r.is_shadow) {
            in.r.expiry_ms = max(in.r.expiry_ms, past);
        } else {
            in.r.guard_ms = past;
        }
    }
    if (!in.r.is_shadow && in.r.guard_ms <= in.r.expiry_ms) {
        in.r.guard_ms = 0;
    }
    *m = in;
    model_pass(m, now_ms);
}

static void compare_listing(const struct store *s, const struct slot *model, uint64_t now_ms)
{
    const char *last = "";
    struct record r;
    for (;;) {
        uint32_t next = key_end;
        for (uint32_t k = key_first; k < key_end; k++) {
            const bool is_live =
                model[k].is_held && !model[k].r.is_shadow && model[k].r.expiry_ms > now_ms;
            if (is_live && strcmp(key_names[k], last) > 0 &&
                (next == key_end || strcmp(key_names[k], key_names[next]) < 0)) {
                next = k;
            }
        }
        const enum rc rc =
            store_next_key(s, NULL, 0, (const uint8_t *)last, strlen(last), now_ms, &r);
        assert_int_equal(rc, next == key_end ? RC_NOT_FOUND : RC_OK);
        if (next == key_end) {
            return;
        }
        assert_int_equal(r.key_len, strlen(key_names[next]));
        assert_memory_equal(r.key, key_names[next], r.key_len);
        last = key_names[next];
    }
}

static void compare_all(const struct store *s, const struct slot *model, uint64_t now_ms)
{
    for (uint32_t k = key_first; k < key_end; k++) {
        struct slot m = model[k];
        struct record r;
        model_pass(&m, now_ms);
        const enum rc rc =
            store_get(s, (const uint8_t *)key_names[k], strlen(key_names[k]), now_ms, &r);
        assert_int_equal(rc, m.is_held && !m.r.is_shadow ? RC_OK : RC_NOT_FOUND);
        if (rc == RC_OK) {
            assert_int_equal(content_hash(&r), content_hash(&m.r));
        }
    }
    compare_listing(s, model, now_ms);
}

static void check_model(uint64_t seed, int steps)
{
    struct rng rng;
    rng_init(&rng, seed);
    struct slot model[KEYS_MAX] = {{.is_held = false}};
    struct store *s = new_store(seed);
    uint64_t now_ms = T0;
    for (int step = 0; step < steps; step++) {
        now_ms += rng_below(&rng, rng_below(&rng, 10) == 0 ? 30000 : 200);
        const struct record r = random_record(&rng, now_ms);
        for (uint32_t k = key_first; k < key_end; k++) {
            if (r.key == (const uint8_t *)key_names[k]) {
                model_merge(&model[k], &r, now_ms);
            }
        }
        merge(s, &r, now_ms);
        if (rng_below(&rng, 3) == 0) {
            const size_t budget = rng_below(&rng, 6);
            assert_true(store_expire(s, now_ms, budget) <= budget);
        }
        if (rng_below(&rng, 20) == 0) {
            (void)store_trim(s);
        }
        compare_all(s, model, now_ms);
        if (step % 20 == 0) {
            store_check(s);
        }
    }
    uint64_t shadows = 0;
    uint64_t keys = 0;
    (void)fingerprint(s, now_ms);
    for (uint32_t k = key_first; k < key_end; k++) {
        model_pass(&model[k], now_ms);
        keys += model[k].is_held && !model[k].r.is_shadow;
        shadows += model[k].is_held && model[k].r.is_shadow;
    }
    assert_int_equal(store_stats(s).keys, keys);
    assert_int_equal(store_stats(s).shadows, shadows);
    store_free(s);
}

static void random_histories_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= REPEATS; seed++) {
        seed_under_test = seed;
        check_model(seed, 400);
    }
}

/* The same where all keys meet in one bucket. */
static void histories_of_keys_of_one_hash_agree_with_the_model(void **state)
{
    (void)state;
    key_first = KEYS;
    key_end = KEYS_MAX;
    for (uint64_t seed = 1; seed <= REPEATS / 10; seed++) {
        struct keyhash h;
        keyhash_init(&h, seed);
        for (uint32_t i = 0; i < CROWD; i++) {
            crowd_key(&h, i, (uint8_t *)key_names[KEYS + i]);
        }
        seed_under_test = seed;
        check_model(seed, 1200);
    }
    key_first = 0;
    key_end = KEYS;
}

/* ---- Digests as of a cut ---- */

enum { WRITES = 400, SPAN_S = 12 };

/* The guard of a write: when the longest-lived write that it replaced would have ended, 0 when that
 * is not later than its own end. */
static uint64_t guard_by_hand(const struct record *writes, int at)
{
    uint64_t guard_ms = 0;
    for (int i = 0; i < at; i++) {
        if (writes[i].key == writes[at].key && writes[i].expiry_ms > guard_ms) {
            guard_ms = writes[i].expiry_ms;
        }
    }
    return guard_ms;
}

/* The root as of a cut by its definition: each key's latest record up to the cut. */
static struct digest root_by_hand(const struct record *writes, uint64_t cut_s)
{
    struct digest root = {0, 0};
    for (int i = 0; i < WRITES; i++) {
        bool counts = version_ms(&writes[i].version) / 1000 <= cut_s &&
                      writes[i].expiry_ms / EPOCH_MS >= store_first_epoch(cut_s);
        for (int j = 0; j < WRITES && counts; j++) {
            counts = writes[j].key != writes[i].key ||
                     version_ms(&writes[j].version) / 1000 > cut_s ||
                     version_compare(&writes[j].version, &writes[i].version) <= 0;
        }
        if (counts) {
            struct record latest = writes[i];
            latest.guard_ms = guard_by_hand(writes, i);
            root.sum += record_id(&latest, DIGEST_SEED);
            root.count++;
        }
    }
    return root;
}

static struct digest sum_of_parts(const struct store *s, uint64_t cut_s, bool by_group)
{
    struct digest total = {0, 0};
    struct digest part;
    uint64_t at = 0;
    while ((by_group ? store_next_group(s, cut_s, &at, &part)
                     : store_next_epoch(s, cut_s, &at, &part)) == RC_OK) {
        total.sum += part.sum;
        total.count += part.count;
        at++;
    }
    return total;
}

static void check_cuts(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    struct record writes[WRITES];
    static char names[50][8];
    for (uint64_t i = 0; i < WRITES; i++) {
        const uint64_t key = rng_below(&rng, 50);
        (void)snprintf(names[key], sizeof(names[key]), "k%d", (int)key);
        const uint64_t ms = T0 + i * SPAN_S * 1000 / WRITES;
        const uint64_t value_len = rng_below(&rng, 3) * 20;
        const uint64_t lives_ms = 100 + rng_below(&rng, rng_below(&rng, 2) ? 100000 : 20000000);
        writes[i] = (struct record){
            .key = (const uint8_t *)names[key],
            .key_len = strlen(names[key]),
            .value = value_bytes,
            .value_len = value_len,
            .version = {ms << VERSION_COUNTER_BITS, {{1}}},
            .expiry_ms = ms + lives_ms,
        };
    }
    struct store *a = new_store(1);
    struct store *b = new_store(2);
    /* One gets all writes in order. The other gets each key's writes in order, but the keys in
     * another order. */
    for (int i = 0; i < WRITES; i++) {
        merge(a, &writes[i], T0);
    }
    for (int k = 49; k >= 0; k--) {
        for (int i = 0; i < WRITES; i++) {
            if (writes[i].key == (const uint8_t *)names[k]) {
                merge(b, &writes[i], T0);
            }
        }
    }
    for (uint64_t cut_s = T0 / 1000 - 3; cut_s < T0 / 1000 + SPAN_S + 100; cut_s++) {
        const struct digest expected = root_by_hand(writes, cut_s);
        struct digest x;
        struct digest y;
        assert_int_equal(store_root(a, cut_s, &x), RC_OK);
        assert_int_equal(store_root(b, cut_s, &y), RC_OK);
        const struct digest groups = sum_of_parts(a, cut_s, true);
        const struct digest epochs = sum_of_parts(b, cut_s, false);
        assert_int_equal(x.sum, expected.sum);
        assert_int_equal(x.count, expected.count);
        assert_int_equal(y.sum, expected.sum);
        assert_int_equal(y.count, expected.count);
        assert_int_equal(groups.sum, expected.sum);
        assert_int_equal(groups.count, expected.count);
        assert_int_equal(epochs.sum, expected.sum);
        assert_int_equal(epochs.count, expected.count);
    }
    store_check(a);
    store_free(a);
    store_free(b);
}

static void digests_as_of_a_cut_are_those_of_what_was_written_until_then(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        seed_under_test = seed;
        check_cuts(seed);
    }
}

/* After a success the seed is the last one, and of no interest. */
static int tell_seed(void **state)
{
    (void)state;
    print_message("last seed: %d\n", (int)seed_under_test);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    pages = pagepool_new();
    twin_key(DIGEST_SEED, false, (uint8_t *)key_names[PLAIN]);
    twin_key(DIGEST_SEED, true, (uint8_t *)key_names[PLAIN + 1]);
    for (int i = 0; i < PLAIN; i++) {
        (void)snprintf(key_names[i], sizeof(key_names[i]), "%.*s%d", i % 4, "keys", i);
    }
    for (size_t i = 0; i < sizeof(value_bytes); i++) {
        value_bytes[i] = (uint8_t)(i * 13);
    }
    return 0;
}

/* The wire relies on it: sum and count, the lowest byte first, under the session's key. */
static void what_peers_compare_is_a_hash_of_all_of_a_digest(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const struct digest digest = {.sum = UINT64_C(0x0807060504030201),
                                  .count = UINT64_C(0x100f0e0d0c0b0a09)};
    for (uint64_t key = 0; key < 3; key++) {
        assert_int_equal(store_digest_short(&digest, key),
                         XXH3_64bits_withSeed(bytes, sizeof(bytes), key) >> 32);
    }
}

static int tear_down(void **state)
{
    (void)state;
    pagepool_free(pages);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(merge_is_commutative_associative_and_idempotent, tell_seed),
        cmocka_unit_test_teardown(nodes_that_exchange_all_they_hold_agree_at_any_later_time,
                                  tell_seed),
        cmocka_unit_test_teardown(nothing_expired_and_nothing_replaced_comes_back_by_replays,
                                  tell_seed),
        cmocka_unit_test_teardown(random_histories_agree_with_the_model, tell_seed),
        cmocka_unit_test_teardown(histories_of_keys_of_one_hash_agree_with_the_model, tell_seed),
        cmocka_unit_test_teardown(digests_as_of_a_cut_are_those_of_what_was_written_until_then,
                                  tell_seed),
        cmocka_unit_test(what_peers_compare_is_a_hash_of_all_of_a_digest),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
