#include "gossip/wire/batch.h"

#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0 UINT64_C(1767225600000)

static struct record record_of(const char *key, const char *value, uint64_t ms, uint64_t ttl_ms,
                               uint8_t origin)
{
    return (struct record){
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = (const uint8_t *)value,
        .value_len = strlen(value),
        .version = {.stamp = ms << VERSION_COUNTER_BITS | 7, .origin = {{origin}}},
        .expiry_ms = ms + ttl_ms,
    };
}

static struct batch batch;

static int clear(void **state)
{
    (void)state;
    batch_clear(&batch);
    return 0;
}

/* The payload of the batch's frame. */
static struct cursor payload(void)
{
    const uint8_t *frame = NULL;
    const size_t len = batch_frame(&batch, &frame);
    struct cursor header = cursor_reader(frame, FRAME_HEADER_BYTES);
    assert_int_equal(cursor_u8(&header), FRAME_RECORDS);
    assert_int_equal(cursor_u8(&header), FRAME_CRITICAL);
    assert_int_equal(cursor_u32(&header), len - FRAME_HEADER_BYTES);
    return cursor_reader(frame + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES);
}

static void assert_same(const struct record *a, const struct record *b)
{
    assert_int_equal(a->key_len, b->key_len);
    assert_memory_equal(a->key, b->key, a->key_len);
    assert_int_equal(a->value_len, b->value_len);
    assert_memory_equal(a->value, b->value, a->value_len);
    assert_int_equal(version_compare(&a->version, &b->version), 0);
    assert_int_equal(a->expiry_ms, b->expiry_ms);
    assert_int_equal(a->guard_ms, b->guard_ms);
    assert_int_equal(a->ahead_ms, b->ahead_ms);
    assert_int_equal(a->is_shadow, b->is_shadow);
}

static void records_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct record records[] = {
        record_of("first", "value", T0, 60000, 1),
        record_of("earlier", "", T0 - 86400000, 2592000000, 2),
        record_of("later", "x", T0 + 5, 1, 1),
        record_of("0123456789abcdef", "", T0, 70000, 3),
        record_of("guarded", "y", T0, 60000, 2),
        record_of("ahead", "z", T0 + 60000, 60000, 2),
        record_of("both", "z", T0 + 1, 60000, 2),
    };
    enum { COUNT = sizeof(records) / sizeof(records[0]) };
    records[3].is_shadow = true;
    records[4].guard_ms = T0 + 99999;
    records[5].ahead_ms = RECORD_AHEAD_MAX_MS;
    records[6].guard_ms = T0 + 99999;
    records[6].ahead_ms = 1;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(batch_add(&batch, &records[i]), RC_OK);
    }
    const struct cursor c = payload();
    struct batch_reader reader;
    struct frame_record f;
    assert_int_equal(batch_read(&reader, &c), RC_OK);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(batch_next(&reader, &f), RC_OK);
        assert_same(&f.record, &records[i]);
    }
    assert_int_equal(batch_next(&reader, &f), RC_NOT_FOUND);
}

static void a_batch_is_the_same_on_every_machine(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0x01, /* origins */
        0x09,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0, /* the one */
        /* kind, origin, ms, counter, lifetime, key, value; then one with a guard and a
         * stamp that ran ahead. */
        0x00,
        0x00,
        0x80,
        0x80,
        0xd5,
        0xed,
        0xee,
        0x66,
        0x07,
        0xe0,
        0xd4,
        0x03,
        0x01,
        0x6b,
        0x01,
        0x76,
        0x41,
        0x00,
        0x02,
        0x07,
        0x00,
        0x64,
        0x82,
        0x02,
        0x01,
        0x6c,
        0x00,
    };
    struct record r = record_of("k", "v", T0 - T0 % 4096, 30000, 9);
    assert_int_equal(batch_add(&batch, &r), RC_OK);
    r = record_of("l", "", T0 - T0 % 4096 + 1, 30000, 9);
    r.guard_ms = r.expiry_ms + 100;
    r.ahead_ms = 258;
    assert_int_equal(batch_add(&batch, &r), RC_OK);
    const struct cursor c = payload();
    assert_int_equal(c.size, sizeof(expected));
    assert_memory_equal(c.in, expected, sizeof(expected));
}

static void records_written_together_cost_about_ten_bytes_each(void **state)
{
    (void)state;
    size_t bytes = 0;
    int count = 0;
    for (; count < 1000; count++) {
        char key[13];
        (void)snprintf(key, sizeof(key), "%012d", count);
        const struct record r = record_of(key, "", T0 + (uint64_t)count * 3, 3600000, 1);
        if (batch_add(&batch, &r) != RC_OK) {
            break;
        }
        bytes += 12;
    }
    assert_true(payload().size - bytes < 9 * (size_t)count);
}

static void a_batch_is_full_after_its_bytes_or_its_origins(void **state)
{
    (void)state;
    static char value[VALUE_INLINE_MAX + 1];
    memset(value, 'v', VALUE_INLINE_MAX);
    enum rc rc = RC_OK;
    int count = 0;
    while (rc == RC_OK) {
        const struct record r = record_of("key", value, T0, 60000, 1);
        rc = batch_add(&batch, &r);
        count += rc == RC_OK;
    }
    assert_int_equal(rc, RC_FULL);
    assert_true(count >= BATCH_BYTES / BATCH_RECORD_MAX);
    assert_true(payload().size <= FRAME_PAYLOAD_MAX);
    batch_clear(&batch);
    for (int i = 0; i < BATCH_ORIGINS_MAX; i++) {
        const struct record r = record_of("key", "", T0, 60000, (uint8_t)(i + 1));
        assert_int_equal(batch_add(&batch, &r), RC_OK);
    }
    const struct record r = record_of("key", "", T0, 60000, 0);
    assert_int_equal(batch_add(&batch, &r), RC_FULL);
    const uint8_t *frame = NULL;
    batch_clear(&batch);
    assert_int_equal(batch_frame(&batch, &frame), 0);
}

static enum rc read_all(const uint8_t *bytes, size_t len)
{
    struct batch_reader reader;
    struct frame_record f;
    const struct cursor c = cursor_reader(bytes, len);
    enum rc rc = batch_read(&reader, &c);
    while (rc == RC_OK) {
        rc = batch_next(&reader, &f);
        assert_true(rc != RC_OK || record_check(&f.record) == RC_OK);
    }
    return rc;
}

static void what_is_cut_or_changed_is_refused_or_still_a_record(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    for (int i = 0; i < 5; i++) {
        const struct record r = record_of("some key", "some value", T0 + 100, 60000, (uint8_t)i);
        assert_int_equal(batch_add(&batch, &r), RC_OK);
    }
    const struct cursor c = payload();
    uint8_t bytes[512];
    assert_true(c.size < sizeof(bytes));
    size_t refused = 0;
    for (size_t len = 0; len < c.size; len++) {
        refused += read_all(c.in, len) == RC_MALFORMED;
    }
    assert_true(refused >= c.size - 5);
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, c.in, c.size);
        for (int i = 0; i < 3; i++) {
            const uint64_t at = rng_below(&rng, c.size);
            bytes[at] ^= (uint8_t)(1 << rng_below(&rng, 8));
        }
        const enum rc rc = read_all(bytes, c.size);
        assert_true(rc == RC_MALFORMED || rc == RC_NOT_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, clear)
        TEST(records_come_out_as_they_went_in),
        TEST(a_batch_is_the_same_on_every_machine),
        TEST(records_written_together_cost_about_ten_bytes_each),
        TEST(a_batch_is_full_after_its_bytes_or_its_origins),
        TEST(what_is_cut_or_changed_is_refused_or_still_a_record),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
