/*
 * settings_node: what a node is started with, from settings that were loaded, derived and checked.
 */
#ifndef CMD_SETTINGS_SETTINGS_NODE_H
#define CMD_SETTINGS_SETTINGS_NODE_H

#include "cmd/settings/settings.h"
#include "net/discovery/node_config.h"

/*
 * Fills everything but ready_fd, which becomes -1. Resolves REPRAM_ADDRESS and names in
 * REPRAM_DNS_SERVERS, which may block for about two seconds each. What is wrong is added to
 * s->errors: RC_AGAIN when the name does not resolve now, which is no fault of the settings;
 * RC_CONFIG when it cannot be this host's address.
 */
MUST_USE enum rc settings_node_config(struct settings *s, struct node_config *ret_config);

/* Over the names and values of the settings that nodes of one cluster should share. */
uint64_t settings_node_digest(const struct settings *s);

#endif
