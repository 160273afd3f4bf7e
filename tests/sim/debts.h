/*
 * debts: what nodes send to addresses that cannot have shown yet that they receive. An address
 * cannot have shown it while nothing of the sender's has arrived there and no stream connects the
 * two. A node must not send more there than came from there, whatever the network did to it. Its
 * own pings are left out: it has to ask first whether anybody is there.
 *
 * It judges by what has truly arrived, so it catches a node that believes too easily. The address
 * counts, not who lives there: a successor gets packets that were meant for the one before.
 */
#ifndef SIM_DEBTS_H
#define SIM_DEBTS_H

#include "tests/sim/oracle.h"

struct debts;

struct debts *debts_new(struct oracle *o, const struct oracle_config *config);
void debts_free(struct debts *d);

/* A datagram left a node. */
void debts_sent(struct debts *d, uint32_t from, uint32_t to, const uint8_t *data, size_t len);

/* An event of a node is over, with everything that the node did about it. */
void debts_event(struct debts *d, const struct event *e);

/* Judges all pairs. */
void debts_sample(struct debts *d);

#endif
