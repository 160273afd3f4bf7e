/*
 * oracle: knows every write of a simulated cluster, and judges the nodes by them.
 *
 * It writes for the clients, so it knows each version's key, value, expiry and enclave.
 * SIM_INVARIANTS in figures.h is what it holds the nodes to. It looks at:
 *
 *   - after each event of a node, that node: the writes that it still lacks, when bytes have come;
 *     every key (16 drawn ones when there are more than 64) when a record has come; its caps and
 *     its clock in clusters of up to 64, else when it is sampled; all its structures (x_check()
 *     of each) after every `walk_every`th of its events
 *   - each 100 ms: 4 keys of every node, of 16 nodes drawn in clusters above 64, and of those above
 *     the structures of one; each second the structures of all nodes up to 64,
 *     and what they list where there are at most 64 keys
 *   - each 100 ms, where clients watch: what is for those who read now; each second the models of
 *     those who have read all that there is for them
 *   - each 100 ms: the writes that should have been answered by then
 *   - when a node founds a clock, or the first of the enclave is ready: whether it might
 *   - when a crash is so old that all must know (`noticed_us`): whether every observer knows, or
 *     256 of them in larger clusters
 *   - at rest: everything
 *
 * A broken invariant is one line with seed and virtual time. An unsound structure is an assertion
 * of the engine, and ends the program. The oracle draws from a generator of its own.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "tests/sim/cluster.h"
#include "tests/sim/figures.h"

struct oracle_config {
    struct cluster *cluster;
    struct figures *figures;
    uint64_t seed;
    uint32_t key_count;  /* of each enclave */
    uint64_t value_len;  /* at least ORACLE_VALUE_MIN */
    uint32_t walk_every; /* events of a node between two walks of it; 0: only when sampled */
    bool is_divided;     /* nodes are kept from each other, so nobody must count all of them */
    bool is_deadly;      /* more loss than the promise covers: deaths are counted, not judged */
    uint64_t outage_us;  /* who is cut off by a burst for so long may be held for dead; 0: nobody */
    uint64_t noticed_us; /* this long after a crash all must know of it */
    bool may_leave;      /* nodes say goodbye: one that has ended may pass for one that left */
    bool is_quiet;       /* nothing goes wrong, and nothing is far: every write finds its quorum */
    bool is_watched;     /* by clients who model what they are told */
    bool is_calm;        /* nodes come and go, and nothing else goes wrong: all there can answer */
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

/* Whether all is at rest from now on, digests and keys equal. */
void oracle_rests(struct oracle *o, bool is_at_rest);

/* Faults and writes are over and the cluster should be at rest: walks everything. */
void oracle_judge_rest(struct oracle *o);

/* Whether what the node holds of the record is repaired where others hold something else: not any
 * more when it is about to expire, as that is left to the writes themselves. */
bool oracle_is_repaired(const struct oracle *o, uint32_t node, const struct record *r);

/* One line on stdout, and counted. */
void oracle_broken(struct oracle *o, enum invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
