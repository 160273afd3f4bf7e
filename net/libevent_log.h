/*
 * libevent_log: libevent's own words, in the node's log. One node in a process has them.
 *
 * Without a test of its own: that a node says nothing on standard error by itself is tested with
 * the whole of it (tests/integration/test_node.py).
 */
#ifndef NET_LIBEVENT_LOG_H
#define NET_LIBEVENT_LOG_H

#include "net/discovery/node_config.h"

/* From now on they go to these hooks, borrowed; NULL: nowhere. */
void libevent_log_take(const struct node_hooks *hooks);

#endif
