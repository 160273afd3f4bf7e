#include "gossip/sealing/window.h"

#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool take(struct window *w, uint64_t counter)
{
    const bool is_new = window_is_new(w, counter);
    if (is_new) {
        window_take(w, counter);
    }
    return is_new;
}

static void window_reorder_255_ok_256_dropped(void **state)
{
    (void)state;
    for (uint64_t first = 1; first < 3 * (uint64_t)WINDOW_BITS; first++) {
        struct window w = {.highest = 0};
        assert_true(take(&w, first + 255));
        assert_true(take(&w, first)); /* overtaken by 255 */
        assert_false(take(&w, first));
        struct window late = {.highest = 0};
        assert_true(take(&late, first + 256));
        assert_false(take(&late, first)); /* overtaken by 256 */
        assert_true(take(&late, first + 1));
    }
}

static void each_counter_is_new_once_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 4096, REACH = 256 };
    static bool has_come[COUNT];
    struct window w = {.highest = 0};
    struct rng rng;
    rng_init(&rng, 7);
    uint64_t base = 1, highest = 0;
    while (base + REACH < COUNT) {
        const uint64_t counter = base + rng_below(&rng, REACH);
        const bool is_kept = counter > highest || highest - counter < WINDOW_BITS;
        assert_int_equal(take(&w, counter), is_kept && !has_come[counter]);
        has_come[counter] = has_come[counter] || is_kept;
        highest = counter > highest ? counter : highest;
        base += rng_below(&rng, 16) == 0;
    }
}

static void a_leap_forgets_what_is_behind_it(void **state)
{
    (void)state;
    struct window w = {.highest = 0};
    assert_true(take(&w, 10));
    assert_true(take(&w, 10 + 5 * (uint64_t)WINDOW_BITS)); /* the same place */
    assert_false(take(&w, 10 + 5 * (uint64_t)WINDOW_BITS));
    assert_false(take(&w, 10));
    assert_true(take(&w, 10 + 4 * (uint64_t)WINDOW_BITS + 1));
}

static void the_ends_of_the_numbers_hold(void **state)
{
    (void)state;
    struct window w = {.highest = 0};
    assert_false(take(&w, 0)); /* no counter */
    assert_true(take(&w, UINT64_MAX));
    assert_false(take(&w, UINT64_MAX));
    assert_true(take(&w, UINT64_MAX - 255));
    assert_false(take(&w, UINT64_MAX - 256));
    assert_false(take(&w, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_reorder_255_ok_256_dropped),
        cmocka_unit_test(each_counter_is_new_once_in_any_order),
        cmocka_unit_test(a_leap_forgets_what_is_behind_it),
        cmocka_unit_test(the_ends_of_the_numbers_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
