/*
 * copies: which introductions this node has opened last and from where, so that copies
 * cost little.
 *
 * An INTRO opens at every node and for ever, so who has recorded one could have it opened and
 * answered as often as he likes, from any address. Here a copy from the same address costs one
 * look. Known are about the last COPIES_SETS * COPIES_WAYS that opened, by how their seals begin;
 * who has recorded more than that meets the limits of gossip/sealing/budget. Only what opened takes
 * a place. A network that doubles a datagram loses nothing, as the first of the two was taken.
 *
 * Where each came from is kept too. One that came from another address before may be the true one,
 * which a stranger's copy has overtaken, so it is told apart, for its caller to open some of those.
 */
#ifndef GOSSIP_SEALING_COPIES_H
#define GOSSIP_SEALING_COPIES_H

#include "core/base/addr.h"

#include <stdint.h>

enum { COPIES_SETS = 1024, COPIES_WAYS = 4 };

struct copies_set {
    uint32_t marks[COPIES_WAYS]; /* 0: none */
    uint32_t froms[COPIES_WAYS]; /* a hash of the address it came from */
    uint32_t next;               /* whose place is taken next */
};

struct copies {
    uint64_t seed;
    struct copies_set sets[COPIES_SETS]; /* 36 KiB */
};

/* `seed` is unpredictable: who knew which recordings share a set could use more than it holds. */
void copies_init(struct copies *c, uint64_t seed);

enum copies_found {
    COPIES_NONE,
    COPIES_SAME,      /* from that very address and port */
    COPIES_ELSEWHERE, /* from another one */
};

/* Whether one with that mark (packet_mark()) has opened, as far as that is known. */
enum copies_found copies_find(const struct copies *c, uint32_t mark, const struct addr *from);

/* One has opened that was not known. */
void copies_add(struct copies *c, uint32_t mark, const struct addr *from);

#endif
