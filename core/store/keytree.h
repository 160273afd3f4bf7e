/*
 * keytree: entries in byte order of their keys, or of their handles.
 * A B+ tree of handles (Comer, "The Ubiquitous B-Tree", Computing Surveys 11(2), 1979).
 *
 * Leaves hold nothing but 4-byte handles, and keys are compared where they lie. So the order costs
 * about 5 bytes an entry. An inner node keeps, for each child, the first handle below it, which is
 * always an entry of the tree: there are no separators that could outlive their key. A full leaf
 * gives to a neighbour with room before it splits, which keeps leaves about four fifths full. A
 * leaf that is the whole tree is as long as it needs to be, as many sets are small.
 *
 * Invariant: handles ascend by key (or as numbers), no node is empty but the root leaf, every inner
 * node's firsts are those of its children. A small node is merged into a sibling when both fit with
 * room to spare. Nodes are not kept half full otherwise, so a change stays on one path, and the
 * neighbour of its leaf.
 */
#ifndef CORE_STORE_KEYTREE_H
#define CORE_STORE_KEYTREE_H

#include "core/store/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEYTREE_HEIGHT_MAX = 16 };

struct keytree {
    const struct entries *entries; /* borrowed: where the keys are; NULL: handles as numbers */
    void *root;                    /* NULL when empty */
    uint32_t height;               /* inner levels above the leaves */
    uint64_t count;
    uint64_t memory; /* bytes of its nodes */
};

/* A place in the order. Valid until the tree changes. */
struct keytree_cursor {
    struct keytree_step {
        void *node;
        uint32_t at;
    } path[KEYTREE_HEIGHT_MAX]; /* path[0] is the leaf's */
};

/* `entries` NULL: the order is that of the handles, and keytree_seek() is not for it. A zeroed tree
 * is one of these. */
void keytree_init(struct keytree *tree, const struct entries *entries);
void keytree_fini(struct keytree *tree);

/* Its key, or the handle, must not be in the tree. */
void keytree_insert(struct keytree *tree, uint32_t handle);

/* It must be in the tree. */
void keytree_remove(struct keytree *tree, uint32_t handle);

/* The first entry whose key is `key` or later, or strictly later; 0 when there is none. */
uint32_t keytree_seek(const struct keytree *tree, const uint8_t *key, size_t key_len,
                      bool is_strict, struct keytree_cursor *ret_cursor);

/* The first handle greater than `handle` in a tree of handles as numbers; 0 when there is none. */
uint32_t keytree_above(const struct keytree *tree, uint32_t handle,
                       struct keytree_cursor *ret_cursor);

/* The entry after the one that the cursor stands on; 0 at the end. */
uint32_t keytree_next(const struct keytree *tree, struct keytree_cursor *cursor);

/* Walks the invariants and asserts them. Slow; for tests. */
void keytree_check(const struct keytree *tree);

#endif
