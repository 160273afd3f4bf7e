/* How the store's entries are gone through: in the order of keys, epoch by epoch, and by digests.
 */
#include "store_rig.h"

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

/* What changes meanwhile may be seen as it was, as it is, or both; nothing is seen twice. */
static void a_walk_sees_each_version_once_while_others_come_and_go(void **state)
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
    uint64_t seen[COUNT] = {0}; /* the stamp */
    bool is_changed[COUNT] = {false};
    int again = 0;
    struct record r;
    for (int step = 0; store_walk_next(s, &walk, T0, &r) == RC_OK; step++) {
        (void)snprintf(key, sizeof(key), "%.*s", (int)r.key_len - 3, (const char *)r.key + 3);
        const long i = strtol(key, NULL, 10);
        assert_in_range(i, 0, COUNT - 1);
        assert_true(r.version.stamp > seen[i]);
        again += seen[i] != 0;
        seen[i] = r.version.stamp;
        assert_true(step < 3 * COUNT);
        /* The walk goes up the handles: overwrite entries ahead of it, and those that it saw. */
        for (int j = 0; j < 2; j++) {
            const int k = j == 0 ? 2 * step + 2 : step;
            if (k < COUNT && k % 5 != 0) {
                (void)snprintf(key, sizeof(key), "key%d", k);
                struct record next = record_of(key, j == 0 ? "other" : "a longer value by far",
                                               T0 + 1 + (uint64_t)step, expiry_ms);
                enum merge_outcome outcome = MERGE_ABSENT;
                assert_int_equal(store_merge(s, &next, T0, &outcome), RC_OK);
                is_changed[k] = true;
            }
        }
        store_check(s);
    }
    store_walk_end(s, &walk);
    for (int i = 0; i < COUNT; i++) {
        assert_true(seen[i] != 0 || is_changed[i]);
    }
    assert_true(again > 0);
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
        cmocka_unit_test(listing_is_in_byte_order_and_pages_go_on_after_any_key),
        cmocka_unit_test(a_walk_sees_each_version_once_while_others_come_and_go),
        cmocka_unit_test(open_walks_are_bounded_and_survive_the_end_of_their_epoch),
        cmocka_unit_test(digests_tell_who_has_missed_a_guard),
        cmocka_unit_test(ids_of_a_walk_are_those_up_to_the_cut_and_lead_back),
        cmocka_unit_test(an_entry_whose_guard_was_raised_is_found_by_the_id_before),
        cmocka_unit_test(a_cut_older_than_what_is_remembered_is_refused),
        cmocka_unit_test(the_first_epoch_compared_begins_after_the_cut_and_a_margin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
