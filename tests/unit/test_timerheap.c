#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/timerheap.h"

enum { TIMERS = 200 };

static void timers_come_out_in_order_whatever_was_moved_or_cleared(void **state)
{
    (void)state;
    struct timer timers[TIMERS] = {{0}};
    struct timerheap h;
    struct rng rng;
    rng_init(&rng, 1);
    timerheap_init(&h, TIMERS);
    for (int i = 0; i < 20000; i++) {
        struct timer *t = &timers[rng_below(&rng, TIMERS)];
        if (rng_below(&rng, 3) == 0) {
            timerheap_clear(&h, t);
            assert_int_equal(t->at, 0);
        } else {
            timerheap_set(&h, t, rng_below(&rng, 1000));
        }
        timerheap_check(&h);
        const struct timer *first = timerheap_first(&h);
        for (int j = 0; j < TIMERS; j++) {
            assert_true(timers[j].at == 0 || first->due_us <= timers[j].due_us);
        }
    }
    uint64_t last_us = 0;
    for (struct timer *t = timerheap_first(&h); t != NULL; t = timerheap_first(&h)) {
        assert_true(t->due_us >= last_us);
        last_us = t->due_us;
        timerheap_clear(&h, t);
    }
    assert_int_equal(h.count, 0);
    timerheap_fini(&h);
}

static void clearing_a_timer_that_is_not_set_does_nothing(void **state)
{
    (void)state;
    struct timer t = {.at = 0};
    struct timerheap h;
    timerheap_init(&h, 1);
    timerheap_clear(&h, &t);
    assert_null(timerheap_first(&h));
    timerheap_set(&h, &t, 5);
    assert_ptr_equal(timerheap_first(&h), &t);
    timerheap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_out_in_order_whatever_was_moved_or_cleared),
        cmocka_unit_test(clearing_a_timer_that_is_not_set_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
