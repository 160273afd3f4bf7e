/* The store by its header: what each call promises, one at a time. Properties over random histories
 * are in test_store_model.c. Past 600 lines, because it is a list of independent promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/pagepool.h"
#include "core/store/store.h"
#include "tests/unit/twins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t T0 = UINT64_C(1700000032000); /* the middle of an epoch */

static struct store *new_store(uint64_t bytes_max)
{
    return store_new(
        &(struct store_config){.bytes_max = bytes_max, .table_seed = 1, .digest_seed = 2});
}

static struct version version_at(uint64_t ms, uint8_t origin)
{
    return (struct version){ms << VERSION_COUNTER_BITS, {{origin}}};
}

static struct record record_of(const char *key, const char *value, uint64_t version,
                               uint64_t expiry)
{
    return (struct record){
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = (const uint8_t *)value,
        .value_len = strlen(value),
        .version = version_at(version, 7),
        .expiry_ms = expiry,
    };
}

static enum merge_outcome merge(struct store *s, const struct record *r, uint64_t now_ms)
{
    enum merge_outcome outcome = MERGE_ABSENT;
    assert_int_equal(record_check(r), RC_OK);
    assert_int_equal(store_merge(s, r, now_ms, &outcome), RC_OK);
    store_check(s);
    return outcome;
}

static enum rc get(const struct store *s, const char *key, uint64_t now_ms, struct record *r)
{
    return store_get(s, (const uint8_t *)key, strlen(key), now_ms, r);
}

static void assert_value(const struct store *s, const char *key, uint64_t now_ms, const char *value)
{
    struct record r;
    assert_int_equal(get(s, key, now_ms, &r), RC_OK);
    assert_int_equal(r.value_len, strlen(value));
    if (r.value_len > 0) {
        assert_memory_equal(r.value, value, r.value_len);
    }
}

static struct record shadow_of(const struct record *r, uint64_t guard_ms)
{
    return (struct record){
        .key = r->key,
        .key_len = r->key_len,
        .version = r->version,
        .expiry_ms = guard_ms,
        .is_shadow = true,
    };
}

static void a_record_is_found_until_the_millisecond_of_its_expiry(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0, T0 + 1000);
    assert_int_equal(merge(s, &r, T0), MERGE_APPLIED);
    assert_value(s, "key", T0 + 999, "value");
    assert_int_equal(get(s, "key", T0 + 1000, &r), RC_NOT_FOUND);
    assert_int_equal(get(s, "kez", T0, &r), RC_NOT_FOUND);
    store_free(s);
}

static void the_later_version_wins_in_either_order(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record old = record_of("key", "old", T0, T0 + 5000);
    struct record young = record_of("key", "a longer and newer value", T0 + 1, T0 + 5000);
    assert_int_equal(merge(s, &young, T0), MERGE_APPLIED);
    assert_int_equal(merge(s, &old, T0), MERGE_OLDER);
    assert_int_equal(merge(s, &young, T0), MERGE_SAME);
    assert_value(s, "key", T0, "a longer and newer value");
    struct record third = record_of("key", "3", T0 + 2, T0 + 5000);
    assert_int_equal(merge(s, &third, T0), MERGE_APPLIED);
    assert_value(s, "key", T0, "3");
    assert_int_equal(store_stats(s).keys, 1);
    store_free(s);
}

static void of_one_stamp_the_greater_origin_wins(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record a = record_of("key", "a", T0, T0 + 5000);
    struct record b = record_of("key", "b", T0, T0 + 5000);
    a.version.origin.bytes[0] = 9;
    merge(s, &a, T0);
    assert_int_equal(merge(s, &b, T0), MERGE_OLDER);
    assert_value(s, "key", T0, "a");
    store_free(s);
}

static void of_one_version_the_later_expiry_wins(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record a = record_of("key", "a", T0, T0 + 5000);
    merge(s, &a, T0);
    a.expiry_ms += 1000;
    assert_int_equal(merge(s, &a, T0), MERGE_APPLIED);
    a.expiry_ms -= 500;
    assert_int_equal(merge(s, &a, T0), MERGE_SAME);
    assert_value(s, "key", T0 + 5999, "a");
    store_free(s);
}

static void an_overwrite_that_dies_sooner_leaves_a_shadow_that_refuses_the_old(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record old = record_of("key", "old", T0, T0 + 60000);
    struct record young = record_of("key", "new", T0 + 1, T0 + 1000);
    merge(s, &old, T0);
    merge(s, &young, T0);
    struct record r;
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    assert_int_equal(r.guard_ms, T0 + 60000);
    store_expire(s, T0 + 1100, 100);
    store_check(s);
    assert_int_equal(store_stats(s).keys, 0);
    assert_int_equal(store_stats(s).shadows, 1);
    assert_int_equal(merge(s, &old, T0 + 2000), MERGE_OLDER);
    assert_int_equal(get(s, "key", T0 + 2000, &r), RC_NOT_FOUND);
    store_expire(s, T0 + 60064, 100);
    assert_int_equal(store_stats(s).shadows, 0);
    assert_int_equal(merge(s, &old, T0 + 60064), MERGE_EXPIRED);
    store_free(s);
}

static void an_overwrite_that_lives_longer_leaves_nothing(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record old = record_of("key", "old", T0, T0 + 1000);
    struct record young = record_of("key", "new", T0 + 1, T0 + 1000);
    merge(s, &old, T0);
    merge(s, &young, T0);
    struct record r;
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    assert_int_equal(r.guard_ms, 0);
    store_expire(s, T0 + 1064, 100);
    assert_int_equal(store_stats(s).shadows, 0);
    store_free(s);
}

static void a_discarded_older_record_raises_the_guard(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record young = record_of("key", "new", T0 + 1, T0 + 1000);
    struct record old = record_of("key", "old", T0, T0 + 9000);
    merge(s, &young, T0);
    assert_int_equal(merge(s, &old, T0), MERGE_GUARDED);
    assert_int_equal(merge(s, &old, T0), MERGE_OLDER);
    struct record r;
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    assert_int_equal(r.guard_ms, T0 + 9000);
    store_free(s);
}

static void a_newer_record_takes_over_the_guard_of_the_shadow(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record old = record_of("key", "old", T0, T0 + 1000);
    struct record shadow = shadow_of(&old, T0 + 90000);
    assert_int_equal(merge(s, &shadow, T0), MERGE_APPLIED);
    assert_int_equal(merge(s, &old, T0), MERGE_SAME);
    struct record young = record_of("key", "new", T0 + 1, T0 + 2000);
    assert_int_equal(merge(s, &young, T0), MERGE_APPLIED);
    assert_int_equal(store_stats(s).shadows, 0);
    struct record r;
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    assert_int_equal(r.guard_ms, T0 + 90000);
    store_free(s);
}

static void a_shadow_takes_the_place_of_an_older_record_and_guards_a_newer_one(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0 + 10, T0 + 5000);
    struct record named = record_of("key", "", T0 + 5, T0 + 6);
    struct record older_shadow = shadow_of(&named, T0 + 70000);
    merge(s, &r, T0);
    assert_int_equal(merge(s, &older_shadow, T0), MERGE_GUARDED);
    assert_value(s, "key", T0, "value");
    named.version = version_at(T0 + 20, 7);
    struct record newer_shadow = shadow_of(&named, T0 + 80000);
    assert_int_equal(merge(s, &newer_shadow, T0), MERGE_APPLIED);
    assert_int_equal(get(s, "key", T0, &r), RC_NOT_FOUND);
    assert_int_equal(store_stats(s).keys, 0);
    assert_int_equal(store_stats(s).shadows, 1);
    assert_int_not_equal(store_find(s, &newer_shadow), 0);
    store_free(s);
}

static void a_shadow_of_the_very_version_held_only_raises_its_guard(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0, T0 + 5000);
    struct record shadow = shadow_of(&r, T0 + 70000);
    merge(s, &r, T0);
    assert_int_equal(merge(s, &shadow, T0), MERGE_SAME);
    assert_value(s, "key", T0, "value");
    store_expire(s, T0 + 5064, 10);
    assert_int_equal(store_stats(s).shadows, 1);
    store_free(s);
}

static void a_record_over_on_arrival_with_a_guard_becomes_a_shadow(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0, T0 + 1000);
    assert_int_equal(merge(s, &r, T0 + 1000), MERGE_EXPIRED);
    r.guard_ms = T0 + 5000;
    assert_int_equal(merge(s, &r, T0 + 1000), MERGE_APPLIED);
    assert_int_equal(store_stats(s).shadows, 1);
    assert_int_equal(store_stats(s).keys, 0);
    store_free(s);
}

static void a_record_over_on_arrival_still_takes_the_place_of_an_older_one(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record old = record_of("key", "old", T0, T0 + 9000);
    struct record young = record_of("key", "new", T0 + 1, T0 + 1000);
    merge(s, &old, T0);
    assert_int_equal(merge(s, &young, T0 + 2000), MERGE_APPLIED);
    assert_int_equal(get(s, "key", T0 + 2000, &old), RC_NOT_FOUND);
    assert_int_equal(store_stats(s).shadows, 1);
    store_free(s);
}

static struct record of_key(const uint8_t *key, uint64_t version, uint64_t expiry)
{
    struct record r = record_of("", "value", version, expiry);
    r.key = key;
    r.key_len = TWIN_KEY_LEN;
    return r;
}

/* Four writes that once ended every node: the shadow of the one key was taken for the other's. */
static void the_shadow_of_a_key_is_not_that_of_its_twin(void **state)
{
    (void)state;
    uint8_t one[TWIN_KEY_LEN];
    uint8_t two[TWIN_KEY_LEN];
    struct store *s = new_store(1 << 20);
    struct record r;
    twin_key(2, false, one); /* 2 is the seed of the store's digests */
    twin_key(2, true, two);
    const struct record writes[] = {
        of_key(two, T0, T0 + 20000),
        of_key(two, T0 + 1, T0 + 1000),
        of_key(one, T0 + 2, T0 + 4000),
        of_key(one, T0 + 1600, T0 + 61600),
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(merge(s, &writes[i], T0 + i), MERGE_APPLIED);
    }
    store_expire(s, T0 + 1600, 10);
    assert_int_equal(store_stats(s).shadows, 1);
    assert_int_equal(merge(s, &writes[3], T0 + 1600), MERGE_APPLIED);
    assert_int_equal(store_get(s, one, sizeof(one), T0 + 1600, &r), RC_OK);
    assert_int_equal(r.guard_ms, 0);
    assert_int_equal(store_stats(s).shadows, 1);
    assert_int_equal(merge(s, &writes[0], T0 + 1700), MERGE_OLDER);
    assert_int_equal(store_get(s, two, sizeof(two), T0 + 1700, &r), RC_NOT_FOUND);
    store_expire(s, T0 + 20000, 10);
    store_check(s);
    assert_int_equal(store_stats(s).shadows, 0);
    assert_int_equal(store_get(s, one, sizeof(one), T0 + 20000, &r), RC_OK);
    store_free(s);
}

/* However many keys meet, the store takes, finds, lists and expires them. */
static void keys_of_one_hash_are_keys_like_others(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct store *s = new_store(64 << 20);
    struct keyhash h;
    struct record r;
    uint8_t key[TWIN_KEY_LEN];
    enum merge_outcome outcome = MERGE_ABSENT;
    keyhash_init(&h, 1); /* new_store()'s secret */
    for (uint32_t i = 0; i < COUNT; i++) {
        crowd_key(&h, i, key);
        /* A third goes first, and a third of these leaves a shadow. */
        const struct record old = of_key(key, T0, T0 + 90000);
        r = of_key(key, T0 + 1, T0 + (i % 3 == 0 ? 1000 : 60000));
        assert_int_equal(i % 9 == 0 ? store_merge(s, &old, T0, &outcome) : RC_OK, RC_OK);
        assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
        assert_int_equal(outcome, MERGE_APPLIED);
    }
    store_check(s);
    assert_int_equal(store_expire(s, T0 + 2000, COUNT), COUNT / 3);
    store_check(s);
    assert_int_equal(store_stats(s).keys, COUNT - COUNT / 3);
    assert_int_equal(store_stats(s).shadows, (COUNT + 8) / 9);
    for (uint32_t i = 0; i < COUNT; i++) {
        crowd_key(&h, i, key);
        const struct record old = of_key(key, T0, T0 + 90000);
        assert_int_equal(store_get(s, key, sizeof(key), T0 + 2000, &r),
                         i % 3 == 0 ? RC_NOT_FOUND : RC_OK);
        assert_int_equal(store_merge(s, &old, T0 + 2000, &outcome), RC_OK);
        assert_int_equal(outcome, i % 3 != 0   ? MERGE_GUARDED
                                  : i % 9 == 0 ? MERGE_OLDER
                                               : MERGE_APPLIED);
    }
    store_check(s);
    store_expire(s, T0 + 90000, SIZE_MAX);
    store_check(s);
    assert_int_equal(store_stats(s).bytes_used, 0);
    store_free(s);
}

static void a_shadow_is_never_larger_than_the_entry_it_came_from(void **state)
{
    (void)state;
    static const size_t key_lens[] = {1, 2, 7, 8, 9, 100, 321, KEY_BYTES_MAX};
    static const size_t value_lens[] = {0, 1, 7, 8, 9, 100, VALUE_INLINE_MAX, VALUE_INLINE_MAX + 1};
    static uint8_t bytes[VALUE_INLINE_MAX + 1];
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < 64; i++) {
        struct store *s = new_store(1 << 20);
        struct record r = of_key(bytes, T0, T0 + 1000);
        r.key_len = key_lens[i / 8];
        r.value = bytes;
        r.value_len = value_lens[i % 8];
        r.guard_ms = T0 + 5000;
        merge(s, &r, T0);
        const uint64_t before = store_stats(s).bytes_used;
        store_expire(s, T0 + 1000, 1);
        store_check(s);
        assert_int_equal(store_stats(s).shadows, 1);
        assert_true(store_stats(s).bytes_used <= before);
        assert_true(r.value_len < 100 || store_stats(s).bytes_used + 88 <= before);
        assert_int_equal(merge(s, &r, T0 + 1000), MERGE_SAME);
        store_expire(s, T0 + 5000, 1);
        assert_int_equal(store_stats(s).bytes_used, 0);
        store_free(s);
    }
}

static void an_expired_record_not_yet_freed_is_a_shadow_to_a_merge(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record old = record_of("key", "old", T0, T0 + 9000);
    struct record young = record_of("key", "new", T0 + 1, T0 + 1000);
    merge(s, &old, T0);
    merge(s, &young, T0);
    assert_int_equal(merge(s, &old, T0 + 1000), MERGE_OLDER);
    assert_int_equal(store_stats(s).shadows, 1);
    assert_int_equal(store_stats(s).expired_total, 1);
    store_free(s);
}

static void a_guard_is_merged_without_its_record(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0 + 5, T0 + 1000);
    struct record guard = {
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .version = version_at(T0 + 5, 7),
        .expiry_ms = T0 + 1000,
        .guard_ms = T0 + 8000,
    };
    assert_int_equal(store_guard(s, &guard, T0), MERGE_ABSENT);
    merge(s, &r, T0);
    assert_int_equal(store_guard(s, &guard, T0), MERGE_GUARDED);
    assert_int_equal(store_guard(s, &guard, T0), MERGE_SAME);
    guard.version = version_at(T0 + 4, 7);
    assert_int_equal(store_guard(s, &guard, T0), MERGE_OLDER);
    guard.expiry_ms = T0 + 9000;
    assert_int_equal(store_guard(s, &guard, T0), MERGE_GUARDED);
    guard.version = version_at(T0 + 6, 7);
    assert_int_equal(store_guard(s, &guard, T0), MERGE_ABSENT);
    store_check(s);
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    assert_int_equal(r.guard_ms, T0 + 9000);
    /* What is left of the record is raised too, and goes later. */
    guard.version = version_at(T0 + 5, 7);
    guard.guard_ms = T0 + 9500;
    assert_int_equal(store_guard(s, &guard, T0 + 2000), MERGE_GUARDED);
    assert_int_equal(store_guard(s, &guard, T0 + 2000), MERGE_SAME);
    (void)store_expire(s, T0 + 9499, 100);
    assert_int_equal(store_stats(s).shadows, 1);
    (void)store_expire(s, T0 + 9500, 100);
    assert_int_equal(store_stats(s).shadows, 0);
    store_check(s);
    store_free(s);
}

static void values_of_every_size_come_back_as_they_were(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 2047, 2048, 2049, 65536, 65537, 300000};
    struct store *s = new_store(1 << 24);
    uint8_t *bytes = malloc(300000);
    assert_non_null(bytes);
    for (size_t i = 0; i < 300000; i++) {
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int as_blob = 0; as_blob < 2; as_blob++) {
            struct record r = record_of("key", "", T0 + 2 * i + (uint64_t)as_blob, T0 + 90000);
            struct blob *blob = blob_new(NULL, sizes[i]);
            assert_int_equal(blob_append(blob, bytes, sizes[i]), RC_OK);
            r.value = as_blob ? NULL : bytes;
            r.blob = as_blob ? blob : NULL;
            r.value_len = sizes[i];
            assert_int_equal(merge(s, &r, T0), MERGE_APPLIED);
            blob_release(blob);
            struct record held;
            assert_int_equal(get(s, "key", T0, &held), RC_OK);
            assert_int_equal(held.value_len, sizes[i]);
            assert_int_equal(held.blob != NULL, sizes[i] > VALUE_INLINE_MAX);
            const uint8_t *run = held.value;
            size_t done = 0;
            while (done < sizes[i]) {
                const size_t len = held.blob == NULL ? sizes[i] : blob_run(held.blob, done, &run);
                assert_true(len > 0);
                assert_memory_equal(run, bytes + done, len);
                done += len;
            }
        }
    }
    free(bytes);
    store_free(s);
}

static void a_held_blob_outlives_its_record(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    uint8_t bytes[3000];
    memset(bytes, 0x5a, sizeof(bytes));
    struct record r = record_of("key", "", T0, T0 + 1000);
    r.value = bytes;
    r.value_len = sizeof(bytes);
    merge(s, &r, T0);
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    struct blob *blob = blob_hold(r.blob);
    struct record next = record_of("key", "small", T0 + 1, T0 + 1000);
    merge(s, &next, T0);
    store_free(s);
    const uint8_t *run = NULL;
    assert_int_equal(blob_run(blob, 0, &run), sizeof(bytes));
    assert_memory_equal(run, bytes, sizeof(bytes));
    blob_release(blob);
}

static void a_handle_and_a_version_name_one_write_for_ever(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record first = record_of("key", "aaaa", T0, T0 + 5000);
    struct record second = record_of("key", "bbbb", T0 + 1, T0 + 5000);
    struct record r;
    merge(s, &first, T0);
    const uint32_t handle = store_find(s, &first);
    assert_int_not_equal(handle, 0);
    assert_int_equal(store_at(s, handle, &first.version, T0, &r), RC_OK);
    assert_memory_equal(r.value, "aaaa", 4);
    assert_int_equal(store_at(s, handle, &first.version, T0 + 5000, &r), RC_NOT_FOUND);
    merge(s, &second, T0);
    assert_int_equal(store_find(s, &first), 0);
    assert_int_equal(store_at(s, handle, &first.version, T0, &r), RC_NOT_FOUND);
    const uint32_t other = store_find(s, &second);
    store_expire(s, T0 + 70000, 10);
    assert_int_equal(store_at(s, other, &second.version, T0, &r), RC_NOT_FOUND);
    while (store_trim(s)) {
    }
    assert_int_equal(store_at(s, other, &second.version, T0, &r), RC_NOT_FOUND);
    assert_int_equal(store_at(s, 0, &second.version, T0, &r), RC_NOT_FOUND);
    assert_int_equal(store_at(s, UINT32_MAX, &second.version, T0, &r), RC_NOT_FOUND);
    store_free(s);
}

static void a_full_store_refuses_growth_and_takes_what_does_not_grow(void **state)
{
    (void)state;
    struct store *s = new_store(2000);
    char key[16];
    enum merge_outcome outcome = MERGE_ABSENT;
    enum rc rc = RC_OK;
    int stored = 0;
    while (rc == RC_OK && stored < 1000) {
        (void)snprintf(key, sizeof(key), "key%d", stored);
        struct record r = record_of(key, "0123456789", T0, T0 + 5000);
        rc = store_merge(s, &r, T0, &outcome);
        stored += rc == RC_OK;
    }
    assert_int_equal(rc, RC_FULL);
    assert_in_range(stored, 10, 40);
    assert_true(store_stats(s).bytes_used <= 2000);
    const struct store_stats before = store_stats(s);
    struct record longer =
        record_of("key0", "0123456789012345678901234567890123456789", T0 + 1, T0 + 5000);
    assert_int_equal(store_merge(s, &longer, T0, &outcome), RC_FULL);
    assert_value(s, "key0", T0, "0123456789");
    assert_int_equal(store_stats(s).bytes_used, before.bytes_used);
    struct record equal = record_of("key0", "9876543210", T0 + 1, T0 + 5000);
    assert_int_equal(merge(s, &equal, T0), MERGE_APPLIED);
    struct record shorter = record_of("key1", "", T0 + 1, T0 + 5000);
    assert_int_equal(merge(s, &shorter, T0), MERGE_APPLIED);
    /* New writers are not counted against a write, so a store can be a little over its bound: a
     * write that does not grow it is taken even then. */
    for (uint8_t origin = 8; origin < 40; origin++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "key%d", origin % 8);
        equal = record_of(name, origin % 8 == 1 ? "" : "9876543210", T0 + 2, T0 + 5000);
        equal.version.origin.bytes[0] = origin;
        assert_int_equal(merge(s, &equal, T0), MERGE_APPLIED);
    }
    assert_true(store_stats(s).bytes_used > 2000);
    assert_int_equal(store_merge(s, &longer, T0, &outcome), RC_OK);
    assert_int_equal(outcome, MERGE_OLDER);
    store_free(s);
}

static void a_record_that_the_store_lent_out_can_be_merged_back(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0, T0 + 5000);
    merge(s, &r, T0);
    assert_int_equal(get(s, "key", T0, &r), RC_OK);
    r.version = version_at(T0 + 1, 7);
    assert_int_equal(merge(s, &r, T0), MERGE_APPLIED);
    assert_value(s, "key", T0, "value");
    store_free(s);
}

struct log {
    uint64_t count;
    uint64_t now_ms;
    char last[64];
};

static void note_expired(void *arg, const struct record *r)
{
    struct log *log = arg;
    log->count++;
    assert_false(r->is_shadow);
    assert_true(r->expiry_ms <= log->now_ms);
    assert_true(r->key_len < sizeof(log->last));
    memcpy(log->last, r->key, r->key_len);
    log->last[r->key_len] = '\0';
}

static void observe(struct store *s, struct log *log)
{
    const struct store_observer observer = {.arg = log, .expired = note_expired};
    store_observe(s, &observer);
}

static void expiry_frees_each_record_within_64_ms_and_none_before_its_time(void **state)
{
    (void)state;
    enum { COUNT = 2000, SPAN_MS = 200000 };
    struct store *s = new_store(1 << 24);
    struct log log = {0};
    observe(s, &log);
    char key[16];
    for (uint64_t i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", (int)i);
        struct record r = record_of(key, "value", T0, T0 + 1 + i * SPAN_MS / COUNT);
        enum merge_outcome outcome = MERGE_ABSENT;
        assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
    }
    uint64_t now_ms = T0;
    while (store_stats(s).keys > 0) {
        const uint64_t deadline_ms = store_deadline(s);
        now_ms = deadline_ms > now_ms ? deadline_ms : now_ms;
        log.now_ms = now_ms;
        store_expire(s, now_ms, 100);
        const uint64_t over = now_ms <= T0 ? 0 : (now_ms - T0 - 1) * COUNT / SPAN_MS + 1;
        const uint64_t over_late =
            now_ms <= T0 + 64 ? 0 : (now_ms - 64 - T0 - 1) * COUNT / SPAN_MS + 1;
        assert_true(log.count <= over);
        assert_true(log.count >= (over_late < COUNT ? over_late : COUNT));
    }
    assert_int_equal(log.count, COUNT);
    assert_string_equal(log.last, "key1999");
    assert_int_equal(store_deadline(s), UINT64_MAX);
    store_check(s);
    store_free(s);
}

static void a_storm_is_freed_in_slices_and_the_memory_comes_back(void **state)
{
    (void)state;
    enum { COUNT = 100000, SLICE = 1000 };
    struct store *s = new_store(UINT64_MAX);
    struct log log = {.now_ms = T0 + 600000};
    observe(s, &log);
    char key[16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        struct record r = record_of(key, "value", T0, T0 + 600000);
        enum merge_outcome outcome = MERGE_ABSENT;
        assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
    }
    store_check(s);
    assert_true(store_deadline(s) <= T0 + 600064);
    struct record r;
    assert_int_equal(get(s, "key77", log.now_ms, &r), RC_NOT_FOUND);
    assert_int_equal(store_next_key(s, NULL, 0, NULL, 0, log.now_ms, &r), RC_NOT_FOUND);
    size_t calls = 0;
    size_t handled = SLICE;
    while (handled == SLICE) {
        handled = store_expire(s, log.now_ms, SLICE);
        assert_true(handled <= SLICE);
        calls++;
        if (calls == 50) {
            store_check(s);
        }
    }
    assert_int_equal(log.count, COUNT);
    assert_true(calls <= 2 * COUNT / SLICE + 1);
    const struct store_stats stats = store_stats(s);
    assert_int_equal(stats.keys, 0);
    assert_int_equal(stats.bytes_used, 0);
    assert_int_equal(stats.expired_total, COUNT);
    assert_true(pagepool_pages(store_pages(s)) > 80);
    assert_true(store_has_spare(s));
    size_t turns = 0;
    while (store_trim(s)) {
        turns++;
    }
    assert_true(turns <= 3 * (size_t)PAGEPOOL_WINDOW_CALLS);
    assert_int_equal(pagepool_pages(store_pages(s)), 0);
    assert_false(store_has_spare(s));
    store_check(s);
    store_free(s);
}

/* One small shadow after the other comes to lie between entries that leave. */
static void memory_of_entries_goes_back_while_their_shadows_stay(void **state)
{
    (void)state;
    enum { COUNT = 20000, VALUE = 1500, SHADOWS_PER_PAGE = 1000 };
    static char value[VALUE + 1];
    struct store *s = new_store(UINT64_MAX);
    char key[16];
    memset(value, 'v', VALUE);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        struct record old = record_of(key, value, T0, T0 + 3600000);
        struct record young = record_of(key, value, T0 + 1, T0 + 1000);
        enum merge_outcome outcome = MERGE_ABSENT; /* not merge(): that walks the store each time */
        assert_int_equal(store_merge(s, &old, T0, &outcome), RC_OK);
        assert_int_equal(store_merge(s, &young, T0, &outcome), RC_OK);
        assert_int_equal(outcome, MERGE_APPLIED);
    }
    const uint64_t pages = pagepool_pages(store_pages(s));
    assert_true(pages > COUNT * VALUE / PAGEPOOL_PAGE_BYTES);
    while (store_expire(s, T0 + 70000, 1000) == 1000) {
    }
    assert_int_equal(store_stats(s).shadows, COUNT);
    assert_true(store_has_spare(s));
    size_t turns = 0;
    while (store_trim(s)) {
        turns++;
    }
    assert_true(turns <= 5 * (size_t)PAGEPOOL_WINDOW_CALLS);
    assert_true(pagepool_pages(store_pages(s)) <=
                COUNT / SHADOWS_PER_PAGE + PAGEPOOL_LOOSE_MIN + 2 * PAGEPOOL_REGION_PAGES);
    store_check(s);
    struct record r;
    struct record back = record_of("key77", value, T0, T0 + 3600000);
    assert_int_equal(merge(s, &back, T0 + 80000), MERGE_OLDER);
    assert_int_equal(get(s, "key77", T0 + 80000, &r), RC_NOT_FOUND);
    store_free(s);
}

static void what_expires_far_in_the_past_is_freed_after_a_long_pause(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record a = record_of("a", "1", T0, T0 + 1000);
    struct record b = record_of("b", "2", T0, T0 + 9000000);
    struct record c = record_of("c", "3", T0, T0 + 90000000);
    merge(s, &a, T0);
    merge(s, &b, T0);
    merge(s, &c, T0);
    assert_int_equal(store_expire(s, T0 + 80000000, 100), 2);
    assert_value(s, "c", T0 + 80000000, "3");
    store_check(s);
    store_free(s);
}

/* ---- Observing ---- */

struct diary {
    char text[512]; /* "+key " for a put, "-key " for an expiry */
};

static void note(struct diary *diary, char sign, const struct record *r)
{
    const size_t len = strlen(diary->text);
    assert_false(r->is_shadow);
    (void)snprintf(diary->text + len, sizeof(diary->text) - len, "%c%.*s=%.*s ", sign,
                   (int)r->key_len, (const char *)r->key, r->value == NULL ? 0 : (int)r->value_len,
                   (const char *)r->value);
}

static void note_put(void *arg, const struct record *r)
{
    note(arg, '+', r);
}

static void note_end(void *arg, const struct record *r)
{
    note(arg, '-', r);
}

static void an_observer_is_told_of_each_change_once_whoever_makes_it(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct diary diary = {""};
    const struct store_observer observer = {&diary, note_put, note_end};
    const struct record unseen = record_of("u", "0", T0, T0 + 500);
    merge(s, &unseen, T0);
    store_observe(s, &observer);
    const struct record one = record_of("a", "1", T0, T0 + 9000);
    const struct record older = record_of("a", "0", T0 - 1, T0 + 9500);
    const struct record two = record_of("a", "2", T0 + 1, T0 + 1000);
    merge(s, &one, T0);
    merge(s, &one, T0);
    merge(s, &older, T0);
    merge(s, &two, T0);
    assert_string_equal(diary.text, "+a=1 +a=2 ");
    /* It is not yet freed when its key is written again, and its end is reported all the same. */
    diary.text[0] = '\0';
    const struct record three = record_of("a", "3", T0 + 2000, T0 + 99000);
    merge(s, &three, T0 + 2000);
    assert_string_equal(diary.text, "-a=2 +a=3 ");
    diary.text[0] = '\0';
    /* A shadow's end, and a record that is over on arrival, are no events. */
    const struct record over = record_of("o", "x", T0, T0 + 1500);
    merge(s, &over, T0 + 2000);
    store_expire(s, T0 + 3000, 100);
    assert_string_equal(diary.text, "-u=0 ");
    store_expire(s, T0 + 99000, 100);
    store_expire(s, T0 + 999000, 100);
    assert_string_equal(diary.text, "-u=0 -a=3 ");
    diary.text[0] = '\0';
    /* But for what is over on arrival and takes the place of a live record, which is no longer
     * shown. */
    const struct record lasting = record_of("d", "1", T0 + 999000, T0 + 1999000);
    const struct record brief = record_of("d", "2", T0 + 999001, T0 + 999500);
    merge(s, &lasting, T0 + 1000000);
    merge(s, &brief, T0 + 1000000);
    merge(s, &brief, T0 + 1000000);
    assert_int_equal(get(s, "d", T0 + 1000000, &(struct record){0}), RC_NOT_FOUND);
    store_expire(s, T0 + 1999000, 100);
    assert_string_equal(diary.text, "+d=1 -d= ");
    store_observe(s, NULL);
    const struct record four = record_of("a", "4", T0 + 999000, T0 + 1999000);
    merge(s, &four, T0 + 999000);
    assert_string_equal(diary.text, "+d=1 -d= ");
    store_free(s);
}

/* Its key lies in the entry that it displaces. */
static void an_observer_hears_the_key_of_a_record_that_the_store_lent_out(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct diary diary = {""};
    const struct store_observer observer = {&diary, note_put, note_end};
    struct record r = record_of("key", "value", T0, T0 + 5000);
    merge(s, &r, T0);
    store_observe(s, &observer);
    assert_int_equal(get(s, "key", T0 + 1000, &r), RC_OK);
    r.version = version_at(T0 + 1, 7);
    r.expiry_ms = T0 + 500; /* over by now */
    assert_int_equal(merge(s, &r, T0 + 1000), MERGE_APPLIED);
    assert_string_equal(diary.text, "-key= ");
    store_free(s);
}

static void an_observed_store_wants_each_expiry_in_its_millisecond(void **state)
{
    (void)state;
    enum { COUNT = 500, STEP_MS = 371 };
    struct store *s = new_store(1 << 20);
    struct log log = {.count = 0};
    observe(s, &log);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%d", i);
        const uint64_t expiry_ms = T0 + 1000 + (uint64_t)i * STEP_MS;
        const struct record r = record_of(key, "v", T0, expiry_ms);
        merge(s, &r, T0);
    }
    uint64_t now_ms = T0;
    while (log.count < COUNT) {
        const uint64_t deadline_ms = store_deadline(s);
        const size_t before = log.count;
        now_ms = deadline_ms > now_ms ? deadline_ms : now_ms;
        log.now_ms = now_ms;
        store_expire(s, now_ms, 1000);
        if (log.count > before) {
            assert_int_equal(log.count, before + 1);
            assert_int_equal(now_ms, T0 + 1000 + before * STEP_MS);
        }
    }
    store_free(s);
}

static void listing_is_in_byte_order_and_pages_go_on_after_any_key(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    static const char *keys[] = {"b", "a", "aa", "ab", "abc", "\xff\xff", "b/1", "b/2", "c"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct record r = record_of(keys[i], "", T0, T0 + 1000 + (i == 3 ? 0 : 1000));
        merge(s, &r, T0);
    }
    char listed[64] = "";
    struct record r;
    uint8_t after[16];
    size_t after_len = 0;
    while (store_next_key(s, (const uint8_t *)"a", 1, after, after_len, T0 + 1000, &r) == RC_OK) {
        (void)strncat(listed, (const char *)r.key, r.key_len);
        (void)strncat(listed, " ", 2);
        memcpy(after, r.key, r.key_len);
        after_len = r.key_len;
    }
    assert_string_equal(listed, "a aa abc ");
    assert_int_equal(store_next_key(s, (const uint8_t *)"b/", 2, (const uint8_t *)"a", 1, T0, &r),
                     RC_OK);
    assert_memory_equal(r.key, "b/1", 3);
    assert_int_equal(store_next_key(s, (const uint8_t *)"b/", 2, (const uint8_t *)"b", 1, T0, &r),
                     RC_OK);
    assert_memory_equal(r.key, "b/1", 3);
    assert_int_equal(store_next_key(s, (const uint8_t *)"b/", 2, (const uint8_t *)"b/1", 3, T0, &r),
                     RC_OK);
    assert_memory_equal(r.key, "b/2", 3);
    assert_int_equal(store_next_key(s, (const uint8_t *)"b/", 2, (const uint8_t *)"c", 1, T0, &r),
                     RC_NOT_FOUND);
    assert_int_equal(store_next_key(s, NULL, 0, (const uint8_t *)"c", 1, T0, &r), RC_OK);
    assert_memory_equal(r.key, "\xff\xff", 2);
    store_free(s);
}

static void a_walk_sees_each_entry_once_while_others_come_and_go(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct store *s = new_store(1 << 20);
    char key[16];
    const uint64_t expiry_ms = T0 + 6400000;
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        struct record r = record_of(key, "value", T0, expiry_ms);
        merge(s, &r, T0);
    }
    struct store_walk walk;
    assert_int_equal(store_walk_begin(s, expiry_ms / EPOCH_MS, &walk), RC_OK);
    bool seen[COUNT] = {false};
    bool is_moved[COUNT] = {false};
    struct record r;
    for (int step = 0; store_walk_next(s, &walk, T0, &r) == RC_OK; step++) {
        (void)snprintf(key, sizeof(key), "%.*s", (int)r.key_len - 3, (const char *)r.key + 3);
        const long i = strtol(key, NULL, 10);
        assert_in_range(i, 0, COUNT - 1);
        assert_false(seen[i] || is_moved[i]);
        seen[i] = true;
        /* The walk goes from the newest down: overwrite the entry where it stands, and those that
         * it saw. */
        for (int j = 0; j < 2; j++) {
            const int k = j == 0 ? COUNT - 2 - 2 * step : COUNT - 1 - step;
            if (k >= 0) {
                (void)snprintf(key, sizeof(key), "key%d", k);
                struct record next = record_of(key, j == 0 ? "other" : "a longer value by far",
                                               T0 + 1 + (uint64_t)step, expiry_ms);
                enum merge_outcome outcome = MERGE_ABSENT;
                assert_int_equal(store_merge(s, &next, T0, &outcome), RC_OK);
                is_moved[k] = true;
            }
        }
        store_check(s);
    }
    store_walk_end(s, &walk);
    for (int i = 0; i < COUNT; i++) {
        assert_true(seen[i] || is_moved[i]);
    }
    store_free(s);
}

static void open_walks_are_bounded_and_survive_the_end_of_their_epoch(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct record r = record_of("key", "value", T0, T0 + 1000);
    merge(s, &r, T0);
    static struct store_walk walks[STORE_WALKS_MAX + 1];
    for (int i = 0; i < STORE_WALKS_MAX; i++) {
        assert_int_equal(store_walk_begin(s, (T0 + 1000) / EPOCH_MS, &walks[i]), RC_OK);
    }
    assert_int_equal(store_walk_begin(s, 0, &walks[STORE_WALKS_MAX]), RC_FULL);
    store_walk_end(s, &walks[3]);
    assert_int_equal(store_walk_begin(s, 0, &walks[3]), RC_OK);
    assert_int_equal(store_walk_next(s, &walks[3], T0, &r), RC_NOT_FOUND);
    store_expire(s, T0 + 100000, 10);
    for (int i = 0; i < 10; i++) {
        store_expire(s, T0 + 200000, 10);
    }
    assert_int_equal(store_walk_next(s, &walks[0], T0, &r), RC_NOT_FOUND);
    for (int i = 0; i < STORE_WALKS_MAX; i++) {
        store_walk_end(s, &walks[i]);
    }
    store_walk_end(s, &walks[0]);
    store_check(s);
    store_free(s);
}

static void digests_tell_who_has_missed_a_guard(void **state)
{
    (void)state;
    struct store *a = new_store(1 << 20);
    struct store *b = new_store(1 << 20);
    struct record r = record_of("key", "value", T0, T0 + 600000);
    merge(a, &r, T0);
    merge(b, &r, T0);
    r.guard_ms = T0 + 700000;
    r.value = NULL;
    r.value_len = 0;
    assert_int_equal(store_guard(b, &r, T0), MERGE_GUARDED);
    store_check(b);
    struct digest x;
    struct digest y;
    assert_int_equal(store_root(a, T0 / 1000, &x), RC_OK);
    assert_int_equal(store_root(b, T0 / 1000, &y), RC_OK);
    assert_int_equal(x.count, 1);
    assert_int_equal(y.count, 1);
    assert_true(x.sum != y.sum);
    assert_int_equal(store_guard(a, &r, T0), MERGE_GUARDED);
    assert_int_equal(store_root(a, T0 / 1000, &x), RC_OK);
    assert_true(x.sum == y.sum);
    store_free(a);
    store_free(b);
}

static void ids_of_a_walk_are_those_up_to_the_cut_and_lead_back(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    for (uint32_t i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%u", i);
        const uint64_t now_ms = T0 + UINT64_C(1000) * i;
        struct record r = record_of(key, "value", now_ms, T0 + 6000000);
        merge(s, &r, now_ms);
    }
    uint64_t ids[64];
    uint32_t handles[64];
    struct store_walk walk;
    struct record r;
    size_t found = 0;
    bool is_over = false;
    assert_int_equal(store_walk_begin(s, (T0 + 6000000) / EPOCH_MS, &walk), RC_OK);
    while (!is_over) {
        const size_t count =
            store_walk_ids(s, &walk, T0, T0 / 1000 + 49, 5, 64, ids, handles, &is_over);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(store_by_id(s, handles[i], ids[i], 5, T0, &r), RC_OK);
            assert_true(version_ms(&r.version) < T0 + 50000);
            assert_int_equal(store_by_id(s, handles[i], ids[i], 6, T0, &r), RC_NOT_FOUND);
            assert_int_equal(store_by_id(s, handles[i], ids[i], 5, T0 + 6000000, &r), RC_NOT_FOUND);
        }
        found += count;
    }
    store_walk_end(s, &walk);
    assert_int_equal(found, 50);
    store_free(s);
}

static void an_entry_whose_guard_was_raised_is_found_by_the_id_before(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    const struct record held = record_of("key", "value", T0 + 10, T0 + 6000000);
    const struct record older = record_of("key", "old", T0, T0 + 7000000);
    struct store_walk walk;
    struct record r;
    uint64_t id = 0;
    uint32_t handle = 0;
    bool is_over = false;
    merge(s, &held, T0);
    assert_int_equal(store_walk_begin(s, (T0 + 6000000) / EPOCH_MS, &walk), RC_OK);
    assert_int_equal(store_walk_ids(s, &walk, T0, UINT64_MAX, 5, 1, &id, &handle, &is_over), 1);
    store_walk_end(s, &walk);
    merge(s, &older, T0);
    assert_int_equal(store_by_id(s, handle, id, 5, T0, &r), RC_OK);
    assert_int_equal(r.guard_ms, T0 + 7000000);
    assert_int_not_equal(record_id(&r, 5), id);
    store_free(s);
}

static void a_cut_older_than_what_is_remembered_is_refused(void **state)
{
    (void)state;
    struct store *s = new_store(1 << 20);
    struct digest d;
    for (uint64_t i = 0; i < 40; i++) {
        struct record r = record_of("key", "value", T0 + i * 1000, T0 + 600000);
        merge(s, &r, T0 + i * 1000);
    }
    assert_int_equal(store_root(s, T0 / 1000 + 39 - CUT_SECONDS, &d), RC_OK);
    assert_int_equal(store_root(s, T0 / 1000 + 10, &d), RC_RANGE);
    store_free(s);
}

static void the_first_epoch_compared_begins_after_the_cut_and_a_margin(void **state)
{
    (void)state;
    assert_int_equal(store_first_epoch(0), 1);
    assert_int_equal(store_first_epoch(59), 1);
    assert_int_equal(store_first_epoch(60), 2);
    assert_int_equal(store_first_epoch(UINT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_found_until_the_millisecond_of_its_expiry),
        cmocka_unit_test(the_later_version_wins_in_either_order),
        cmocka_unit_test(of_one_stamp_the_greater_origin_wins),
        cmocka_unit_test(of_one_version_the_later_expiry_wins),
        cmocka_unit_test(an_overwrite_that_dies_sooner_leaves_a_shadow_that_refuses_the_old),
        cmocka_unit_test(an_overwrite_that_lives_longer_leaves_nothing),
        cmocka_unit_test(a_discarded_older_record_raises_the_guard),
        cmocka_unit_test(a_newer_record_takes_over_the_guard_of_the_shadow),
        cmocka_unit_test(a_shadow_takes_the_place_of_an_older_record_and_guards_a_newer_one),
        cmocka_unit_test(a_shadow_of_the_very_version_held_only_raises_its_guard),
        cmocka_unit_test(a_record_over_on_arrival_with_a_guard_becomes_a_shadow),
        cmocka_unit_test(a_record_over_on_arrival_still_takes_the_place_of_an_older_one),
        cmocka_unit_test(the_shadow_of_a_key_is_not_that_of_its_twin),
        cmocka_unit_test(keys_of_one_hash_are_keys_like_others),
        cmocka_unit_test(a_shadow_is_never_larger_than_the_entry_it_came_from),
        cmocka_unit_test(an_expired_record_not_yet_freed_is_a_shadow_to_a_merge),
        cmocka_unit_test(a_guard_is_merged_without_its_record),
        cmocka_unit_test(values_of_every_size_come_back_as_they_were),
        cmocka_unit_test(a_held_blob_outlives_its_record),
        cmocka_unit_test(a_handle_and_a_version_name_one_write_for_ever),
        cmocka_unit_test(a_full_store_refuses_growth_and_takes_what_does_not_grow),
        cmocka_unit_test(a_record_that_the_store_lent_out_can_be_merged_back),
        cmocka_unit_test(expiry_frees_each_record_within_64_ms_and_none_before_its_time),
        cmocka_unit_test(a_storm_is_freed_in_slices_and_the_memory_comes_back),
        cmocka_unit_test(memory_of_entries_goes_back_while_their_shadows_stay),
        cmocka_unit_test(what_expires_far_in_the_past_is_freed_after_a_long_pause),
        cmocka_unit_test(an_observer_is_told_of_each_change_once_whoever_makes_it),
        cmocka_unit_test(an_observer_hears_the_key_of_a_record_that_the_store_lent_out),
        cmocka_unit_test(an_observed_store_wants_each_expiry_in_its_millisecond),
        cmocka_unit_test(listing_is_in_byte_order_and_pages_go_on_after_any_key),
        cmocka_unit_test(a_walk_sees_each_entry_once_while_others_come_and_go),
        cmocka_unit_test(open_walks_are_bounded_and_survive_the_end_of_their_epoch),
        cmocka_unit_test(digests_tell_who_has_missed_a_guard),
        cmocka_unit_test(ids_of_a_walk_are_those_up_to_the_cut_and_lead_back),
        cmocka_unit_test(an_entry_whose_guard_was_raised_is_found_by_the_id_before),
        cmocka_unit_test(a_cut_older_than_what_is_remembered_is_refused),
        cmocka_unit_test(the_first_epoch_compared_begins_after_the_cut_and_a_margin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
