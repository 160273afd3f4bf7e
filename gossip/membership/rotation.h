/*
 * rotation: which member a node probes in which period. In each period every member is probed by
 * exactly one other, and by another one each time.
 *
 * SWIM (DSN 2002, section 4.3) lets each node go through a shuffled list of its own. Then the
 * probes of all fall on a member as raindrops do, one a period on average. One crash in a hundred
 * waits for more than four periods until anybody looks. Here all go through one list, the members
 * in the order of tags: in round `n` a node probes the member that stands n places behind it, round
 * and round. As n is equal for all, each member is probed exactly once. A node comes to every other
 * one before it begins again, as in SWIM. No messages are needed: the round comes from the
 * cluster's clock, the places from the view that everybody has. A node without a clock counts
 * rounds for itself. Where views differ, probes fall as in SWIM.
 *
 * Within a period a node's turn comes by its tag, so that the probes of one member follow each
 * other evenly and those of the cluster are spread.
 */
#ifndef GOSSIP_MEMBERSHIP_ROTATION_H
#define GOSSIP_MEMBERSHIP_ROTATION_H

#include "gossip/membership/roster.h"

enum {
    /* One member is probed per period. SWIM's protocol period is a second; half of that, because
     * detection waits for it and an idle node can afford two pings a second. */
    ROTATION_PERIOD_US = 500000,
};

/* The round whose moment for the node with this tag is nearest to the cluster's time `clock_us`. */
uint64_t rotation_round(uint64_t clock_us, uint32_t tag);

/* The cluster's time of that node's next moment after that of `round`. */
uint64_t rotation_next_us(uint64_t round, uint32_t tag);

/* The member that the roster's own node probes in the round. NULL when alone. Needs it to be
 * alive. */
struct member *rotation_target(const struct roster *r, uint64_t round);

#endif
