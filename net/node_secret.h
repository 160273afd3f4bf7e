/*
 * node_secret: the cluster's secret in a running node: from the settings' reader into the engine,
 * at the start and at each SIGHUP, and what the log says of it.
 *
 * The reader's copy is wiped as soon as the engine has made its keys. A ring that is refused
 * changes nothing.
 */
#ifndef NET_NODE_SECRET_H
#define NET_NODE_SECRET_H

#include "gossip/engine.h"
#include "gossip/engine_config.h"
#include "net/discovery/node_config.h"

struct seal_openssl;

struct node_secret {
    const struct node_hooks *hooks; /* borrowed */
    struct seal_openssl *crypto;    /* owned; NULL until the engine was made */
};

/* Makes the engine with the secret that there is. RC_NO_MEMORY: nothing was made. */
MUST_USE enum rc node_secret_make_engine(struct node_secret *s, const struct node_hooks *hooks,
                                         struct engine_config *config, struct engine **ret_engine);

/* The settings were read again. */
void node_secret_reload(struct node_secret *s, struct engine *engine, uint64_t now_us);

/* After engine_free(). */
void node_secret_fini(struct node_secret *s);

#endif
