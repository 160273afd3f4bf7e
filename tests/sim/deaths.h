/*
 * deaths: which nodes of a simulated cluster have died, which were declared dead, and whether
 * rightly. The part of oracle that judges membership; oracle.h says by which rules.
 */
#ifndef SIM_DEATHS_H
#define SIM_DEATHS_H

#include "tests/sim/oracle.h"

struct deaths;

/* Never NULL. Broken invariants are reported to the oracle. */
struct deaths *deaths_new(struct oracle *oracle, const struct oracle_config *config);
void deaths_free(struct deaths *d);

/* A node says something of a member. */
void deaths_notice(struct deaths *d, uint32_t node, const struct notice *notice);

/* A life ends: from now on the others have a while to notice. */
void deaths_stopping(struct deaths *d, uint32_t node);

/* Nodes that died long enough ago must be known as dead. */
void deaths_judge_due(struct deaths *d);

/* As oracle_excuse(). */
void deaths_excuse(struct deaths *d, bool is_everybody, uint64_t until_us);

/* How many nodes of its enclave a node must count, itself included: all that have been well for
 * half a minute, and that could reach it and be reached by it. */
uint32_t deaths_well_mates(const struct deaths *d, uint32_t node);

/* Checks that no node lists a dead one as alive; adds up when the last observer of each crash
 * knew. */
void deaths_judge_rest(struct deaths *d);

#endif
