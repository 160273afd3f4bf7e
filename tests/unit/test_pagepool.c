#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/pagepool.h"

#include <string.h>

static void pages_are_distinct_and_keep_their_content(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static uint8_t *pages[COUNT];
    struct pagepool *pool = pagepool_new();
    struct rng rng;
    rng_init(&rng, 1);
    for (int step = 0; step < 5000; step++) {
        const size_t i = rng_below(&rng, COUNT);
        if (pages[i] != NULL) {
            assert_int_equal(pages[i][0], (uint8_t)i);
            assert_int_equal(pages[i][PAGEPOOL_PAGE_BYTES - 1], (uint8_t)i);
            pagepool_give(pool, pages[i]);
            pages[i] = NULL;
        } else {
            pages[i] = pagepool_take(pool);
            assert_non_null(pages[i]);
            assert_int_equal((uintptr_t)pages[i] % 8, 0);
            memset(pages[i], (int)i, PAGEPOOL_PAGE_BYTES);
        }
        if (step % 50 == 0) {
            (void)pagepool_trim(pool);
            pagepool_check(pool);
        }
    }
    pagepool_free(pool);
}

static void a_page_that_was_given_back_is_taken_before_new_memory(void **state)
{
    (void)state;
    struct pagepool *pool = pagepool_new();
    void *first = pagepool_take(pool);
    void *second = pagepool_take(pool);
    pagepool_give(pool, first);
    assert_ptr_equal(pagepool_take(pool), first);
    assert_int_equal(pagepool_pages(pool), PAGEPOOL_REGION_PAGES);
    pagepool_give(pool, first);
    pagepool_give(pool, second);
    assert_true(pagepool_has_idle(pool));
    assert_ptr_equal(pagepool_take(pool), first);
    assert_false(pagepool_has_idle(pool));
    pagepool_free(pool);
}

static void take_regions(struct pagepool *pool, uint32_t regions, void **pages)
{
    for (uint32_t i = 0; i < regions * PAGEPOOL_REGION_PAGES; i++) {
        pages[i] = pagepool_take(pool);
        assert_non_null(pages[i]);
    }
}

static void give_regions(struct pagepool *pool, uint32_t regions, void **pages)
{
    for (uint32_t i = 0; i < regions * PAGEPOOL_REGION_PAGES; i++) {
        pagepool_give(pool, pages[i]);
    }
}

static void what_nobody_wants_goes_back_within_three_windows_in_slices(void **state)
{
    (void)state;
    enum { REGIONS = 3 * PAGEPOOL_TRIM_MAX };
    static void *pages[REGIONS * PAGEPOOL_REGION_PAGES];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, REGIONS, pages);
    assert_false(pagepool_trim(pool));
    give_regions(pool, REGIONS, pages);
    for (int call = 0; call < PAGEPOOL_WINDOW_CALLS - 1; call++) {
        assert_true(pagepool_trim(pool));
        assert_int_equal(pagepool_pages(pool), REGIONS * PAGEPOOL_REGION_PAGES);
    }
    uint64_t before = pagepool_pages(pool);
    int calls = 0;
    for (; pagepool_trim(pool); calls++) {
        assert_true(before - pagepool_pages(pool) <=
                    (uint64_t)PAGEPOOL_TRIM_MAX * PAGEPOOL_REGION_PAGES);
        before = pagepool_pages(pool);
        pagepool_check(pool);
    }
    assert_int_equal(pagepool_pages(pool), 0);
    assert_in_range(calls, REGIONS / PAGEPOOL_TRIM_MAX - 1, 2 * PAGEPOOL_WINDOW_CALLS);
    pagepool_free(pool);
}

static void what_is_wanted_again_and_again_stays(void **state)
{
    (void)state;
    enum { REGIONS = 10 };
    static void *pages[REGIONS * PAGEPOOL_REGION_PAGES];
    struct pagepool *pool = pagepool_new();
    for (int round = 0; round < 20; round++) {
        take_regions(pool, REGIONS, pages);
        give_regions(pool, REGIONS, pages);
        for (int call = 0; call < PAGEPOOL_WINDOW_CALLS / 2; call++) {
            (void)pagepool_trim(pool);
        }
        assert_int_equal(pagepool_pages(pool), REGIONS * PAGEPOOL_REGION_PAGES);
    }
    pagepool_check(pool);
    pagepool_free(pool);
}

static void a_region_with_one_page_in_use_stays(void **state)
{
    (void)state;
    enum { REGIONS = 3 };
    static void *pages[REGIONS * PAGEPOOL_REGION_PAGES];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, REGIONS, pages);
    void *kept = pagepool_take(pool);
    give_regions(pool, REGIONS, pages);
    while (pagepool_trim(pool)) {
    }
    assert_int_equal(pagepool_pages(pool), PAGEPOOL_REGION_PAGES);
    pagepool_give(pool, kept);
    pagepool_check(pool);
    pagepool_free(pool);
}

static void pages_are_taken_from_the_fullest_region_with_room(void **state)
{
    (void)state;
    enum { REGIONS = 3 };
    static void *pages[REGIONS * PAGEPOOL_REGION_PAGES];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, REGIONS, pages);
    void **sparse = pages;
    void **full = pages + PAGEPOOL_REGION_PAGES;
    pagepool_give(pool, full[3]);
    for (uint32_t i = 1; i < PAGEPOOL_REGION_PAGES; i++) {
        pagepool_give(pool, sparse[i]);
    }
    assert_ptr_equal(pagepool_take(pool), full[3]);
    assert_int_equal(pagepool_pages(pool), REGIONS * PAGEPOOL_REGION_PAGES);
    pagepool_check(pool);
    pagepool_free(pool);
}

/* Gives back all but every `stride`-th page, and sets those to NULL. */
static size_t thin_out(struct pagepool *pool, void **pages, size_t count, size_t stride)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % stride == 0) {
            kept++;
            continue;
        }
        pagepool_give(pool, pages[i]);
        pages[i] = NULL;
    }
    return kept;
}

static void what_is_moved_out_of_sparse_regions_leaves_them_idle(void **state)
{
    (void)state;
    enum { REGIONS = 40, STRIDE = 4, COUNT = REGIONS * PAGEPOOL_REGION_PAGES };
    static void *pages[COUNT];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, REGIONS, pages);
    assert_false(pagepool_is_loose(pool));
    const size_t kept = thin_out(pool, pages, COUNT, STRIDE);
    assert_true(pagepool_is_loose(pool));
    assert_false(pagepool_has_idle(pool));
    size_t moves = 0;
    for (size_t i = 0; pagepool_is_loose(pool); i = (i + STRIDE) % COUNT) {
        void *to = pagepool_tighter(pool, pages[i]);
        if (to != NULL) {
            pagepool_give(pool, pages[i]);
            pages[i] = to;
            moves++;
            pagepool_check(pool);
        }
    }
    assert_true(moves <= kept); /* no page is moved to and fro */
    while (pagepool_trim(pool)) {
    }
    assert_in_range(pagepool_pages(pool), kept, kept + PAGEPOOL_LOOSE_MIN + PAGEPOOL_REGION_PAGES);
    pagepool_free(pool);
}

static void a_pool_that_is_settled_is_loose_again_when_a_page_comes_back(void **state)
{
    (void)state;
    enum { REGIONS = 10, COUNT = REGIONS * PAGEPOOL_REGION_PAGES };
    static void *pages[COUNT];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, REGIONS, pages);
    (void)thin_out(pool, pages, COUNT, 2);
    assert_true(pagepool_is_loose(pool));
    pagepool_settle(pool);
    assert_false(pagepool_is_loose(pool));
    pagepool_give(pool, pages[0]);
    assert_true(pagepool_is_loose(pool));
    pagepool_free(pool);
}

static void a_few_free_pages_are_not_worth_a_move(void **state)
{
    (void)state;
    enum { REGIONS = 200, COUNT = REGIONS * PAGEPOOL_REGION_PAGES };
    static void *pages[COUNT];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, REGIONS, pages);
    for (uint32_t i = 0; i < REGIONS; i++) {
        pagepool_give(pool, pages[(size_t)i * PAGEPOOL_REGION_PAGES]);
    }
    assert_false(pagepool_is_loose(pool)); /* one in sixteen */
    for (uint32_t i = 0; i < REGIONS; i++) {
        pagepool_give(pool, pages[(size_t)i * PAGEPOOL_REGION_PAGES + 1]);
    }
    assert_false(pagepool_is_loose(pool)); /* just one in eight */
    pagepool_give(pool, pages[2]);
    assert_true(pagepool_is_loose(pool));
    pagepool_free(pool);
}

static void a_few_mebibytes_are_not_worth_a_move(void **state)
{
    (void)state;
    enum { COUNT = 2 * PAGEPOOL_LOOSE_MIN };
    static void *pages[COUNT];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, COUNT / PAGEPOOL_REGION_PAGES, pages);
    assert_int_equal(thin_out(pool, pages, COUNT, 2), PAGEPOOL_LOOSE_MIN);
    assert_false(pagepool_is_loose(pool));
    pagepool_give(pool, pages[0]);
    assert_true(pagepool_is_loose(pool));
    pagepool_free(pool);
}

static void idle_regions_do_not_make_those_in_use_look_tight(void **state)
{
    (void)state;
    enum { IDLE = 200, USED = 60, HOLES = 3 };
    static void *pages[(IDLE + USED) * PAGEPOOL_REGION_PAGES];
    struct pagepool *pool = pagepool_new();
    take_regions(pool, IDLE + USED, pages);
    give_regions(pool, IDLE, pages);
    void **used = pages + (size_t)IDLE * PAGEPOOL_REGION_PAGES;
    for (size_t i = 0; i < (size_t)USED * PAGEPOOL_REGION_PAGES; i++) {
        if (i % PAGEPOOL_REGION_PAGES < HOLES) {
            pagepool_give(pool, used[i]);
        }
    }
    assert_true(pagepool_is_loose(pool));
    pagepool_free(pool);
}

/* ---- Parts ---- */

struct held_part {
    uint8_t *at;
    size_t size;
};

static void parts_are_distinct_and_pages_become_whole_again(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static struct held_part parts[COUNT];
    struct pagepool *pool = pagepool_new();
    struct rng rng;
    rng_init(&rng, 1);
    for (int step = 0; step < 20000; step++) {
        const size_t i = rng_below(&rng, COUNT);
        struct held_part *p = &parts[i];
        if (p->at == NULL) {
            const size_t len = 1 + rng_below(&rng, PAGEPOOL_PAGE_BYTES - 1);
            p->at = pagepool_take_part(pool, len, &p->size);
            assert_non_null(p->at);
            assert_true(p->size <= pagepool_part_size(len) && (p->size & (p->size - 1)) == 0);
            assert_int_equal((uintptr_t)p->at % 8, 0);
            memset(p->at, (int)i, p->size);
            continue;
        }
        assert_int_equal(p->at[0], (uint8_t)i);
        assert_int_equal(p->at[p->size - 1], (uint8_t)i);
        /* Some of its end first, and then the rest. */
        const size_t kept = rng_below(&rng, p->size / PAGEPOOL_PART_BYTES) * PAGEPOOL_PART_BYTES;
        pagepool_give_part(pool, p->at + kept, p->size - kept);
        if (kept > 0) {
            pagepool_give_part(pool, p->at, kept);
        }
        p->at = NULL;
        if (step % 50 == 0) {
            pagepool_check(pool);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (parts[i].at != NULL) {
            pagepool_give_part(pool, parts[i].at, parts[i].size);
            parts[i].at = NULL;
        }
    }
    pagepool_check(pool);
    while (pagepool_trim(pool)) {
    }
    assert_int_equal(pagepool_pages(pool), 0);
    pagepool_free(pool);
}

static void parts_of_one_size_fill_their_pages(void **state)
{
    (void)state;
    enum { KIB = 1024, VALUES = 100 };
    struct pagepool *pool = pagepool_new();
    for (int i = 0; i < VALUES; i++) {
        size_t size = 0;
        int parts = 0;
        for (size_t left = (size_t)40 * KIB; left > 0; left -= size, parts++) {
            assert_non_null(pagepool_take_part(pool, left, &size));
        }
        assert_in_range(parts, 2, 5);
    }
    const uint64_t pages = VALUES * 40 / 64 + 1;
    assert_in_range(pagepool_pages(pool), pages, pages + PAGEPOOL_REGION_PAGES);
    pagepool_check(pool);
    pagepool_free(pool);
}

static void a_smaller_part_is_taken_before_another_page_is_cut(void **state)
{
    (void)state;
    struct pagepool *pool = pagepool_new();
    size_t size = 0;
    uint8_t *half = pagepool_take_part(pool, 32 << 10, &size);
    uint8_t *other = pagepool_take_part(pool, 32 << 10, &size);
    pagepool_give_part(pool, half + (16 << 10), 16 << 10);
    assert_ptr_equal(pagepool_take_part(pool, 32 << 10, &size), half + (16 << 10));
    assert_int_equal(size, 16 << 10);
    pagepool_give_part(pool, half + (28 << 10), 4 << 10);
    (void)pagepool_take_part(pool, 32 << 10, &size); /* one so small is none */
    assert_int_equal(size, 32 << 10);
    pagepool_give_part(pool, other, 32 << 10);
    pagepool_check(pool);
    pagepool_free(pool);
}

static void the_end_of_a_whole_page_goes_back_once_it_is_cut(void **state)
{
    (void)state;
    struct pagepool *pool = pagepool_new();
    size_t size = 0;
    uint8_t *page = pagepool_take(pool);
    assert_true(pagepool_cut(pool, page));
    pagepool_give_part(pool, page + 2560, PAGEPOOL_PAGE_BYTES - 2560);
    pagepool_check(pool);
    assert_ptr_equal(pagepool_take_part(pool, 32 << 10, &size), page + (32 << 10));
    pagepool_give_part(pool, page + (32 << 10), 32 << 10);
    assert_false(pagepool_has_idle(pool));
    pagepool_give_part(pool, page, 2560);
    assert_true(pagepool_has_idle(pool));
    pagepool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_distinct_and_keep_their_content),
        cmocka_unit_test(a_page_that_was_given_back_is_taken_before_new_memory),
        cmocka_unit_test(what_nobody_wants_goes_back_within_three_windows_in_slices),
        cmocka_unit_test(what_is_wanted_again_and_again_stays),
        cmocka_unit_test(a_region_with_one_page_in_use_stays),
        cmocka_unit_test(pages_are_taken_from_the_fullest_region_with_room),
        cmocka_unit_test(what_is_moved_out_of_sparse_regions_leaves_them_idle),
        cmocka_unit_test(a_pool_that_is_settled_is_loose_again_when_a_page_comes_back),
        cmocka_unit_test(a_few_free_pages_are_not_worth_a_move),
        cmocka_unit_test(a_few_mebibytes_are_not_worth_a_move),
        cmocka_unit_test(idle_regions_do_not_make_those_in_use_look_tight),
        cmocka_unit_test(parts_are_distinct_and_pages_become_whole_again),
        cmocka_unit_test(parts_of_one_size_fill_their_pages),
        cmocka_unit_test(a_smaller_part_is_taken_before_another_page_is_cut),
        cmocka_unit_test(the_end_of_a_whole_page_goes_back_once_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
