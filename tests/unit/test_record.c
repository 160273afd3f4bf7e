#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/record.h"

#include <string.h>

static const uint64_t T0 = UINT64_C(1700000000000);

static struct record good(void)
{
    return (struct record){
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .value = (const uint8_t *)"value",
        .value_len = 5,
        .version = {T0 << VERSION_COUNTER_BITS, {{1}}},
        .expiry_ms = T0 + 1,
    };
}

static void lifetimes_are_held_to_the_protocols_bounds(void **state)
{
    (void)state;
    struct record r = good();
    assert_int_equal(record_check(&r), RC_OK);
    r.expiry_ms = T0;
    assert_int_equal(record_check(&r), RC_RANGE);
    r.expiry_ms = T0 + RECORD_LIFETIME_MAX_MS;
    assert_int_equal(record_check(&r), RC_OK);
    r.guard_ms = T0 + RECORD_LIFETIME_MAX_MS;
    assert_int_equal(record_check(&r), RC_OK);
    r.guard_ms++;
    assert_int_equal(record_check(&r), RC_RANGE);
    r.guard_ms = 0;
    r.expiry_ms++;
    assert_int_equal(record_check(&r), RC_RANGE);
    r.expiry_ms = UINT64_MAX;
    assert_int_equal(record_check(&r), RC_RANGE);
    r.version.stamp = UINT64_MAX;
    assert_int_equal(record_check(&r), RC_RANGE);
}

static void a_stamp_runs_ahead_by_a_minute_at_most(void **state)
{
    (void)state;
    struct record r = good();
    assert_int_equal(record_written_ms(&r), T0);
    r.ahead_ms = RECORD_AHEAD_MAX_MS;
    assert_int_equal(record_check(&r), RC_OK);
    assert_int_equal(record_written_ms(&r), T0 - RECORD_AHEAD_MAX_MS);
    r.ahead_ms++;
    assert_int_equal(record_check(&r), RC_RANGE);
    r.ahead_ms = 101;
    r.version.stamp = UINT64_C(100) << VERSION_COUNTER_BITS;
    r.expiry_ms = 1000;
    assert_int_equal(record_check(&r), RC_RANGE);
    r.ahead_ms = 100;
    assert_int_equal(record_check(&r), RC_OK);
}

static void keys_have_1_to_1024_bytes_and_no_nul(void **state)
{
    (void)state;
    uint8_t key[KEY_BYTES_MAX + 1];
    memset(key, 0xff, sizeof(key));
    struct record r = good();
    r.key = key;
    r.key_len = KEY_BYTES_MAX;
    assert_int_equal(record_check(&r), RC_OK);
    r.key_len++;
    assert_int_equal(record_check(&r), RC_TOO_LONG);
    r.key_len = 0;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.key_len = 5;
    key[4] = 0;
    assert_int_equal(record_check(&r), RC_MALFORMED);
}

static void values_have_one_form_and_a_bound(void **state)
{
    (void)state;
    struct record r = good();
    r.value = NULL;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.value_len = 0;
    assert_int_equal(record_check(&r), RC_OK);
    r.value = (const uint8_t *)"x";
    r.value_len = RECORD_VALUE_MAX;
    assert_int_equal(record_check(&r), RC_OK);
    r.value_len++;
    assert_int_equal(record_check(&r), RC_TOO_LONG);
    struct blob *blob = blob_new(NULL, 10);
    assert_int_equal(blob_append(blob, "abc", 3), RC_OK);
    r.blob = blob;
    r.value_len = 3;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.value = NULL;
    assert_int_equal(record_check(&r), RC_OK);
    r.value_len = 4;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    blob_release(blob);
}

static void a_shadow_has_a_key_and_neither_value_nor_guard(void **state)
{
    (void)state;
    struct record r = good();
    r.is_shadow = true;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.value = NULL;
    r.value_len = 0;
    assert_int_equal(record_check(&r), RC_OK);
    r.ahead_ms = 1;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.ahead_ms = 0;
    r.guard_ms = r.expiry_ms + 1;
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.guard_ms = 0;
    r.key = (const uint8_t *)"k\0y";
    assert_int_equal(record_check(&r), RC_MALFORMED);
    r.key_len = 0;
    assert_int_equal(record_check(&r), RC_MALFORMED);
}

static void every_part_of_the_canonical_form_changes_the_id(void **state)
{
    (void)state;
    const struct record r = good();
    const uint64_t id = record_id(&r, 1);
    struct record other = r;
    assert_true(record_id(&other, 1) == id);
    assert_true(record_id(&other, 2) != id);
    other.key_len = 2;
    assert_true(record_id(&other, 1) != id);
    other = r;
    other.version.stamp++;
    assert_true(record_id(&other, 1) != id);
    other = r;
    other.version.origin.bytes[15] = 1;
    assert_true(record_id(&other, 1) != id);
    other = r;
    other.expiry_ms++;
    assert_true(record_id(&other, 1) != id);
    other = r;
    other.guard_ms = r.expiry_ms + 1;
    assert_true(record_id(&other, 1) != id);
    other = r;
    other.is_shadow = true;
    assert_true(record_id(&other, 1) != id);
}

static void the_value_what_the_stamp_ran_ahead_and_an_idle_guard_do_not_change_the_id(void **state)
{
    (void)state;
    const struct record r = good();
    struct record other = r;
    other.guard_ms = r.expiry_ms;
    other.value_len = 0;
    other.ahead_ms = 7;
    assert_true(record_id(&other, 1) == record_id(&r, 1));
}

static void ids_are_the_same_on_every_machine(void **state)
{
    (void)state;
    const struct record r = good();
    assert_true(record_id(&r, 42) == UINT64_C(0x00cf7cde46d8c189));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifetimes_are_held_to_the_protocols_bounds),
        cmocka_unit_test(a_stamp_runs_ahead_by_a_minute_at_most),
        cmocka_unit_test(keys_have_1_to_1024_bytes_and_no_nul),
        cmocka_unit_test(values_have_one_form_and_a_bound),
        cmocka_unit_test(a_shadow_has_a_key_and_neither_value_nor_guard),
        cmocka_unit_test(every_part_of_the_canonical_form_changes_the_id),
        cmocka_unit_test(the_value_what_the_stamp_ran_ahead_and_an_idle_guard_do_not_change_the_id),
        cmocka_unit_test(ids_are_the_same_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
