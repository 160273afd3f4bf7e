#include "net/watch/prefix_tree.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Where a prefix goes on from a node with this byte. */
struct branch {
    uint8_t byte;
    struct prefix_tree_node *node;
};

/* One piece of memory, so that a walk fetches one line of the cache for each node on its way. */
struct prefix_tree_node {
    struct prefix_tree_entry *entry; /* the prefix that ends here; NULL: some only part here */
    uint32_t len;                    /* of what leads here */
    uint32_t count;
    struct branch branches[]; /* by byte */
};

/* The first branch whose byte is not below this one. */
static size_t branch_index(const struct prefix_tree_node *n, uint8_t byte)
{
    size_t low = 0;
    size_t high = n->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (n->branches[middle].byte < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Where the node of that branch stands; NULL: there is none. */
static struct prefix_tree_node **branch_of(struct prefix_tree_node *n, uint8_t byte)
{
    const size_t at = branch_index(n, byte);
    return at < n->count && n->branches[at].byte == byte ? &n->branches[at].node : NULL;
}

static size_t node_size(size_t count)
{
    return sizeof(struct prefix_tree_node) + count * sizeof(struct branch);
}

/* The node at `place` may move. */
static void add_branch(struct prefix_tree_node **place, uint8_t byte,
                       struct prefix_tree_node *child)
{
    const size_t at = branch_index(*place, byte);
    struct prefix_tree_node *n = mem_resize(*place, 1, node_size((*place)->count + 1));
    memmove(&n->branches[at + 1], &n->branches[at], (n->count - at) * sizeof(n->branches[0]));
    n->branches[at] = (struct branch){.byte = byte, .node = child};
    n->count++;
    *place = n;
}

static void remove_branch(struct prefix_tree_node **place, uint8_t byte)
{
    struct prefix_tree_node *n = *place;
    const size_t at = branch_index(n, byte);
    n->count--;
    memmove(&n->branches[at], &n->branches[at + 1], (n->count - at) * sizeof(n->branches[0]));
    *place = mem_resize(n, 1, node_size(n->count));
}

static struct prefix_tree_node *new_node(struct prefix_tree *t, size_t len,
                                         struct prefix_tree_entry *e)
{
    struct prefix_tree_node *n = mem_new(1, node_size(0));
    n->len = (uint32_t)len;
    n->entry = e;
    t->nodes++;
    return n;
}

static void free_node(struct prefix_tree *t, struct prefix_tree_node *n)
{
    t->nodes--;
    free(n);
}

/* Any prefix that ends at the node or below it: all of them have the bytes that lead there. */
static const struct prefix_tree_entry *any_below(const struct prefix_tree_node *n)
{
    while (n->entry == NULL) {
        n = n->branches[0].node;
    }
    return n->entry;
}

static size_t common_len(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    const size_t max = a_len < b_len ? a_len : b_len;
    size_t len = 0;
    while (len < max && a[len] == b[len]) {
        len++;
    }
    return len;
}

/* ---- Look-ups ---- */

struct prefix_tree_walk prefix_tree_begin(const struct prefix_tree *t, const uint8_t *key,
                                          size_t len)
{
    return (struct prefix_tree_walk){.at = t->root, .key = key, .len = len};
}

struct prefix_tree_entry *prefix_tree_next(struct prefix_tree_walk *walk)
{
    while (walk->at != NULL && walk->at->len <= walk->len) {
        struct prefix_tree_node *n = walk->at;
        struct prefix_tree_node *const *next =
            n->len < walk->len ? branch_of(n, walk->key[n->len]) : NULL;
        const size_t before = walk->checked;
        walk->at = next == NULL ? NULL : *next;
        if (n->entry == NULL) {
            continue;
        }
        if (n->len > before &&
            memcmp(n->entry->bytes + before, walk->key + before, n->len - before) != 0) {
            break;
        }
        walk->checked = n->len;
        return n->entry;
    }
    walk->at = NULL;
    return NULL;
}

struct prefix_tree_entry *prefix_tree_find(const struct prefix_tree *t, const uint8_t *bytes,
                                           size_t len)
{
    struct prefix_tree_node *n = t->root;
    while (n != NULL && n->len < len) {
        struct prefix_tree_node *const *next = branch_of(n, bytes[n->len]);
        n = next == NULL ? NULL : *next;
    }
    if (n == NULL || n->entry == NULL || n->len != len ||
        (len > 0 && memcmp(n->entry->bytes, bytes, len) != 0)) {
        return NULL;
    }
    return n->entry;
}

/* ---- Changes ---- */

/* A prefix that has as many first bytes in common with these as any. */
static const struct prefix_tree_entry *nearest(const struct prefix_tree *t, const uint8_t *bytes,
                                               size_t len)
{
    struct prefix_tree_node *n = t->root;
    while (n->len < len) {
        struct prefix_tree_node *const *next = branch_of(n, bytes[n->len]);
        if (next == NULL) {
            break;
        }
        n = *next;
    }
    return any_below(n);
}

/* Where the first node stands that these bytes lead to after `from` of them. */
static struct prefix_tree_node **place_of(struct prefix_tree *t, const uint8_t *bytes, size_t from,
                                          struct prefix_tree_node ***ret_above)
{
    struct prefix_tree_node **place = &t->root;
    *ret_above = NULL;
    while (place != NULL && *place != NULL && (*place)->len < from) {
        *ret_above = place;
        place = branch_of(*place, bytes[(*place)->len]);
    }
    ASSERT(place != NULL && *place != NULL);
    return place;
}

void prefix_tree_add(struct prefix_tree *t, struct prefix_tree_entry *e)
{
    struct prefix_tree_node **above = NULL;
    if (t->root == NULL) {
        t->root = new_node(t, e->len, e);
        return;
    }
    const struct prefix_tree_entry *other = nearest(t, e->bytes, e->len);
    const size_t common = common_len(e->bytes, e->len, other->bytes, other->len);
    struct prefix_tree_node **place = place_of(t, e->bytes, common, &above);
    if ((*place)->len > common) {
        struct prefix_tree_node *fork = new_node(t, common, NULL);
        add_branch(&fork, other->bytes[common], *place);
        *place = fork;
    }
    if (e->len == common) {
        ASSERT((*place)->entry == NULL);
        (*place)->entry = e;
    } else {
        add_branch(place, e->bytes[common], new_node(t, e->len, e));
    }
}

void prefix_tree_remove(struct prefix_tree *t, const struct prefix_tree_entry *e)
{
    struct prefix_tree_node **above = NULL;
    struct prefix_tree_node **place = place_of(t, e->bytes, e->len, &above);
    struct prefix_tree_node *n = *place;
    ASSERT(n->entry == e);
    n->entry = NULL;
    if (n->count == 0) {
        free_node(t, n);
        *place = NULL;
        if (above == NULL) {
            return;
        }
        place = above;
        remove_branch(place, e->bytes[(*place)->len]);
        n = *place;
    }
    if (n->entry == NULL && n->count == 1) {
        *place = n->branches[0].node;
        free_node(t, n);
    }
}

/* ---- Checks ---- */

/* A node on the way down, and how many of its branches have been gone. */
struct step {
    const struct prefix_tree_node *node;
    size_t gone;
};

static void check_node(const struct prefix_tree *t, const struct prefix_tree_node *n)
{
    ASSERT(n->entry != NULL || n->count > 1);
    ASSERT(n->entry == NULL ||
           (n->entry->len == n->len && prefix_tree_find(t, n->entry->bytes, n->len) == n->entry));
    for (size_t i = 0; i < n->count; i++) {
        ASSERT(n->branches[i].node->len > n->len);
        ASSERT(any_below(n->branches[i].node)->bytes[n->len] == n->branches[i].byte);
        ASSERT(i == 0 || n->branches[i - 1].byte < n->branches[i].byte);
    }
}

void prefix_tree_check(const struct prefix_tree *t)
{
    struct step *way = mem_new(t->nodes + 1, sizeof(*way));
    size_t depth = 0;
    size_t nodes = 0;
    if (t->root != NULL) {
        way[depth++] = (struct step){.node = t->root};
    }
    while (depth > 0) {
        struct step *step = &way[depth - 1];
        if (step->gone == 0) {
            check_node(t, step->node);
            nodes++;
        }
        if (step->gone < step->node->count) {
            way[depth++] = (struct step){.node = step->node->branches[step->gone++].node};
        } else {
            depth--;
        }
    }
    ASSERT(nodes == t->nodes);
    free(way);
}
