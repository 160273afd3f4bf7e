#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/ledger.h"

static void a_change_counts_for_cuts_before_its_second(void **state)
{
    (void)state;
    struct ledger ledger = {.lines = NULL};
    assert_int_equal(ledger_book(&ledger, 100, (struct digest){5, 1}), 0);
    assert_int_equal(ledger_book(&ledger, 90, (struct digest){7, 1}), 0);
    assert_int_equal(ledger_book(&ledger, 100, (struct digest){-UINT64_C(2), 1}), 0);
    ledger_check(&ledger);
    assert_int_equal(ledger_since(&ledger, 89).sum, 10);
    assert_int_equal(ledger_since(&ledger, 89).count, 3);
    assert_int_equal(ledger_since(&ledger, 90).sum, 3);
    assert_int_equal(ledger_since(&ledger, 99).count, 2);
    assert_int_equal(ledger_since(&ledger, 100).sum, 0);
    assert_int_equal(ledger_since(&ledger, 100).count, 0);
    ledger_fini(&ledger);
}

static void what_is_forgotten_is_told_and_its_memory_goes(void **state)
{
    (void)state;
    struct ledger ledger = {.lines = NULL};
    for (uint64_t s = 10; s < 20; s++) {
        assert_int_equal(ledger_book(&ledger, s, (struct digest){s, 1}), 0);
    }
    assert_int_equal(ledger_forget(&ledger, 9), 0);
    assert_int_equal(ledger_forget(&ledger, 12), 12);
    assert_int_equal(ledger_since(&ledger, 0).count, 7);
    assert_int_equal(ledger_forget(&ledger, 100), 19);
    assert_null(ledger.lines);
    assert_int_equal(ledger.size, 0);
    ledger_check(&ledger);
}

static void beyond_its_maximum_the_earliest_second_goes(void **state)
{
    (void)state;
    struct ledger ledger = {.lines = NULL};
    for (uint64_t s = 0; s < LEDGER_SECONDS_MAX; s++) {
        assert_int_equal(ledger_book(&ledger, 1000 + s * 2, (struct digest){1, 1}), 0);
    }
    assert_int_equal(ledger_book(&ledger, 999, (struct digest){1, 1}), 999);
    assert_int_equal(ledger_book(&ledger, 1001, (struct digest){1, 1}), 1000);
    assert_int_equal(ledger_book(&ledger, 9000, (struct digest){1, 1}), 1001);
    ledger_check(&ledger);
    assert_int_equal(ledger.count, LEDGER_SECONDS_MAX);
    assert_int_equal(ledger_since(&ledger, 0).count, LEDGER_SECONDS_MAX);
    ledger_fini(&ledger);
}

static void seconds_may_come_in_any_order(void **state)
{
    (void)state;
    struct ledger ledger = {.lines = NULL};
    struct rng rng;
    uint64_t sums[40] = {0};
    rng_init(&rng, 3);
    for (int i = 0; i < 1000; i++) {
        const uint64_t s = rng_below(&rng, 40);
        const uint64_t x = rng_next(&rng);
        sums[s] += x;
        assert_int_equal(ledger_book(&ledger, s, (struct digest){x, 1}), 0);
    }
    ledger_check(&ledger);
    uint64_t expected = 0;
    for (uint64_t s = 40; s-- > 1;) {
        expected += sums[s];
        assert_true(ledger_since(&ledger, s - 1).sum == expected);
    }
    ledger_fini(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_counts_for_cuts_before_its_second),
        cmocka_unit_test(what_is_forgotten_is_told_and_its_memory_goes),
        cmocka_unit_test(beyond_its_maximum_the_earliest_second_goes),
        cmocka_unit_test(seconds_may_come_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
