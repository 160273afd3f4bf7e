#include "core/store/keytree.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* 520 and 392 bytes: what malloc rounds up by nothing. */
    LEAF_MAX = 129,
    INNER_MAX = 32,
    /* A root leaf has room for so many at first, then 9, 17 and so on: malloc's steps, too. */
    LEAF_MIN = 5,
    /* A neighbour with less room than this gets nothing: the next one would be moved soon again. */
    SPILL_MIN = 8,
    /* A node below a quarter is merged, if the result is at most three quarters full. */
    LEAF_SMALL = LEAF_MAX / 4,
    INNER_SMALL = INNER_MAX / 4,
};

struct leaf {
    uint16_t count;
    uint16_t room;
    uint32_t handles[];
};

struct inner {
    uint32_t count;
    uint32_t first[INNER_MAX]; /* the first handle below each child */
    void *child[INNER_MAX];
};

typedef struct keytree_step path_t[KEYTREE_HEIGHT_MAX];

/* What is looked for. */
struct probe {
    const uint8_t *key;
    size_t key_len;
    uint32_t handle; /* in a tree of handles as numbers, instead */
    bool is_strict;
};

void keytree_init(struct keytree *tree, const struct entries *entries)
{
    *tree = (struct keytree){.entries = entries};
}

static void free_below(void *node, uint32_t height)
{
    if (height > 0) {
        struct inner *inner = node;
        for (uint32_t i = 0; i < inner->count; i++) {
            free_below(inner->child[i], height - 1);
        }
    }
    free(node);
}

void keytree_fini(struct keytree *tree)
{
    if (tree->root != NULL) {
        free_below(tree->root, tree->height);
    }
    keytree_init(tree, tree->entries);
}

static size_t leaf_size(uint32_t room)
{
    return sizeof(struct leaf) + room * sizeof(uint32_t);
}

static void *node_new(struct keytree *tree, uint32_t level, uint16_t room)
{
    const size_t size = level == 0 ? leaf_size(room) : sizeof(struct inner);
    void *node = mem_new(1, size);
    if (level == 0) {
        ((struct leaf *)node)->room = room;
    }
    tree->memory += size;
    return node;
}

static void node_free(struct keytree *tree, void *node, uint32_t level)
{
    tree->memory -=
        level == 0 ? leaf_size(((const struct leaf *)node)->room) : sizeof(struct inner);
    free(node);
}

/* What is in the tree, as it is looked for. */
static struct probe probe_of(const struct keytree *tree, uint32_t handle)
{
    if (tree->entries == NULL) {
        return (struct probe){.handle = handle};
    }
    const struct entry *e = entry_at(tree->entries, handle);
    return (struct probe){.key = e->tail, .key_len = e->key_len};
}

/* <0, 0 or >0 as the handle is before, at or after what is looked for. */
static int compare(const struct keytree *tree, uint32_t handle, const struct probe *probe)
{
    return entry_compare(entry_at(tree->entries, handle), probe->key, probe->key_len);
}

/* The number of the first handle that is at least `handle`. Without a branch that depends on what
 * is there: it would be taken as often as not. */
static uint32_t lower_bound_of_number(const uint32_t *handles, uint32_t count, uint32_t handle)
{
    const uint32_t *at = handles;
    while (count > 1) {
        const uint32_t half = count / 2;
        at += at[half - 1] < handle ? half : 0;
        count -= half;
    }
    return (uint32_t)(at - handles) + (count == 1 && *at < handle);
}

/* The number of the first handle that is not before the probe (or, when strict, is after it). */
static uint32_t lower_bound(const struct keytree *tree, const uint32_t *handles, uint32_t count,
                            const struct probe *probe, bool is_strict)
{
    if (tree->entries == NULL) {
        return is_strict && probe->handle == UINT32_MAX
                   ? count
                   : lower_bound_of_number(handles, count, probe->handle + is_strict);
    }
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        const int order = compare(tree, handles[mid], probe);
        if (order < 0 || (order == 0 && is_strict)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Goes down to the leaf where the probe is or would be; path[0].at is its lower bound there. */
static void descend(const struct keytree *tree, const struct probe *probe, path_t path)
{
    void *node = tree->root;
    for (uint32_t level = tree->height; level > 0; level--) {
        const struct inner *inner = node;
        const uint32_t after = lower_bound(tree, inner->first, inner->count, probe, true);
        path[level] = (struct keytree_step){node, after > 0 ? after - 1 : 0};
        node = inner->child[path[level].at];
    }
    const struct leaf *leaf = node;
    path[0] = (struct keytree_step){
        node, lower_bound(tree, leaf->handles, leaf->count, probe, probe->is_strict)};
}

static uint32_t first_of(const void *node, uint32_t level)
{
    if (level == 0) {
        const struct leaf *leaf = node;
        return leaf->handles[0];
    }
    const struct inner *inner = node;
    return inner->first[0];
}

/* The node at `level` of the path has another first handle: tells its ancestors. */
static void refresh_firsts(const struct keytree *tree, path_t path, uint32_t level)
{
    while (level < tree->height) {
        struct inner *parent = path[level + 1].node;
        const uint32_t at = path[level + 1].at;
        parent->first[at] = first_of(path[level].node, level);
        if (at > 0) {
            return;
        }
        level++;
    }
}

static void inner_insert(struct inner *inner, uint32_t at, uint32_t first, void *child)
{
    const uint32_t after = inner->count - at;
    memmove(&inner->first[at + 1], &inner->first[at], after * sizeof(inner->first[0]));
    memmove(&inner->child[at + 1], &inner->child[at], after * sizeof(inner->child[0]));
    inner->first[at] = first;
    inner->child[at] = child;
    inner->count++;
}

static void inner_remove(struct inner *inner, uint32_t at)
{
    const uint32_t after = inner->count - at - 1;
    memmove(&inner->first[at], &inner->first[at + 1], after * sizeof(inner->first[0]));
    memmove(&inner->child[at], &inner->child[at + 1], after * sizeof(inner->child[0]));
    inner->count--;
}

static void leaf_insert(struct leaf *leaf, uint32_t at, uint32_t handle)
{
    memmove(&leaf->handles[at + 1], &leaf->handles[at],
            (leaf->count - at) * sizeof(leaf->handles[0]));
    leaf->handles[at] = handle;
    leaf->count++;
}

/* Moves what stands from `keep` on into a new right sibling. */
static void *split_node(struct keytree *tree, void *node, uint32_t level, uint32_t keep)
{
    void *right_node = node_new(tree, level, LEAF_MAX);
    if (level == 0) {
        struct leaf *left = node;
        struct leaf *right = right_node;
        right->count = (uint16_t)(left->count - keep);
        memcpy(right->handles, &left->handles[keep], right->count * sizeof(right->handles[0]));
        left->count = (uint16_t)keep;
        return right;
    }
    struct inner *left = node;
    struct inner *right = right_node;
    right->count = left->count - keep;
    memcpy(right->first, &left->first[keep], right->count * sizeof(right->first[0]));
    memcpy(right->child, &left->child[keep], right->count * sizeof(right->child[0]));
    left->count = keep;
    return right;
}

/* A new root above the old one. */
static void grow(struct keytree *tree, path_t path)
{
    ASSERT(tree->height + 1 < KEYTREE_HEIGHT_MAX);
    struct inner *root = node_new(tree, tree->height + 1, 0);
    inner_insert(root, 0, first_of(tree->root, tree->height), tree->root);
    tree->root = root;
    tree->height++;
    path[tree->height] = (struct keytree_step){root, 0};
}

/* Splits the full node at `level` of the path and leaves the path at the half where the new item
 * goes. What is appended at the very end leaves the left half full: keys often ascend. */
static void split_at(struct keytree *tree, path_t path, uint32_t level)
{
    if (level == tree->height) {
        grow(tree, path);
    }
    struct inner *parent = path[level + 1].node;
    if (parent->count == INNER_MAX) {
        path[level + 1].at++; /* where the new sibling goes */
        split_at(tree, path, level + 1);
        path[level + 1].at--;
        parent = path[level + 1].node;
    }
    const uint32_t count = level == 0 ? LEAF_MAX : INNER_MAX;
    const uint32_t at = path[level].at;
    const uint32_t keep = at == count ? count - 1 : count / 2;
    void *right = split_node(tree, path[level].node, level, keep);
    inner_insert(parent, path[level + 1].at + 1, first_of(right, level), right);
    if (at > keep) {
        path[level] = (struct keytree_step){right, at - keep};
        path[level + 1].at++;
    }
}

/* Moves the last handles of the path's leaf to its right neighbour, if that has room. */
static bool spill_right(path_t path)
{
    struct inner *parent = path[1].node;
    const uint32_t at = path[1].at;
    struct leaf *left = path[0].node;
    struct leaf *right = at + 1 < parent->count ? parent->child[at + 1] : NULL;
    if (right == NULL || right->count > LEAF_MAX - SPILL_MIN) {
        return false;
    }
    const uint32_t moved = (LEAF_MAX - right->count) / 2U;
    memmove(&right->handles[moved], right->handles, right->count * sizeof(right->handles[0]));
    left->count = (uint16_t)(left->count - moved);
    memcpy(right->handles, &left->handles[left->count], moved * sizeof(right->handles[0]));
    right->count = (uint16_t)(right->count + moved);
    parent->first[at + 1] = right->handles[0];
    if (path[0].at > left->count) {
        path[0] = (struct keytree_step){right, path[0].at - left->count};
        path[1].at++;
    }
    return true;
}

/* Moves the first handles of the path's leaf to its left neighbour, if that has room. */
static bool spill_left(path_t path)
{
    struct inner *parent = path[1].node;
    const uint32_t at = path[1].at;
    struct leaf *right = path[0].node;
    struct leaf *left = at > 0 ? parent->child[at - 1] : NULL;
    if (left == NULL || left->count > LEAF_MAX - SPILL_MIN) {
        return false;
    }
    const uint32_t moved = (LEAF_MAX - left->count) / 2U;
    const uint32_t before = left->count;
    memcpy(&left->handles[before], right->handles, moved * sizeof(left->handles[0]));
    left->count = (uint16_t)(before + moved);
    right->count = (uint16_t)(right->count - moved);
    memmove(right->handles, &right->handles[moved], right->count * sizeof(right->handles[0]));
    parent->first[at] = right->handles[0];
    if (path[0].at <= moved) {
        path[0] = (struct keytree_step){left, before + path[0].at};
        path[1].at--;
    } else {
        path[0].at -= moved;
    }
    return true;
}

/* The path's leaf is full: has room afterwards, or the path leads to one that has. */
static void make_room(struct keytree *tree, path_t path)
{
    struct leaf *leaf = path[0].node;
    if (leaf->room < LEAF_MAX) {
        ASSERT(tree->height == 0);
        const uint16_t room = (uint16_t)(2 * leaf->room - 1);
        tree->memory += leaf_size(room) - leaf_size(leaf->room);
        leaf = mem_resize(leaf, 1, leaf_size(room));
        leaf->room = room;
        tree->root = leaf;
        path[0].node = leaf;
    } else if (tree->height == 0 || (!spill_right(path) && !spill_left(path))) {
        split_at(tree, path, 0);
    }
}

void keytree_insert(struct keytree *tree, uint32_t handle)
{
    if (tree->root == NULL) {
        tree->root = node_new(tree, 0, LEAF_MIN);
    }
    const struct probe probe = probe_of(tree, handle);
    path_t path;
    descend(tree, &probe, path);
    const struct leaf *leaf = path[0].node;
    if (leaf->count == leaf->room) {
        make_room(tree, path);
    }
    leaf_insert(path[0].node, path[0].at, handle);
    tree->count++;
    if (path[0].at == 0) {
        refresh_firsts(tree, path, 0);
    }
}

static uint32_t count_of(const void *node, uint32_t level)
{
    return level == 0 ? ((const struct leaf *)node)->count : ((const struct inner *)node)->count;
}

static void append_node(void *to, const void *from, uint32_t level)
{
    if (level == 0) {
        struct leaf *left = to;
        const struct leaf *right = from;
        memcpy(&left->handles[left->count], right->handles,
               right->count * sizeof(right->handles[0]));
        left->count = (uint16_t)(left->count + right->count);
        return;
    }
    struct inner *left = to;
    const struct inner *right = from;
    memcpy(&left->first[left->count], right->first, right->count * sizeof(right->first[0]));
    memcpy(&left->child[left->count], right->child, right->count * sizeof(right->child[0]));
    left->count += right->count;
}

/* Merges child `at` of the parent with its right neighbour if they fit with room to spare. */
static bool merge_pair(struct keytree *tree, struct inner *parent, uint32_t at, uint32_t level)
{
    const uint32_t max = level == 0 ? LEAF_MAX : INNER_MAX;
    void *left = parent->child[at];
    void *right = parent->child[at + 1];
    if (count_of(left, level) + count_of(right, level) > max / 4 * 3) {
        return false;
    }
    append_node(left, right, level);
    node_free(tree, right, level);
    inner_remove(parent, at + 1);
    return true;
}

/* The node at `level` of the path lost an item: frees it when empty, merges it when small, and goes
 * on with its parent if that lost one by it. */
static void shrink(struct keytree *tree, path_t path, uint32_t level)
{
    for (; level < tree->height; level++) {
        struct inner *parent = path[level + 1].node;
        const uint32_t at = path[level + 1].at;
        const uint32_t count = count_of(path[level].node, level);
        if (count == 0) {
            node_free(tree, path[level].node, level);
            inner_remove(parent, at);
            if (at == 0 && parent->count > 0) {
                refresh_firsts(tree, path, level + 1);
            }
            continue;
        }
        if (count >= (level == 0 ? LEAF_SMALL : INNER_SMALL)) {
            break;
        }
        const bool is_merged = (at + 1 < parent->count && merge_pair(tree, parent, at, level)) ||
                               (at > 0 && merge_pair(tree, parent, at - 1, level));
        if (!is_merged) {
            break;
        }
    }
    while (tree->height > 0 && ((struct inner *)tree->root)->count == 1) {
        struct inner *root = tree->root;
        tree->root = root->child[0];
        node_free(tree, root, tree->height--);
    }
    if (count_of(tree->root, tree->height) == 0) {
        node_free(tree, tree->root, tree->height);
        tree->root = NULL;
        tree->height = 0;
    }
}

void keytree_remove(struct keytree *tree, uint32_t handle)
{
    ASSERT(tree->count > 0);
    const struct probe probe = probe_of(tree, handle);
    path_t path;
    descend(tree, &probe, path);
    struct leaf *leaf = path[0].node;
    const uint32_t at = path[0].at;
    ASSERT(at < leaf->count && leaf->handles[at] == handle);
    leaf->count--;
    memmove(&leaf->handles[at], &leaf->handles[at + 1],
            (leaf->count - at) * sizeof(leaf->handles[0]));
    tree->count--;
    if (at == 0 && leaf->count > 0) {
        refresh_firsts(tree, path, 0);
    }
    shrink(tree, path, 0);
}

/* Goes on to the next leaf, its first place; false at the end. */
static bool next_leaf(const struct keytree *tree, path_t path)
{
    uint32_t level = 1;
    while (level <= tree->height &&
           path[level].at + 1 >= ((const struct inner *)path[level].node)->count) {
        level++;
    }
    if (level > tree->height) {
        return false;
    }
    path[level].at++;
    for (; level > 0; level--) {
        const struct inner *inner = path[level].node;
        path[level - 1] = (struct keytree_step){inner->child[path[level].at], 0};
    }
    return true;
}

/* The handle where the cursor stands, which may be past its leaf's end. */
static uint32_t settle(const struct keytree *tree, struct keytree_cursor *cursor)
{
    const struct leaf *leaf = cursor->path[0].node;
    if (cursor->path[0].at >= leaf->count) {
        if (!next_leaf(tree, cursor->path)) {
            return 0;
        }
        leaf = cursor->path[0].node;
    }
    return leaf->handles[cursor->path[0].at];
}

uint32_t keytree_seek(const struct keytree *tree, const uint8_t *key, size_t key_len,
                      bool is_strict, struct keytree_cursor *ret_cursor)
{
    if (tree->root == NULL) {
        return 0;
    }
    ASSERT(tree->entries != NULL);
    const struct probe probe = {.key = key, .key_len = key_len, .is_strict = is_strict};
    descend(tree, &probe, ret_cursor->path);
    return settle(tree, ret_cursor);
}

uint32_t keytree_above(const struct keytree *tree, uint32_t handle,
                       struct keytree_cursor *ret_cursor)
{
    if (tree->root == NULL) {
        return 0;
    }
    ASSERT(tree->entries == NULL);
    const struct probe probe = {.handle = handle, .is_strict = true};
    descend(tree, &probe, ret_cursor->path);
    return settle(tree, ret_cursor);
}

uint32_t keytree_next(const struct keytree *tree, struct keytree_cursor *cursor)
{
    cursor->path[0].at++;
    return settle(tree, cursor);
}

/* Returns the bytes that it and what is below take. */
static uint64_t check_node(const struct keytree *tree, const void *node, uint32_t level)
{
    ASSERT(count_of(node, level) > 0);
    if (level == 0) {
        const struct leaf *leaf = node;
        ASSERT(leaf->count <= leaf->room && (leaf->room == LEAF_MAX || node == tree->root));
        return leaf_size(leaf->room);
    }
    const struct inner *inner = node;
    uint64_t memory = sizeof(*inner);
    for (uint32_t i = 0; i < inner->count; i++) {
        ASSERT(inner->first[i] == first_of(inner->child[i], level - 1));
        memory += check_node(tree, inner->child[i], level - 1);
    }
    return memory;
}

/* One after the other, which visits all. */
static uint64_t check_order(const struct keytree *tree)
{
    struct keytree_cursor cursor;
    uint64_t count = 0;
    uint32_t before = 0;
    uint32_t h = tree->entries == NULL ? keytree_above(tree, 0, &cursor)
                                       : keytree_seek(tree, NULL, 0, false, &cursor);
    for (; h != 0; h = keytree_next(tree, &cursor)) {
        const struct probe probe = probe_of(tree, h);
        ASSERT(before == 0 ||
               (tree->entries == NULL ? before < h : compare(tree, before, &probe) < 0));
        before = h;
        count++;
    }
    return count;
}

void keytree_check(const struct keytree *tree)
{
    if (tree->root == NULL) {
        ASSERT(tree->count == 0 && tree->memory == 0);
        return;
    }
    ASSERT(check_node(tree, tree->root, tree->height) == tree->memory);
    ASSERT(check_order(tree) == tree->count);
}
