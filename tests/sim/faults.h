/*
 * faults: what goes wrong in a simulated cluster, and when.
 *
 * A scenario is a set of faults. Each fault may prepare the cluster before its nodes start, act
 * again and again while it runs, and end what it began. Everything is drawn from the network's
 * generator, so that a seed gives one history.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "tests/sim/oracle.h"

enum fault {
    FAULT_CRASH,     /* a pulled cable, later a restart */
    FAULT_KILL,      /* kill -9, later a restart */
    FAULT_BURST,     /* all are killed and started at once, and find few others */
    FAULT_CHURN,     /* nodes come, go, leave */
    FAULT_PARTITION, /* two halves do not reach each other */
    FAULT_ONEWAY,    /* one half does not reach the other, but hears it */
    FAULT_PAIRS,     /* single ways between two nodes are closed, one way or both */
    FAULT_LOSS,      /* at least a quarter of all packets is lost */
    FAULT_BURSTS,    /* a tenth of all packets is lost, in bursts */
    FAULT_REORDER,   /* a tenth of the datagrams is overtaken by later ones */
    FAULT_UDP_BLOCK, /* datagrams pass nowhere */
    FAULT_TCP_BLOCK, /* streams stand still everywhere for a while */
    FAULT_PAUSE,     /* SIGSTOP */
    FAULT_CLOCK,     /* wall clocks are an hour off and step, all clocks drift */
    FAULT_ROLLING,   /* one node after the other leaves and is restarted */
    FAULT_REPLAY,    /* datagrams twice, late again, cut, lengthened, replaced by noise */
    FAULT_CORRUPT,   /* streams carry noise and foreign words */
    FAULT_FULL,      /* little memory, large values */
    FAULT_LONER,   /* one that was started alone with a wrong clock is let in, beside a newcomer */
    FAULT_HOSTILE, /* a stranger who receives nothing forges datagrams and HELLOs */
    FAULT_WATCH,   /* none: clients watch, go, and come back */
    FAULT_MEMORY,  /* calls for memory fail */
    FAULT_NO_TCP,  /* streams stand still everywhere for good; the last: no part of a swarm */
    FAULT_BLIND,   /* discovery fails at first, and everybody is expected */
    FAULT_HALF_OPEN, /* of a link only one side hears that it was reset */
    FAULT_ROTATE,    /* keys change */
    FAULT_COUNT,
};

/* Faults that keep living nodes from each other, or their clocks apart. */
enum {
    FAULTS_DIVIDING = 1 << FAULT_PARTITION | 1 << FAULT_ONEWAY | 1 << FAULT_PAIRS |
                      1 << FAULT_TCP_BLOCK | 1 << FAULT_NO_TCP | 1 << FAULT_LONER,
};

/* Faults by which nodes come and go or are full, links end and strangers talk; the network and the
 * clocks are well. */
enum {
    FAULTS_CALM = 1 << FAULT_CRASH | 1 << FAULT_KILL | 1 << FAULT_BURST | 1 << FAULT_CHURN |
                  1 << FAULT_ROLLING | 1 << FAULT_HOSTILE | 1 << FAULT_HALF_OPEN | 1 << FAULT_FULL |
                  1 << FAULT_WATCH | 1 << FAULT_ROTATE,
};

/* Faults under which every node can find out about a crash at once. */
enum { FAULTS_PROMPT = 1 << FAULT_CRASH | 1 << FAULT_KILL | 1 << FAULT_HOSTILE | 1 << FAULT_WATCH };

/* Faults by which nodes say goodbye before they end. */
enum { FAULTS_LEAVING = 1 << FAULT_CHURN | 1 << FAULT_ROLLING };

enum { FAULTS_BURST_PPM = 100000 }; /* what "burst-loss" loses */

struct faults {
    struct cluster *cluster;
    struct oracle *oracle;
    uint32_t set; /* of 1 << enum fault */
    uint64_t due_us[FAULT_COUNT];
    uint32_t turn[FAULT_COUNT]; /* how often each has acted */
    uint32_t victim[FAULT_COUNT];
    uint32_t loner_life; /* in which the loner was started alone */
    uint32_t newcomer;   /* beside the loner; cluster's count when nobody is */
    uint64_t forming_us; /* since when all nodes are starting; 0: they are not */
    uint64_t failed;     /* calls for memory, before this story */
    uint64_t healed_us;  /* since when a partition is healed; 0: there was none */
};

/* The set of faults that a scenario's name means, "swarm" a random one by the seed; false when
 * there is no such scenario. */
bool faults_find(const char *name, uint64_t seed, uint32_t *ret_set);

/* Every scenario's name and what it is, by index; NULL at the end. */
const char *faults_name(size_t index, const char **ret_help);

/* Before the nodes start. The cluster and the oracle are borrowed. */
void faults_init(struct faults *f, struct cluster *cluster, uint32_t set);

/* The nodes have formed: faults begin. */
void faults_begin(struct faults *f, struct oracle *oracle);

/* When the next one acts, UINT64_MAX when none does. */
uint64_t faults_deadline(const struct faults *f);
void faults_act(struct faults *f);

/* A random node that is up, unless half of them would be down; the cluster's count when there is
 * none. */
uint32_t faults_choose_up(struct faults *f);

/* Whether a starting node may find nobody, or not the others that are there. */
bool faults_is_lonely(const struct faults *f);

/* Ends all of them; nodes that are down stay so. */
void faults_end(struct faults *f);

#endif
