#include "gossip/sealing/copies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct addr here = {.ip = {[10] = 255, [11] = 255, [12] = 10}, .port = 9};

static void what_has_opened_is_known_and_nothing_else(void **state)
{
    (void)state;
    static struct copies c;
    copies_init(&c, 1);
    assert_int_equal(copies_find(&c, 7, &here), COPIES_NONE);
    copies_add(&c, 7, &here);
    assert_int_equal(copies_find(&c, 7, &here), COPIES_SAME);
    for (uint32_t mark = 8; mark < 100000; mark++) {
        assert_int_equal(copies_find(&c, mark, &here), COPIES_NONE);
    }
}

/* How many of so many recordings that are sent again in turn open each time. */
static uint32_t opened_again(uint32_t count, uint64_t seed)
{
    static struct copies c;
    uint32_t opened = 0;
    copies_init(&c, seed);
    for (uint32_t round = 0; round < 3; round++) {
        opened = 0;
        for (uint32_t mark = 1; mark <= count; mark++) {
            if (copies_find(&c, mark, &here) == COPIES_NONE) {
                copies_add(&c, mark, &here);
                opened++;
            }
        }
    }
    return opened;
}

static void a_thousand_recordings_are_known_for_as_long_as_nothing_else_comes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        assert_int_equal(opened_again(1, seed), 0);
        assert_in_range(opened_again(1000, seed), 0, 50);
        assert_in_range(opened_again(100 * COPIES_SETS, seed), 90 * COPIES_SETS, 100 * COPIES_SETS);
    }
}

static void the_oldest_of_a_set_gives_way(void **state)
{
    (void)state;
    static struct copies c;
    copies_init(&c, 1);
    const uint32_t last = 100 * COPIES_SETS * COPIES_WAYS;
    for (uint32_t mark = 1; mark <= last; mark++) {
        copies_add(&c, mark, &here);
        assert_int_equal(copies_find(&c, mark, &here), COPIES_SAME);
    }
    assert_int_equal(copies_find(&c, 1, &here), COPIES_NONE);
    assert_int_equal(copies_find(&c, last, &here), COPIES_SAME);
}

static void another_address_or_port_is_elsewhere(void **state)
{
    (void)state;
    static struct copies c;
    struct addr from = here;
    copies_init(&c, 1);
    copies_add(&c, 7, &here);
    from.port++;
    assert_int_equal(copies_find(&c, 7, &from), COPIES_ELSEWHERE);
    assert_int_equal(copies_find(&c, 8, &from), COPIES_NONE);
    from = here;
    from.ip[15]++;
    assert_int_equal(copies_find(&c, 7, &from), COPIES_ELSEWHERE);
    assert_int_equal(copies_find(&c, 7, &here), COPIES_SAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_opened_is_known_and_nothing_else),
        cmocka_unit_test(a_thousand_recordings_are_known_for_as_long_as_nothing_else_comes),
        cmocka_unit_test(another_address_or_port_is_elsewhere),
        cmocka_unit_test(the_oldest_of_a_set_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
