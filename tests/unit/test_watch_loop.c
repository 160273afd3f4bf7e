#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/http_server.h"
#include "net/watch/watch_loop.h"
#include "own_clock.h"

#include <event2/event.h>
#include <string.h>

enum { WATCHERS_MAX = 9, TURNS_MAX = 8 };

/* What the loop does with watch and the server: when it lets watch have a turn, whom it wakes. */
struct rig {
    struct event_base *base;
    struct watch_loop *loop;
    struct watch_config config;
    uint64_t turned_at_us[TURNS_MAX];
    unsigned turns, frees;
    uint64_t woken;
};

static struct rig rig;
static int server, watch; /* only their addresses count */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
struct watch *__wrap_watch_new(const struct watch_config *config);
void __wrap_watch_free(struct watch *w);
void __wrap_watch_turn(struct watch *w);
void __wrap_http_server_wake(struct http_server *s, uint64_t id);

struct watch *__wrap_watch_new(const struct watch_config *config)
{
    rig.config = *config;
    return (struct watch *)(void *)&watch;
}

void __wrap_watch_free(struct watch *w)
{
    assert_ptr_equal(w, &watch);
    rig.frees++;
}

void __wrap_watch_turn(struct watch *w)
{
    assert_ptr_equal(w, &watch);
    assert_true(rig.turns < TURNS_MAX);
    rig.turned_at_us[rig.turns++] = own_clock_us;
}

void __wrap_http_server_wake(struct http_server *s, uint64_t id)
{
    assert_ptr_equal(s, &server);
    rig.woken = id;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

static int setup(void **state)
{
    static const struct uuid uuid = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
    (void)state;
    memset(&rig, 0, sizeof(rig));
    own_clock_is_skipping = true;
    rig.base = event_base_new();
    rig.loop = watch_loop_new(rig.base, (struct http_server *)(void *)&server, &uuid, WATCHERS_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    watch_loop_free(rig.loop);
    assert_int_equal(rig.frees, 1);
    watch_loop_free(NULL);
    event_base_free(rig.base);
    return 0;
}

static void turn_by(uint64_t ms_from_now)
{
    rig.config.turn_by(rig.config.arg, own_clock_us + ms_from_now * 1000);
}

/* Runs the loop for so long. */
static void run_ms(uint64_t ms)
{
    const struct timeval after = {.tv_sec = (time_t)(ms / 1000),
                                  .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    assert_int_equal(event_base_loopexit(rig.base, &after), 0);
    assert_int_equal(event_base_dispatch(rig.base), 0);
}

static void watch_is_made_for_this_start_of_the_node(void **state)
{
    (void)state;
    assert_ptr_equal(watch_loop_watch(rig.loop), &watch);
    assert_null(rig.config.engine); /* that comes later: watch_serve() */
    assert_int_equal(rig.config.boot, UINT64_C(0x0102030405060708));
    assert_int_equal(rig.config.watchers_max, WATCHERS_MAX);
    assert_int_equal(rig.config.now_us(rig.config.arg), own_clock_us);
    rig.config.wake(rig.config.arg, 77);
    assert_int_equal(rig.woken, 77);
}

static void a_turn_comes_at_the_earliest_time_that_was_asked_for(void **state)
{
    (void)state;
    const uint64_t began_us = own_clock_us;
    turn_by(3000);
    turn_by(1250);
    turn_by(2000);
    run_ms(5000);
    assert_int_equal(rig.turns, 1);
    const uint64_t after_us = rig.turned_at_us[0] - began_us;
    assert_true(after_us >= 1250000 && after_us < 1300000);
}

static void after_a_turn_another_can_be_asked_for(void **state)
{
    (void)state;
    turn_by(1000);
    run_ms(2000);
    turn_by(500);
    run_ms(2000);
    assert_int_equal(rig.turns, 2);
}

static void what_is_due_already_comes_at_once(void **state)
{
    (void)state;
    const uint64_t began_us = own_clock_us;
    rig.config.turn_by(rig.config.arg, 0);
    run_ms(1000);
    assert_int_equal(rig.turns, 1);
    assert_true(rig.turned_at_us[0] - began_us < 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(watch_is_made_for_this_start_of_the_node),
        TEST(a_turn_comes_at_the_earliest_time_that_was_asked_for),
        TEST(after_a_turn_another_can_be_asked_for),
        TEST(what_is_due_already_comes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
