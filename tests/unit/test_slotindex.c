#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/rng.h"
#include "gossip/slotindex.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_until_removed_among_many_collisions),
        cmocka_unit_test(an_empty_index_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
