#include "gossip/replication/mesh.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <stdlib.h>
#include <string.h>

enum { SLOT_BITS = 12, SLOT_MASK = (1 << SLOT_BITS) - 1, WANTS_SIZE_MIN = 16 };

/* A member to which a link is wanted, with the history of dials to it. */
struct want {
    struct uuid uuid;
    uint32_t reasons; /* enum mesh_reason */
    uint32_t pause_us;
    uint32_t attempt;
    uint32_t failures; /* dials in vain since the last link */
    uint64_t not_before_us;
    uint64_t demand_until_us;
};

struct mesh {
    struct outbox *outbox;
    const struct keyring *ring; /* NULL: none is known */
    const struct member *self;  /* NULL: none of its addresses is known */
    struct link **links;        /* by slot; NULL when free */
    uint32_t size;
    uint32_t use; /* counts links made */
    struct want *wants;
    uint32_t want_count, want_size;
    uint64_t turn_at_us;
};

struct mesh *mesh_new(struct outbox *outbox)
{
    struct mesh *m = mem_new(1, sizeof(*m));
    m->outbox = outbox;
    m->turn_at_us = NEVER;
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
    free(m->wants);
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

bool mesh_is_unmet(const struct link *l)
{
    const bool is_before = l->state == LINK_HELLO || l->state == LINK_RIVAL;
    const bool is_only_said =
        l->member != NULL && (l->terms.is_only_word || !l->member->has_answered);
    return !l->is_dialed && l->key_id == KEYRING_ID_OPEN &&
           (is_before || (l->state == LINK_OPEN && is_only_said));
}

void mesh_know_self(struct mesh *m, const struct member *self)
{
    m->self = self;
}

void mesh_know_keys(struct mesh *m, const struct keyring *ring)
{
    m->ring = ring;
}

/* Whether it is `same` as one of this node's addresses. */
static bool is_own(const struct mesh *m, const struct addr *addr,
                   bool (*same)(const struct addr *a, const struct addr *b))
{
    bool is_found = false;
    for (uint32_t i = 0; m->self != NULL && i < m->self->addr_count && !is_found; i++) {
        const struct member_addr own = member_addr_at(m->self, i);
        is_found = same(&own.addr, addr);
    }
    return is_found;
}

bool mesh_is_own_host(const struct mesh *m, const struct addr *addr)
{
    return addr_is_loopback(addr) || is_own(m, addr, addr_same_ip);
}

bool mesh_same_place(const struct mesh *m, const struct addr *a, const struct addr *b)
{
    return addr_same_ip(a, b) || (addr_same_net(a, b) && !is_own(m, a, addr_same_net));
}

/* How many links strangers have, and the oldest of them. */
struct unmet {
    uint32_t count;
    struct link *oldest;
};

static void add_unmet(struct unmet *unmet, struct link *l)
{
    unmet->count++;
    if (unmet->oldest == NULL || l->since_us < unmet->oldest->since_us) {
        unmet->oldest = l;
    }
}

enum mesh_limit mesh_crowding(const struct mesh *m, const struct addr *from,
                              struct link **ret_oldest)
{
    struct unmet all = {.count = 0}, near = {.count = 0};
    for (struct link *l = mesh_first(m); l != NULL; l = mesh_after(m, l->id)) {
        if (mesh_is_unmet(l)) {
            add_unmet(&all, l);
            if (from != NULL && mesh_same_place(m, from, &l->addr)) {
                add_unmet(&near, l);
            }
        }
    }
    const bool is_addr_full = near.count >= MESH_UNMET_ADDR_MAX;
    const bool is_full = all.count >= MESH_UNMET_MAX;
    *ret_oldest = is_addr_full ? near.oldest : is_full ? all.oldest : NULL;
    return is_addr_full ? MESH_ADDR_IS_FULL : is_full ? MESH_IS_FULL : MESH_HAS_ROOM;
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

struct link *mesh_first(const struct mesh *m)
{
    return mesh_after(m, 0);
}

struct link *mesh_after(const struct mesh *m, uint32_t id)
{
    uint32_t slot = (id & SLOT_MASK) + 1; /* that of 0 is never used */
    while (slot < m->size && m->links[slot] == NULL) {
        slot++;
    }
    return slot < m->size ? m->links[slot] : NULL;
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

enum rc mesh_send(struct mesh *m, struct link *l, enum frame_type type, const void *payload,
                  size_t len)
{
    const enum rc rc = link_control(l, type, FRAME_CRITICAL, payload, len);
    if (rc == RC_OK) {
        mesh_ask_output(m, l);
    }
    return rc;
}

static struct want *want_of(const struct mesh *m, const struct uuid *uuid)
{
    for (uint32_t i = 0; i < m->want_count; i++) {
        if (uuid_equal(&m->wants[i].uuid, uuid)) {
            return &m->wants[i];
        }
    }
    return NULL;
}

static void turn_by(struct mesh *m, uint64_t at_us)
{
    m->turn_at_us = min_u64(at_us, m->turn_at_us);
}

void mesh_want(struct mesh *m, const struct uuid *self, const struct member *member,
               enum mesh_reason reason, uint64_t now_us)
{
    struct want *w = want_of(m, &member->uuid);
    if (w == NULL) {
        if (m->want_count == MESH_WANTS_MAX) {
            return;
        }
        if (m->want_count == m->want_size) {
            m->want_size = m->want_size == 0 ? WANTS_SIZE_MIN : 2 * m->want_size;
            m->wants = mem_resize(m->wants, m->want_size, sizeof(*m->wants));
        }
        const bool is_first = uuid_compare(self, &member->uuid) < 0 || reason == MESH_DEMAND;
        w = &m->wants[m->want_count++];
        *w = (struct want){.uuid = member->uuid,
                           .not_before_us = now_us + (is_first ? 0 : DIAL_GRACE_US)};
    }
    w->reasons |= reason;
    if (reason == MESH_DEMAND) {
        w->demand_until_us = now_us + DIAL_DEMAND_US;
    }
    turn_by(m, w->not_before_us);
}

void mesh_unwant(struct mesh *m, const struct uuid *uuid, enum mesh_reason reason)
{
    struct want *w = want_of(m, uuid);
    if (w == NULL) {
        return;
    }
    w->reasons &= ~(uint32_t)reason;
    if (w->reasons == 0) {
        *w = m->wants[--m->want_count];
    }
}

uint32_t mesh_reasons(const struct mesh *m, const struct uuid *uuid)
{
    const struct want *w = want_of(m, uuid);
    return w == NULL ? 0 : w->reasons;
}

const struct uuid *mesh_next_wanted(const struct mesh *m, uint32_t *at, uint32_t *ret_reasons)
{
    if (*at >= m->want_count) {
        return NULL;
    }
    *ret_reasons = m->wants[*at].reasons;
    return &m->wants[*at].uuid;
}

/* Pauses, each time for twice as long. */
static void put_off(struct want *w, uint64_t now_us)
{
    w->pause_us = w->pause_us == 0 ? DIAL_PAUSE_MIN_US : 2 * w->pause_us;
    if (w->pause_us > DIAL_PAUSE_MAX_US) {
        w->pause_us = DIAL_PAUSE_MAX_US;
    }
    w->not_before_us = now_us + w->pause_us;
}

void mesh_failed(struct mesh *m, const struct member *member, uint64_t now_us)
{
    struct want *w = want_of(m, &member->uuid);
    if (w == NULL) {
        return;
    }
    put_off(w, now_us);
    turn_by(m, w->not_before_us);
}

uint32_t mesh_dial_failed(struct mesh *m, const struct member *member, uint64_t now_us)
{
    mesh_failed(m, member, now_us);
    struct want *w = want_of(m, &member->uuid);
    return w == NULL ? 0 : ++w->failures;
}

void mesh_succeeded(struct mesh *m, const struct member *member)
{
    struct want *w = want_of(m, &member->uuid);
    if (w != NULL) {
        w->pause_us = 0;
        w->not_before_us = 0;
        w->attempt = 0;
        w->failures = 0;
        mesh_unwant(m, &member->uuid, MESH_DEMAND);
    }
}

static struct link *dial(struct mesh *m, const struct addr *addr, uint16_t key_id, uint64_t now_us)
{
    for (struct link *l = mesh_first(m); l != NULL; l = mesh_after(m, l->id)) {
        if (l->is_dialed && addr_equal(&l->addr, addr)) {
            return NULL;
        }
    }
    struct link *l = mesh_add(m, LINK_DIALING, true, addr, now_us);
    if (l != NULL) {
        l->key_id = key_id;
        l->keys_tried = 1;
        outbox_dial(m->outbox, l->id, addr, key_id);
    }
    return l;
}

struct link *mesh_dial(struct mesh *m, const struct addr *addr, uint64_t now_us)
{
    return dial(m, addr, m->ring == NULL ? KEYRING_ID_OPEN : m->ring->keys[0].id, now_us);
}

bool mesh_dial_on(struct mesh *m, struct link *l)
{
    const struct keyring_key *key = m->ring == NULL ? NULL : keyring_find(m->ring, l->key_id);
    if (key == NULL || l->keys_tried >= m->ring->count) {
        return false;
    }
    const bool is_last = key + 1 == m->ring->keys + m->ring->count;
    l->key_id = is_last ? m->ring->keys[0].id : key[1].id;
    l->keys_tried++;
    outbox_dial(m->outbox, l->id, &l->addr, l->key_id);
    return true;
}

uint32_t mesh_undialed(const struct mesh *m, const struct swim *swim)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->want_count; i++) {
        const struct member *member = swim_find(swim, &m->wants[i].uuid);
        count += m->wants[i].failures >= DIALS_TOLD && member != NULL && member->has_answered &&
                 member->state == MEMBER_ALIVE && member->link == 0;
    }
    return count;
}

/* Dials a wanted member whose time has come. Returns when to look at it again, 0 to drop it. */
static uint64_t consider(struct mesh *m, struct swim *swim, struct want *w, uint64_t now_us)
{
    const struct member *member = swim_find(swim, &w->uuid);
    if (now_us >= w->demand_until_us) {
        w->reasons &= ~(uint32_t)MESH_DEMAND;
    }
    if (member == NULL || member->state == MEMBER_DEAD || member->state == MEMBER_LEFT ||
        w->reasons == 0) {
        return 0;
    }
    if (member->link != 0) {
        return NEVER;
    }
    struct addr addr;
    if (now_us < w->not_before_us) {
        return w->not_before_us;
    }
    if (!swim_addr_of(swim, member, w->attempt, &addr)) {
        put_off(w, now_us);
        return w->not_before_us;
    }
    /* The next time another address has its turn, also when this one reaches somebody else. */
    const uint16_t key_id = sealing_key_to(swim_sealing(swim), member);
    const bool is_dialed =
        swim_may_dial(swim, member, &addr, now_us) && dial(m, &addr, key_id, now_us) != NULL;
    if (is_dialed) {
        swim_dialed(swim, member, &addr, now_us);
    }
    w->not_before_us = now_us + (is_dialed ? LINK_HELLO_TIMEOUT_US : DIAL_PAUSE_MIN_US);
    w->attempt++;
    return w->not_before_us;
}

void mesh_turn(struct mesh *m, struct swim *swim, uint64_t now_us)
{
    if (now_us < m->turn_at_us) {
        return;
    }
    m->turn_at_us = NEVER;
    for (uint32_t i = 0; i < m->want_count;) {
        const uint64_t again_us = consider(m, swim, &m->wants[i], now_us);
        if (again_us == 0) {
            m->wants[i] = m->wants[--m->want_count];
        } else {
            turn_by(m, again_us);
            i++;
        }
    }
}

uint64_t mesh_deadline(const struct mesh *m)
{
    return m->turn_at_us;
}

void mesh_hurry(struct mesh *m)
{
    m->turn_at_us = 0;
}
