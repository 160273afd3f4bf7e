/*
 * fake_engine: the functions of gossip/engine.h that the front door calls, over a sorted array, for
 * tests of net/api and its parts.
 *
 * It defines the functions themselves, so a test program includes it once and links no engine. The
 * test sets the time, and says when a write is settled.
 */
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "gossip/engine.h"

#include <stdlib.h>
#include <string.h>

enum { FAKE_MEMBERS_MAX = 8, FAKE_LINKS_MAX = 4, FAKE_VALUE_MAX = 64 };

/* The cluster's clock at engine time 0: 2026-11-20T08:00:00Z. */
#define FAKE_CLOCK_MS UINT64_C(1795161600000)

struct fake_entry {
    uint8_t key[KEY_BYTES_MAX];
    size_t key_len;
    uint8_t value[FAKE_VALUE_MAX];
    size_t value_len;
    struct blob *blob;
    struct version version;
    uint64_t expiry_ms;
    uint16_t ahead_ms;
};

struct engine {
    struct fake_entry *entries; /* in byte order of their keys */
    size_t entry_count, entry_size;
    struct member members[FAKE_MEMBERS_MAX];
    uint32_t member_count;
    struct engine_link_view links[FAKE_LINKS_MAX];
    uint32_t link_count;
    struct engine_status status;
    struct sealing_status sealing;
    struct keyring ring;  /* open, until the test gives its first key an id */
    enum rc put_rc;       /* the answer of engine_put() to everything, unless RC_OK */
    bool is_joining;      /* misses are RC_JOINING */
    struct put put;       /* the last one taken; its pointers are stale */
    struct put_done done; /* what is known of its answer so far */
    uint16_t skew_ms;     /* how far versions run ahead of the clock */
    size_t next_calls;    /* of engine_next_key() */
    struct store_observer observer;
};

static inline void fake_engine_init(struct engine *e)
{
    *e = (struct engine){.put_rc = RC_OK, .ring = {.count = 1}};
    memset(e->status.uuid.bytes, 0xab, UUID_BYTES);
}

static inline void fake_engine_fini(struct engine *e)
{
    for (size_t i = 0; i < e->entry_count; i++) {
        blob_release(e->entries[i].blob);
    }
    for (uint32_t i = 0; i < e->member_count; i++) {
        member_fini(&e->members[i]);
    }
    free(e->entries);
}

static inline int fake_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    const size_t len = a_len < b_len ? a_len : b_len;
    const int order = len == 0 ? 0 : memcmp(a, b, len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static inline struct fake_entry *fake_find(const struct engine *e, const uint8_t *key, size_t len)
{
    for (size_t i = 0; i < e->entry_count; i++) {
        if (fake_compare(e->entries[i].key, e->entries[i].key_len, key, len) == 0) {
            return &e->entries[i];
        }
    }
    return NULL;
}

static inline struct fake_entry *fake_insert(struct engine *e, const uint8_t *key, size_t len)
{
    size_t at = 0;
    while (at < e->entry_count &&
           fake_compare(e->entries[at].key, e->entries[at].key_len, key, len) < 0) {
        at++;
    }
    if (e->entry_count == e->entry_size) {
        e->entry_size = e->entry_size == 0 ? 16 : 2 * e->entry_size;
        e->entries = mem_resize(e->entries, e->entry_size, sizeof(*e->entries));
    }
    memmove(e->entries + at + 1, e->entries + at, (e->entry_count - at) * sizeof(*e->entries));
    e->entry_count++;
    e->entries[at] = (struct fake_entry){.key_len = len};
    memcpy(e->entries[at].key, key, len);
    return &e->entries[at];
}

static inline bool fake_condition_holds(const struct put *put, const struct fake_entry *held)
{
    bool is_listed = put->is_any && held != NULL;
    for (size_t i = 0; held != NULL && i < put->version_count; i++) {
        is_listed = is_listed || version_compare(&put->versions[i], &held->version) == 0;
    }
    return put->condition == PUT_ALWAYS || is_listed == (put->condition == PUT_IF_MATCH);
}

static inline void fake_record(const struct fake_entry *entry, struct record *ret_record)
{
    *ret_record = (struct record){.key = entry->key,
                                  .key_len = entry->key_len,
                                  .value = entry->blob == NULL ? entry->value : NULL,
                                  .blob = entry->blob,
                                  .value_len = entry->value_len,
                                  .version = entry->version,
                                  .expiry_ms = entry->expiry_ms,
                                  .ahead_ms = entry->ahead_ms};
}

const struct keyring *engine_keyring(const struct engine *e)
{
    return &e->ring;
}

uint64_t engine_clock_ms(const struct engine *e, uint64_t now_us)
{
    (void)e;
    return FAKE_CLOCK_MS + now_us / 1000;
}

enum rc engine_put(struct engine *e, const struct put *put, uint64_t now_us)
{
    const uint64_t clock_ms = engine_clock_ms(e, now_us);
    struct fake_entry *entry = fake_find(e, put->key, put->key_len);
    if (e->put_rc != RC_OK) {
        return e->put_rc;
    }
    if (entry != NULL && entry->expiry_ms <= clock_ms) {
        entry->expiry_ms = 0;
    }
    if (!fake_condition_holds(put, entry)) {
        return RC_PRECONDITION;
    }
    if (entry == NULL) {
        entry = fake_insert(e, put->key, put->key_len);
    }
    blob_release(entry->blob);
    entry->blob = put->blob == NULL ? NULL : blob_hold(put->blob);
    entry->value_len = put->value_len;
    if (put->blob == NULL && put->value_len > 0) {
        ASSERT(put->value_len <= FAKE_VALUE_MAX);
        memcpy(entry->value, put->value, put->value_len);
    }
    entry->version.stamp = (clock_ms + e->skew_ms) << VERSION_COUNTER_BITS | e->entry_count;
    entry->version.origin = e->status.uuid;
    entry->ahead_ms = e->skew_ms;
    entry->expiry_ms = clock_ms + put->ttl_ms;
    e->put = *put;
    if (e->observer.put != NULL) {
        struct record r;
        fake_record(entry, &r);
        e->observer.put(e->observer.arg, &r);
    }
    e->done = (struct put_done){.token = put->token,
                                .began_us = put->began_us,
                                .version = entry->version,
                                .ttl_ms = put->ttl_ms,
                                .expiry_ms = entry->expiry_ms};
    return RC_OK;
}

enum rc engine_get(const struct engine *e, const uint8_t *key, size_t key_len, uint64_t now_us,
                   struct record *ret_record)
{
    const struct fake_entry *entry = fake_find(e, key, key_len);
    if (entry == NULL || entry->expiry_ms <= engine_clock_ms(e, now_us)) {
        return e->is_joining ? RC_JOINING : RC_NOT_FOUND;
    }
    fake_record(entry, ret_record);
    return RC_OK;
}

enum rc engine_next_key_at(const struct engine *e, const uint8_t *prefix, size_t prefix_len,
                           const uint8_t *after, size_t after_len, uint64_t clock_ms,
                           struct record *ret_record)
{
    for (size_t i = 0; i < e->entry_count; i++) {
        const struct fake_entry *entry = &e->entries[i];
        const bool has_prefix = entry->key_len >= prefix_len &&
                                (prefix_len == 0 || memcmp(entry->key, prefix, prefix_len) == 0);
        if (has_prefix && fake_compare(entry->key, entry->key_len, after, after_len) > 0 &&
            entry->expiry_ms > clock_ms) {
            fake_record(entry, ret_record);
            return RC_OK;
        }
    }
    return RC_NOT_FOUND;
}

enum rc engine_next_key(const struct engine *e, const uint8_t *prefix, size_t prefix_len,
                        const uint8_t *after, size_t after_len, uint64_t now_us,
                        struct record *ret_record)
{
    return engine_next_key_at(e, prefix, prefix_len, after, after_len, engine_clock_ms(e, now_us),
                              ret_record);
}

void engine_observe(struct engine *e, const struct store_observer *observer)
{
    e->observer = observer == NULL ? (struct store_observer){.arg = NULL} : *observer;
}

uint32_t engine_unready(const struct engine *e)
{
    return e->status.unready;
}

void engine_sealing(const struct engine *e, struct sealing_status *ret_status)
{
    *ret_status = e->sealing;
}

int64_t engine_clock_difference_ms(const struct engine *e, const struct member *m)
{
    (void)e;
    return m->clock == MEMBER_CLOCK_APART ? -90000 : 0;
}

const struct member *engine_next_member(const struct engine *e, uint32_t *slot)
{
    return *slot < e->member_count ? &e->members[*slot] : NULL;
}

bool engine_next_link(const struct engine *e, uint32_t *slot, struct engine_link_view *ret_view)
{
    if (*slot >= e->link_count) {
        return false;
    }
    *ret_view = e->links[*slot];
    return true;
}

void engine_status(struct engine *e, uint64_t now_us, struct engine_status *ret_status)
{
    (void)now_us;
    *ret_status = e->status;
}

#endif
