#include "core/base/units.h"
#include "net/load/load_due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BEGUN_NS = 5000 };

static const uint64_t ns_per_s = 1000000000;

static struct load_due due_of(uint64_t rate, uint32_t together, size_t lane_count, uint64_t most)
{
    struct load_due d;
    load_due_init(&d, rate, together, lane_count);
    load_due_begin(&d, BEGUN_NS, most);
    return d;
}

/* When the lane's n-th request is due, from the beginning. */
static uint64_t nth(struct load_due *d, size_t lane, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        load_due_take(d, lane);
    }
    return load_due_next_ns(d, lane) - BEGUN_NS;
}

static void requests_fall_due_one_after_the_other(void **state)
{
    (void)state;
    struct load_due d = due_of(1000, 1, 1, NEVER);
    assert_int_equal(nth(&d, 0, 0), 0);
    assert_int_equal(nth(&d, 0, 1), 1000000);
    assert_int_equal(nth(&d, 0, 2), 3000000);
    assert_int_equal(d.count, 3);
    load_due_begin(&d, BEGUN_NS + 7, NEVER);
    assert_int_equal(nth(&d, 0, 0), 7);
    assert_int_equal(d.count, 0);
    load_due_fini(&d);
}

static void lanes_have_them_in_turn_and_none_takes_anothers(void **state)
{
    (void)state;
    struct load_due d = due_of(1000, 1, 3, NEVER);
    assert_int_equal(nth(&d, 0, 0), 0);
    assert_int_equal(nth(&d, 1, 0), 1000000);
    assert_int_equal(nth(&d, 2, 0), 2000000);
    assert_int_equal(nth(&d, 1, 2), 7000000); /* numbers 1, 4, 7 */
    assert_int_equal(nth(&d, 0, 0), 0);
    load_due_fini(&d);
}

static void a_lot_falls_due_at_one_instant_and_is_of_one_lane(void **state)
{
    (void)state;
    struct load_due d = due_of(1000, 10, 2, NEVER);
    assert_int_equal(nth(&d, 0, 9), 0);
    assert_int_equal(nth(&d, 0, 1), 20000000);
    assert_int_equal(nth(&d, 1, 0), 10000000);
    assert_int_equal(nth(&d, 1, 10), 30000000);
    load_due_fini(&d);
}

static void no_more_than_asked_for_fall_due(void **state)
{
    (void)state;
    struct load_due d = due_of(1000, 4, 2, 6); /* 0 to 3 of the first lane, 4 and 5 of the second */
    assert_int_equal(nth(&d, 0, 3), 0);
    load_due_take(&d, 0);
    assert_true(load_due_next_ns(&d, 0) == NEVER);
    assert_int_equal(nth(&d, 1, 1), 4000000);
    load_due_take(&d, 1);
    assert_true(load_due_next_ns(&d, 1) == NEVER);
    assert_int_equal(d.count, d.most);
    load_due_fini(&d);
}

static void a_moment_ends_it_with_what_was_due_before(void **state)
{
    (void)state;
    static const struct {
        uint64_t at_ns;
        uint32_t together;
        uint64_t most;
    } cases[] = {{0, 1, 0},         {1, 1, 1},   {1000000, 1, 1},    {1000001, 1, 2},
                 {50000000, 1, 50}, {1, 10, 10}, {10000000, 10, 10}, {10000001, 10, 20}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct load_due d = due_of(1000, cases[i].together, 1, NEVER);
        load_due_close(&d, BEGUN_NS + cases[i].at_ns);
        assert_int_equal(d.most, cases[i].most);
        load_due_fini(&d);
    }
    struct load_due d = due_of(1000, 1, 1, 7);
    load_due_close(&d, BEGUN_NS + ns_per_s);
    assert_int_equal(d.most, 7);
    load_due_fini(&d);
}

struct left {
    uint64_t calls, count, sum_ns, max_ns;
};

static void add_left(void *arg, uint64_t waited_ns, uint64_t count)
{
    struct left *left = arg;
    left->calls++;
    left->count += count;
    left->sum_ns += waited_ns * count;
    left->max_ns = waited_ns > left->max_ns ? waited_ns : left->max_ns;
}

static void what_is_left_has_waited_since_it_was_due(void **state)
{
    (void)state;
    struct load_due d = due_of(1000, 1, 2, NEVER);
    struct left left = {0};
    load_due_take(&d, 0);
    load_due_take(&d, 0);
    load_due_left(&d, BEGUN_NS + 6000000, add_left, &left);
    /* Numbers 1, 3, 5 and 4 of 0 to 5. */
    assert_int_equal(left.count, 4);
    assert_int_equal(left.calls, 4);
    assert_int_equal(left.sum_ns, (5 + 3 + 1 + 2) * 1000000);
    load_due_fini(&d);
}

static void much_that_is_left_is_told_in_steps(void **state)
{
    (void)state;
    const uint64_t day_ns = DAY_S * ns_per_s;
    struct load_due d = due_of(10000000, 64, 3, NEVER);
    struct left left = {0};
    load_due_left(&d, BEGUN_NS + day_ns, add_left, &left);
    assert_int_equal(left.count, DAY_S * 10000000);
    assert_true(left.calls <= 3003);
    assert_int_equal(left.max_ns, day_ns);
    load_due_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_fall_due_one_after_the_other),
        cmocka_unit_test(lanes_have_them_in_turn_and_none_takes_anothers),
        cmocka_unit_test(a_lot_falls_due_at_one_instant_and_is_of_one_lane),
        cmocka_unit_test(no_more_than_asked_for_fall_due),
        cmocka_unit_test(a_moment_ends_it_with_what_was_due_before),
        cmocka_unit_test(what_is_left_has_waited_since_it_was_due),
        cmocka_unit_test(much_that_is_left_is_told_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
