#include "core/base/idset.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void holds_what_was_added_and_not_removed(void **state)
{
    (void)state;
    enum { IDS = 512, ROUNDS = 20000 };
    bool model[IDS] = {false};
    size_t model_count = 0;
    struct rng rng;
    struct idset set;
    rng_init(&rng, 7);
    idset_init(&set, IDS);
    for (int i = 0; i < ROUNDS; i++) {
        /* Multiples of 64 collide in small tables, so that probing and closing gaps are exercised.
         */
        const size_t n = rng_below(&rng, IDS);
        const uint64_t id = n * 64;
        if (rng_below(&rng, 2) == 0) {
            assert_int_equal(idset_add(&set, id), RC_OK);
            model_count += !model[n];
            model[n] = true;
        } else {
            assert_int_equal(idset_remove(&set, id), model[n]);
            model_count -= model[n];
            model[n] = false;
        }
        assert_int_equal(set.count, model_count);
    }
    for (size_t n = 0; n < IDS; n++) {
        assert_int_equal(idset_remove(&set, n * 64), model[n]);
    }
    assert_int_equal(set.count, 0);
    idset_fini(&set);
}

static void visits_every_element_once(void **state)
{
    (void)state;
    struct idset set;
    uint64_t sum = 0;
    uint64_t id = 0;
    size_t count = 0;
    idset_init(&set, 100);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(idset_add(&set, i), RC_OK);
        assert_int_equal(idset_add(&set, i), RC_OK);
    }
    for (size_t pos = 0; idset_next(&set, &pos, &id); pos++) {
        sum += id;
        count++;
    }
    assert_int_equal(count, 100);
    assert_int_equal(sum, 99 * 100 / 2);
    idset_fini(&set);
}

static void refuses_more_than_its_maximum(void **state)
{
    (void)state;
    struct idset set;
    idset_init(&set, 2);
    assert_int_equal(idset_add(&set, 1), RC_OK);
    assert_int_equal(idset_add(&set, 0), RC_OK);
    assert_int_equal(idset_add(&set, 3), RC_FULL);
    assert_int_equal(idset_add(&set, 1), RC_OK);
    assert_false(idset_remove(&set, 3));
    idset_fini(&set);
}

/* If ids are no hashes, each look may pass all others: a list of 65,536 took seconds. */
static void ids_that_all_have_one_place_are_refused_soon(void **state)
{
    (void)state;
    enum { MAX = 65536 };
    struct idset set;
    uint32_t count = 0;
    idset_init(&set, MAX);
    while (count < MAX && idset_add(&set, (uint64_t)(count + 1) << 32) == RC_OK) {
        count++;
    }
    assert_int_equal(count, IDSET_PROBES_MAX);
    assert_int_equal(set.count, count);
    assert_int_equal(idset_add(&set, UINT64_C(1) << 32), RC_OK);
    assert_int_equal(idset_add(&set, 7777), RC_OK);
    for (uint64_t i = 1; i <= count; i++) {
        assert_true(idset_remove(&set, i << 32));
        assert_false(idset_remove(&set, i << 32));
    }
    assert_true(idset_remove(&set, 7777));
    assert_int_equal(set.count, 0);
    idset_fini(&set);
}

static void as_many_hashes_as_may_be_have_their_places(void **state)
{
    (void)state;
    enum { MAX = 1 << 17 };
    struct rng rng;
    struct idset set;
    rng_init(&rng, 3);
    idset_init(&set, MAX);
    for (int i = 0; i < MAX; i++) {
        assert_int_equal(idset_add(&set, rng_next(&rng)), RC_OK);
    }
    rng_init(&rng, 3);
    for (int i = 0; i < MAX; i++) {
        assert_true(idset_remove(&set, rng_next(&rng)));
    }
    assert_int_equal(set.count, 0);
    idset_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_all_have_one_place_are_refused_soon),
        cmocka_unit_test(as_many_hashes_as_may_be_have_their_places),
        cmocka_unit_test(holds_what_was_added_and_not_removed),
        cmocka_unit_test(visits_every_element_once),
        cmocka_unit_test(refuses_more_than_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
