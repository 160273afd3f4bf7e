/*
 * expect: may this node's enclave begin, or should it wait for more of its members?
 *
 * An enclave exists once a member of it was ready. Joining one needs no permission. A new one
 * begins when as many of its members as the operator expects have answered each other, this node
 * included. So nodes that were started apart, or that do not find each other at first, do not each
 * begin one of their own. More than half of them for a minute are enough too, as there cannot be
 * two such groups. Members believe each other in this, so it is enough that one has met them all.
 *
 * It is a pure state machine. gossip/start counts the members and reports what they know.
 */
#ifndef GOSSIP_EXPECT_H
#define GOSSIP_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#define EXPECT_MAJORITY_US (UINT64_C(60) * 1000 * 1000)

struct expect {
    uint32_t wanted;      /* members of a new enclave; 0: it does not matter how many */
    uint32_t seen;        /* that have answered, this node included, when last looked at */
    uint64_t majority_us; /* since when these are more than half; 0: they are not */
    bool may_begin;       /* for good */
    bool exists;          /* as a member has said, for good */
};

enum expect_news {
    EXPECT_NOTHING,
    EXPECT_MET,      /* it may begin: all are there, or the enclave exists */
    EXPECT_MAJORITY, /* it may begin: more than half have been there for so long */
};

void expect_init(struct expect *x, uint32_t wanted);

/* A member that has answered says that the enclave exists, or that it may begin. */
void expect_exists(struct expect *x);

/* So many members are there now, this node included. What this changes. */
enum expect_news expect_look(struct expect *x, uint32_t seen, uint64_t now_us);

/* When to look again though nothing has changed; NEVER: never. */
uint64_t expect_deadline(const struct expect *x);

#endif
