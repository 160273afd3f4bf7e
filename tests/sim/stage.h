/*
 * stage: where the nodes of a simulated cluster act. It passes their actions to the network, and
 * the network's events to them. It is the engine's second caller, beside net/link/driver. Streams
 * are for pipe.
 */
#ifndef SIM_STAGE_H
#define SIM_STAGE_H

#include "tests/sim/cluster.h"

/* The address that a node listens on, and the node at an address; c->count when there is none. */
struct addr stage_addr(uint32_t node);
uint32_t stage_node_at(const struct cluster *c, const struct addr *addr);

/* A node's monotonic clock. */
uint64_t stage_now_us(const struct cluster *c, uint32_t node);

/* How long a packet sent now takes one way. */
uint64_t stage_one_way_us(struct cluster *c);

/* Works off a node's actions and sets its next tick. Call after every call of its engine. */
void stage_drain(struct cluster *c, uint32_t node);

/* The node's providers name addresses of the cluster. */
void stage_discover(struct cluster *c, uint32_t node);

/* One event happens. */
void stage_step(struct cluster *c, const struct event *e);

#endif
