#include "gossip/wiring.h"

#include "gossip/engine_state.h"
#include "gossip/tree_links.h"

void wiring_member(struct engine *e, const struct member *m)
{
    if (m->is_self || !m->is_mate) {
        return;
    }
    const struct uuid *uuid = &m->uuid;
    const bool is_changed =
        member_is_live(m) ? overlay_add(&e->overlay, uuid) : overlay_remove(&e->overlay, uuid);
    if (is_changed && !e->overlay.is_large) {
        e->wired = UINT64_MAX;
    }
}

static void want(struct engine *e, const struct uuid *uuid, enum mesh_reason reason)
{
    const struct member *m = swim_find(e->swim, uuid);
    if (m != NULL && member_is_live(m)) {
        mesh_want(e->mesh, &e->config.uuid, m, reason, e->now_us);
    }
}

static void want_links(struct engine *e)
{
    const struct overlay *o = &e->overlay;
    const struct uuid *uuid = NULL;
    uint32_t reasons = 0;
    for (uint32_t at = 0; (uuid = mesh_next_wanted(e->mesh, &at, &reasons)) != NULL;) {
        const struct uuid wanted = *uuid;
        const bool is_mate = (reasons & MESH_ENCLAVE) != 0 && !o->is_large;
        const bool is_next = (reasons & MESH_NEIGHBOUR) != 0 && overlay_rings(o, &wanted) != 0;
        if (!is_mate) {
            mesh_unwant(e->mesh, &wanted, MESH_ENCLAVE);
        }
        if (!is_next) {
            mesh_unwant(e->mesh, &wanted, MESH_NEIGHBOUR);
        }
        at += mesh_reasons(e->mesh, &wanted) != 0;
    }
    for (uint32_t walk = 0; o->is_large && (uuid = overlay_next(o, &walk)) != NULL;) {
        want(e, uuid, MESH_NEIGHBOUR);
    }
    for (uint32_t i = 0; i < o->count && !o->is_large; i++) {
        want(e, &o->members[i], MESH_ENCLAVE);
    }
}

/* Those that are new make the link one of their trees. */
static void set_rings(const struct engine *e, struct link *l, uint32_t *rings, uint32_t now)
{
    const uint32_t fresh = now & ~*rings;
    *rings = now;
    if (fresh != 0) {
        tree_links_ringed(&e->overlay, l, fresh);
    }
}

/* Works out what the link is to us, and sends that to the peer when it has changed. */
static void assign_role(struct engine *e, struct link *l)
{
    const struct uuid *uuid = &l->member->uuid;
    const bool is_mate = l->member->is_mate;
    const bool is_kept = mesh_reasons(e->mesh, uuid) != 0;
    const bool is_large = is_mate && e->overlay.is_large;
    const struct frame_role role = {
        .flags = (uint8_t)((is_kept ? ROLE_KEEPS : 0) | (is_large ? ROLE_IS_LARGE : 0)),
        .rings = is_mate ? overlay_rings(&e->overlay, uuid) : 0,
    };
    if (l->role.is_told && l->role.flags == role.flags && l->role.rings == role.rings) {
        return;
    }
    set_rings(e, l, &l->role.rings, role.rings);
    l->role.flags = role.flags;
    l->role.is_told = true;
    l->used_us = e->now_us;
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_role_write(&c, &role);
    (void)mesh_send(e->mesh, l, FRAME_ROLE, payload, c.pos);
    peer_look_by(e, e->now_us);
}

void wiring_turn(struct engine *e)
{
    if (e->wired == e->overlay.changes) {
        return;
    }
    e->wired = e->overlay.changes;
    spread_relinked(&e->spread);
    want_links(e);
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l->state == LINK_OPEN) {
            assign_role(e, l);
        }
    }
}

void wiring_opened(struct engine *e, struct link *l)
{
    tree_links_opened(l);
    assign_role(e, l);
}

bool wiring_is_up(const struct engine *e)
{
    const struct uuid *uuid = NULL;
    for (uint32_t walk = 0; (uuid = overlay_next(&e->overlay, &walk)) != NULL;) {
        const struct member *m = swim_find(e->swim, uuid);
        const struct link *l = m == NULL ? NULL : mesh_of(e->mesh, m);
        if (l == NULL || l->state != LINK_OPEN || l->clock.is_conflict) {
            return false;
        }
    }
    return true;
}

void wiring_role(struct engine *e, struct link *l, struct cursor *c)
{
    struct frame_role role;
    frame_role_read(c, &role);
    if (!l->member->is_mate) {
        role.flags &= (uint8_t)~ROLE_IS_LARGE;
        role.rings = 0;
    }
    e->refused_until_us = 0; /* somebody has let this node in */
    set_rings(e, l, &l->role.peer_rings, role.rings);
    l->role.is_heard = true;
    l->role.peer_flags = role.flags;
    if ((role.flags & ROLE_IS_LARGE) != 0) {
        (void)overlay_told_large(&e->overlay);
    }
    peer_look_by(e, e->now_us);
}
