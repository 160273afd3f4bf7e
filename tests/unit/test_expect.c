#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/expect.h"

#define SECOND_US UINT64_C(1000000)
#define START_US (100 * SECOND_US)

static void without_an_expectation_any_number_may_begin(void **state)
{
    (void)state;
    struct expect x;
    expect_init(&x, 0);
    assert_true(x.may_begin);
    assert_int_equal(expect_look(&x, 1, START_US), EXPECT_NOTHING);
}

static void all_that_are_expected_may_begin_at_once(void **state)
{
    (void)state;
    struct expect x;
    expect_init(&x, 3);
    assert_int_equal(expect_look(&x, 1, START_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 1, START_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 2, START_US), EXPECT_NOTHING);
    assert_false(x.may_begin);
    assert_int_equal(expect_deadline(&x), START_US + 60 * SECOND_US);
    assert_int_equal(expect_look(&x, 3, START_US), EXPECT_MET);
    assert_int_equal(expect_deadline(&x), UINT64_MAX);
    assert_true(x.may_begin);
    assert_int_equal(expect_look(&x, 1, START_US), EXPECT_NOTHING);
    assert_true(x.may_begin);
}

static void more_than_half_may_begin_after_a_minute_in_a_row(void **state)
{
    (void)state;
    struct expect x;
    expect_init(&x, 4);
    assert_int_equal(expect_look(&x, 3, START_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 3, START_US + 59 * SECOND_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 2, START_US + 60 * SECOND_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 3, START_US + 61 * SECOND_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 3, START_US + 120 * SECOND_US), EXPECT_NOTHING);
    assert_int_equal(expect_look(&x, 3, START_US + 121 * SECOND_US), EXPECT_MAJORITY);
    assert_true(x.may_begin);
}

static void half_may_never_begin(void **state)
{
    (void)state;
    struct expect x;
    expect_init(&x, 4);
    (void)expect_look(&x, 2, START_US);
    assert_int_equal(expect_look(&x, 2, START_US + 3600 * SECOND_US), EXPECT_NOTHING);
    assert_false(x.may_begin);
}

static void an_enclave_that_exists_needs_nobody(void **state)
{
    (void)state;
    struct expect x;
    expect_init(&x, 16384);
    expect_exists(&x);
    assert_int_equal(expect_look(&x, 2, START_US), EXPECT_MET);
    assert_true(x.may_begin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_expectation_any_number_may_begin),
        cmocka_unit_test(all_that_are_expected_may_begin_at_once),
        cmocka_unit_test(more_than_half_may_begin_after_a_minute_in_a_row),
        cmocka_unit_test(half_may_never_begin),
        cmocka_unit_test(an_enclave_that_exists_needs_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
