/* The ids of a session: how large a share of them is held, and looking for some. (What is made of
 * them: test_sync.c.) */
#include "gossip/repair/column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1767225600000)

enum { ENTRIES = 100 };

struct scene {
    struct store *store;
    struct column column;
};

/* A column of all of the store, or of a share of it. */
static void begin(struct column *column, struct store *store, uint32_t share_bits)
{
    struct scope scope = {.rows = NULL};
    struct digest digest;
    for (uint64_t e = 0; store_next_epoch(store, UINT64_MAX, &e, &digest) == RC_OK; e++) {
        assert_int_equal(
            scope_add(&scope, e / EPOCHS_PER_GROUP, UINT64_C(1) << e % EPOCHS_PER_GROUP), RC_OK);
    }
    column_init(column, 99, UINT64_MAX, share_bits, &scope);
}

static void collect(struct column *column, struct store *store)
{
    enum rc rc = RC_AGAIN;
    while (rc == RC_AGAIN) {
        rc = column_collect(column, store, NOW_MS);
    }
    assert_int_equal(rc, RC_OK);
    assert_true(column->is_collected);
}

static int set_up(void **state)
{
    static struct scene s;
    const struct store_config config = {.bytes_max = 8 << 20, .table_seed = 1, .digest_seed = 2};
    s = (struct scene){.store = store_new(&config)};
    for (uint32_t i = 0; i < ENTRIES; i++) {
        char key[16];
        enum merge_outcome outcome = MERGE_SAME;
        const struct record r = {
            .key = (const uint8_t *)key,
            .key_len = (size_t)snprintf(key, sizeof(key), "key-%u", i),
            .version = {.stamp = NOW_MS << VERSION_COUNTER_BITS, .origin = {{9}}},
            .expiry_ms = NOW_MS + 600000,
        };
        assert_int_equal(store_merge(s.store, &r, NOW_MS, &outcome), RC_OK);
    }
    begin(&s.column, s.store, 0);
    collect(&s.column, s.store);
    assert_int_equal(s.column.count, ENTRIES);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    column_fini(&s->column, s->store);
    store_free(s->store);
    return 0;
}

static void so_many_entries_are_held_and_of_more_a_share(void **state)
{
    (void)state;
    static const struct {
        uint64_t entries;
        uint32_t bits;
    } rows[] = {
        {0, 0},
        {COLUMN_ENTRIES_MAX, 0},
        {(uint64_t)COLUMN_ENTRIES_MAX + 1, 1},
        {(uint64_t)2 * COLUMN_ENTRIES_MAX + 1, 1},
        {(uint64_t)2 * COLUMN_ENTRIES_MAX + 2, 2},
        {UINT64_MAX, COLUMN_SHARE_BITS_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(column_share_bits(rows[i].entries), rows[i].bits);
    }
}

static void what_is_looked_for_is_found_once_each(void **state)
{
    struct scene *s = *state;
    struct idset ids;
    size_t at = 0;
    idset_init(&ids, 8);
    const size_t wanted[] = {0, 50, ENTRIES - 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(idset_add(&ids, column_id(&s->column, wanted[i])), RC_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(column_search(&s->column, &ids, &at), RC_OK);
        assert_int_equal(at, wanted[i]);
    }
    assert_int_equal(column_search(&s->column, &ids, &at), RC_NOT_FOUND);
    assert_int_equal(idset_add(&ids, column_id(&s->column, 0)), RC_OK);
    assert_int_equal(column_search(&s->column, &ids, &at), RC_OK); /* from the beginning again */
    assert_int_equal(at, 0);
    idset_fini(&ids);
}

static void of_a_slice_only_its_ids_are_coded(void **state)
{
    struct scene *s = *state;
    int32_t all = 0;
    for (uint32_t slice = 0; slice < 4; slice++) {
        int32_t expected = 0;
        column_select(&s->column, 2, slice);
        column_grow(&s->column, 1);
        assert_int_equal(column_code(&s->column), RC_OK);
        for (size_t i = 0; i < ENTRIES; i++) {
            expected += column_id(&s->column, i) >> 62 == slice;
        }
        assert_int_equal(s->column.table.cells[0].count, expected);
        all += expected;
    }
    assert_int_equal(all, ENTRIES);
}

static void a_share_has_the_ids_with_no_high_bits(void **state)
{
    struct scene *s = *state;
    struct column share;
    size_t expected = 0;
    begin(&share, s->store, 1);
    collect(&share, s->store);
    for (size_t i = 0; i < ENTRIES; i++) {
        expected += column_id(&s->column, i) >> 63 == 0;
    }
    assert_int_equal(share.count, expected);
    column_fini(&share, s->store);
}

/* The store has only so many walks at a time. */
static void where_no_walk_is_to_be_had_it_goes_on_once_there_is_one(void **state)
{
    struct scene *s = *state;
    struct store_walk walks[STORE_WALKS_MAX];
    struct column late;
    struct digest digest;
    uint64_t epoch = 0;
    assert_int_equal(store_next_epoch(s->store, UINT64_MAX, &epoch, &digest), RC_OK);
    for (int i = 0; i < STORE_WALKS_MAX; i++) {
        walks[i] = (struct store_walk){.is_open = false};
        assert_int_equal(store_walk_begin(s->store, epoch, &walks[i]), RC_OK);
    }
    begin(&late, s->store, 0);
    assert_int_equal(column_collect(&late, s->store, NOW_MS), RC_AGAIN);
    assert_false(late.is_collected);
    for (int i = 0; i < STORE_WALKS_MAX; i++) {
        store_walk_end(s->store, &walks[i]);
    }
    collect(&late, s->store);
    assert_int_equal(late.count, ENTRIES);
    assert_int_equal(column_collect(&late, s->store, NOW_MS), RC_OK);
    column_fini(&late, s->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_entries_are_held_and_of_more_a_share),
        TEST(what_is_looked_for_is_found_once_each),
        TEST(of_a_slice_only_its_ids_are_coded),
        TEST(where_no_walk_is_to_be_had_it_goes_on_once_there_is_one),
        TEST(a_share_has_the_ids_with_no_high_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
