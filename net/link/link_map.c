#include "net/link/link_map.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

/* Ids grow by one in their low bits, so they spread by themselves; 256 heads keep chains short for
 * the largest meshes. */
enum { HEADS = 256 };

struct node {
    uint32_t id;
    bool is_flagged;
    struct peer_link *link;
    struct node *next;         /* in its chain */
    struct node *next_flagged; /* in the order of flagging */
};

struct link_map {
    struct node *heads[HEADS];
    size_t count;
    struct node *first_flagged, *last_flagged;
};

struct link_map *link_map_new(void)
{
    return mem_new(1, sizeof(struct link_map));
}

void link_map_free(struct link_map *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < HEADS; i++) {
        for (struct node *n = m->heads[i]; n != NULL;) {
            struct node *next = n->next;
            free(n);
            n = next;
        }
    }
    free(m);
}

static struct node *find(const struct link_map *m, uint32_t id)
{
    struct node *n = m->heads[id % HEADS];
    while (n != NULL && n->id != id) {
        n = n->next;
    }
    return n;
}

struct peer_link *link_map_find(const struct link_map *m, uint32_t id)
{
    const struct node *n = find(m, id);
    return n == NULL ? NULL : n->link;
}

void link_map_add(struct link_map *m, uint32_t id, struct peer_link *link)
{
    ASSERT(find(m, id) == NULL);
    struct node *n = mem_new(1, sizeof(*n));
    n->id = id;
    n->link = link;
    n->next = m->heads[id % HEADS];
    m->heads[id % HEADS] = n;
    m->count++;
}

static void unflag(struct link_map *m, struct node *n)
{
    struct node *before = NULL;
    for (struct node *i = m->first_flagged; i != n; i = i->next_flagged) {
        before = i;
    }
    if (before == NULL) {
        m->first_flagged = n->next_flagged;
    } else {
        before->next_flagged = n->next_flagged;
    }
    if (m->last_flagged == n) {
        m->last_flagged = before;
    }
    n->is_flagged = false;
    n->next_flagged = NULL;
}

void link_map_remove(struct link_map *m, uint32_t id)
{
    for (struct node **at = &m->heads[id % HEADS]; *at != NULL; at = &(*at)->next) {
        struct node *n = *at;
        if (n->id == id) {
            if (n->is_flagged) {
                unflag(m, n);
            }
            *at = n->next;
            free(n);
            m->count--;
            return;
        }
    }
}

struct peer_link *link_map_any(const struct link_map *m)
{
    for (size_t i = 0; i < HEADS && m->count > 0; i++) {
        if (m->heads[i] != NULL) {
            return m->heads[i]->link;
        }
    }
    return NULL;
}

void link_map_flag(struct link_map *m, uint32_t id)
{
    struct node *n = find(m, id);
    if (n == NULL || n->is_flagged) {
        return;
    }
    n->is_flagged = true;
    if (m->last_flagged == NULL) {
        m->first_flagged = n;
    } else {
        m->last_flagged->next_flagged = n;
    }
    m->last_flagged = n;
}

struct peer_link *link_map_take_flagged(struct link_map *m)
{
    struct node *n = m->first_flagged;
    if (n == NULL) {
        return NULL;
    }
    unflag(m, n);
    return n->link;
}

void link_map_each(const struct link_map *m, void (*see)(void *arg, struct peer_link *link),
                   void *arg)
{
    for (size_t i = 0; i < HEADS; i++) {
        for (struct node *n = m->heads[i]; n != NULL; n = n->next) {
            see(arg, n->link);
        }
    }
}
