#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/reload_gate.h"
#include "own_clock.h"
#include "tests/unit/failing_alloc.h"

#include <event2/event.h>
#include <signal.h>

static unsigned readings;

static void on_reload(void *arg)
{
    assert_ptr_equal(arg, &readings);
    readings++;
}

static void turn(struct event_base *base, int turns)
{
    for (int i = 0; i < turns; i++) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

static void a_storm_is_one_reading_at_once_and_one_a_gap(void **state)
{
    struct event_base *base = event_base_new();
    struct reload_gate gate = {.last_ms = 0};
    (void)state;
    assert_int_equal(reload_gate_init(&gate, base, on_reload, &readings), RC_OK);
    turn(base, 2);
    assert_int_equal(readings, 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(raise(SIGHUP), 0);
    }
    turn(base, 4);
    assert_int_equal(readings, 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(raise(SIGHUP), 0);
        turn(base, 4);
    }
    assert_int_equal(readings, 1);
    own_clock_pass_ms(RELOAD_GAP_MS - 1);
    turn(base, 4);
    assert_int_equal(readings, 1);
    own_clock_pass_ms(1);
    turn(base, 4);
    assert_int_equal(readings, 2); /* what came last is not forgotten */
    own_clock_pass_ms(UINT64_C(2) * RELOAD_GAP_MS);
    turn(base, 4);
    assert_int_equal(readings, 2);
    assert_int_equal(raise(SIGHUP), 0);
    turn(base, 4);
    assert_int_equal(readings, 3);
    reload_gate_fini(&gate);
    reload_gate_fini(&gate);
    event_base_free(base);
}

static void begin(void *arg)
{
    struct reload_gate gate = {.last_ms = 0};
    const enum rc rc = reload_gate_init(&gate, arg, on_reload, &readings);
    assert_true(rc == RC_OK || rc == RC_IO);
    assert_int_equal(gate.signal != NULL, rc == RC_OK);
    reload_gate_fini(&gate);
}

static void without_memory_it_does_not_begin(void **state)
{
    struct event_base *base = event_base_new();
    (void)state;
    assert_true(failing_alloc_each(begin, base) >= 2);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_is_one_reading_at_once_and_one_a_gap),
        cmocka_unit_test(without_memory_it_does_not_begin),
    };
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
