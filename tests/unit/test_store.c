/* The store by its header: what each call promises of records that come, are held and are read, one
 * at a time. Properties over random histories are in test_store_model.c, how entries leave in
 * test_store_expiry.c, and how all are gone through in test_store_walks.c. */
#include "store_rig.h"
#include "tests/unit/twins.h"

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
    const uint8_t *run = NULL;
    size_t done = 0;
    for (size_t len = 0; (len = blob_run(blob, done, &run)) > 0; done += len) {
        assert_memory_equal(run, bytes + done, len);
    }
    assert_int_equal(done, sizeof(bytes));
    blob_release(blob);
    store_free(s); /* with the pool that the blob is of */
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
    struct record longer = record_of(
        "key0", "012345678901234567890123456789012345678901234567890123456789", T0 + 1, T0 + 5000);
    assert_int_equal(store_merge(s, &longer, T0, &outcome), RC_FULL);
    assert_value(s, "key0", T0, "0123456789");
    assert_int_equal(store_stats(s).bytes_used, before.bytes_used);
    struct record equal = record_of("key0", "9876543210", T0 + 1, T0 + 5000);
    assert_int_equal(merge(s, &equal, T0), MERGE_APPLIED);
    /* With a shorter life it gets a guard, which is no growth either. Nor is a late guard. */
    equal = record_of("key0", "9876543210", T0 + 2, T0 + 3000);
    assert_int_equal(merge(s, &equal, T0), MERGE_APPLIED);
    struct record late = record_of("key2", "an older one", T0 - 1, T0 + 9000);
    assert_int_equal(merge(s, &late, T0), MERGE_GUARDED);
    assert_int_equal(store_stats(s).guards, 2);
    assert_int_equal(store_stats(s).bytes_used, before.bytes_used);
    store_check(s);
    struct record shorter = record_of("key1", "", T0 + 1, T0 + 5000);
    assert_int_equal(merge(s, &shorter, T0), MERGE_APPLIED);
    /* New writers are not counted against a write, so a store can be a little over its bound: a
     * write that does not grow it is taken even then. */
    for (uint8_t origin = 8; origin < 40; origin++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "key%d", origin % 8);
        equal = record_of(name, origin % 8 == 1 ? "" : "9876543210", T0 + 3, T0 + 5000);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
