/*
 * writes: every write of a simulated cluster, where it has arrived, and what nodes may show of it.
 * The part of oracle that judges data; oracle.h says by which rules. Two of the keys are twins
 * (tests/unit/twins.h).
 *
 * For each node and key the latest version that the node has shown in this life is remembered. A
 * node has a bounded list of writes that it should have and has not shown yet.
 */
#ifndef SIM_WRITES_H
#define SIM_WRITES_H

#include "tests/sim/oracle.h"

struct writes;

/* Never NULL. Broken invariants are reported to the oracle. */
struct writes *writes_new(struct oracle *oracle, const struct oracle_config *config);
void writes_free(struct writes *w);

/* A client writes `key`, the number of one, on a node, which must count so many members of its
 * enclave as `well` says, itself included. */
void writes_put(struct writes *w, uint32_t node, uint32_t key, uint64_t ttl_ms, uint32_t well);

/* The number of a key of a client's, UINT32_MAX for one that nobody writes. */
uint32_t writes_key_number(const struct writes *w, const uint8_t *key, size_t len);

/* Bytes came to a node: notes which of the writes that it lacked it now has. */
void writes_arrived(struct writes *w, uint32_t node);

/* Where nothing is wrong, each write is on this node some seconds later. */
void writes_judge_missing(struct writes *w, uint32_t node);

/* Reads a key of a node and judges what it shows. */
void writes_read(struct writes *w, uint32_t node, uint32_t key);

/* A life ends: this node need not get any write any more. */
void writes_stopping(struct writes *w, uint32_t node);

/* Of each key the latest write that there is, if a living node has shown it and its time is not
 * about to end, must be on all living nodes of its enclave. */
void writes_judge_losses(struct writes *w);

/* No key of this node may show what another living one of its enclave has seen replaced, unless it
 * is about to expire. */
void writes_judge_rest(struct writes *w, uint32_t node);

#endif
