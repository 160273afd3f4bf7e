/*
 * figures: what the runs of a simulation have measured, over all their seeds. Filled by oracle and
 * scenario, printed by report. Times are microseconds of virtual time.
 */
#ifndef SIM_FIGURES_H
#define SIM_FIGURES_H

#include "tests/sim/sample.h"

struct figures {
    uint32_t seeds;
    struct sample forming;     /* start of everybody until everybody sees everybody */
    struct sample silent_each; /* pulled cable until an observer knows, each observer */
    struct sample silent_all;  /* the same until the last observer knows */
    struct sample killed_each; /* kill -9 likewise */
    struct sample killed_all;
    struct sample deliveries;   /* a write until another member of its enclave has it, each */
    struct sample last_copies;  /* the same until the last one that was up all the while has it */
    struct sample convergences; /* end of all faults until equal views and equal digests */
    uint64_t false_deaths;      /* healthy, reachable nodes declared dead, each time once */
    uint64_t excused_deaths;    /* living but stopped or cut off ones */
    uint64_t suspicions;        /* of living nodes, by observer */
    uint64_t writes, refused, quorums, pendings;
    uint64_t undelivered;           /* copies that did not come within the write's life */
    uint64_t copies, copies_wanted; /* of live writes */
    uint64_t sync_copies;           /* records that reconciliation and joining brought */
    uint64_t reads;                 /* that the oracle has checked */
    uint64_t resurrections;
    uint64_t node_us; /* nodes times time up, while measured */
    uint64_t datagram_bytes, stream_bytes, stream_headers;
    uint64_t broken; /* invariants, each time */
    uint64_t events;
    uint64_t hash; /* of all histories */
};

void figures_fini(struct figures *f);

#endif
