/*
 * roster: the member table. Everyone that this node knows has a numbered slot while it is known.
 * Members are found by uuid, tag, rank and address without a walk through all. The membership
 * digest and the sums of ranges are kept up to date.
 *
 * Members stand in chains by the leading bits of their tag, each chain in the order of tags. Tags
 * are equal on all nodes, so that two nodes can compare their tables range by range, and go through
 * a range from any place on.
 *
 * Invariants (roster_check()): each member is in the chain of its tag once; the alive and suspect
 * ones and this node are in the address index by each address usable from here; all but this node
 * are in the order once, the alive and suspect before the gone; digest, sums, blocks and counts
 * match the states.
 *
 * A ghost is a dead or left member of which only uuid and incarnation are known. It keeps old news
 * of the member from being believed, and is shown to nobody.
 *
 * It decides nothing: who is dead is view's business. Whoever may write uuids of its choice can
 * make their tags equal and one chain long: MEMBERS_MAX bounds what that costs.
 */
#ifndef GOSSIP_MEMBERSHIP_ROSTER_H
#define GOSSIP_MEMBERSHIP_ROSTER_H

#include "core/base/rng.h"
#include "core/base/slotindex.h"
#include "gossip/wire/member.h"

enum { ROSTER_CHUNK = 64, ROSTER_BLOCK = 16 /* chains: 64 bytes of them */ };

struct roster_chain {
    uint16_t first_1; /* its first member's slot plus 1; 0: empty */
    uint16_t live;    /* how many in it are alive or suspect */
};

struct roster {
    struct member **chunks; /* of ROSTER_CHUNK members each, in the order of slots; the room for
                               chunks, and in `order`, is a power of two of them */
    uint32_t seat_count;    /* allocated; a free seat has tag 0 */
    uint32_t free_1;        /* first free seat plus 1; 0: none */
    uint32_t member_count;
    struct roster_chain *chains;
    uint32_t *chain_sums; /* low halves of the digests of the alive and suspect ones in it */
    uint16_t *block_live; /* alive and suspect ones of ROSTER_BLOCK chains each */
    uint32_t chain_bits;  /* there are 2^that */
    struct slotindex by_addr;
    uint16_t *order;      /* slots: `order_count` alive or suspect, then those gone or named */
    uint32_t order_count; /* alive or suspect, without this node */
    uint32_t gone_count;
    struct member *self;
    uint64_t cluster, host_tag, hash_seed;
    uint64_t digest;
    struct swim_counts counts; /* without this node and without ghosts */
};

void roster_init(struct roster *r, uint64_t cluster, uint64_t host_tag, uint64_t hash_seed);

/* Frees the members; their `probe` must be gone. */
void roster_fini(struct roster *r);

/* Adds a member in the given state; the card is copied. NULL when MEMBERS_MAX are known. The member
 * is not there yet. The first one added is this node itself. */
struct member *roster_add(struct roster *r, const struct member_card *card, enum member_state state,
                          bool is_self, uint64_t now_us);

/* Forgets a member and frees it; its `probe` must be gone. */
void roster_remove(struct roster *r, struct member *m);

/* The member without a link that has been dead or left for the longest time, and since before
 * `now_us`. An end of just now has not been reported to anybody, and such a member is still
 * counted. NULL when there is none. Walks those gone. */
struct member *roster_oldest_gone(const struct roster *r, uint64_t now_us);

/* Number `i` of `gone_count` dead, left or named ones, in no order. */
struct member *roster_gone_at(const struct roster *r, uint32_t i);

/* NULL for an empty slot or one past the end. */
struct member *roster_at(const struct roster *r, uint32_t slot);

/* Ghosts included; NULL when unknown. */
struct member *roster_find(const struct roster *r, const struct uuid *uuid);

/* Says that roster_find() will be called soon: looking up several members of a large table one
 * after the other would wait for memory each time. */
void roster_prefetch(const struct roster *r, const struct uuid *uuid);

/* NULL when unknown, a ghost, or when two members share the tag. */
struct member *roster_find_tag(const struct roster *r, uint32_t tag);

/* Goes through the alive and suspect members, and this node, at an address: start with *walk = 0,
 * ends with NULL. Members must not change meanwhile. */
struct member *roster_next_at(const struct roster *r, const struct addr *addr, uint32_t *walk);

/* The sum, over the alive and suspect members with a tag from `first` to `last`, of the low halves
 * of their digests: equal for equal tables. */
uint32_t roster_sum(const struct roster *r, uint32_t first, uint32_t last);

/* Each chain holds 2^this tags: sums of such ranges are at hand. */
uint32_t roster_chain_width(const struct roster *r);

/* The member, of any state and this node included, with the smallest tag from `first` to `last`;
 * NULL when there is none. */
struct member *roster_first_in(const struct roster *r, uint32_t first, uint32_t last);

/* The one after it, of the same or a later tag, up to `last`. */
struct member *roster_after(const struct roster *r, const struct member *m, uint32_t last);

/* Whether the address is one of those usable for the member from here. */
bool roster_has_addr(const struct roster *r, const struct member *m, const struct addr *addr);

/* See swim_addr_of(). */
bool roster_addr_of(const struct roster *r, const struct member *m, uint32_t attempt,
                    struct addr *ret_addr);

/* Changes state and incarnation together; state_since_us is set when the state is another. */
void roster_set_state(struct roster *r, struct member *m, enum member_state state,
                      uint64_t incarnation, uint64_t now_us);

/* Replaces what the member says of itself, all but uuid and incarnation. */
void roster_set_card(struct roster *r, struct member *m, const struct member_card *card);

void roster_set_last_addr(struct roster *r, struct member *m, const struct addr *addr);

/* How many alive or suspect members, this node included, stand before it in the order of tags.
 * Equal on all nodes whose views are equal. */
uint32_t roster_rank(const struct roster *r, const struct member *m);

/* The alive or suspect member, or this node, with so many before it: rank 0 to
 * roster_live_count() - 1. */
struct member *roster_ranked(const struct roster *r, uint32_t rank);

/* The alive or suspect member but this node that follows in the order of tags, round and round.
 * NULL when alone. */
struct member *roster_live_after(const struct roster *r, const struct member *m);

/* Any alive or suspect member but this node; NULL when alone. */
struct member *roster_random(const struct roster *r, struct rng *rng);

/* Alive and suspect ones, this node included. */
uint32_t roster_live_count(const struct roster *r);

void roster_check(const struct roster *r);

#endif
