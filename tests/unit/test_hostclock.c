#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sys/hostclock.h"

static void boot_clock_does_not_go_back_in_any_unit(void **state)
{
    (void)state;
    const uint64_t ns = hostclock_boot_ns();
    const uint64_t us = hostclock_boot_us();
    const uint64_t ms = hostclock_boot_ms();
    assert_true(ns > 0);
    assert_true(us >= ns / 1000);
    assert_true(ms >= us / 1000);
}

static void wall_clock_says_the_same_in_both_units(void **state)
{
    (void)state;
    const uint64_t before_s = hostclock_wall_ms() / 1000;
    const uint64_t seconds = (uint64_t)hostclock_wall_s();
    /* The seconds may be behind by one tick of the kernel. */
    assert_in_range(seconds, before_s - 1, hostclock_wall_ms() / 1000);
}

static void coarse_clock_does_not_go_back(void **state)
{
    (void)state;
    const uint64_t before_ms = hostclock_coarse_ms();
    assert_true(before_ms > 0);
    assert_true(hostclock_coarse_ms() >= before_ms);
}

static void processor_time_grows_with_work(void **state)
{
    (void)state;
    const uint64_t thread_ns = hostclock_thread_ns();
    volatile uint32_t work = 0;
    while (hostclock_process_us() == 0 || work < 1000) {
        work++;
    }
    assert_true(hostclock_thread_ns() > thread_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_clock_does_not_go_back_in_any_unit),
        cmocka_unit_test(wall_clock_says_the_same_in_both_units),
        cmocka_unit_test(coarse_clock_does_not_go_back),
        cmocka_unit_test(processor_time_grows_with_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
