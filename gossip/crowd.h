/*
 * crowd: which clock most members show. Members whose clocks are within CLOCK_CONFLICT_US of each
 * other are a group. Each member counts once, whatever it says. Of two groups of one size the one
 * that has records leads, then the one with the smallest uuid.
 *
 * It knows no engine. Its caller says who may vote (gossip/clock_source).
 */
#ifndef GOSSIP_CROWD_H
#define GOSSIP_CROWD_H

#include "gossip/wire/member.h"

struct crowd_vote {
    int64_t offset_s; /* the member's clock minus any monotonic clock, the same for all votes; in
                         whole seconds, so that there are few groups to choose among */
    const struct member *member;
    bool has_records;
};

struct crowd_group {
    uint32_t count;         /* 0: nobody has a say */
    struct crowd_vote lead; /* whose clock leads in it */
};

/* Whether the clock of `a` leads rather than that of `b`: who has records before who has none, then
 * the smaller uuid. */
bool crowd_leads(const struct crowd_vote *a, const struct crowd_vote *b);

/* The largest group; sorts the votes. Costs a sort. */
void crowd_largest(struct crowd_vote *votes, uint32_t count, struct crowd_group *ret_group);

#endif
