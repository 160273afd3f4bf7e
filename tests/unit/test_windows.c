#include "gossip/sealing/windows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct uuid uuid_of(uint32_t number)
{
    return (struct uuid){{(uint8_t)number, (uint8_t)(number >> 8), 1}};
}

/* Tags of which many are equal: they only lead to a place. */
static bool take(struct windows *ws, uint32_t number, uint64_t counter)
{
    const struct uuid uuid = uuid_of(number);
    const bool is_new = windows_is_new(ws, number % 3, &uuid, counter);
    if (is_new) {
        (void)windows_take(ws, number % 3, &uuid, counter);
        windows_check(ws);
    }
    return is_new;
}

static void each_sender_has_a_window_of_its_own(void **state)
{
    (void)state;
    struct windows ws;
    windows_init(&ws, 100);
    for (uint32_t number = 0; number < 100; number++) {
        assert_true(take(&ws, number, 5));
    }
    for (uint32_t number = 0; number < 100; number++) {
        assert_false(take(&ws, number, 5));
        assert_true(take(&ws, number, 4));
        assert_false(take(&ws, number, 4));
    }
    assert_int_equal(ws.count, 100);
    windows_fini(&ws);
}

static void who_was_heard_unsealed_is_marked_and_nobody_else(void **state)
{
    (void)state;
    struct windows ws;
    windows_init(&ws, 4);
    const struct uuid known = uuid_of(1), unknown = uuid_of(2);
    assert_true(take(&ws, 1, 5));
    windows_note_open(&ws, 2 % 3, &unknown);
    assert_int_equal(ws.count, 1);
    assert_false(windows_find(&ws, 1, &known)->was_open);
    windows_note_open(&ws, 1, &known);
    assert_true(windows_find(&ws, 1, &known)->was_open);
    windows_fini(&ws);
}

static void nobody_unknown_takes_a_place(void **state)
{
    (void)state;
    struct windows ws;
    windows_init(&ws, 4);
    const struct uuid uuid = uuid_of(1);
    assert_true(windows_is_new(&ws, 1, &uuid, 7));
    assert_false(windows_is_new(&ws, 1, &uuid, 0));
    assert_null(windows_find(&ws, 1, &uuid));
    assert_null(ws.places);
    windows_fini(&ws);
}

static void at_the_limit_who_was_not_heard_gives_up_its_place(void **state)
{
    (void)state;
    enum { MAX = 8 };
    struct windows ws;
    windows_init(&ws, MAX);
    for (uint32_t number = 0; number < MAX; number++) {
        assert_true(take(&ws, number, 1));
    }
    assert_int_equal(ws.count, MAX);
    assert_true(take(&ws, 100, 1)); /* all were heard alike: the first gives up its place */
    assert_int_equal(ws.count, MAX);
    /* Of the others all but number 3 are heard again. */
    for (uint32_t number = 1; number < MAX; number++) {
        assert_false(take(&ws, number, 1));
        assert_true(number == 3 || take(&ws, number, 2));
    }
    assert_true(take(&ws, 101, 1));
    assert_int_equal(ws.count, MAX);
    for (uint32_t number = 1; number < MAX; number++) {
        assert_int_equal(take(&ws, number, 2), number == 3);
    }
    windows_fini(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sender_has_a_window_of_its_own),
        cmocka_unit_test(who_was_heard_unsealed_is_marked_and_nobody_else),
        cmocka_unit_test(nobody_unknown_takes_a_place),
        cmocka_unit_test(at_the_limit_who_was_not_heard_gives_up_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
