/*
 * loop: the event loop, turn by turn, and the processor time of each turn.
 *
 * A node does everything in turns of one loop: it works off what is ready, then looks at the
 * sockets and timers again. A long turn keeps everybody waiting. Its processor time shows whether
 * we or the machine were slow. Unlike time on the wall, it does not count the time for which others
 * had the processor.
 */
#ifndef NET_SYS_LOOP_H
#define NET_SYS_LOOP_H

#include "core/base/rc.h"

#include <stdint.h>

struct event_base;

struct loop {
    uint64_t turns;
    uint64_t cpu_ns;     /* this thread's, at the end of the last turn */
    uint64_t cpu_max_ns; /* of the longest turn since it was taken */
};

/* Runs `base` until event_base_loopbreak(). RC_IO when it cannot be run. */
MUST_USE enum rc loop_run(struct loop *loop, struct event_base *base);

/* Microseconds of the longest turn since the last call. */
uint64_t loop_take_cpu_max_us(struct loop *loop);

#endif
