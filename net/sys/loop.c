#include "net/sys/loop.h"

#include "net/sys/hostclock.h"

#include <event2/event.h>

enum rc loop_run(struct loop *loop, struct event_base *base)
{
    loop->cpu_ns = hostclock_thread_ns();
    while (event_base_loop(base, EVLOOP_ONCE) == 0) {
        /* A turn begins with the reading that the last one ended with: one reading a turn. */
        const uint64_t cpu_ns = hostclock_thread_ns();
        const uint64_t used_ns = cpu_ns - loop->cpu_ns;
        loop->cpu_ns = cpu_ns;
        loop->cpu_max_ns = used_ns > loop->cpu_max_ns ? used_ns : loop->cpu_max_ns;
        loop->turns++;
        if (event_base_got_break(base)) {
            return RC_OK;
        }
    }
    return RC_IO;
}

uint64_t loop_take_cpu_max_us(struct loop *loop)
{
    const uint64_t max_us = loop->cpu_max_ns / 1000;
    loop->cpu_max_ns = 0;
    return max_us;
}
