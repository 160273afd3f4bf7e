/*
 * tree: what a node knows of the writes that spread along the enclave's broadcast trees. It knows
 * which it has seen, which it has only heard of, and when to ask for those.
 *
 * Plumtree (Leitao, Pereira, Rodrigues, SRDS 2007): a write is pushed along the eager links of a
 * tree and announced by its id on the others. An id whose write does not come in time is grafted:
 * the announcer is asked for it, and the link becomes an eager one. A write that comes twice prunes
 * the link of the second copy. There are TREE_COUNT trees, and a write's origin decides which one
 * it takes. So a node with many links in one tree has few in another. On a new link a tree is eager
 * where the link is of one of its two rings (gossip/replication/overlay): the first write of a tree
 * floods a graph of four links a node, which bounds what a node ever relays.
 *
 * Writes shape a tree by their shortest paths, but each repair makes it longer: the paths of a
 * random spanning tree grow with the square root of its nodes, not with the logarithm. Two things
 * work against that. One write in TREE_SHAPING_EVERY floods the tree's rings anew. And a grafted
 * link is on trial at first. A write that it brings is on a detour. Where the tree brings the same
 * write after all, the tree was only late, so the grafted link is pruned and not the tree's. A
 * write that is sent on from a detour is marked (RECORD_IS_REPEAT) and prunes nothing, so a node
 * never judges a graft by a copy that it sent on itself. Large values are only announced, and left
 * out of this. gossip/tree_links has the rules; here are the facts that they use.
 *
 * How long a node waits for an announced write depends on how much later than their announcements
 * writes have come lately (as RFC 6298 does for round trips). So another link soon overtakes a
 * stalled stream, and a slow network is not asked twice.
 *
 * It is bounded: the oldest writes seen are forgotten, and announcements beyond TREE_MISSING_MAX
 * are left to anti-entropy. Left out: links, frames and the writes themselves (gossip/spread).
 */
#ifndef GOSSIP_REPLICATION_TREE_H
#define GOSSIP_REPLICATION_TREE_H

#include "core/base/uuid.h"
#include "core/store/version.h"
#include "gossip/wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TREE_SEEN_MAX = 32768,
    TREE_SEEN_US = 20 * 1000 * 1000, /* below the maximum nothing younger is forgotten */
    TREE_MISSING_MAX = 4096,
    TREE_ANNOUNCERS_MAX = 6, /* remembered of one missing write */
    TREE_LATE_MAX = 256,
    TREE_WAIT_MIN_US = 8 * 1000, /* beyond what is usual, for an announced write */
    TREE_WAIT_MAX_US = 400 * 1000,
    TREE_LARGE_WAIT_US = 30 * 1000 * 1000, /* a large value that was asked for takes its time */
    TREE_ATTEMPTS_MAX = 6,                 /* then it is left to anti-entropy */
    TREE_SHAPING_EVERY = 64,               /* costs two copies more of each such write */
    TREE_TRIAL_US = 1000 * 1000,           /* longer than a stalled stream's first two retries */
};

struct tree;

/* `seed` is unpredictable: ids are chosen by others. Never NULL. */
struct tree *tree_new(uint64_t seed);
void tree_free(struct tree *t);

/* The tree of a writer, below TREE_COUNT. */
uint32_t tree_of(const struct uuid *origin);

/* The trees, as bits, in which a new link of these rings is lazy, of `ring_count` rings in all. */
uint32_t tree_lazy(uint32_t rings, uint32_t ring_count);

/* Whether the write of this id shapes its tree. */
bool tree_is_shaping(uint64_t id);

/* ---- Seen ---- */
struct tree_seen {
    uint64_t id;            /* record_write_id() */
    struct version version; /* with `handle`: where the store has it, if it still does */
    uint32_t handle;
    bool is_direct;   /* came only from its origin itself, outside of the tree */
    bool is_detour;   /* came otherwise than pushed along the tree */
    uint32_t grafted; /* of a detour: the link on trial that brought it; 0: none */
    uint64_t at_us;
};

enum tree_sight {
    TREE_FIRST,
    TREE_DIRECT_FIRST, /* from its origin, outside of the tree: to be announced, not passed on */
    TREE_AFTER_DIRECT, /* the first copy by the tree; it was here and announced already */
    TREE_AGAIN,
};

/* A write is here and no longer missing. If it is new, `seen` is copied, all but at_us; after a
 * direct copy, is_detour and grafted are. `link` brought it, 0 for our own. */
enum tree_sight tree_see(struct tree *t, const struct tree_seen *seen, uint32_t link,
                         uint64_t now_us);

/* NULL when it was not seen, or long ago; valid until the next call that is not const. */
const struct tree_seen *tree_find(const struct tree *t, uint64_t id);

/* ---- Announced and missing ---- */
struct tree_news {
    uint64_t id;
    uint32_t tree;
    uint32_t link;  /* who announces it */
    bool is_large;  /* to be fetched at once: nobody pushes large values */
    bool is_direct; /* by its origin, outside of the tree */
};

enum tree_answer {
    TREE_KNOWN, /* it is here */
    TREE_WAIT,
    TREE_NO_ROOM, /* too many are missing already: it is left to anti-entropy */
    TREE_FETCH,   /* ask the announcer now */
    TREE_TWICE,   /* a large one that is being fetched from somebody else of the tree already */
};

enum tree_answer tree_announced(struct tree *t, const struct tree_news *news, uint64_t now_us);

bool tree_is_missing(const struct tree *t, uint64_t id);
bool tree_misses_any(const struct tree *t);

/* The peer that was asked has it no more: it was replaced, and the later write is on its way. */
void tree_gone(struct tree *t, uint64_t id);

/* A link is gone: writes that were asked for on it are due at once. */
void tree_link_gone(struct tree *t, uint32_t link, uint64_t now_us);

struct tree_due {
    uint64_t id;
    uint32_t tree;
    uint32_t link; /* to ask */
    bool is_lost;  /* asked for often enough: given up */
};

/* Takes the next missing write that is to be asked for; false when none is due. */
bool tree_next_due(struct tree *t, uint64_t now_us, struct tree_due *ret_due);

/* ---- Late announcements ---- */

/* A large value is announced on lazy links only after it had time to come by the tree. False when
 * TREE_LATE_MAX wait: announce it now. */
bool tree_announce_late(struct tree *t, uint64_t id, uint32_t tree, uint64_t due_us);
bool tree_next_late(struct tree *t, uint64_t now_us, uint64_t *ret_id, uint32_t *ret_tree);

/* When something is due; NEVER for nothing. */
uint64_t tree_deadline(const struct tree *t);

void tree_check(const struct tree *t);

#endif
