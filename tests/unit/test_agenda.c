#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/agenda.h"

static void a_handle_comes_out_when_its_slot_has_ended(void **state)
{
    (void)state;
    struct agenda agenda = {.slots = NULL};
    assert_int_equal(agenda_take(&agenda, EPOCH_MS), 0);
    assert_int_equal(agenda_due_after_ms(&agenda), EPOCH_MS);
    agenda_add(&agenda, 7, 130);
    assert_int_equal(agenda_due_after_ms(&agenda), 192);
    assert_int_equal(agenda_take(&agenda, 191), 0);
    assert_int_equal(agenda_take(&agenda, 192), 7);
    assert_int_equal(agenda_take(&agenda, 192), 0);
    agenda_clear(&agenda);
}

static void what_is_already_past_comes_out_next(void **state)
{
    (void)state;
    struct agenda agenda = {.slots = NULL};
    agenda_add(&agenda, 1, 30000);
    assert_int_equal(agenda_take(&agenda, 20000), 0);
    agenda_add(&agenda, 2, 5);
    assert_true(agenda_due_after_ms(&agenda) <= 20064);
    assert_int_equal(agenda_take(&agenda, 20064), 2);
    assert_int_equal(agenda_take(&agenda, EPOCH_MS), 1);
    assert_int_equal(agenda_take(&agenda, EPOCH_MS), 0);
    agenda_add(&agenda, 3, 5);
    assert_int_equal(agenda_take(&agenda, EPOCH_MS), 3);
    agenda_clear(&agenda);
}

static void every_handle_comes_out_once_and_in_time(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint64_t due[COUNT + 1];
    static bool is_out[COUNT + 1];
    struct agenda agenda = {.slots = NULL};
    struct rng rng;
    rng_init(&rng, 1);
    for (uint32_t h = 1; h <= COUNT; h++) {
        due[h] = rng_below(&rng, h % 2 ? EPOCH_MS : 3000);
        agenda_add(&agenda, h, due[h]);
    }
    uint64_t at = 0;
    for (uint32_t out = 0; out < COUNT;) {
        at = agenda_due_after_ms(&agenda);
        for (uint32_t h = 0; (h = agenda_take(&agenda, at)) != 0; out++) {
            assert_in_range(h, 1, COUNT);
            assert_false(is_out[h]);
            is_out[h] = true;
            assert_true(due[h] < at && at <= due[h] + AGENDA_SLOT_MS);
        }
    }
    assert_int_equal(agenda.count, 0);
    agenda_clear(&agenda);
}

static void peeking_shows_a_slot_unless_it_is_crowded(void **state)
{
    (void)state;
    struct agenda agenda = {.slots = NULL};
    uint32_t handles[AGENDA_PEEK_MAX];
    assert_int_equal(agenda_peek(&agenda, 0, handles), 0);
    for (uint32_t h = 1; h <= AGENDA_PEEK_MAX; h++) {
        agenda_add(&agenda, h, 64 + h % 64);
        assert_int_equal(agenda_peek(&agenda, 100, handles), h);
    }
    uint64_t sum = 0;
    for (int i = 0; i < AGENDA_PEEK_MAX; i++) {
        sum += handles[i];
    }
    assert_int_equal(sum, AGENDA_PEEK_MAX * (AGENDA_PEEK_MAX + 1) / 2);
    assert_int_equal(agenda_peek(&agenda, 10, handles), 0);
    agenda_add(&agenda, 99, 100);
    assert_int_equal(agenda_peek(&agenda, 100, handles), 0);
    agenda_clear(&agenda);
    assert_int_equal(agenda_peek(&agenda, 100, handles), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_comes_out_when_its_slot_has_ended),
        cmocka_unit_test(what_is_already_past_comes_out_next),
        cmocka_unit_test(every_handle_comes_out_once_and_in_time),
        cmocka_unit_test(peeking_shows_a_slot_unless_it_is_crowded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
