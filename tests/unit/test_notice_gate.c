#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/units.h"
#include "net/notice_gate.h"

#define START_MS UINT64_C(5000)

/* How many of `count` at once pass. */
static uint32_t pass_of(struct notice_gate *g, uint32_t count, uint64_t now_ms)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_last = false;
        passed += notice_gate_passes(g, NOTICE_CONFIG_DIFFERS, now_ms, &is_last);
    }
    return passed;
}

/* As a stranger with fresh uuids would have them. */
static void of_a_flood_some_pass_at_once_and_then_one_in_a_period(void **state)
{
    (void)state;
    struct notice_gate g = {.left_out = {0}};
    bool is_last = false;
    for (int i = 0; i < 400; i++) {
        const bool passes = notice_gate_passes(&g, NOTICE_CONFIG_DIFFERS, START_MS, &is_last);
        assert_int_equal(passes, i < NOTICE_BURST);
        assert_int_equal(is_last, i == NOTICE_BURST - 1);
    }
    assert_true(notice_gate_passes(&g, NOTICE_MEMBER_DEAD, START_MS, &is_last));
    assert_int_equal(pass_of(&g, 5, START_MS + NOTICE_PERIOD_MS - 1), 0);
    assert_true(
        notice_gate_passes(&g, NOTICE_CONFIG_DIFFERS, START_MS + NOTICE_PERIOD_MS, &is_last));
    assert_false(is_last); /* which has been said, and the flood goes on */
    assert_int_equal(pass_of(&g, 5, START_MS + NOTICE_PERIOD_MS), 0);
    /* After a quiet time as many as at first. */
    assert_int_equal(pass_of(&g, 400, START_MS + UINT64_C(2) * NOTICE_BURST * NOTICE_PERIOD_MS),
                     NOTICE_BURST);
}

static void how_many_were_left_out_is_due_ten_seconds_after_the_first(void **state)
{
    (void)state;
    struct notice_gate g = {.left_out = {0}};
    enum notice_kind kind = NOTICE_KINDS;
    uint32_t count = 0;
    const uint64_t due_ms = START_MS + NOTICE_TOLD_MS;
    assert_true(notice_gate_deadline(&g) == NEVER);
    assert_int_equal(pass_of(&g, NOTICE_BURST, START_MS), NOTICE_BURST);
    assert_true(notice_gate_deadline(&g) == NEVER);
    assert_int_equal(pass_of(&g, 299, START_MS), 0);
    assert_int_equal(notice_gate_deadline(&g), due_ms);
    assert_int_equal(pass_of(&g, 2, START_MS + NOTICE_PERIOD_MS), 1);
    assert_int_equal(notice_gate_deadline(&g), due_ms);
    assert_false(notice_gate_next(&g, due_ms - 1, &kind, &count));
    assert_true(notice_gate_next(&g, due_ms, &kind, &count));
    assert_int_equal(kind, NOTICE_CONFIG_DIFFERS);
    assert_int_equal(count, 300);
    assert_false(notice_gate_next(&g, due_ms, &kind, &count));
    assert_true(notice_gate_deadline(&g) == NEVER);
}

/* The lines that say how many were left out count among those that a period brings. */
static void a_steady_flood_makes_one_line_in_a_period(void **state)
{
    (void)state;
    enum { PERIODS = 60, PACE_MS = 10 };
    struct notice_gate g = {.left_out = {0}};
    enum notice_kind kind = NOTICE_KINDS;
    uint32_t lines = 0, counted = 0, count = 0;
    for (uint32_t ms = 0; ms < PERIODS * NOTICE_PERIOD_MS; ms += PACE_MS) {
        lines += pass_of(&g, 1, START_MS + ms);
        if (notice_gate_next(&g, START_MS + ms, &kind, &count)) {
            lines++;
            counted += count;
        }
    }
    assert_in_range(lines, NOTICE_BURST + PERIODS - 2, NOTICE_BURST + PERIODS);
    assert_in_range(counted, (PERIODS - 3) * (NOTICE_PERIOD_MS / PACE_MS),
                    PERIODS * (NOTICE_PERIOD_MS / PACE_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_flood_some_pass_at_once_and_then_one_in_a_period),
        cmocka_unit_test(a_steady_flood_makes_one_line_in_a_period),
        cmocka_unit_test(how_many_were_left_out_is_due_ten_seconds_after_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
