#include "gossip/tree_links.h"

bool tree_links_is_usable(const struct link *l)
{
    return l->state == LINK_OPEN && !l->clock.is_conflict && l->member->is_mate;
}

bool tree_links_is_up(const struct overlay *o, const struct link *l)
{
    return (l->trees.is_tree || !o->is_large) && tree_links_is_usable(l);
}

bool tree_links_is_lazy(const struct link *l, uint32_t tree)
{
    return (l->trees.lazy >> tree & 1) != 0;
}

static bool is_of_rings(const struct overlay *o, const struct link *l, uint32_t tree)
{
    const uint32_t lazy = tree_lazy(l->role.rings | l->role.peer_rings, o->ring_count);
    return (lazy >> tree & 1) == 0;
}

bool tree_links_takes(const struct tree_links_env *env, const struct link *l, uint32_t tree,
                      uint64_t id)
{
    return !tree_links_is_lazy(l, tree) ||
           (env->overlay->is_large && tree_is_shaping(id) && is_of_rings(env->overlay, l, tree));
}

bool tree_links_is_on_trial(const struct tree_links_env *env, const struct link *l, uint32_t tree)
{
    return env->now_us < l->trees.trial_until_us[tree];
}

static bool is_kept(const struct link *l)
{
    return ((l->role.flags | l->role.peer_flags) & ROLE_KEEPS) != 0;
}

bool tree_links_is_of_tree(const struct tree_links_env *env, const struct link *l, uint32_t tree)
{
    /* A write that was under way when the link was pruned says nothing about it. */
    const bool may_confirm = is_kept(l) && env->now_us >= l->trees.refused_until_us[tree];
    return tree_links_is_lazy(l, tree) ? may_confirm : !tree_links_is_on_trial(env, l, tree);
}

static void make_lazy(struct link *l, uint32_t tree)
{
    l->trees.lazy |= UINT32_C(1) << tree;
    l->trees.trial_until_us[tree] = 0;
}

/* ---- Grafted ---- */

void tree_links_opened(struct link *l)
{
    l->trees.lazy = UINT32_MAX;
}

void tree_links_ringed(const struct overlay *o, struct link *l, uint32_t rings)
{
    l->trees.is_tree = true;
    l->trees.is_left = false;
    l->trees.lazy &= tree_lazy(rings, o->ring_count);
}

void tree_links_grafted(struct link *l, uint32_t tree)
{
    l->trees.lazy &= ~(UINT32_C(1) << tree);
}

void tree_links_ask(const struct tree_links_env *env, struct link *l, enum tree_kind kind,
                    uint32_t tree, uint64_t id)
{
    uint8_t payload[TREE_ENTRY_BYTES];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    const struct frame_tree entry = {.kind = (uint8_t)kind, .tree = (uint8_t)tree, .id = id};
    frame_tree_write(&c, &entry);
    if (kind != TREE_DIRECT) {
        tree_links_grafted(l, tree);
    }
    (void)mesh_send(env->mesh, l, FRAME_TREE_GRAFT, payload, c.pos);
}

static void graft(const struct tree_links_env *env, struct link *l, uint32_t tree)
{
    tree_links_ask(env, l, TREE_SMALL, tree, TREE_NO_ID);
}

void tree_links_try(const struct tree_links_env *env, struct link *l, uint32_t tree, uint64_t id)
{
    if (tree_links_is_lazy(l, tree)) {
        l->trees.trial_until_us[tree] = env->now_us + TREE_TRIAL_US;
    }
    tree_links_ask(env, l, TREE_SMALL, tree, id);
}

void tree_links_confirm(const struct tree_links_env *env, struct link *l, uint32_t tree)
{
    if (tree_links_is_lazy(l, tree) && env->overlay->is_large &&
        (l->role.peer_flags & ROLE_IS_LARGE) != 0) {
        graft(env, l, tree);
    }
}

/* Makes the links of a tree's rings eager again, all but one. */
static void graft_rings(const struct tree_links_env *env, uint32_t tree, const struct link *but)
{
    for (struct link *l = mesh_first(env->mesh); l != NULL; l = mesh_after(env->mesh, l->id)) {
        if (l != but && tree_links_is_up(env->overlay, l) && tree_links_is_lazy(l, tree) &&
            is_of_rings(env->overlay, l, tree)) {
            graft(env, l, tree);
        }
    }
}

/* ---- Pruned ---- */

void tree_links_prune(const struct tree_links_env *env, struct link *l, uint32_t tree)
{
    const uint8_t payload[1] = {(uint8_t)tree};
    /* Also when the link is lazy already on this side, as it is eager on the other. */
    make_lazy(l, tree);
    l->trees.refused_until_us[tree] = env->now_us + TREE_TRIAL_US;
    env->counters->tree_prunes++;
    (void)mesh_send(env->mesh, l, FRAME_TREE_PRUNE, payload, sizeof(payload));
}

/* The link that the tree can spare after a second copy on `from`. Of two established links it is
 * the later one. A link on trial gives way to an established one, and never ousts one. */
static struct link *needless(const struct tree_links_env *env, struct link *from, uint32_t tree,
                             uint64_t id)
{
    const struct tree_seen *held = tree_find(env->tree, id);
    if (tree_links_is_lazy(from, tree) || held == NULL || !held->is_detour) {
        return from;
    }
    struct link *grafted = held->grafted == 0 ? NULL : mesh_find(env->mesh, held->grafted);
    if (grafted == NULL || grafted == from || tree_links_is_lazy(grafted, tree) ||
        tree_links_is_on_trial(env, from, tree)) {
        return NULL;
    }
    return tree_links_is_on_trial(env, grafted, tree) ? grafted : from;
}

void tree_links_came_twice(const struct tree_links_env *env, struct link *from, uint32_t tree,
                           uint64_t id)
{
    struct link *l = needless(env, from, tree, id);
    if (l != NULL && l->state == LINK_OPEN) {
        tree_links_prune(env, l, tree);
    }
}

void tree_links_pruned(const struct tree_links_env *env, struct link *l, uint32_t tree)
{
    if (!is_kept(l) && env->overlay->is_large && !tree_links_is_lazy(l, tree)) {
        graft_rings(env, tree, l); /* the peer leaves, as tree_links_leave() does */
    }
    make_lazy(l, tree);
}

void tree_links_leave(const struct tree_links_env *env, struct link *l)
{
    l->trees.is_left = true;
    for (uint32_t tree = 0; tree < TREE_COUNT; tree++) {
        if (!tree_links_is_lazy(l, tree)) {
            graft_rings(env, tree, l);
            tree_links_prune(env, l, tree);
        }
    }
}
