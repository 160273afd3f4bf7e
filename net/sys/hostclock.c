#include "net/sys/hostclock.h"

#include "core/base/assert.h"

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    ASSERT(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t hostclock_boot_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

uint64_t hostclock_boot_us(void)
{
    return hostclock_boot_ns() / 1000;
}

uint64_t hostclock_boot_ms(void)
{
    return hostclock_boot_ns() / 1000000;
}

uint64_t hostclock_coarse_ms(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

uint64_t hostclock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

time_t hostclock_wall_s(void)
{
    return time(NULL);
}

uint64_t hostclock_thread_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t hostclock_process_us(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000;
}
