/*
 * own_clock: a clock of the test's own for the code under test and for libevent.
 *
 * It stands still while there is something to do, however long a machine takes over that; it passes
 * when the loop has waited for nothing, by as much as it waited, and when the test says so. So
 * events decide whether a deadline is met, not the speed of the machine. Where nothing comes
 * through a kernel, only timers, it need not even wait: own_clock_is_skipping. Times of the
 * processor stay the real ones. Include it once in a program: its functions stand before the C
 * library's.
 */
#ifndef TESTS_UNIT_OWN_CLOCK_H
#define TESTS_UNIT_OWN_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static uint64_t own_clock_us = UINT64_C(1000000000000);
static bool own_clock_is_skipping;

static inline void own_clock_pass_ms(uint64_t ms)
{
    own_clock_us += ms * 1000;
}

#pragma GCC visibility push(default)
int clock_gettime(clockid_t id, struct timespec *ret_now)
{
    if (id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID) {
        return (int)syscall(SYS_clock_gettime, id, ret_now);
    }
    ret_now->tv_sec = (time_t)(own_clock_us / 1000000);
    ret_now->tv_nsec = (long)(own_clock_us % 1000000 * 1000);
    return 0;
}

int gettimeofday(struct timeval *ret_now, void *zone)
{
    (void)zone;
    ret_now->tv_sec = (time_t)(own_clock_us / 1000000);
    ret_now->tv_usec = (suseconds_t)(own_clock_us % 1000000);
    return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int count_max, int timeout_ms)
{
    const int wait_ms = own_clock_is_skipping && timeout_ms > 0 ? 0 : timeout_ms;
    const int count = (int)syscall(SYS_epoll_pwait, fd, events, count_max, wait_ms, NULL, 8);
    if (count == 0 && timeout_ms > 0) {
        own_clock_pass_ms((uint64_t)timeout_ms);
    }
    return count;
}
#pragma GCC visibility pop

#endif
