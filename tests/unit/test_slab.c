#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
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
        assert_int_equal((uintptr_t)slot % 8, 0);
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
        assert_int_equal(slot % 8, 0);
        assert_true(slot <= 256 ? slot < size + SLAB_SLOT_MIN : slot - size < size / 15);
        assert_int_equal(slab_slot_size(slot), slot);
    }
    assert_int_equal(slab_slot_size(152), 152);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_zeroed_distinct_and_keep_their_content),
        cmocka_unit_test(rounding_up_loses_little),
        cmocka_unit_test(a_freed_slot_is_wiped_but_for_its_link),
        cmocka_unit_test(handles_that_never_were_are_not_found),
        cmocka_unit_test(empty_pages_are_used_again_by_any_class_or_given_back_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
