/*
 * tree_links: each link's part in the broadcast trees of gossip/replication/tree. In a tree a link
 * is eager, so that writes go along it, or lazy, so that only their ids do. A link that was grafted
 * a moment ago is on trial. The two ends of a link must agree, so the one that changes it sends a
 * frame.
 */
#ifndef GOSSIP_TREE_LINKS_H
#define GOSSIP_TREE_LINKS_H

#include "gossip/replication/mesh.h"
#include "gossip/replication/overlay.h"
#include "gossip/wire/counters.h"

/* Where they work; borrowed for the call. */
struct tree_links_env {
    struct mesh *mesh;
    struct tree *tree;
    const struct overlay *overlay;
    struct engine_counters *counters;
    uint64_t now_us;
};

/* Whether data may go along the link. And whether it belongs to the trees, or in a small enclave to
 * what takes their place. */
bool tree_links_is_usable(const struct link *l);
bool tree_links_is_up(const struct overlay *o, const struct link *l);

/* Whether writes of the tree do not go along the link, only their ids. */
bool tree_links_is_lazy(const struct link *l, uint32_t tree);

/* Whether this write goes along the link: the link is eager, or it is of the rings and the write
 * shapes the tree. */
bool tree_links_takes(const struct tree_links_env *env, const struct link *l, uint32_t tree,
                      uint64_t id);

/* Whether the link was grafted so lately that the tree may still bring the same writes. And whether
 * its writes count as the tree's: the link is eager, or can become so. */
bool tree_links_is_on_trial(const struct tree_links_env *env, const struct link *l, uint32_t tree);
bool tree_links_is_of_tree(const struct tree_links_env *env, const struct link *l, uint32_t tree);

/* Asks the peer for a write that it has announced. The link becomes eager, unless `kind` is
 * TREE_DIRECT. */
void tree_links_ask(const struct tree_links_env *env, struct link *l, enum tree_kind kind,
                    uint32_t tree, uint64_t id);

/* The same for a write with which the tree may only be late: a link that was lazy is on trial
 * then. */
void tree_links_try(const struct tree_links_env *env, struct link *l, uint32_t tree, uint64_t id);

/* The tree has brought a write first by this link, of which tree_links_is_of_tree() was true: it is
 * eager, on both sides. */
void tree_links_confirm(const struct tree_links_env *env, struct link *l, uint32_t tree);

/* The tree has brought a write again, on `from`: prunes the link that it can spare. */
void tree_links_came_twice(const struct tree_links_env *env, struct link *from, uint32_t tree,
                           uint64_t id);

void tree_links_prune(const struct tree_links_env *env, struct link *l, uint32_t tree);

/* The link is open: lazy in all trees. And it is a neighbour on these rings (bits) from now on. */
void tree_links_opened(struct link *l);
void tree_links_ringed(const struct overlay *o, struct link *l, uint32_t rings);

/* The peer has grafted or pruned the link. */
void tree_links_grafted(struct link *l, uint32_t tree);
void tree_links_pruned(const struct tree_links_env *env, struct link *l, uint32_t tree);

/* The trees leave an open link that is not of the overlay, or that is ended on purpose. They go on
 * by the links of their rings, so that the next write finds its way at once. */
void tree_links_leave(const struct tree_links_env *env, struct link *l);

#endif
