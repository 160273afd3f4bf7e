/*
 * oracle: knows every write of a simulated cluster and judges what the nodes make of them.
 *
 * It writes for the clients, so it knows each version's key, value, expiry and enclave. It looks
 * where events happen: when bytes of a stream have come to a node, the writes that the node still
 * lacks and one key drawn at random; and it samples all nodes as time goes by. What it holds them
 * to (DESIGN, section 11):
 *
 *   - no read past the expiry, by the node's clock or by true time, and none of bytes never written
 *   - in one life of a node a key's version never goes back to one that the node has seen replaced,
 *     nor, while the later one lives, to any
 *   - a 201 means that as many hold the write as the node says
 *   - no healthy node is declared dead while the loss is at most a quarter
 *   - every crash becomes known to all; every cap is kept; every structure is sound
 *   - once faults are over: equal views, equal digests, equal content, nothing replaced or expired
 *     to be seen anywhere
 *
 * A broken invariant is one line with seed and virtual time. What the oracle draws it draws from a
 * generator of its own: the history is the same with and without it.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "tests/sim/cluster.h"
#include "tests/sim/figures.h"

struct oracle_config {
    struct cluster *cluster;
    struct figures *figures;
    uint64_t seed;
    uint32_t key_count; /* of each enclave */
    size_t value_len;   /* at least ORACLE_VALUE_MIN */
    bool is_deadly;     /* more loss than the promise covers: deaths are counted, not judged */
};

enum { ORACLE_VALUE_MIN = 8 };

struct oracle;

/* Becomes the cluster's observer. Never NULL. */
struct oracle *oracle_new(const struct oracle_config *config);
void oracle_free(struct oracle *o);

/* A client writes a random key on a node. */
void oracle_write(struct oracle *o, uint32_t node, uint64_t ttl_ms);

/* Time has passed: looks at a sample of everything. Call it each 100 ms of virtual time. */
void oracle_sample(struct oracle *o);

/* From now until `until_us` deaths are excused: of everybody, or between nodes of two sides. */
void oracle_excuse(struct oracle *o, bool is_everybody, uint64_t until_us);

/* Faults and writes are over and the cluster should be at rest: walks everything. */
void oracle_judge_rest(struct oracle *o);

/* One line on stdout, and counted. */
void oracle_broken(struct oracle *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
