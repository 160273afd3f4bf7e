/*
 * prefix_tree: prefixes that are watched, found by the keys that begin with them.
 *
 * A tree over the bytes of all prefixes, with a node where one ends and where some part (a radix
 * tree; Knuth, TAOCP 3, 6.3). A key is led down it by its own bytes, so a look-up costs the length
 * of the key at most, however many prefixes there are and whoever chose them. Nodes hold no bytes:
 * what was passed by is compared with the next prefix on the way.
 *
 * Invariant: a node without a prefix of its own has two children at least; so there are fewer than
 * twice as many nodes as prefixes.
 */
#ifndef NET_WATCH_PREFIX_TREE_H
#define NET_WATCH_PREFIX_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A prefix, a field of what its user keeps about it. Not to be changed while it is in the tree. */
struct prefix_tree_entry {
    const uint8_t *bytes; /* borrowed until it is removed; NULL when `len` is 0 */
    size_t len;
};

struct prefix_tree {
    struct prefix_tree_node *root; /* NULL: empty */
    size_t nodes;
};

/* The prefix of exactly these bytes; NULL: it is not here. */
struct prefix_tree_entry *prefix_tree_find(const struct prefix_tree *t, const uint8_t *bytes,
                                           size_t len);

/* Borrows the entry. It must not be here, nor another one of the same bytes. */
void prefix_tree_add(struct prefix_tree *t, struct prefix_tree_entry *e);

/* It must be here. */
void prefix_tree_remove(struct prefix_tree *t, const struct prefix_tree_entry *e);

/* A key on its way down the tree. */
struct prefix_tree_walk {
    struct prefix_tree_node *at; /* the next node to look at */
    const uint8_t *key;          /* borrowed */
    size_t len;
    size_t checked; /* so many of its bytes are those of the last prefix */
};

/* The tree must not change until the walk is over. */
struct prefix_tree_walk prefix_tree_begin(const struct prefix_tree *t, const uint8_t *key,
                                          size_t len);

/* The next longer prefix that the key begins with; NULL: there is none. */
struct prefix_tree_entry *prefix_tree_next(struct prefix_tree_walk *walk);

/* Asserts the invariant, and that each prefix stands where its bytes lead. */
void prefix_tree_check(const struct prefix_tree *t);

#endif
