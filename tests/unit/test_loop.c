#include "net/sys/loop.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { BURNT_US = 3000 };

struct rig {
    struct event_base *base;
    struct event *event;
    struct loop loop;
    unsigned calls, calls_max;
    unsigned burning_call; /* 0: none burns */
};

static uint64_t cpu_us(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void burn(void)
{
    const uint64_t from_us = cpu_us();
    while (cpu_us() - from_us <= BURNT_US) {
    }
}

/* One call a turn: the next one goes through the timers. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval at_once = {0};
    struct rig *rig = arg;
    (void)fd;
    (void)what;
    rig->calls++;
    if (rig->calls == rig->burning_call) {
        burn();
    }
    if (rig->calls == rig->calls_max) {
        (void)event_base_loopbreak(rig->base);
    } else {
        (void)event_add(rig->event, &at_once);
    }
}

static enum rc run(struct rig *rig)
{
    rig->base = event_base_new();
    rig->event = evtimer_new(rig->base, on_event, rig);
    event_active(rig->event, EV_TIMEOUT, 0);
    const enum rc rc = loop_run(&rig->loop, rig->base);
    event_free(rig->event);
    event_base_free(rig->base);
    return rc;
}

static void it_runs_turn_by_turn_until_it_is_broken(void **state)
{
    (void)state;
    struct rig rig = {.calls_max = 5};
    assert_int_equal(run(&rig), RC_OK);
    assert_int_equal(rig.calls, 5);
    assert_int_equal(rig.loop.turns, 5);
}

static void the_longest_turn_counts_its_processor_time_until_it_is_taken(void **state)
{
    (void)state;
    struct rig rig = {.calls_max = 5, .burning_call = 2};
    assert_int_equal(run(&rig), RC_OK);
    assert_true(loop_take_cpu_max_us(&rig.loop) >= BURNT_US);
    assert_int_equal(loop_take_cpu_max_us(&rig.loop), 0);
}

static void a_loop_without_events_is_an_error(void **state)
{
    (void)state;
    struct loop loop = {0};
    struct event_base *base = event_base_new();
    assert_int_equal(loop_run(&loop, base), RC_IO);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_turn_by_turn_until_it_is_broken),
        cmocka_unit_test(the_longest_turn_counts_its_processor_time_until_it_is_taken),
        cmocka_unit_test(a_loop_without_events_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
