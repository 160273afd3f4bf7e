#include "cmd/launch/supervisor.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GRACE_MS = 1000, STOP_MS = 8000 }; /* the latter with the nodes' own 7 s */

static struct supervisor s;
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    now = 1000;
    supervisor_init(&s, 3, now, UINT64_MAX, GRACE_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    supervisor_fini(&s);
    return 0;
}

/* The steps that are due now, as words: "start 0, start 1". */
static const char *todo(void)
{
    static char text[256];
    struct supervisor_action action;
    size_t len = 0;
    text[0] = '\0';
    while (len + 32 < sizeof(text) && supervisor_next(&s, now, &action)) {
        const char *comma = len > 0 ? ", " : "";
        if (action.step == STEP_START) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%sstart %zu", comma,
                                    action.child);
        } else if (action.step == STEP_SIGNAL) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %zu", comma,
                                    action.signal == SIGTERM   ? "term"
                                    : action.signal == SIGKILL ? "kill"
                                                               : "hup",
                                    action.child);
        } else {
            (void)snprintf(text + len, sizeof(text) - len, "%sexit %d", comma, action.exit_code);
            break;
        }
    }
    return text;
}

static void all_start_at_once(void **state)
{
    (void)state;
    assert_int_equal(supervisor_deadline(&s), now);
    assert_string_equal(todo(), "start 0, start 1, start 2");
    assert_string_equal(todo(), "");
    assert_true(supervisor_deadline(&s) == UINT64_MAX);
}

static void the_delay_of_restarts_doubles_to_its_maximum(void **state)
{
    (void)state;
    static const uint64_t expected[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    (void)todo();
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        now += 15000; /* too long for a crash loop, too short for its crashes to be forgotten */
        assert_int_equal(supervisor_exited(&s, 1, 1, 0, now), VERDICT_RESTART);
        assert_int_equal(supervisor_wait_ms(&s, 1, now), expected[i]);
        assert_int_equal(supervisor_deadline(&s), now + expected[i]);
        now += expected[i] - 1;
        assert_string_equal(todo(), "");
        now += 1;
        assert_string_equal(todo(), "start 1");
    }
}

static void a_child_that_lived_long_is_restarted_quickly_again(void **state)
{
    (void)state;
    (void)todo();
    for (int i = 0; i < 4; i++) {
        now += 15000;
        (void)supervisor_exited(&s, 0, 1, 0, now);
        now += supervisor_wait_ms(&s, 0, now);
        (void)todo();
    }
    now += 30000;
    assert_int_equal(supervisor_exited(&s, 0, 0, SIGSEGV, now), VERDICT_RESTART);
    assert_int_equal(supervisor_wait_ms(&s, 0, now), 100);
}

static void five_quick_ends_are_a_crash_loop_said_once(void **state)
{
    (void)state;
    (void)todo();
    for (int i = 1; i <= 7; i++) {
        now += 50;
        const enum exit_verdict verdict = supervisor_exited(&s, 2, 0, SIGABRT, now);
        assert_int_equal(verdict, i == 5 ? VERDICT_LOOP : VERDICT_RESTART);
        if (i >= 5) {
            assert_int_equal(supervisor_wait_ms(&s, 2, now), RESTART_DELAY_MAX_MS);
        }
        now += supervisor_wait_ms(&s, 2, now);
        assert_string_equal(todo(), "start 2");
    }
    /* It came up, and failed much later: the loop is over. */
    now += 60000;
    assert_int_equal(supervisor_exited(&s, 2, 1, 0, now), VERDICT_RESTART);
    assert_int_equal(supervisor_wait_ms(&s, 2, now), 100);
}

static void bad_configuration_is_not_tried_again(void **state)
{
    (void)state;
    (void)todo();
    assert_int_equal(supervisor_exited(&s, 0, 78, 0, now), VERDICT_FATAL);
    assert_string_equal(todo(), "term 1, term 2");
    assert_int_equal(supervisor_exited(&s, 1, 0, 0, now), VERDICT_STOPPED);
    assert_int_equal(supervisor_exited(&s, 2, 0, 0, now), VERDICT_STOPPED);
    assert_string_equal(todo(), "exit 78");
}

static void a_configuration_that_went_bad_stops_nobody_who_serves(void **state)
{
    (void)state;
    (void)todo();
    supervisor_serves(&s, 0);
    assert_int_equal(supervisor_exited(&s, 0, 0, 9, now), VERDICT_RESTART);
    now += supervisor_wait_ms(&s, 0, now);
    assert_string_equal(todo(), "start 0");
    assert_int_equal(supervisor_exited(&s, 0, 78, 0, now), VERDICT_RESTART);
    assert_string_equal(todo(), "");
    now += supervisor_wait_ms(&s, 0, now);
    assert_string_equal(todo(), "start 0");
}

static void no_port_is_tried_again_unless_all_are_required(void **state)
{
    (void)state;
    (void)todo();
    assert_int_equal(supervisor_exited(&s, 0, 69, 0, now), VERDICT_RESTART);
    supervisor_fini(&s);
    supervisor_init(&s, 2, now, now + 5000, GRACE_MS);
    (void)todo();
    assert_int_equal(supervisor_exited(&s, 0, 69, 0, now), VERDICT_FATAL);
    assert_string_equal(todo(), "term 1");
    (void)supervisor_exited(&s, 1, 0, 0, now);
    assert_string_equal(todo(), "exit 75");
}

static void no_port_for_any_of_them_ends_with_69(void **state)
{
    (void)state;
    (void)todo();
    assert_int_equal(supervisor_exited(&s, 0, 69, 0, now), VERDICT_RESTART);
    assert_int_equal(supervisor_exited(&s, 1, 69, 0, now), VERDICT_RESTART);
    supervisor_serves(&s, 2);
    now += 100;
    assert_string_equal(todo(), "start 0, start 1");
    /* Child 2 had a port and died of something else: one may be free now. */
    assert_int_equal(supervisor_exited(&s, 2, 0, 9, now), VERDICT_RESTART);
    now += 100;
    assert_string_equal(todo(), "start 2");
    assert_int_equal(supervisor_exited(&s, 2, 69, 0, now), VERDICT_FATAL);
    assert_string_equal(todo(), "term 0, term 1");
    assert_int_equal(supervisor_exited(&s, 0, 0, 0, now), VERDICT_STOPPED);
    assert_int_equal(supervisor_exited(&s, 1, 0, 0, now), VERDICT_STOPPED);
    assert_string_equal(todo(), "exit 69");
}

static void a_port_found_in_time_keeps_all_going(void **state)
{
    (void)state;
    (void)todo();
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(supervisor_exited(&s, i, 69, 0, now), VERDICT_RESTART);
    }
    now += 100;
    (void)todo();
    supervisor_serves(&s, 0);
    assert_int_equal(supervisor_exited(&s, 2, 69, 0, now), VERDICT_RESTART);
}

static void term_stops_all_and_ends_with_0(void **state)
{
    (void)state;
    (void)todo();
    supervisor_signal(&s, SIGTERM, now);
    assert_string_equal(todo(), "term 0, term 1, term 2");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(todo(), "");
        assert_int_equal(supervisor_exited(&s, i, 0, 0, now), VERDICT_STOPPED);
    }
    assert_string_equal(todo(), "exit 0");
}

static void a_child_that_waits_is_not_started_while_stopping(void **state)
{
    (void)state;
    (void)todo();
    (void)supervisor_exited(&s, 0, 1, 0, now);
    supervisor_signal(&s, SIGINT, now);
    now += 500;
    assert_string_equal(todo(), "term 1, term 2");
}

static void what_has_not_left_7_seconds_after_its_grace_is_killed_and_the_exit_code_says_so(
    void **state)
{
    (void)state;
    (void)todo();
    supervisor_signal(&s, SIGTERM, now);
    (void)todo();
    (void)supervisor_exited(&s, 0, 0, 0, now);
    (void)supervisor_exited(&s, 2, 0, 0, now);
    assert_int_equal(supervisor_deadline(&s), now + STOP_MS);
    now += STOP_MS - 1;
    assert_string_equal(todo(), "");
    now += 1;
    assert_string_equal(todo(), "kill 1");
    assert_true(supervisor_deadline(&s) == UINT64_MAX);
    (void)supervisor_exited(&s, 1, 0, SIGKILL, now);
    assert_string_equal(todo(), "exit 1");
}

static void a_second_signal_kills_at_once(void **state)
{
    (void)state;
    (void)todo();
    supervisor_signal(&s, SIGINT, now);
    (void)todo();
    supervisor_signal(&s, SIGINT, now);
    assert_string_equal(todo(), "kill 0, kill 1, kill 2");
}

static void hangup_is_passed_on_and_stops_nothing(void **state)
{
    (void)state;
    (void)todo();
    supervisor_signal(&s, SIGHUP, now);
    assert_string_equal(todo(), "hup 0, hup 1, hup 2");
    assert_string_equal(todo(), "");
}

static void all_or_nothing_ends_with_75_unless_it_formed_in_time(void **state)
{
    (void)state;
    supervisor_fini(&s);
    supervisor_init(&s, 2, now, now + 5000, GRACE_MS);
    (void)todo();
    assert_int_equal(supervisor_deadline(&s), now + 5000);
    now += 5000;
    assert_string_equal(todo(), "term 0, term 1");
    (void)supervisor_exited(&s, 0, 0, 0, now);
    (void)supervisor_exited(&s, 1, 0, 0, now);
    assert_string_equal(todo(), "exit 75");
    supervisor_fini(&s);
    supervisor_init(&s, 2, now, now + 5000, GRACE_MS);
    (void)todo();
    supervisor_formed(&s);
    now += 6000;
    assert_string_equal(todo(), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_start_at_once),
        TEST(the_delay_of_restarts_doubles_to_its_maximum),
        TEST(a_child_that_lived_long_is_restarted_quickly_again),
        TEST(five_quick_ends_are_a_crash_loop_said_once),
        TEST(bad_configuration_is_not_tried_again),
        TEST(a_configuration_that_went_bad_stops_nobody_who_serves),
        TEST(no_port_is_tried_again_unless_all_are_required),
        TEST(no_port_for_any_of_them_ends_with_69),
        TEST(a_port_found_in_time_keeps_all_going),
        TEST(term_stops_all_and_ends_with_0),
        TEST(a_child_that_waits_is_not_started_while_stopping),
        TEST(what_has_not_left_7_seconds_after_its_grace_is_killed_and_the_exit_code_says_so),
        TEST(a_second_signal_kills_at_once),
        TEST(hangup_is_passed_on_and_stops_nothing),
        TEST(all_or_nothing_ends_with_75_unless_it_formed_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
