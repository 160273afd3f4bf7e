/*
 * debts: what nodes send to addresses that cannot have shown that they receive, as nothing of the
 * sender's has arrived there yet, nor is there a stream between the two. It must not be more than
 * came from there, whatever the network did to it. A node's own pings are left out: to ask whether
 * anybody is there has to come first.
 *
 * It judges by what has truly arrived, so that a node which believes too easily is found out. An
 * address counts, not who lives there: a successor is sent what was meant for the one before.
 */
#ifndef SIM_DEBTS_H
#define SIM_DEBTS_H

#include "tests/sim/oracle.h"

struct debts;

struct debts *debts_new(struct oracle *o, const struct oracle_config *config);
void debts_free(struct debts *d);

/* A datagram left a node. */
void debts_sent(struct debts *d, uint32_t from, uint32_t to, const uint8_t *data, size_t len);

/* What has happened to a node, after all that it did about it. */
void debts_event(struct debts *d, const struct event *e);

/* Judges all pairs. */
void debts_sample(struct debts *d);

#endif
