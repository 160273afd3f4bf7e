/*
 * figures: the measurements of a simulation's runs, over all their seeds. Filled by oracle and
 * story, printed by report. Times are microseconds of virtual time.
 */
#ifndef SIM_FIGURES_H
#define SIM_FIGURES_H

#include "core/base/sample.h"
#include "gossip/wire/counters.h"
#include "tests/sim/effects.h"

/* Each invariant that the oracle can find broken. X(name, message). */
#define SIM_INVARIANTS(X)                                                            \
    X(FORMED, "everybody sees everybody, and is ready, some time after the start")   \
    X(FOUNDED, "nobody founds a cluster where nobody could say who is there")        \
    X(BEGUN, "an enclave begins with all that are expected, or half after a minute") \
    X(EXPIRED, "nothing is served past its expiry on the node's clock")              \
    X(OUTLIVED, "nothing is served after its time to live has truly passed")         \
    X(APART, "what is served was written by a clock not more than a minute off")     \
    X(LIFETIME, "what is served lives its time to live from when it was taken")      \
    X(WRITTEN, "what is served is what somebody wrote")                              \
    X(SERVED, "what a node has shown it serves until its time is over")              \
    X(LISTED, "what a node lists is what it shows, in order")                        \
    X(WATCHED, "what watchers are told adds up to what their node lists")            \
    X(BACK, "a node's version of a key does not go back while the later one lives")  \
    X(REPLACED, "what a node has seen replaced it does not serve again")             \
    X(RESURRECTED, "at rest nobody serves what another has seen replaced")           \
    X(LOST, "everybody has what is written, at rest, and soon where all is quiet")   \
    X(QUORUM, "a 201 names at least a quorum of holders")                            \
    X(COUNTED, "a 201 counts all members that are well, or the replication factor")  \
    X(HELD, "a 201 names no more holders than there are")                            \
    X(ANSWERED, "a write is answered once, in time, and not 202 where all is quiet") \
    X(OWN, "a node shows a write as soon as it has taken it")                        \
    X(STAMPED, "a write ends its time to live after it was taken, and says so")      \
    X(CONDITION, "a write is taken if its condition holds, and else refused")        \
    X(PENDING, "no write is 202 where enough members were there all the time")       \
    X(COST, "where all is quiet a write costs hardly more than a copy a node")       \
    X(DEATH, "nobody who is well is declared dead")                                  \
    X(NOTICED, "who has died is known to have died, in time")                        \
    X(MEMORY, "no store holds more than it may")                                     \
    X(QUEUE, "no queue is longer than it may be")                                    \
    X(REFLECTED, "nobody is sent more than came before it has shown it receives")    \
    X(ADDRESS, "nobody says to be where it is not")                                  \
    X(SEALED, "who has a key sends nothing in clear, and nothing under another key") \
    X(COUNTER, "no number of a process is sent twice")                               \
    X(TAKEN, "who is sealed takes what is sealed for it, and once")                  \
    X(LINK, "links end five seconds after their key was removed")                    \
    X(FIRST, "where all have the same keys, all write under the first one")          \
    X(CLOCK, "the clock of a node with records slews and does not step")             \
    X(VIEWS, "after the faults all views become equal")                              \
    X(DIGESTS, "after the faults all digests become equal")                          \
    X(CONTENT, "equal digests mean equal content")

enum invariant {
#define SIM_INVARIANT_NAME(name, help) INVARIANT_##name,
    SIM_INVARIANTS(SIM_INVARIANT_NAME)
#undef SIM_INVARIANT_NAME
        INVARIANTS
};

struct figures {
    uint32_t seeds;
    struct sample forming;     /* start of everybody until everybody sees everybody */
    struct sample silent_each; /* pulled cable until an observer knows, each observer */
    struct sample silent_all;  /* the same until the last observer knows */
    struct sample killed_each; /* kill -9 likewise */
    struct sample killed_all;
    struct sample deliveries;   /* a write until another member of its enclave has it, each */
    struct sample last_copies;  /* the same until the last one that was up all the while has it */
    struct sample heal_views;   /* end of a partition until equal views */
    struct sample heal_digests; /* the same until equal digests too */
    struct sample rest_views;   /* end of all faults until equal views */
    struct sample convergences; /* the same until nothing is under way and digests are equal too */
    uint64_t false_deaths;      /* healthy, reachable nodes declared dead, each time once */
    uint64_t excused_deaths;    /* living but stopped or cut off ones */
    uint64_t suspicions;        /* of living nodes, by observer */
    uint64_t writes, refused, quorums, pendings;
    uint64_t undelivered;           /* copies that did not come within the write's life */
    uint64_t copies, copies_wanted; /* of live writes */
    uint64_t sync_copies;           /* records that reconciliation and joining brought */
    uint64_t reads;                 /* that the oracle has checked */
    uint64_t walks;                 /* of all structures of a node */
    uint64_t resurrections;
    uint64_t node_us; /* nodes times time up, while measured */
    uint64_t datagram_bytes, stream_bytes, stream_headers;
    uint64_t last_node_us, last_bytes; /* of the last minutes of it; all bytes */
    struct engine_counters counters;   /* of all nodes while measured */
    struct effects effects;            /* of the network from the start to the end */
    uint64_t broken_by[INVARIANTS];
    uint64_t broken; /* their sum */
    uint64_t events;
    uint64_t hash; /* of all histories */
};

void figures_fini(struct figures *f);

/* What an invariant says. */
const char *invariant_text(enum invariant invariant);

#endif
