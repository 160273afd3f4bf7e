/* What core does when memory ends: calls that may fail say so and change nothing, and what is built
 * on them works once there is memory again. Places of core/base/mem.h end the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "core/base/iblt.h"
#include "core/base/idset.h"
#include "core/base/sample.h"
#include "core/base/slotindex.h"
#include "core/base/timerheap.h"
#include "core/store/blob.h"
#include "core/store/pagepool.h"
#include "core/store/slab.h"
#include "core/store/store.h"
#include "tests/unit/failing_alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t T0 = UINT64_C(1700000032000); /* the middle of an epoch */

/* A refusal is for lack of memory, and only when a call has failed. */
static bool is_refused(enum rc rc)
{
    if (rc != RC_OK) {
        assert_int_equal(rc, RC_NO_MEMORY);
        assert_true(failing_alloc_has_failed());
    }
    return rc != RC_OK;
}

/* ---- Buffers and blobs ---- */

enum { PIECE = 1000, PIECES = 40 };

static void append_pieces(void *arg)
{
    uint8_t piece[PIECE];
    struct buf b;
    (void)arg;
    buf_init(&b, (size_t)PIECE * PIECES);
    for (int i = 0; i < PIECES; i++) {
        memset(piece, i, sizeof(piece));
        while (is_refused(buf_append(&b, piece, sizeof(piece)))) {
            assert_int_equal(b.len, i * PIECE);
            failing_alloc_recover();
        }
    }
    assert_int_equal(b.len, PIECE * PIECES);
    for (int i = 0; i < PIECES; i++) {
        memset(piece, i, sizeof(piece));
        assert_memory_equal(buf_data(&b) + (size_t)i * PIECE, piece, sizeof(piece));
    }
    buf_fini(&b);
}

static void a_buffer_that_cannot_grow_keeps_what_it_has(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(append_pieces, NULL) > 10);
}

/* A value of 200 KiB in pieces: what is refused is good for blob_release() only. */
static void build_blob(void *arg)
{
    uint8_t piece[PIECE];
    bool is_whole = false;
    memset(piece, 'v', sizeof(piece));
    while (!is_whole) {
        struct blob *blob = blob_new(arg, 200 << 10);
        is_whole = blob != NULL;
        for (size_t at = 0; is_whole && at < 200 << 10; at += PIECE) {
            const size_t left = (200 << 10) - at;
            is_whole = !is_refused(blob_append(blob, piece, left < PIECE ? left : PIECE));
        }
        if (is_whole) {
            assert_int_equal(blob_len(blob), 200 << 10);
        } else {
            assert_true(failing_alloc_has_failed());
            failing_alloc_recover();
        }
        blob_release(blob);
    }
}

static void a_blob_of_a_pool(void *arg)
{
    struct pagepool *pool = pagepool_new();
    (void)arg;
    build_blob(pool);
    pagepool_check(pool);
    pagepool_free(pool);
}

static void a_blob_that_cannot_grow_is_released_whole(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(build_blob, NULL) > 8);
    assert_true(failing_alloc_each(a_blob_of_a_pool, NULL) > 4);
}

/* ---- Pages and slots ---- */

static void take_pages(void *arg)
{
    enum { PAGES = 3 * PAGEPOOL_REGION_PAGES + 1 };
    void *pages[PAGES];
    struct pagepool *pool = pagepool_new();
    (void)arg;
    for (uint32_t i = 0; i < PAGES; i++) {
        pages[i] = pagepool_take(pool);
        if (pages[i] == NULL) {
            assert_true(failing_alloc_has_failed());
            assert_int_equal(i % PAGEPOOL_REGION_PAGES, 0);
            assert_int_equal(pagepool_pages(pool), i);
            pagepool_check(pool);
            failing_alloc_recover();
            pages[i] = pagepool_take(pool);
        }
        assert_non_null(pages[i]);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        pagepool_give(pool, pages[i]);
    }
    pagepool_check(pool);
    pagepool_free(pool);
}

static void a_pool_without_memory_for_a_region_stays_as_it_was(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(take_pages, NULL) > 10);
}

/* Slots of two sizes, so many that each size takes pages of its own. */
static void take_slots(void *arg)
{
    enum { SLOTS = 300 };
    uint32_t handles[SLOTS];
    struct slab slab;
    slab_init(&slab, arg);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const size_t size = i % 2 == 0 ? 1000 : 4000;
        handles[i] = slab_alloc(&slab, size);
        if (handles[i] == 0) {
            assert_true(failing_alloc_has_failed());
            assert_int_equal(slab.used_count, i);
            slab_check(&slab);
            failing_alloc_recover();
            handles[i] = slab_alloc(&slab, size);
        }
        assert_int_not_equal(handles[i], 0);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        slab_free(&slab, handles[i]);
    }
    slab_check(&slab);
    while (slab_trim(&slab)) {
        slab_check(&slab);
    }
    slab_fini(&slab);
}

static void slots_of_a_pool(void *arg)
{
    struct pagepool *pool = pagepool_new();
    (void)arg;
    take_slots(pool);
    pagepool_free(pool);
}

static void a_slab_without_memory_for_a_page_stays_as_it_was(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(take_slots, NULL) > 10);
    assert_true(failing_alloc_each(slots_of_a_pool, NULL) > 0);
}

/* ---- The store ---- */

enum { KEYS = 60, VALUE_MAX = 70000 };

/* Number `i` of the records that a story writes, as of `at_ms`: small values, and each seventh of
 * several segments. */
static struct record record_of(uint32_t i, uint64_t at_ms, char *key, size_t size)
{
    static uint8_t value[VALUE_MAX];
    (void)snprintf(key, size, "key-%" PRIu32, i);
    memset(value, (int)('a' + i % 26), sizeof(value));
    return (struct record){
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = value,
        .value_len = i % 7 == 0 ? VALUE_MAX : 30 * i,
        .version = {at_ms << VERSION_COUNTER_BITS, {{(uint8_t)(i % 3 + 1)}}},
        .expiry_ms = at_ms + UINT64_C(1000) * (1 + i),
    };
}

/* What a store held and counted before a merge that was refused, it holds and counts afterwards. */
static void merge_until_taken(struct store *s, const struct record *r, uint64_t now_ms)
{
    enum merge_outcome outcome = MERGE_ABSENT;
    const struct store_stats before = store_stats(s);
    struct record held;
    const enum rc found = store_get(s, r->key, r->key_len, now_ms, &held);
    const struct version version = found == RC_OK ? held.version : (struct version){0};
    if (is_refused(store_merge(s, r, now_ms, &outcome))) {
        const struct store_stats after = store_stats(s);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_int_equal(store_get(s, r->key, r->key_len, now_ms, &held), found);
        assert_true(found != RC_OK || version_compare(&version, &held.version) == 0);
        store_check(s);
        failing_alloc_recover();
        assert_int_equal(store_merge(s, r, now_ms, &outcome), RC_OK);
    }
    assert_int_equal(store_get(s, r->key, r->key_len, now_ms, &held), RC_OK);
    assert_int_equal(held.value_len, r->value_len);
}

/* Writes of before all, with longer lives: their guards are bookkeeping, and cannot fail. */
static void guard_late(struct store *s)
{
    char key[32];
    enum merge_outcome outcome = MERGE_ABSENT;
    for (uint32_t i = 1; i <= KEYS; i++) {
        struct record r = record_of(i, T0 - 1, key, sizeof(key));
        r.value_len = 1;
        r.expiry_ms += 2000;
        assert_int_equal(store_merge(s, &r, T0, &outcome), RC_OK);
        assert_int_equal(outcome, MERGE_GUARDED);
    }
    assert_int_equal(store_stats(s).guards, KEYS);
}

static void fill_replace_and_expire(void *arg)
{
    const struct store_config config = {.bytes_max = 64 << 20, .table_seed = 1, .digest_seed = 2};
    struct store *s = store_new(&config);
    char key[32];
    (void)arg;
    for (uint64_t round = 0; round < 2; round++) {
        for (uint32_t i = 1; i <= KEYS; i++) {
            struct record r = record_of(i, T0 + round, key, sizeof(key));
            r.value_len = round == 0 ? r.value_len : VALUE_MAX - r.value_len;
            merge_until_taken(s, &r, T0 + round);
        }
    }
    guard_late(s);
    failing_alloc_recover();
    store_check(s);
    assert_int_equal(store_stats(s).keys, KEYS);
    for (uint64_t second = 0; second < 200; second++) {
        (void)store_expire(s, T0 + 1000 * second, KEYS);
    }
    store_check(s);
    assert_int_equal(store_stats(s).keys, 0);
    store_free(s);
}

static void a_store_without_memory_refuses_and_keeps_what_it_has(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(fill_replace_and_expire, NULL) > 100);
}

/* ---- What ends the process ---- */

static void use_tables(void *arg)
{
    struct idset set;
    struct slotindex index;
    struct timerheap heap;
    struct timer timer = {.owner = NULL};
    struct sample values = {.count = 0};
    struct sample others = {.count = 0};
    (void)arg;
    idset_init(&set, 100);
    slotindex_init(&index, 100);
    timerheap_init(&heap, 100);
    for (uint32_t i = 1; i <= 100; i++) {
        assert_int_equal(idset_add(&set, UINT64_C(0x9e3779b97f4a7c15) * i), RC_OK);
        slotindex_add(&index, i * 7919, i);
    }
    timerheap_set(&heap, &timer, 5);
    sample_add(&values, 7);
    sample_merge(&others, &values);
    assert_int_equal(sample_percentile(&others, 500), 7);
    sample_fini(&values);
    sample_fini(&others);
    timerheap_fini(&heap);
    slotindex_fini(&index);
    idset_fini(&set);
}

static void find_a_difference(void *arg)
{
    struct iblt ours;
    struct iblt theirs;
    struct iblt_decoder decoder;
    (void)arg;
    iblt_init(&ours);
    iblt_init(&theirs);
    iblt_decoder_init(&decoder);
    iblt_extend(&ours, 16);
    iblt_extend(&theirs, 16);
    (void)iblt_add(&theirs, UINT64_C(0x123456789abcdef1), 0, 1);
    iblt_decoder_extend(&decoder, theirs.cells, ours.cells, 16);
    assert_int_equal(iblt_decoder_peel(&decoder, 1000), RC_OK);
    assert_int_equal(decoder.item_count, 1);
    iblt_decoder_fini(&decoder);
    iblt_fini(&theirs);
    iblt_fini(&ours);
}

static void bookkeeping_without_memory_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_each(use_tables, NULL), 0);
    assert_int_equal(failing_alloc_each(find_a_difference, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_that_cannot_grow_keeps_what_it_has),
        cmocka_unit_test(a_blob_that_cannot_grow_is_released_whole),
        cmocka_unit_test(a_pool_without_memory_for_a_region_stays_as_it_was),
        cmocka_unit_test(a_slab_without_memory_for_a_page_stays_as_it_was),
        cmocka_unit_test(a_store_without_memory_refuses_and_keeps_what_it_has),
        cmocka_unit_test(bookkeeping_without_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
