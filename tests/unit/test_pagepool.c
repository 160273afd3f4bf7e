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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_distinct_and_keep_their_content),
        cmocka_unit_test(a_page_that_was_given_back_is_taken_before_new_memory),
        cmocka_unit_test(what_nobody_wants_goes_back_within_three_windows_in_slices),
        cmocka_unit_test(what_is_wanted_again_and_again_stays),
        cmocka_unit_test(a_region_with_one_page_in_use_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
