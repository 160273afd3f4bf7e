#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/slotindex.h"

enum { SLOTS = 300, HASHES = 50 };

static uint32_t count_found(const struct slotindex *ix, uint32_t hash, uint32_t slot)
{
    uint32_t walk = 0, found = 0, count = 0;
    while (slotindex_next(ix, hash, &walk, &found)) {
        count += found == slot;
    }
    return count;
}

static void what_was_added_is_found_until_removed_among_many_collisions(void **state)
{
    (void)state;
    bool is_in[SLOTS] = {false};
    struct slotindex ix;
    struct rng rng;
    rng_init(&rng, 2);
    slotindex_init(&ix, SLOTS);
    for (int i = 0; i < 5000; i++) {
        const uint32_t slot = (uint32_t)rng_below(&rng, SLOTS);
        if (is_in[slot]) {
            slotindex_remove(&ix, slot % HASHES, slot);
        } else {
            slotindex_add(&ix, slot % HASHES, slot);
        }
        is_in[slot] = !is_in[slot];
        if (i % 50 == 0) {
            for (uint32_t s = 0; s < SLOTS; s++) {
                assert_int_equal(count_found(&ix, s % HASHES, s), is_in[s]);
            }
        }
    }
    slotindex_fini(&ix);
}

static void an_empty_index_finds_nothing(void **state)
{
    (void)state;
    struct slotindex ix;
    uint32_t walk = 0, slot = 0;
    slotindex_init(&ix, 1);
    assert_false(slotindex_next(&ix, 7, &walk, &slot));
    slotindex_add(&ix, 7, 0);
    slotindex_remove(&ix, 7, 0);
    walk = 0;
    assert_false(slotindex_next(&ix, 7, &walk, &slot));
    slotindex_fini(&ix);
}

/* Only half of each hash is kept, and tables may have more places than there are halves. */
static void a_full_index_finds_each_of_its_slots_soon(void **state)
{
    (void)state;
    struct slotindex ix;
    struct rng rng;
    slotindex_init(&ix, SLOTINDEX_SLOTS_MAX);
    rng_init(&rng, 3);
    for (uint32_t slot = 0; slot < SLOTINDEX_SLOTS_MAX; slot++) {
        slotindex_add(&ix, (uint32_t)rng_next(&rng), slot);
    }
    uint64_t steps = 0;
    rng_init(&rng, 3);
    for (uint32_t slot = 0; slot < SLOTINDEX_SLOTS_MAX; slot++) {
        const uint32_t hash = (uint32_t)rng_next(&rng);
        assert_int_equal(count_found(&ix, hash, slot), 1);
        uint32_t walk = 0, found = UINT32_MAX;
        while (slotindex_next(&ix, hash, &walk, &found) && found != slot) {
        }
        steps += walk;
    }
    assert_true(steps < UINT64_C(3) * SLOTINDEX_SLOTS_MAX);
    rng_init(&rng, 3);
    for (uint32_t slot = 0; slot < SLOTINDEX_SLOTS_MAX; slot++) {
        slotindex_remove(&ix, (uint32_t)rng_next(&rng), slot);
    }
    assert_int_equal(ix.count, 0);
    slotindex_fini(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_until_removed_among_many_collisions),
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(a_full_index_finds_each_of_its_slots_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
