/*
 * overlay: who of an enclave is this node's neighbour, and whether the enclave is large.
 *
 * The members stand on several rings, on each in another order, by a hash of uuid and ring. Next to
 * a node on any ring are its neighbours. The union of a few random rings is an expander (Law and
 * Siu, INFOCOM 2003): it is connected, its diameter is small, and both hold when a third of its
 * nodes is gone at once. Each node has two neighbours a ring, no more. Every node works this out
 * from its own view. So there are no messages, and equal views make equal links. A newcomer or a
 * death changes two links a ring. A partition that heals needs nothing but the view.
 *
 * An enclave is large from OVERLAY_LARGE_UP members on, and small again at OVERLAY_SMALL_DOWN.
 * Between the two it stays what it was for a node, until a neighbour holds it for large.
 *
 * Invariant (overlay_check()): the members are sorted and differ; each ring's ends are the nearest
 * both ways. Left out: links, and who is alive.
 */
#ifndef GOSSIP_REPLICATION_OVERLAY_H
#define GOSSIP_REPLICATION_OVERLAY_H

#include "core/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    OVERLAY_LARGE_UP = 12,
    OVERLAY_SMALL_DOWN = 8,
    OVERLAY_RINGS_MAX = 32,  /* a set of rings is 32 bits; room for the largest quorum's links */
    OVERLAY_DEGREE_MORE = 2, /* neighbours beyond the binary logarithm of the enclave's size */
};

struct overlay_end {
    uint64_t distance; /* along the ring; 0: nobody else is there */
    struct uuid uuid;
};

struct overlay {
    struct uuid self;
    uint32_t degree_min;
    struct uuid *members; /* sorted, without this node */
    uint32_t count, size;
    uint32_t ring_count;
    bool is_large;
    uint64_t changes; /* counts changes of the neighbours or of is_large */
    struct overlay_end after[OVERLAY_RINGS_MAX], before[OVERLAY_RINGS_MAX];
};

/* `degree_min` neighbours are wanted at any size: the members that must acknowledge a write. */
void overlay_init(struct overlay *o, const struct uuid *self, uint32_t degree_min);
void overlay_fini(struct overlay *o);

/* A member came or went; this node itself is ignored. True when that changed anything: it was not
 * known already. */
bool overlay_add(struct overlay *o, const struct uuid *uuid);
bool overlay_remove(struct overlay *o, const struct uuid *uuid);

/* A neighbour holds the enclave for large: so does this node, unless it is clearly small. True when
 * that is new. */
bool overlay_told_large(struct overlay *o);

/* Members, this node included. */
uint32_t overlay_members(const struct overlay *o);

/* The rings on which the member is a neighbour, as a set of bits; 0: on none. */
uint32_t overlay_rings(const struct overlay *o, const struct uuid *uuid);

/* Goes through the neighbours: start with *walk = 0; NULL at the end. One who is a neighbour on two
 * rings comes twice. */
const struct uuid *overlay_next(const struct overlay *o, uint32_t *walk);

void overlay_check(const struct overlay *o);

#endif
