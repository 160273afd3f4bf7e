#include "gossip/replication/quorum.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <stdlib.h>
#include <string.h>

/* A waiter is a slot number in the low 16 bits and the slot's use count in the high ones, so that a
 * late acknowledgement of a settled write finds nobody. Slot 0 is never used. */
enum { SLOT_BITS = 16, SLOT_MASK = (1 << SLOT_BITS) - 1, SLOTS_MIN = 16, INDEX_SIZE = 1 << 12 };

/* Room for parts grows by so many: most enclaves are small. QUORUM_PARTS_MAX is a multiple. */
enum { PARTS_STEP = 8 };

/* A member that has a part in a write, and which. */
struct part {
    struct uuid member;
    uint8_t part;
};

struct slot {
    struct waiting write;
    struct part *parts; /* room for part_count, in steps; NULL while nobody has one */
    uint8_t part_count;
    uint16_t use;
    bool is_used;
    uint32_t older, newer; /* slots in order of arrival */
    uint32_t same_hash;    /* next slot in its chain of the index */
};

struct quorum {
    uint64_t timeout_us;
    struct outbox *outbox;
    struct slot *slots;
    uint32_t slot_count; /* allocated */
    uint32_t free_head;  /* through `newer` */
    uint32_t oldest, newest;
    uint32_t count;
    uint32_t index[INDEX_SIZE]; /* by record id */
    uint64_t quorum_total, pending_total;
};

struct quorum *quorum_new(uint64_t timeout_us, struct outbox *outbox)
{
    struct quorum *r = mem_new(1, sizeof(*r));
    r->timeout_us = timeout_us;
    r->outbox = outbox;
    return r;
}

void quorum_free(struct quorum *r)
{
    if (r == NULL) {
        return;
    }
    for (uint32_t i = r->oldest; i != 0; i = r->slots[i].newer) {
        free(r->slots[i].write.key);
        free(r->slots[i].parts);
    }
    free(r->slots);
    free(r);
}

uint32_t quorum_size(uint32_t members, uint32_t factor)
{
    return (members < factor ? members : factor) / 2 + 1;
}

static uint32_t waiter_of(const struct quorum *r, uint32_t slot)
{
    return (uint32_t)r->slots[slot].use << SLOT_BITS | slot;
}

static uint32_t slot_of(const struct quorum *r, uint32_t waiter)
{
    const uint32_t slot = waiter & SLOT_MASK;
    const bool is_ours = slot != 0 && slot < r->slot_count && r->slots[slot].is_used &&
                         r->slots[slot].use == waiter >> SLOT_BITS;
    return is_ours ? slot : 0;
}

static uint32_t *chain_of(struct quorum *r, uint64_t record_id)
{
    return &r->index[record_id % INDEX_SIZE];
}

static void grow(struct quorum *r)
{
    const uint32_t count = r->slot_count == 0 ? SLOTS_MIN : 2 * r->slot_count;
    r->slots = mem_resize(r->slots, count, sizeof(*r->slots));
    memset(r->slots + r->slot_count, 0, (count - r->slot_count) * sizeof(*r->slots));
    for (uint32_t i = count - 1; i >= r->slot_count && i > 0; i--) {
        r->slots[i].newer = r->free_head;
        r->free_head = i;
    }
    r->slot_count = count;
}

enum rc quorum_wait(struct quorum *r, const struct waiting *write, uint64_t now_us,
                    uint32_t *ret_waiter)
{
    ASSERT(write->done.have == 1 && write->quorum > 1);
    ASSERT(write->quorum - 1 <= QUORUM_HOLDERS_MAX);
    if (r->count == QUORUM_WAITING_MAX) {
        return RC_OVERLOADED;
    }
    if (r->free_head == 0) {
        grow(r);
    }
    const uint32_t slot = r->free_head;
    struct slot *s = &r->slots[slot];
    r->free_head = s->newer;
    s->write = *write;
    s->part_count = 0;
    s->write.deadline_us = now_us + r->timeout_us;
    s->write.key = mem_new(1, write->key_len);
    memcpy(s->write.key, write->key, write->key_len);
    s->use++;
    s->is_used = true;
    s->newer = 0;
    s->older = r->newest;
    *(r->newest != 0 ? &r->slots[r->newest].newer : &r->oldest) = slot;
    r->newest = slot;
    uint32_t *chain = chain_of(r, write->record_id);
    s->same_hash = *chain;
    *chain = slot;
    r->count++;
    *ret_waiter = waiter_of(r, slot);
    return RC_OK;
}

const struct waiting *quorum_at(const struct quorum *r, uint32_t waiter)
{
    const uint32_t slot = slot_of(r, waiter);
    return slot == 0 ? NULL : &r->slots[slot].write;
}

uint32_t quorum_find(const struct quorum *r, uint64_t record_id, const struct version *version)
{
    for (uint32_t i = r->index[record_id % INDEX_SIZE]; i != 0; i = r->slots[i].same_hash) {
        const struct waiting *write = &r->slots[i].write;
        if (write->record_id == record_id && version_compare(&write->done.version, version) == 0) {
            return waiter_of(r, i);
        }
    }
    return 0;
}

static void settle(struct quorum *r, uint32_t slot, enum put_status status)
{
    struct slot *s = &r->slots[slot];
    s->write.done.status = status;
    outbox_put_done(r->outbox, &s->write.done);
    *(status == PUT_QUORUM ? &r->quorum_total : &r->pending_total) += 1;
    uint32_t *link = chain_of(r, s->write.record_id);
    while (*link != slot) {
        link = &r->slots[*link].same_hash;
    }
    *link = s->same_hash;
    *(s->older != 0 ? &r->slots[s->older].newer : &r->oldest) = s->newer;
    *(s->newer != 0 ? &r->slots[s->newer].older : &r->newest) = s->older;
    mem_wipe(s->write.key, s->write.key_len);
    free(s->write.key);
    s->write.key = NULL;
    free(s->parts);
    s->parts = NULL;
    s->is_used = false;
    s->newer = r->free_head;
    r->free_head = slot;
    r->count--;
}

/* Where the member stands among those that have a part; part_count when it has none. */
static uint32_t find_part(const struct slot *s, const struct uuid *member)
{
    uint32_t at = 0;
    while (at < s->part_count && !uuid_equal(&s->parts[at].member, member)) {
        at++;
    }
    return at;
}

/* A place for one more; QUORUM_PARTS_MAX: there is none. When all places are taken, a holder gets
 * the place of a member that does not hold the write. There are never so many holders. */
static uint32_t new_part(struct slot *s, enum quorum_part part)
{
    if (s->part_count < QUORUM_PARTS_MAX) {
        if (s->part_count % PARTS_STEP == 0) {
            s->parts = mem_resize(s->parts, s->part_count + PARTS_STEP, sizeof(*s->parts));
        }
        return s->part_count++;
    }
    uint32_t at = 0;
    while (at < QUORUM_PARTS_MAX && (part == QUORUM_HOLDS ? s->parts[at].part == QUORUM_HOLDS
                                                          : s->parts[at].part != QUORUM_NONE)) {
        at++;
    }
    return at;
}

/* False when there was nothing to change, or no room. */
static bool set_part(struct slot *s, const struct uuid *member, enum quorum_part part)
{
    uint32_t at = find_part(s, member);
    if (at == s->part_count) {
        at = part == QUORUM_NONE ? QUORUM_PARTS_MAX : new_part(s, part);
    } else if (s->parts[at].part == QUORUM_HOLDS || s->parts[at].part == part) {
        return false;
    }
    if (at == QUORUM_PARTS_MAX) {
        return false;
    }
    s->parts[at] = (struct part){.member = *member, .part = (uint8_t)part};
    return true;
}

void quorum_held(struct quorum *r, uint32_t waiter, const struct uuid *member)
{
    const uint32_t slot = slot_of(r, waiter);
    struct slot *s = slot == 0 ? NULL : &r->slots[slot];
    if (s != NULL && set_part(s, member, QUORUM_HOLDS) && ++s->write.done.have == s->write.quorum) {
        settle(r, slot, PUT_QUORUM);
    }
}

void quorum_note(struct quorum *r, uint32_t waiter, const struct uuid *member,
                 enum quorum_part part)
{
    ASSERT(part != QUORUM_HOLDS);
    const uint32_t slot = slot_of(r, waiter);
    if (slot != 0) {
        (void)set_part(&r->slots[slot], member, part);
    }
}

enum quorum_part quorum_part(const struct quorum *r, uint32_t waiter, const struct uuid *member)
{
    const uint32_t slot = slot_of(r, waiter);
    const struct slot *s = slot == 0 ? NULL : &r->slots[slot];
    const uint32_t at = s == NULL ? 0 : find_part(s, member);
    return s == NULL || at == s->part_count ? QUORUM_NONE : (enum quorum_part)s->parts[at].part;
}

uint32_t quorum_parts(const struct quorum *r, uint32_t waiter, enum quorum_part part)
{
    const uint32_t slot = slot_of(r, waiter);
    uint32_t count = 0;
    for (uint32_t i = 0; slot != 0 && i < r->slots[slot].part_count; i++) {
        count += r->slots[slot].parts[i].part == part;
    }
    return count;
}

const struct uuid *quorum_next_settled(const struct quorum *r, uint32_t waiter, uint32_t *at)
{
    const uint32_t slot = slot_of(r, waiter);
    while (slot != 0 && *at < r->slots[slot].part_count) {
        const struct part *p = &r->slots[slot].parts[(*at)++];
        if (p->part == QUORUM_HOLDS || p->part == QUORUM_REFUSED) {
            return &p->member;
        }
    }
    return NULL;
}

void quorum_give_up(struct quorum *r, uint32_t waiter)
{
    const uint32_t slot = slot_of(r, waiter);
    if (slot != 0) {
        settle(r, slot, PUT_PENDING);
    }
}

uint32_t quorum_first(const struct quorum *r)
{
    return r->oldest == 0 ? 0 : waiter_of(r, r->oldest);
}

uint32_t quorum_next(const struct quorum *r, uint32_t waiter)
{
    const uint32_t slot = slot_of(r, waiter);
    const uint32_t next = slot == 0 ? 0 : r->slots[slot].newer;
    return next == 0 ? 0 : waiter_of(r, next);
}

uint32_t quorum_expire(struct quorum *r, uint64_t now_us)
{
    uint32_t count = 0;
    while (r->oldest != 0 && r->slots[r->oldest].write.deadline_us <= now_us) {
        settle(r, r->oldest, PUT_PENDING);
        count++;
    }
    return count;
}

void quorum_hurry(struct quorum *r, uint64_t deadline_us)
{
    /* Deadlines rise with the order of arrival. */
    for (uint32_t i = r->newest; i != 0 && r->slots[i].write.deadline_us > deadline_us;
         i = r->slots[i].older) {
        r->slots[i].write.deadline_us = deadline_us;
    }
}

uint64_t quorum_deadline(const struct quorum *r)
{
    return r->oldest == 0 ? NEVER : r->slots[r->oldest].write.deadline_us;
}

uint32_t quorum_count(const struct quorum *r)
{
    return r->count;
}

uint64_t quorum_reached_total(const struct quorum *r)
{
    return r->quorum_total;
}

uint64_t quorum_pending_total(const struct quorum *r)
{
    return r->pending_total;
}

void quorum_check(const struct quorum *r)
{
    uint32_t count = 0;
    uint64_t deadline_us = 0;
    for (uint32_t i = r->oldest; i != 0; i = r->slots[i].newer) {
        const struct slot *s = &r->slots[i];
        ASSERT(s->is_used);
        ASSERT(s->write.done.have >= 1 && s->write.done.have < s->write.quorum);
        ASSERT(quorum_parts(r, waiter_of(r, i), QUORUM_HOLDS) + 1 == s->write.done.have);
        ASSERT(s->write.deadline_us >= deadline_us);
        ASSERT(quorum_find(r, s->write.record_id, &s->write.done.version) != 0);
        deadline_us = s->write.deadline_us;
        count++;
    }
    ASSERT(count == r->count);
}
