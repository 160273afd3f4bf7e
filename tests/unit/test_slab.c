#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/pagepool.h"
#include "core/store/slab.h"

#include <string.h>

static void slots_are_zeroed_distinct_and_keep_their_content(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct slab slab;
    struct rng rng;
    static uint32_t handles[COUNT];
    static size_t sizes[COUNT];
    slab_init(&slab, NULL);
    rng_init(&rng, 1);
    for (uint64_t step = 0; step < 20000; step++) {
        const size_t i = rng_below(&rng, COUNT);
        if (handles[i] != 0) {
            const uint8_t *slot = slab_at(&slab, handles[i]);
            for (size_t b = 0; b < sizes[i]; b++) {
                assert_int_equal(slot[b], (uint8_t)(i + b));
            }
            slab_free(&slab, handles[i]);
            handles[i] = 0;
            continue;
        }
        sizes[i] = 1 + rng_below(&rng, rng_below(&rng, 2) ? 200 : SLAB_SLOT_MAX);
        handles[i] = slab_alloc(&slab, sizes[i]);
        assert_int_not_equal(handles[i], 0);
        uint8_t *slot = slab_at(&slab, handles[i]);
        const size_t taken = slab_slot_size(sizes[i]);
        assert_int_equal((uintptr_t)slot % (taken % 8 == 0 ? 8 : taken % 4 == 0 ? 4 : 2), 0);
        for (size_t b = 0; b < sizes[i]; b++) {
            assert_int_equal(slot[b], 0);
            slot[b] = (uint8_t)(i + b);
        }
        if (step % 1000 == 0) {
            slab_check(&slab);
            (void)slab_trim(&slab);
        }
    }
    slab_check(&slab);
    slab_fini(&slab);
}

static void rounding_up_loses_little(void **state)
{
    (void)state;
    for (size_t size = 1; size <= SLAB_SLOT_MAX; size++) {
        const size_t slot = slab_slot_size(size);
        assert_true(slot >= size);
        const size_t lost = slot - size;
        const size_t slots = SLAB_PAGE_BYTES / slot;
        assert_int_equal(slot % 2, 0);
        assert_true(size < SLAB_SLOT_MIN || (size <= 128 && lost < 2) ||
                    (size <= 1024 && lost <= size / 32) ||
                    (size > 1024 && lost <= size / slots + 1));
        assert_true(size < SLAB_SLOT_MIN ||
                    slots * lost < SLAB_PAGE_BYTES / 15); /* a page loses a slot at most */
        assert_int_equal(slab_slot_size(slot), slot);
        /* Nothing is left over at a page's end but what no slot could use. */
        assert_true(size <= 1024 || SLAB_PAGE_BYTES - slots * slot < 2 * slots);
    }
    assert_int_equal(slab_slot_size(132), 132);
    assert_int_equal(slab_slot_size(1032), 1040);
}

static void a_freed_slot_is_wiped_but_for_its_link(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, NULL);
    const uint32_t keep = slab_alloc(&slab, 100);
    const uint32_t gone = slab_alloc(&slab, 100);
    uint8_t *slot = slab_at(&slab, gone);
    memset(slot, 0xaa, 100);
    slab_free(&slab, gone);
    assert_ptr_equal(slab_find(&slab, gone), slot);
    for (size_t i = 4; i < 100; i++) {
        assert_int_equal(slot[i], 0);
    }
    slab_free(&slab, keep);
    slab_fini(&slab);
}

static void handles_that_never_were_are_not_found(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, NULL);
    assert_null(slab_find(&slab, 1));
    const uint32_t handle = slab_alloc(&slab, 100);
    assert_non_null(slab_find(&slab, handle));
    assert_null(slab_find(&slab, 0));
    assert_null(slab_find(&slab, handle + 1));
    assert_null(slab_find(&slab, UINT32_MAX));
    slab_fini(&slab);
}

static void empty_pages_are_used_again_by_any_class_or_given_back_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct slab slab;
    static uint32_t handles[COUNT];
    slab_init(&slab, NULL);
    for (int i = 0; i < COUNT; i++) {
        handles[i] = slab_alloc(&slab, 152);
    }
    const uint64_t mapped = slab.mapped;
    assert_in_range(mapped, COUNT * 152 / 65536, COUNT * 152 / 65536 + 1);
    assert_false(slab_trim(&slab));
    for (int i = 0; i < COUNT; i++) {
        slab_free(&slab, handles[i]);
    }
    slab_check(&slab);
    for (int i = 0; i < 10; i++) {
        handles[i] = slab_alloc(&slab, 3000);
    }
    assert_int_equal(slab.mapped, mapped);
    uint64_t given_back = 0;
    while (slab_trim(&slab)) {
        given_back++;
        slab_check(&slab);
    }
    assert_int_equal(given_back, mapped - 1);
    const uint32_t again = slab_alloc(&slab, 24);
    assert_int_not_equal(again, 0);
    assert_non_null(slab_at(&slab, handles[9]));
    slab_check(&slab);
    slab_fini(&slab);
}

enum { MOVED_SIZE = 1020, PER_PAGE = SLAB_PAGE_BYTES / 1024, MOVED_PAGES = 640 };

/* Pages full of slots, of which those in three of four pages are freed again. */
static void make_sparse(struct slab *slab, uint32_t *handles)
{
    for (uint32_t i = 0; i < MOVED_PAGES * PER_PAGE; i++) {
        handles[i] = slab_alloc(slab, MOVED_SIZE);
        assert_int_not_equal(handles[i], 0);
        memset(slab_at(slab, handles[i]), (int)(i % 251), MOVED_SIZE);
    }
    for (uint32_t i = 0; i < MOVED_PAGES * PER_PAGE; i++) {
        if (i / PER_PAGE % 4 != 0) {
            slab_free(slab, handles[i]);
            handles[i] = 0;
        }
    }
    while (slab_trim(slab)) {
    }
}

static void pages_move_out_of_sparse_regions_under_the_same_handles(void **state)
{
    (void)state;
    static uint32_t handles[MOVED_PAGES * PER_PAGE];
    struct pagepool *pool = pagepool_new();
    struct slab slab;
    slab_init(&slab, pool);
    make_sparse(&slab, handles);
    assert_true(pagepool_is_loose(pool));
    assert_false(pagepool_has_idle(pool));
    const uint64_t mapped = slab.mapped;
    while (slab_tighten(&slab)) {
        slab_check(&slab);
        pagepool_check(pool);
    }
    assert_false(pagepool_is_loose(pool));
    assert_int_equal(slab.mapped, mapped);
    for (uint32_t i = 0; i < MOVED_PAGES * PER_PAGE; i++) {
        const uint8_t *slot = handles[i] == 0 ? NULL : slab_at(&slab, handles[i]);
        for (uint32_t b = 0; slot != NULL && b < MOVED_SIZE; b++) {
            assert_int_equal(slot[b], (uint8_t)(i % 251));
        }
    }
    while (pagepool_trim(pool)) {
    }
    assert_true(pagepool_pages(pool) <=
                mapped + PAGEPOOL_LOOSE_MIN + (uint64_t)PAGEPOOL_REGION_PAGES);
    slab_fini(&slab);
    pagepool_free(pool);
}

static void what_a_page_held_is_wiped_where_it_was(void **state)
{
    (void)state;
    static uint32_t handles[MOVED_PAGES * PER_PAGE];
    static uint8_t *before[MOVED_PAGES * PER_PAGE];
    struct pagepool *pool = pagepool_new();
    struct slab slab;
    slab_init(&slab, pool);
    make_sparse(&slab, handles);
    for (uint32_t i = 0; i < MOVED_PAGES * PER_PAGE; i++) {
        before[i] = handles[i] == 0 ? NULL : slab_at(&slab, handles[i]);
    }
    /* One turn's moves, a MiB: their old pages are free, and nobody has taken them since. */
    assert_true(slab_tighten(&slab));
    uint32_t moved = 0;
    for (uint32_t i = 0; i < MOVED_PAGES * PER_PAGE; i++) {
        if (before[i] != NULL && slab_at(&slab, handles[i]) != before[i]) {
            moved++;
            for (uint32_t b = 0; b < MOVED_SIZE; b++) {
                assert_int_equal(before[i][b], 0);
            }
        }
    }
    assert_int_equal(moved, (1 << 20) / SLAB_PAGE_BYTES * PER_PAGE);
    slab_fini(&slab);
    pagepool_free(pool);
}

static void a_slab_that_cannot_make_its_pool_tighter_gives_up_until_pages_come_back(void **state)
{
    (void)state;
    enum { OTHERS = 640 };
    static void *pages[OTHERS];
    struct pagepool *pool = pagepool_new();
    struct slab slab;
    slab_init(&slab, pool);
    for (uint32_t i = 0; i < OTHERS; i++) {
        pages[i] = pagepool_take(pool);
    }
    for (uint32_t i = 0; i < OTHERS; i++) {
        if (i % 2 == 0) {
            pagepool_give(pool, pages[i]);
        }
    }
    assert_true(pagepool_is_loose(pool));
    assert_false(slab_tighten(&slab)); /* it has none */
    assert_false(pagepool_is_loose(pool));
    assert_int_not_equal(slab_alloc(&slab, MOVED_SIZE), 0);
    pagepool_give(pool, pages[1]);
    assert_true(pagepool_is_loose(pool));
    for (uint32_t turns = 0; slab_tighten(&slab); turns++) {
        assert_true(turns < 10);
    }
    assert_false(pagepool_is_loose(pool));
    slab_fini(&slab);
    pagepool_free(pool);
}

/* More than one page of the pool, which has fewer in a region than are taken. */
static void at_its_end_all_pages_are_the_pools_again(void **state)
{
    (void)state;
    enum { PAGES = PAGEPOOL_REGION_PAGES + 1, SLOTS = SLAB_PAGE_BYTES / SLAB_SLOT_MAX };
    struct pagepool *pool = pagepool_new();
    struct slab slab;
    slab_init(&slab, pool);
    for (int i = 0; i < PAGES * SLOTS; i++) {
        assert_int_not_equal(slab_alloc(&slab, SLAB_SLOT_MAX), 0);
    }
    assert_int_equal(slab.mapped, PAGES);
    assert_int_equal(pagepool_pages(pool), 2 * PAGEPOOL_REGION_PAGES);
    slab_fini(&slab);
    for (int i = 0; i < 2 * PAGEPOOL_REGION_PAGES; i++) {
        assert_non_null(pagepool_take(pool));
    }
    assert_int_equal(pagepool_pages(pool), 2 * PAGEPOOL_REGION_PAGES);
    pagepool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_zeroed_distinct_and_keep_their_content),
        cmocka_unit_test(rounding_up_loses_little),
        cmocka_unit_test(a_freed_slot_is_wiped_but_for_its_link),
        cmocka_unit_test(handles_that_never_were_are_not_found),
        cmocka_unit_test(empty_pages_are_used_again_by_any_class_or_given_back_one_by_one),
        cmocka_unit_test(pages_move_out_of_sparse_regions_under_the_same_handles),
        cmocka_unit_test(what_a_page_held_is_wiped_where_it_was),
        cmocka_unit_test(a_slab_that_cannot_make_its_pool_tighter_gives_up_until_pages_come_back),
        cmocka_unit_test(at_its_end_all_pages_are_the_pools_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
