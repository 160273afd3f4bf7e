/*
 * story: one run of a simulated cluster, from the start of its nodes to the rest after all faults.
 *
 * The nodes form. Then clients write and faults act for the time that the options give, over which
 * figures per second and per node are taken. Then both end and the cluster must come to rest, where
 * the oracle walks everything.
 */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include "tests/sim/cluster.h"
#include "tests/sim/figures.h"

struct story {
    uint32_t nodes;
    uint32_t is_formed;  /* 1: everybody is introduced to everybody at the start */
    uint64_t stagger_ms; /* from the first node's start to the last's */
    uint64_t settle_ms;  /* between forming and measuring, for the rest of forming's traffic */
    uint64_t run_ms;
    uint64_t last_ms;        /* the end of it, whose traffic is measured apart */
    uint32_t faults;         /* as in faults.h */
    enum rings_plan sealing; /* RINGS_ROTATE is FAULT_ROTATE's */
    uint32_t loss_ppm, stream_loss_ppm;
    uint32_t burst_ppm; /* lost in bursts, of burst_us on average */
    uint64_t burst_us;
    uint64_t delay_us, jitter_us;
    uint32_t writes_per_1000_s;
    uint64_t value_len; /* 0: as the faults want it */
    uint64_t ttl_ms;
    uint32_t enclave_size; /* 0: one enclave */
    uint32_t factor;       /* of replication; 0: as the cluster's template has it */
    enum contact_order order;
    uint32_t contacts;   /* with CONTACTS_RANDOM */
    uint32_t key_count;  /* 0: as the faults want it */
    uint32_t walk_every; /* events of a node between two walks of all its structures; 0 never */
    uint64_t seed;
    /* Called now and then with how far the story is, and with how many nodes of is_formed have been
     * introduced to all (0 before and after). May be NULL. */
    void (*progress)(const struct story *s, uint64_t done_ms, uint32_t told);
};

/* How often a node of a cluster of that size is walked by default. */
uint32_t story_walk_every(uint32_t nodes);

/* Tells it, and adds to the figures. Broken invariants are lines on stdout. `now_us` may be read by
 * a signal handler: where in virtual time the story is. */
void story_run(const struct story *s, struct figures *figures, volatile uint64_t *now_us);

#endif
