/*
 * node: one running node: a claimed port, an engine, a front door, on one libevent loop.
 *
 * node_run() is all that `repram node` calls; it returns when the node has been stopped and has
 * drained. Everything an operator should read goes out through the hooks; net itself prints
 * nothing.
 */
#ifndef NET_NODE_H
#define NET_NODE_H

#include "core/base/rc.h"
#include "net/discovery/node_config.h"

/*
 * Runs until SIGTERM, SIGINT or a second one of them (then at once). After the first one it serves
 * for config->drain_grace_ms more, then leaves the cluster. Returns RC_OK after that,
 * RC_EXISTS when no port was free (the log says which and why), RC_CONFIG when the bound address is
 * not of this host or the form of Flux's settings is wrong, RC_IO otherwise. What the settings'
 * reader refuses (cmd/settings) is asserted.
 */
MUST_USE enum rc node_run(const struct node_config *config, const struct node_hooks *hooks);

#endif
