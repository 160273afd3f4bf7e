/*
 * store_rig: records and stores, and the words in which tests say what they do with them.
 */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "core/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t T0 = UINT64_C(1700000032000); /* the middle of an epoch */

static inline struct store *new_store(uint64_t bytes_max)
{
    return store_new(
        &(struct store_config){.bytes_max = bytes_max, .table_seed = 1, .digest_seed = 2});
}

static inline struct version version_at(uint64_t ms, uint8_t origin)
{
    return (struct version){ms << VERSION_COUNTER_BITS, {{origin}}};
}

static inline struct record record_of(const char *key, const char *value, uint64_t version,
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

static inline enum merge_outcome merge(struct store *s, const struct record *r, uint64_t now_ms)
{
    enum merge_outcome outcome = MERGE_ABSENT;
    assert_int_equal(record_check(r), RC_OK);
    assert_int_equal(store_merge(s, r, now_ms, &outcome), RC_OK);
    store_check(s);
    return outcome;
}

static inline enum rc get(const struct store *s, const char *key, uint64_t now_ms, struct record *r)
{
    return store_get(s, (const uint8_t *)key, strlen(key), now_ms, r);
}

static inline void assert_value(const struct store *s, const char *key, uint64_t now_ms,
                                const char *value)
{
    struct record r;
    assert_int_equal(get(s, key, now_ms, &r), RC_OK);
    assert_int_equal(r.value_len, strlen(value));
    if (r.value_len > 0) {
        assert_memory_equal(r.value, value, r.value_len);
    }
}

static inline struct record shadow_of(const struct record *r, uint64_t guard_ms)
{
    return (struct record){
        .key = r->key,
        .key_len = r->key_len,
        .version = r->version,
        .expiry_ms = guard_ms,
        .is_shadow = true,
    };
}

#endif
