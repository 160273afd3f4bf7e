/*
 * loop: the event loop, turn by turn, and the processor time of each turn.
 *
 * Everything that a node does is done in turns of one loop: what is ready is worked off, then the
 * sockets and timers are looked at again. A turn that takes long keeps everybody waiting. Its
 * processor time tells our own doing from the machine's: unlike time on the wall it does not count
 * that others had the processor.
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
