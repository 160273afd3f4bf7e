#include "gossip/roster.h"

#include "core/assert.h"
#include "core/mem.h"
#include "gossip/candidate.h"
#include "gossip/packet.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { ROSTER_SEATS_MIN = 16 };

/* Equal on all nodes, so a constant. */
#define DIGEST_SEED 0x72657072616d0001U

void roster_init(struct roster *r, uint64_t cluster, uint64_t host_tag, uint64_t hash_seed)
{
    *r = (struct roster){.cluster = cluster, .host_tag = host_tag, .hash_seed = hash_seed};
    slotindex_init(&r->by_uuid, MEMBERS_MAX);
    slotindex_init(&r->by_tag, MEMBERS_MAX);
    slotindex_init(&r->by_addr, MEMBERS_MAX * MEMBER_USABLE_MAX);
}

void roster_fini(struct roster *r)
{
    for (uint32_t i = 0; i < r->seat_count; i++) {
        free(r->seats[i].member);
    }
    free(r->seats);
    free(r->order);
    slotindex_fini(&r->by_uuid);
    slotindex_fini(&r->by_tag);
    slotindex_fini(&r->by_addr);
}

/* ---- Hashes and what counts where ---- */

static uint32_t uuid_hash(const struct roster *r, const struct uuid *uuid)
{
    return (uint32_t)XXH3_64bits_withSeed(uuid->bytes, UUID_BYTES, r->hash_seed);
}

static uint64_t digest_of(const struct member *m)
{
    uint8_t bytes[UUID_BYTES + 4];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_uuid(&c, &m->card.uuid);
    cursor_put_u32(&c, m->card.incarnation);
    return XXH3_64bits_withSeed(bytes, sizeof(bytes), DIGEST_SEED);
}

static bool is_live(const struct member *m)
{
    return m->state == MEMBER_ALIVE || m->state == MEMBER_SUSPECT;
}

bool roster_is_ghost(const struct member *m)
{
    return m->card.name[0] == '\0';
}

static uint32_t *count_of(struct roster *r, enum member_state state)
{
    switch (state) {
    case MEMBER_ALIVE:
        return &r->counts.alive;
    case MEMBER_SUSPECT:
        return &r->counts.suspect;
    case MEMBER_DEAD:
        return &r->counts.dead;
    case MEMBER_LEFT:
        break;
    }
    return &r->counts.left;
}

/* ---- Keeping indexes, order, digest and counts in step with a member ---- */

static void index_addrs(struct roster *r, const struct member *m, bool is_added)
{
    struct addr list[MEMBER_USABLE_MAX];
    const uint32_t count = is_live(m) ? member_addrs(m, r->host_tag, list) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t hash = candidate_addr_hash(&list[i], r->hash_seed);
        if (is_added) {
            slotindex_add(&r->by_addr, hash, m->slot);
        } else {
            slotindex_remove(&r->by_addr, hash, m->slot);
        }
    }
}

static void order_swap(struct roster *r, uint32_t a, uint32_t b)
{
    const uint32_t slot = r->order[a];
    r->order[a] = r->order[b];
    r->order[b] = slot;
    r->seats[r->order[a]].order_1 = a + 1;
    r->seats[r->order[b]].order_1 = b + 1;
}

/* At a random place of what remains of this round, so that a newcomer is probed within it. */
static void order_add(struct roster *r, uint32_t slot, struct rng *rng)
{
    const uint32_t at = r->order_count++;
    r->order[at] = slot;
    r->seats[slot].order_1 = at + 1;
    order_swap(r, at, r->order_next + (uint32_t)rng_below(rng, r->order_count - r->order_next));
}

static void order_remove(struct roster *r, uint32_t slot)
{
    uint32_t at = r->seats[slot].order_1 - 1;
    if (at < r->order_next) {
        /* The last one already probed takes its place, so that nobody is skipped. */
        r->order_next--;
        order_swap(r, at, r->order_next);
        at = r->order_next;
    }
    order_swap(r, at, r->order_count - 1);
    r->order_count--;
    r->seats[slot].order_1 = 0;
}

/* Takes the member's share out of everything that depends on its state; put_in() is the inverse. */
static void take_out(struct roster *r, const struct member *m)
{
    index_addrs(r, m, false);
    if (is_live(m)) {
        r->digest -= digest_of(m);
    }
    if (!m->is_self && !roster_is_ghost(m)) {
        (*count_of(r, m->state))--;
    }
}

static void put_in(struct roster *r, const struct member *m)
{
    index_addrs(r, m, true);
    if (is_live(m)) {
        r->digest += digest_of(m);
    }
    if (!m->is_self && !roster_is_ghost(m)) {
        (*count_of(r, m->state))++;
    }
}

static void settle_order(struct roster *r, const struct member *m, struct rng *rng)
{
    const bool is_in = r->seats[m->slot].order_1 != 0;
    const bool belongs = is_live(m) && !m->is_self;
    if (belongs && !is_in) {
        order_add(r, m->slot, rng);
    } else if (!belongs && is_in) {
        order_remove(r, m->slot);
    }
}

/* ---- Members ---- */

static void grow(struct roster *r)
{
    const uint32_t old = r->seat_count;
    r->seat_count = old == 0 ? ROSTER_SEATS_MIN : 2 * old;
    r->seats = mem_resize(r->seats, r->seat_count, sizeof(*r->seats));
    r->order = mem_resize(r->order, r->seat_count, sizeof(*r->order));
    for (uint32_t i = r->seat_count; i-- > old;) {
        r->seats[i] = (struct roster_seat){.next_free_1 = r->free_1};
        r->free_1 = i + 1;
    }
}

struct member *roster_add(struct roster *r, const struct member_card *card, enum member_state state,
                          bool is_self, struct rng *rng, uint64_t now_us)
{
    ASSERT(roster_find(r, &card->uuid) == NULL);
    if (r->member_count == MEMBERS_MAX) {
        return NULL;
    }
    if (r->free_1 == 0) {
        grow(r);
    }
    const uint32_t slot = r->free_1 - 1;
    struct roster_seat *seat = &r->seats[slot];
    r->free_1 = seat->next_free_1;
    struct member *m = mem_new(1, sizeof(*m));
    *m = (struct member){
        .card = *card,
        .state = state,
        .is_self = is_self,
        .state_since_us = now_us,
        .slot = slot,
        .tag = packet_tag(&card->uuid, r->cluster),
    };
    *seat = (struct roster_seat){.member = m};
    r->member_count++;
    slotindex_add(&r->by_uuid, uuid_hash(r, &card->uuid), slot);
    slotindex_add(&r->by_tag, m->tag, slot);
    put_in(r, m);
    settle_order(r, m, rng);
    return m;
}

void roster_remove(struct roster *r, struct member *m)
{
    ASSERT(m->probe == NULL && !m->is_self);
    struct roster_seat *seat = &r->seats[m->slot];
    take_out(r, m);
    if (seat->order_1 != 0) {
        order_remove(r, m->slot);
    }
    slotindex_remove(&r->by_uuid, uuid_hash(r, &m->card.uuid), m->slot);
    slotindex_remove(&r->by_tag, m->tag, m->slot);
    *seat = (struct roster_seat){.next_free_1 = r->free_1};
    r->free_1 = m->slot + 1;
    r->member_count--;
    free(m);
}

struct member *roster_oldest_gone(const struct roster *r)
{
    struct member *oldest = NULL;
    for (uint32_t i = 0; i < r->seat_count; i++) {
        struct member *m = r->seats[i].member;
        if (m != NULL && !m->is_self && !is_live(m) && m->link == 0 &&
            (oldest == NULL || m->state_since_us < oldest->state_since_us)) {
            oldest = m;
        }
    }
    return oldest;
}

struct member *roster_at(const struct roster *r, uint32_t slot)
{
    return slot < r->seat_count ? r->seats[slot].member : NULL;
}

struct member *roster_find(const struct roster *r, const struct uuid *uuid)
{
    uint32_t walk = 0, slot = 0;
    while (slotindex_next(&r->by_uuid, uuid_hash(r, uuid), &walk, &slot)) {
        if (uuid_equal(&r->seats[slot].member->card.uuid, uuid)) {
            return r->seats[slot].member;
        }
    }
    return NULL;
}

struct member *roster_find_tag(const struct roster *r, uint32_t tag)
{
    struct member *found = NULL;
    uint32_t walk = 0, slot = 0;
    while (slotindex_next(&r->by_tag, tag, &walk, &slot)) {
        if (found != NULL) {
            return NULL;
        }
        found = r->seats[slot].member;
    }
    return found != NULL && !roster_is_ghost(found) ? found : NULL;
}

struct member *roster_next_at(const struct roster *r, const struct addr *addr, uint32_t *walk)
{
    uint32_t slot = 0;
    while (slotindex_next(&r->by_addr, candidate_addr_hash(addr, r->hash_seed), walk, &slot)) {
        if (roster_has_addr(r, r->seats[slot].member, addr)) {
            return r->seats[slot].member;
        }
    }
    return NULL;
}

bool roster_has_addr(const struct roster *r, const struct member *m, const struct addr *addr)
{
    struct addr list[MEMBER_USABLE_MAX];
    const uint32_t count = member_addrs(m, r->host_tag, list);
    for (uint32_t i = 0; i < count; i++) {
        if (addr_equal(&list[i], addr)) {
            return true;
        }
    }
    return false;
}

bool roster_addr_of(const struct roster *r, const struct member *m, uint32_t attempt,
                    struct addr *ret_addr)
{
    struct addr list[MEMBER_USABLE_MAX];
    const uint32_t count = member_addrs(m, r->host_tag, list);
    if (count == 0) {
        return false;
    }
    *ret_addr = list[attempt % count];
    return true;
}

void roster_set_state(struct roster *r, struct member *m, enum member_state state,
                      uint32_t incarnation, struct rng *rng, uint64_t now_us)
{
    take_out(r, m);
    if (m->state != state) {
        m->state = state;
        m->state_since_us = now_us;
    }
    m->card.incarnation = incarnation;
    put_in(r, m);
    settle_order(r, m, rng);
}

void roster_set_card(struct roster *r, struct member *m, const struct member_card *card)
{
    ASSERT(uuid_equal(&m->card.uuid, &card->uuid));
    const uint32_t incarnation = m->card.incarnation;
    take_out(r, m);
    m->card = *card;
    m->card.incarnation = incarnation;
    put_in(r, m);
}

void roster_set_last_addr(struct roster *r, struct member *m, const struct addr *addr)
{
    if (!addr_equal(&m->last_addr, addr)) {
        index_addrs(r, m, false);
        m->last_addr = *addr;
        index_addrs(r, m, true);
    }
}

/* ---- Choices ---- */

struct member *roster_next_target(struct roster *r, struct rng *rng)
{
    if (r->order_count == 0) {
        return NULL;
    }
    if (r->order_next >= r->order_count) {
        r->order_next = 0;
        for (uint32_t i = r->order_count - 1; i > 0; i--) {
            order_swap(r, i, (uint32_t)rng_below(rng, i + 1));
        }
    }
    return r->seats[r->order[r->order_next++]].member;
}

struct member *roster_random(const struct roster *r, struct rng *rng)
{
    return r->order_count == 0 ? NULL : r->seats[r->order[rng_below(rng, r->order_count)]].member;
}

uint32_t roster_live_count(const struct roster *r)
{
    return r->order_count + 1;
}

void roster_check(const struct roster *r)
{
    uint64_t digest = 0;
    uint32_t members = 0, in_order = 0, addrs = 0, shown = 0;
    for (uint32_t i = 0; i < r->seat_count; i++) {
        const struct member *m = r->seats[i].member;
        if (m == NULL) {
            continue;
        }
        members++;
        ASSERT(m->slot == i && roster_find(r, &m->card.uuid) == m);
        ASSERT(m->tag == packet_tag(&m->card.uuid, r->cluster));
        ASSERT(!roster_is_ghost(m) || !is_live(m));
        const uint32_t order_1 = r->seats[i].order_1;
        ASSERT((order_1 != 0) == (is_live(m) && !m->is_self));
        ASSERT(order_1 == 0 || r->order[order_1 - 1] == i);
        in_order += order_1 != 0;
        shown += !m->is_self && !roster_is_ghost(m);
        if (is_live(m)) {
            struct addr list[MEMBER_USABLE_MAX];
            digest += digest_of(m);
            addrs += member_addrs(m, r->host_tag, list);
        }
    }
    ASSERT(members == r->member_count && members <= MEMBERS_MAX && digest == r->digest);
    ASSERT(in_order == r->order_count && r->order_next <= r->order_count);
    ASSERT(shown == r->counts.alive + r->counts.suspect + r->counts.dead + r->counts.left);
    ASSERT(r->by_uuid.count == members && r->by_tag.count == members);
    ASSERT(r->by_addr.count == addrs);
}
