/* What an entry takes, counted: pages and indexes as they are, without what the allocator adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/store.h"

#include <inttypes.h>
#include <stdio.h>

static const uint64_t T0 = UINT64_C(1700000000000);

enum { COUNT = 100000, SPREAD_MS = 2 * 3600 * 1000, KEY_MAX = 40, VALUE_MAX = 1000 };

static void put(struct store *s, size_t key_len, size_t value_len, uint64_t i, uint64_t after_ms)
{
    static const uint8_t value[VALUE_MAX] = {1};
    char key[KEY_MAX + 1];
    (void)snprintf(key, sizeof(key), "%012" PRIx64 "%028d",
                   (i * UINT64_C(0x9e3779b97f4a7c15)) >> 16, 0);
    const struct record r = {
        .key = (const uint8_t *)key,
        .key_len = key_len,
        .value = value,
        .value_len = value_len,
        .version = {T0 << VERSION_COUNTER_BITS | (i & 0xffff), {{1}}},
        .expiry_ms = T0 + 600000 + after_ms,
    };
    enum merge_outcome outcome = MERGE_ABSENT;
    assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
    assert_int_equal(outcome, MERGE_APPLIED);
}

static uint64_t taken(const struct store *s)
{
    const struct store_stats stats = store_stats(s);
    return stats.page_bytes + stats.table_bytes + stats.order_bytes + store_epoch_bytes(s);
}

/* An entry takes `tenths` of a byte at most, and counts for no less than it takes. */
static void check_shape(size_t key_len, size_t value_len, uint64_t tenths)
{
    const struct store_config config = {
        .bytes_max = UINT64_MAX, .table_seed = 11, .digest_seed = 22};
    struct store *s = store_new(&config);
    struct rng rng;
    rng_init(&rng, 1);
    for (uint64_t i = 0; i < COUNT; i++) {
        put(s, key_len, value_len, i, rng_below(&rng, SPREAD_MS));
    }
    const uint64_t bytes = taken(s);
    print_message("%zu+%zu: %.1f bytes, counted %.1f\n", key_len, value_len, (double)bytes / COUNT,
                  (double)store_stats(s).bytes_used / COUNT);
    assert_true(10 * bytes <= tenths * COUNT);
    assert_true(bytes <= store_stats(s).bytes_used);
    /* Every index is there, and its share is in the sum. */
    assert_true(store_stats(s).order_bytes > UINT64_C(4) * COUNT &&
                store_epoch_bytes(s) > UINT64_C(4) * COUNT);
    assert_true(store_stats(s).table_bytes >= UINT64_C(2) * COUNT);
    store_free(s);
}

static void an_entry_takes_what_the_design_says(void **state)
{
    (void)state;
    check_shape(12, 10, 550);
    check_shape(12, 100, 1450);
    check_shape(40, 100, 1730);
    check_shape(12, 1000, 10530);
}

/* Each epoch with a single entry has a set of its own: no more than the list's two links twice. */
static void an_entry_alone_in_its_epoch_takes_little_more(void **state)
{
    (void)state;
    enum { EPOCHS = 5000 };
    const struct store_config config = {
        .bytes_max = UINT64_MAX, .table_seed = 11, .digest_seed = 22};
    struct store *s = store_new(&config);
    for (uint64_t i = 0; i < EPOCHS; i++) {
        put(s, 12, 100, i, i * EPOCH_MS);
    }
    assert_int_equal(store_epoch_bytes(s), EPOCHS * 24);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_takes_what_the_design_says),
        cmocka_unit_test(an_entry_alone_in_its_epoch_takes_little_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
