#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/entry.h"

#include <string.h>

static const uint64_t T0 = UINT64_C(1700000000000);

static uint32_t add(struct entries *entries, const struct record *r)
{
    const uint32_t handle =
        entry_new(entries, r, origin_hold(&entries->origins, &r->version.origin));
    assert_int_not_equal(handle, 0);
    return handle;
}

static struct record good(void)
{
    return (struct record){
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .value = (const uint8_t *)"value",
        .value_len = 5,
        .version = {T0 << VERSION_COUNTER_BITS | 3, {{1}}},
        .expiry_ms = T0 + RECORD_LIFETIME_MAX_MS - 1,
        .guard_ms = T0 + RECORD_LIFETIME_MAX_MS,
    };
}

static void a_record_comes_back_as_it_went_in(void **state)
{
    (void)state;
    struct entries entries;
    entry_init(&entries, NULL, 1);
    const struct record in = good();
    const uint32_t handle = add(&entries, &in);
    const struct record r = entry_record(&entries, entry_at(&entries, handle));
    assert_int_equal(r.key_len, 3);
    assert_memory_equal(r.key, "key", 3);
    assert_int_equal(r.value_len, 5);
    assert_memory_equal(r.value, "value", 5);
    assert_null(r.blob);
    assert_int_equal(version_compare(&r.version, &in.version), 0);
    assert_true(r.expiry_ms == in.expiry_ms);
    assert_true(r.guard_ms == in.guard_ms);
    assert_false(r.is_shadow);
    /* 20 and the guard's 4; it counts for the origin's, too. */
    assert_int_equal(entry_size(entry_at(&entries, handle)), 20 + 3 + 5 + 4);
    assert_int_equal(entry_cost(entry_at(&entries, handle)), 20 + 3 + 5 + 4 + 4);
    assert_int_equal(entry_cost_of(&in), 20 + 3 + 5 + 4 + 4);
    entry_free(&entries, handle);
    assert_null(entry_find(&entries, handle));
    assert_int_equal(origin_count(&entries.origins), 0);
    entry_fini(&entries);
}

static void what_the_stamp_ran_ahead_takes_two_bytes_and_none_where_it_is_none(void **state)
{
    (void)state;
    static uint8_t bytes[VALUE_INLINE_MAX + 1];
    struct blob *blob = blob_new(NULL, sizeof(bytes));
    assert_int_equal(blob_append(blob, bytes, sizeof(bytes)), RC_OK);
    for (int is_blob = 0; is_blob < 2; is_blob++) {
        struct entries entries;
        entry_init(&entries, NULL, 1);
        struct record in = good();
        in.key = (const uint8_t *)"keys";
        in.key_len = 4;
        in.value_len = is_blob ? sizeof(bytes) : 4;
        in.value = is_blob ? NULL : in.value;
        in.blob = is_blob ? blob : NULL;
        const uint32_t without = add(&entries, &in);
        const uint32_t origin = entry_origin(entry_at(&entries, without));
        const size_t plain = entry_slot_size(&in, origin);
        assert_int_equal(entry_size(entry_at(&entries, without)), plain);
        in.ahead_ms = 55001;
        const uint32_t handle = add(&entries, &in);
        struct record r = entry_record(&entries, entry_at(&entries, handle));
        assert_int_equal(r.ahead_ms, 55001);
        assert_int_equal(r.value_len, in.value_len);
        assert_memory_equal(r.key, "keys", 4);
        assert_int_equal(entry_size(entry_at(&entries, handle)), entry_slot_size(&in, origin));
        assert_int_equal(entry_slot_size(&in, origin), plain + 2);
        in.ahead_ms = 1;
        entry_rewrite(&entries, handle, &in, origin_hold(&entries.origins, &in.version.origin));
        r = entry_record(&entries, entry_at(&entries, handle));
        assert_int_equal(r.ahead_ms, 1);
        entry_shade(&entries, handle);
        r = entry_record(&entries, entry_at(&entries, handle));
        assert_int_equal(r.ahead_ms, 0);
        assert_true(r.is_shadow);
        entry_free(&entries, handle);
        entry_free(&entries, without);
        entry_fini(&entries);
    }
    blob_release(blob);
}

static void the_largest_key_and_inline_value_fit(void **state)
{
    (void)state;
    static uint8_t bytes[VALUE_INLINE_MAX];
    memset(bytes, 0x42, sizeof(bytes));
    struct entries entries;
    entry_init(&entries, NULL, 1);
    struct record in = good();
    in.key = bytes;
    in.key_len = KEY_BYTES_MAX;
    in.value = bytes;
    in.value_len = VALUE_INLINE_MAX;
    in.ahead_ms = 9;
    const uint32_t handle = add(&entries, &in);
    const struct record r = entry_record(&entries, entry_at(&entries, handle));
    assert_int_equal(r.key_len, KEY_BYTES_MAX);
    assert_int_equal(r.value_len, VALUE_INLINE_MAX);
    assert_memory_equal(r.value, bytes, sizeof(bytes));
    assert_int_equal(r.ahead_ms, 9);
    entry_free(&entries, handle);
    entry_fini(&entries);
}

static void a_guard_that_does_not_outlive_the_expiry_is_none(void **state)
{
    (void)state;
    struct entries entries;
    entry_init(&entries, NULL, 1);
    struct record in = good();
    in.expiry_ms = T0 + 1000;
    in.guard_ms = T0 + 1000;
    const uint32_t handle = add(&entries, &in);
    struct entry *e = entry_at(&entries, handle);
    assert_int_equal(entry_guard_ms(e), 0);
    entry_set_guard(e, T0 + 1001);
    assert_true(entry_guard_ms(e) == T0 + 1001);
    entry_set_guard(e, T0 + 999);
    assert_int_equal(entry_guard_ms(e), 0);
    entry_free(&entries, handle);
    entry_fini(&entries);
}

static void rewriting_keeps_the_links_and_lets_go_of_the_old(void **state)
{
    (void)state;
    struct entries entries;
    entry_init(&entries, NULL, 1);
    struct record in = good();
    const uint32_t handle = add(&entries, &in);
    struct entry *e = entry_at(&entries, handle);
    e->link.next = 33;
    in.value = (const uint8_t *)"other";
    in.version.origin.bytes[0] = 2;
    entry_rewrite(&entries, handle, &in, origin_hold(&entries.origins, &in.version.origin));
    const struct record r = entry_record(&entries, e);
    assert_memory_equal(r.value, "other", 5);
    assert_int_equal(r.version.origin.bytes[0], 2);
    assert_int_equal(origin_count(&entries.origins), 1);
    assert_int_equal(e->link.next, 33);
    entry_free(&entries, handle);
    entry_fini(&entries);
}

/* Both lie in slots of one size: what the new value does not cover is nobody's. */
static void rewriting_by_a_shorter_value_leaves_nothing_of_the_old(void **state)
{
    (void)state;
    struct entries entries;
    entry_init(&entries, NULL, 1);
    struct record in = good();
    const uint32_t handle = add(&entries, &in);
    struct entry *e = entry_at(&entries, handle);
    const size_t size = entry_size(e);
    in.value = (const uint8_t *)"valu"; /* with the guard's 4 an odd number */
    in.value_len = 4;
    entry_rewrite(&entries, handle, &in, origin_hold(&entries.origins, &in.version.origin));
    assert_int_equal(entry_size(e), size);
    assert_int_equal(size - offsetof(struct entry, tail), 3 + 4 + 4 + 1);
    assert_int_equal(e->tail[3 + 4 + 4], 0);
    entry_free(&entries, handle);
    entry_fini(&entries);
}

/* A value may come as a blob whatever its length. */
static void a_small_value_that_came_as_a_blob_is_copied_inline(void **state)
{
    (void)state;
    struct entries entries;
    entry_init(&entries, NULL, 1);
    struct blob *blob = blob_new(NULL, 5);
    assert_int_equal(blob_append(blob, "pieces", 5), RC_OK);
    struct record in = good();
    in.value = NULL;
    in.blob = blob;
    const uint32_t handle = add(&entries, &in);
    blob_release(blob);
    const struct record r = entry_record(&entries, entry_at(&entries, handle));
    assert_null(r.blob);
    assert_int_equal(r.value_len, 5);
    assert_memory_equal(r.value, "piece", 5);
    entry_free(&entries, handle);
    entry_fini(&entries);
}

static void keys_compare_bytewise_and_the_shorter_comes_first(void **state)
{
    (void)state;
    struct entries entries;
    entry_init(&entries, NULL, 1);
    const struct record in = good();
    const uint32_t handle = add(&entries, &in);
    const struct entry *e = entry_at(&entries, handle);
    assert_int_equal(entry_compare(e, (const uint8_t *)"key", 3), 0);
    assert_true(entry_compare(e, (const uint8_t *)"kex", 3) > 0);
    assert_true(entry_compare(e, (const uint8_t *)"\xff", 1) < 0);
    assert_true(entry_compare(e, (const uint8_t *)"ke", 2) > 0);
    assert_true(entry_compare(e, (const uint8_t *)"keys", 4) < 0);
    assert_true(entry_compare(e, NULL, 0) > 0);
    entry_free(&entries, handle);
    entry_fini(&entries);
}

static void a_shadow_is_made_where_the_entry_lies_and_the_value_is_wiped(void **state)
{
    (void)state;
    static uint8_t bytes[VALUE_INLINE_MAX + 1];
    memset(bytes, 0x42, sizeof(bytes));
    for (int is_blob = 0; is_blob < 2; is_blob++) {
        struct entries entries;
        struct blob *blob = is_blob ? blob_new(NULL, sizeof(bytes)) : NULL;
        entry_init(&entries, NULL, 1);
        struct record in = good();
        if (is_blob) {
            assert_int_equal(blob_append(blob, bytes, sizeof(bytes)), RC_OK);
            in.value = NULL;
            in.blob = blob;
            in.value_len = sizeof(bytes);
        }
        const uint32_t handle = add(&entries, &in);
        struct entry *e = entry_at(&entries, handle);
        e->is_crowded = 1;
        e->link.next = 33;
        entry_shade(&entries, handle);
        const struct record r = entry_record(&entries, e);
        assert_true(r.is_shadow);
        assert_int_equal(r.key_len, 3);
        assert_memory_equal(r.key, "key", 3);
        assert_int_equal(r.value_len, 0);
        assert_null(r.blob);
        assert_int_equal(version_compare(&r.version, &in.version), 0);
        assert_true(r.expiry_ms == in.guard_ms);
        assert_int_equal(r.guard_ms, 0);
        assert_int_equal(e->is_crowded, 1);
        assert_int_equal(e->link.next, 33);
        for (size_t i = 0; i < (is_blob ? sizeof(void *) : 5); i++) {
            assert_int_equal(e->tail[3 + i], 0);
        }
        entry_free(&entries, handle);
        entry_fini(&entries);
        blob_release(blob);
    }
}

/* Origins of which each has its own entry, beside the one that the caller holds. */
static void take_short_origins(struct entries *entries, uint32_t *handles)
{
    struct record in = good();
    for (int i = 0; i < ENTRY_ORIGINS_SHORT; i++) {
        in.version.origin.bytes[1] = (uint8_t)(i + 1);
        handles[i] = add(entries, &in);
    }
}

static void only_the_first_origins_are_named_in_four_bits(void **state)
{
    (void)state;
    struct entries entries;
    uint32_t others[ENTRY_ORIGINS_SHORT];
    entry_init(&entries, NULL, 1);
    struct record in = good();
    take_short_origins(&entries, others);
    in.version.origin.bytes[0] = 200;
    const uint32_t handle = add(&entries, &in);
    struct entry *e = entry_at(&entries, handle);
    assert_int_equal(entry_at(&entries, others[13])->origin, ENTRY_ORIGINS_SHORT);
    assert_int_equal(e->origin, ENTRY_ORIGIN_WIDE);
    assert_int_equal(entry_size(e), entry_size(entry_at(&entries, others[0])) + 4);
    assert_int_equal(entry_cost(e), entry_cost(entry_at(&entries, others[0])));
    struct version version = entry_version(&entries, e);
    assert_int_equal(version_compare(&version, &in.version), 0);
    entry_shade(&entries, handle);
    version = entry_version(&entries, e);
    assert_int_equal(version_compare(&version, &in.version), 0);
    for (uint32_t i = 0; i < ENTRY_ORIGINS_SHORT; i++) {
        const struct record r = entry_record(&entries, entry_at(&entries, others[i]));
        assert_int_equal(r.version.origin.bytes[1], i + 1);
        entry_free(&entries, others[i]);
    }
    assert_int_equal(origin_count(&entries.origins), 1);
    entry_free(&entries, handle);
    assert_int_equal(origin_count(&entries.origins), 0);
    entry_fini(&entries);
}

/* `e` has the content of `in`, and this guard. */
static void assert_guarded(const struct entries *entries, const struct entry *e,
                           const struct record *in, uint64_t guard_ms)
{
    const struct record r = entry_record(entries, e);
    assert_int_equal(r.key_len, in->key_len);
    assert_memory_equal(r.key, in->key, in->key_len);
    assert_int_equal(r.value_len, in->value_len);
    assert_memory_equal(r.value, in->value, in->value_len);
    assert_int_equal(r.ahead_ms, in->ahead_ms);
    assert_int_equal(version_compare(&r.version, &in->version), 0);
    assert_true(r.expiry_ms == in->expiry_ms);
    assert_true(r.guard_ms == guard_ms);
}

/* Guards come late to entries of every length, with and without what else is optional; their slots,
 * and so their handles, stay. Slots of more than 128 bytes have some room for them, others none. */
static void a_guard_that_comes_late_finds_room_or_an_annex(void **state)
{
    (void)state;
    struct entries entries;
    uint32_t others[ENTRY_ORIGINS_SHORT];
    uint8_t value[300];
    uint32_t annexes = 0;
    uint32_t inside = 0;
    memset(value, 0x42, sizeof(value));
    entry_init(&entries, NULL, 1);
    take_short_origins(&entries, others);
    for (uint32_t i = 0; i < 4 * sizeof(value); i++) {
        struct record in = good();
        in.value = value;
        in.value_len = i / 4 + 1;
        in.ahead_ms = i & 1;
        in.guard_ms = 0;
        in.expiry_ms = T0 + 1000;
        in.version.origin.bytes[i & 2 ? 0 : 1] = i & 2 ? 200 : 1;
        const uint32_t handle = add(&entries, &in);
        struct entry *e = entry_at(&entries, handle);
        const size_t size = entry_size(e);
        const size_t cost = entry_cost(e);
        entry_set_guard(e, T0 + 999);
        assert_guarded(&entries, e, &in, 0);
        entry_set_guard(e, T0 + 1001);
        annexes += e->origin == 0;
        inside += e->has_guard;
        assert_int_not_equal(e->has_guard, e->origin == 0);
        assert_guarded(&entries, e, &in, T0 + 1001);
        entry_set_guard(e, T0 + 5000);
        assert_guarded(&entries, e, &in, T0 + 5000);
        assert_int_equal(entry_size(e), size);
        assert_int_equal(entry_cost(e), cost);
        if (i % 3 == 0) {
            entry_shade(&entries, handle);
            assert_true(entry_expiry_ms(e) == T0 + 5000);
            const struct version version = entry_version(&entries, e);
            assert_int_equal(version_compare(&version, &in.version), 0);
        } else if (i % 3 == 1) {
            in.guard_ms = e->has_guard ? T0 + 6000 : 0;
            entry_rewrite(&entries, handle, &in, origin_hold(&entries.origins, &in.version.origin));
            assert_guarded(&entries, e, &in, in.guard_ms);
        }
        entry_free(&entries, handle);
    }
    assert_true(annexes > 500 && inside > 50);
    for (uint32_t i = 0; i < ENTRY_ORIGINS_SHORT; i++) {
        entry_free(&entries, others[i]);
    }
    assert_int_equal(origin_count(&entries.origins), 0);
    entry_fini(&entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_went_in),
        cmocka_unit_test(what_the_stamp_ran_ahead_takes_two_bytes_and_none_where_it_is_none),
        cmocka_unit_test(the_largest_key_and_inline_value_fit),
        cmocka_unit_test(a_guard_that_does_not_outlive_the_expiry_is_none),
        cmocka_unit_test(rewriting_keeps_the_links_and_lets_go_of_the_old),
        cmocka_unit_test(a_shadow_is_made_where_the_entry_lies_and_the_value_is_wiped),
        cmocka_unit_test(keys_compare_bytewise_and_the_shorter_comes_first),
        cmocka_unit_test(rewriting_by_a_shorter_value_leaves_nothing_of_the_old),
        cmocka_unit_test(a_small_value_that_came_as_a_blob_is_copied_inline),
        cmocka_unit_test(only_the_first_origins_are_named_in_four_bits),
        cmocka_unit_test(a_guard_that_comes_late_finds_room_or_an_annex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
