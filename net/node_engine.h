/*
 * node_engine: what a node's engine is made with: its settings, who it is, its host's addresses and
 * clock, and seeds that nobody can tell.
 *
 * Without a unit test of its own, as all of it is the host's: the tests of real nodes see it.
 */
#ifndef NET_NODE_ENGINE_H
#define NET_NODE_ENGINE_H

#include "gossip/engine_config.h"
#include "net/discovery/node_config.h"

struct node_engine {
    const struct node_config *config;
    const struct uuid *uuid;
    const char *name; /* NAME_SIZE bytes, terminated */
    uint16_t port;    /* that was claimed */
    struct pagepool *pages;
};

/* The name that is set, or one after the uuid. */
void node_engine_name(const struct uuid *uuid, const struct node_config *config,
                      char ret_name[static NAME_SIZE]);

/* All but the secret. RC_IO: the system has no random bytes. */
MUST_USE enum rc node_engine_config(const struct node_engine *of, struct engine_config *ret_config);

#endif
