/*
 * node_claim: gets a node its port, the first of the range that it can claim and keep. It passes
 * over a port on which the outside reaches somebody else. It says which ports it passed over and
 * why, and in the end who holds them.
 *
 * It runs the loop itself until that is decided. So signals and questions from outside are answered
 * meanwhile.
 */
#ifndef NET_DISCOVERY_NODE_CLAIM_H
#define NET_DISCOVERY_NODE_CLAIM_H

#include "net/discovery/claim.h"
#include "net/discovery/node_config.h"

struct event_base;

struct node_claim_config {
    struct event_base *base;
    const struct node_config *node;
    const struct node_hooks *hooks;
    struct uuid uuid;
    const bool *is_stopping; /* set by a signal: give up */
    void *arg;
    /* Answers /health from the claimed listener, which is taken over: claim->tcp_fd becomes -1. */
    enum rc (*open)(void *arg, struct claim *claim);
    /* The port is left: stops answering and closes the listener. */
    void (*close)(void *arg);
};

/* RC_OK: claimed and open. RC_EXISTS: none was free, after some tries; RC_CONFIG; RC_IO; RC_CLOSED:
 * stopped. Errors are logged; nothing is held then. */
MUST_USE enum rc node_claim(const struct node_claim_config *config, struct claim *ret_claim);

#endif
