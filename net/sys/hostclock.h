/*
 * hostclock: every clock that net and cmd read, and nobody else reads one.
 *
 * What is measured or waited for uses the boot clock, which never goes back and counts suspend; the
 * wall clock is for what people and other hosts read.
 */
#ifndef NET_SYS_HOSTCLOCK_H
#define NET_SYS_HOSTCLOCK_H

#include <stdint.h>
#include <time.h>

/* The boot clock. */
uint64_t hostclock_boot_ns(void);
uint64_t hostclock_boot_us(void);
uint64_t hostclock_boot_ms(void);

/* Monotonic milliseconds, as coarse as the kernel's tick (4 ms) and cheaper: deadlines need no
 * better. Not to be mixed with the boot clock, as it does not count suspend. */
uint64_t hostclock_coarse_ms(void);

/* The wall clock since the epoch. */
uint64_t hostclock_wall_ms(void);
time_t hostclock_wall_s(void);

/* Processor time that this thread and this process have used. */
uint64_t hostclock_thread_ns(void);
uint64_t hostclock_process_us(void);

#endif
