#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"

static void the_sequence_is_that_of_the_published_generator(void **state)
{
    (void)state;
    /* SplitMix64 from 1234567 gives 6457827717110365317, 3203168211198807973, ... as its state;
     * xoshiro256** from the state {1, 2, 3, 4} gives 11520, 0, 1509978240, 1215971899390074240. */
    struct rng rng;
    rng_init(&rng, 1234567);
    assert_true(rng.state[0] == UINT64_C(6457827717110365317));
    assert_true(rng.state[1] == UINT64_C(3203168211198807973));
    rng = (struct rng){{1, 2, 3, 4}};
    assert_true(rng_next(&rng) == 11520);
    assert_true(rng_next(&rng) == 0);
    assert_true(rng_next(&rng) == 1509978240);
    assert_true(rng_next(&rng) == UINT64_C(1215971899390074240));
}

static void equal_seeds_give_equal_sequences_and_others_do_not(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;
    struct rng c;
    rng_init(&a, 7);
    rng_init(&b, 7);
    rng_init(&c, 8);
    int differing = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t x = rng_next(&a);
        assert_true(x == rng_next(&b));
        differing += x != rng_next(&c);
    }
    assert_int_equal(differing, 100);
}

static void below_stays_below_and_reaches_everything(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    uint64_t counts[7] = {0};
    for (int i = 0; i < 7000; i++) {
        const uint64_t x = rng_below(&rng, 7);
        assert_true(x < 7);
        counts[x]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 850, 1150);
    }
    assert_true(rng_below(&rng, 1) == 0);
    for (int i = 0; i < 100; i++) {
        assert_true(rng_below(&rng, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_that_of_the_published_generator),
        cmocka_unit_test(equal_seeds_give_equal_sequences_and_others_do_not),
        cmocka_unit_test(below_stays_below_and_reaches_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
