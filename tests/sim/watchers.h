/*
 * watchers: clients of a simulated cluster who watch its nodes, and what they make of it.
 *
 * The part of oracle that judges net/watch, which runs on each watched node as it does in the
 * product; oracle.h says by which rules. A client reads slowly, loses its connection now and then,
 * and comes back with the id of the last event that it has seen: to the same node, where it may go
 * on, or to another one, which begins with `reset`, once it has caught up. Of the events it makes a
 * model of the keys under its prefix. Whenever it has read all that there is for it, the model must
 * be what the node lists.
 *
 * While a node is watched its entries end in their very millisecond: watchers change the history of
 * a seed. Left out are other values than versions and ends, and the connections' own faults.
 */
#ifndef SIM_WATCHERS_H
#define SIM_WATCHERS_H

#include "tests/sim/writes.h"

struct watchers;

/* Never NULL. `writes` is borrowed: it knows the keys. */
struct watchers *watchers_new(struct oracle *oracle, const struct oracle_config *config,
                              const struct writes *writes);
void watchers_free(struct watchers *w);

/* A tenth of a second has passed: clients read, go and come. */
void watchers_sample(struct watchers *w);

/* Compares the models of those who have read all with what the node lists. */
void watchers_judge(struct watchers *w, uint32_t node);

/* A life ends, and with it each stream. */
void watchers_stopping(struct watchers *w, uint32_t node);

/* Everybody comes back and reads all that there is; then all are judged. */
void watchers_judge_rest(struct watchers *w);

#endif
