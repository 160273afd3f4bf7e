#include "gossip/mesh.h"

#include "core/assert.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SLOT_BITS = 12, SLOT_MASK = (1 << SLOT_BITS) - 1 };

/* What is remembered of dials to one member, by its slot. */
struct dialing {
    struct uuid uuid; /* whose; a slot is reused for another member */
    uint64_t not_before_us;
    uint32_t pause_us;
    uint32_t attempt;
};

struct mesh {
    struct outbox *outbox;
    struct link **links; /* by slot; NULL when free */
    uint32_t size;
    uint32_t use; /* counts links made */
    struct dialing *dialings;
    uint32_t dialing_count;
    uint64_t turn_at_us;
};

struct mesh *mesh_new(struct outbox *outbox)
{
    struct mesh *m = mem_new(1, sizeof(*m));
    m->outbox = outbox;
    return m;
}

void mesh_free(struct mesh *m)
{
    if (m == NULL) {
        return;
    }
    for (uint32_t i = 0; i < m->size; i++) {
        if (m->links[i] != NULL) {
            link_fini(m->links[i]);
            free(m->links[i]);
        }
    }
    free(m->links);
    free(m->dialings);
    free(m);
}

static uint32_t free_slot(struct mesh *m)
{
    for (uint32_t i = 1; i < m->size; i++) {
        if (m->links[i] == NULL) {
            return i;
        }
    }
    if (m->size > MESH_LINKS_MAX) {
        return 0;
    }
    const uint32_t size = m->size == 0 ? 16 : 2 * m->size;
    m->links = mem_resize(m->links, size, sizeof(struct link *));
    for (uint32_t i = m->size; i < size; i++) {
        m->links[i] = NULL;
    }
    const uint32_t slot = m->size == 0 ? 1 : m->size;
    m->size = size;
    return slot;
}

struct link *mesh_add(struct mesh *m, enum link_state state, bool is_dialed,
                      const struct addr *addr, uint64_t now_us)
{
    const uint32_t slot = free_slot(m);
    if (slot == 0) {
        return NULL;
    }
    struct link *l = mem_new(1, sizeof(*l));
    m->use++;
    link_init(l, m->use << SLOT_BITS | slot, slot, state, is_dialed, addr, now_us);
    m->links[slot] = l;
    return l;
}

bool mesh_may_accept(const struct mesh *m)
{
    uint32_t unmet = 0;
    uint32_t slot = 0;
    for (const struct link *l; (l = mesh_next(m, &slot)) != NULL; slot++) {
        unmet += l->state == LINK_HELLO && !l->is_dialed;
    }
    return unmet < MESH_UNMET_MAX;
}

void mesh_remove(struct mesh *m, struct link *l)
{
    ASSERT(m->links[l->slot] == l);
    m->links[l->slot] = NULL;
    if (l->member != NULL && l->member->link == l->id) {
        l->member->link = 0;
    }
    link_fini(l);
    free(l);
}

struct link *mesh_find(const struct mesh *m, uint32_t id)
{
    const uint32_t slot = id & SLOT_MASK;
    struct link *l = slot < m->size ? m->links[slot] : NULL;
    return l != NULL && l->id == id ? l : NULL;
}

struct link *mesh_next(const struct mesh *m, uint32_t *slot)
{
    while (*slot < m->size && m->links[*slot] == NULL) {
        (*slot)++;
    }
    return *slot < m->size ? m->links[*slot] : NULL;
}

struct link *mesh_of(const struct mesh *m, const struct member *member)
{
    return member->link == 0 ? NULL : mesh_find(m, member->link);
}

void mesh_ask_output(struct mesh *m, struct link *l)
{
    if (!l->is_output_asked && l->state != LINK_DIALING && link_has_output(l)) {
        l->is_output_asked = true;
        outbox_output(m->outbox, l->id);
    }
}

static struct dialing *dialing_of(struct mesh *m, const struct member *member)
{
    if (member->slot >= m->dialing_count) {
        const uint32_t count = (member->slot + 16) & ~15U;
        m->dialings = mem_resize(m->dialings, count, sizeof(*m->dialings));
        memset(m->dialings + m->dialing_count, 0,
               (count - m->dialing_count) * sizeof(*m->dialings));
        m->dialing_count = count;
    }
    struct dialing *d = &m->dialings[member->slot];
    if (!uuid_equal(&d->uuid, &member->uuid)) {
        *d = (struct dialing){.uuid = member->uuid};
    }
    return d;
}

void mesh_failed(struct mesh *m, const struct member *member, uint64_t now_us)
{
    struct dialing *d = dialing_of(m, member);
    d->pause_us = d->pause_us == 0 ? DIAL_PAUSE_MIN_US : 2 * d->pause_us;
    if (d->pause_us > DIAL_PAUSE_MAX_US) {
        d->pause_us = DIAL_PAUSE_MAX_US;
    }
    d->not_before_us = now_us + d->pause_us;
}

void mesh_succeeded(struct mesh *m, const struct member *member)
{
    struct dialing *d = dialing_of(m, member);
    d->pause_us = 0;
    d->not_before_us = 0;
    d->attempt = 0;
}

struct link *mesh_dial(struct mesh *m, const struct addr *addr, uint64_t now_us)
{
    uint32_t slot = 0;
    for (struct link *l; (l = mesh_next(m, &slot)) != NULL; slot++) {
        if (l->is_dialed && addr_equal(&l->addr, addr)) {
            return NULL;
        }
    }
    struct link *l = mesh_add(m, LINK_DIALING, true, addr, now_us);
    if (l != NULL) {
        outbox_dial(m->outbox, l->id, addr);
    }
    return l;
}

static bool wants_link(const struct member *member)
{
    if (member->is_self || member->state == MEMBER_DEAD || member->state == MEMBER_LEFT) {
        return false;
    }
    if (member->is_mate) {
        return true;
    }
    return member->is_stranded;
}

static void consider(struct mesh *m, struct swim *swim, const struct member *self,
                     const struct member *member, uint64_t now_us)
{
    if (member->link != 0 || !wants_link(member)) {
        return;
    }
    struct dialing *d = dialing_of(m, member);
    const bool is_first = uuid_compare(&self->uuid, &member->uuid) < 0;
    if (d->not_before_us == 0) {
        d->not_before_us = now_us + (is_first ? 0 : DIAL_GRACE_US);
    }
    struct addr addr;
    if (now_us < d->not_before_us || !swim_addr_of(swim, member, d->attempt, &addr)) {
        return;
    }
    /* The next time another address has its turn, also when this one reaches somebody else. */
    const bool is_dialed = mesh_dial(m, &addr, now_us) != NULL;
    d->not_before_us = now_us + (is_dialed ? LINK_HELLO_TIMEOUT_US : DIAL_PAUSE_MIN_US);
    d->attempt++;
}

void mesh_turn(struct mesh *m, struct swim *swim, uint64_t now_us)
{
    if (now_us < m->turn_at_us) {
        return;
    }
    m->turn_at_us = now_us + MESH_TURN_US;
    const struct member *self = swim_self(swim);
    uint32_t slot = 0;
    for (struct member *member; (member = swim_next_member(swim, &slot)) != NULL; slot++) {
        consider(m, swim, self, member, now_us);
    }
}

void mesh_hurry(struct mesh *m)
{
    m->turn_at_us = 0;
}
