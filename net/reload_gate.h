/*
 * reload_gate: SIGHUP, and the reading of files that it asks for: once for all that come in a tenth
 * of a second.
 *
 * libevent calls for each signal that has come, and files may be large: clients would wait for a
 * storm of them. What is read, and what is said of it, is the node's.
 */
#ifndef NET_RELOAD_GATE_H
#define NET_RELOAD_GATE_H

#include "core/base/rc.h"

#include <stdint.h>

enum { RELOAD_GAP_MS = 100 }; /* between two readings */

struct event;
struct event_base;

struct reload_gate {
    struct event *signal, *timer;
    uint64_t last_ms; /* when it was read; 0: not yet */
    void (*reload)(void *arg);
    void *arg;
};

/* From now on a SIGHUP has `reload` called, from the loop. RC_IO: it cannot be waited for. */
MUST_USE enum rc reload_gate_init(struct reload_gate *g, struct event_base *base,
                                  void (*reload)(void *arg), void *arg);

/* Of one that is all zero too. */
void reload_gate_fini(struct reload_gate *g);

#endif
