/*
 * writes_state: the state that the parts of the oracle that judge data share. Nobody else includes
 * it.
 *
 *   writes    what was written, where it has arrived, and what nodes may show
 *   answers   what the client who writes is told
 *   listings  whether nodes list what they show
 *   tries     whether nodes heed the conditions of writes
 */
#ifndef SIM_WRITES_STATE_H
#define SIM_WRITES_STATE_H

#include "core/base/slotindex.h"
#include "tests/sim/writes.h"

enum {
    WRITES_AWAITED_MAX = 256, /* writes that one node lacks; beyond, the oldest is given up */
    WRITES_JUDGED_MAX = 16,   /* larger enclaves' 202 are judged less: it costs a walk */
    /* Between true time and the cluster's clock, which may slew. */
    WRITES_TRUE_SLACK_US = 1000 * 1000,
    /* The clock is looked at before the write, which may slew it, and is the sum of two times that
     * are rounded down. */
    WRITES_TAKEN_SLACK_MS = 3,
};

struct write {
    bool is_stored; /* not refused */
    uint32_t node, key;
    uint32_t first, end; /* its enclave */
    uint32_t well;       /* members that its node must have counted */
    uint32_t life;       /* of its node */
    uint32_t seen_alive; /* in its node's view then: bits by node from `first` on */
    bool is_answered;
    uint32_t missing; /* nodes that were up then, still are, and do not show it yet */
    uint64_t at_us;
    uint64_t ttl_ms;
    int64_t clock_ms; /* its node's clock then, minus true time */
    struct version version;
    uint64_t expiry_ms;
    uint8_t *shown_by; /* bits by node from `first` on: has shown it in its present life */
};

/* The version of a key that a node has shown last. */
struct seen {
    uint32_t life; /* 0: none */
    uint32_t write;
    bool is_over; /* its time, or that of a later one which took its place unseen */
};

struct awaited {
    uint32_t count;
    uint32_t writes[WRITES_AWAITED_MAX];
};

struct writes {
    struct oracle *oracle;
    struct oracle_config config;
    uint64_t twin_seed; /* of the cluster's digests */
    struct write *all;  /* by the put's token */
    uint64_t count, size;
    struct slotindex index; /* of versions */
    struct seen *seen;      /* by node and key */
    struct awaited *awaited;
    uint64_t owed_from; /* the first write whose answer is still to be judged */
    uint8_t *value;     /* room for one */
};

/* Knows the write as soon as its node does: the answer may come while it is being put. */
void writes_learn(struct writes *w, uint64_t token);

/* The write that has this version; NULL when nobody wrote it. */
struct write *writes_find(const struct writes *w, const struct version *version);

/* RC_OK, with the record, when the node has a live record of the key. */
enum rc writes_get(const struct writes *w, uint32_t node, uint32_t key, struct record *ret_record);

/* Whether a later write of the key may be over already. A node that holds its shadow holds
 * something no older, by the protocol, and shows nothing. */
bool writes_may_be_shadowed(const struct writes *w, const struct write *at);

#endif
