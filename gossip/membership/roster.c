#include "gossip/membership/roster.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "gossip/membership/candidates.h"
#include "gossip/wire/packet.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    CHAIN_BITS_MIN = 4,
    CHAIN_MEMBERS = 1, /* on average, or there are to be more chains */
    TAG_BITS = 32,
};

/* Equal on all nodes, so a constant. */
#define DIGEST_SEED 0x72657072616d0001U

void roster_init(struct roster *r, uint64_t cluster, uint64_t host_tag, uint64_t hash_seed)
{
    *r = (struct roster){.cluster = cluster, .host_tag = host_tag, .hash_seed = hash_seed};
    r->chain_bits = CHAIN_BITS_MIN;
    r->chains = mem_new(1U << CHAIN_BITS_MIN, sizeof(*r->chains));
    r->chain_sums = mem_new(1U << CHAIN_BITS_MIN, sizeof(*r->chain_sums));
    r->block_live = mem_new((1U << CHAIN_BITS_MIN) / ROSTER_BLOCK, sizeof(*r->block_live));
    slotindex_init(&r->by_addr, MEMBERS_MAX * MEMBER_USABLE_MAX);
}

static struct member *seat_at(const struct roster *r, uint32_t slot)
{
    return &r->chunks[slot / ROSTER_CHUNK][slot % ROSTER_CHUNK];
}

void roster_fini(struct roster *r)
{
    for (uint32_t i = 0; i < r->seat_count; i++) {
        member_fini(seat_at(r, i));
    }
    for (uint32_t i = 0; i < r->seat_count / ROSTER_CHUNK; i++) {
        free(r->chunks[i]);
    }
    free(r->chunks);
    free(r->order);
    free(r->chains);
    free(r->chain_sums);
    free(r->block_live);
    slotindex_fini(&r->by_addr);
}

/* ---- Hashes and what counts where ---- */

static uint64_t digest_of(const struct member *m)
{
    uint8_t bytes[UUID_BYTES + 8];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_uuid(&c, &m->uuid);
    cursor_put_u64(&c, m->incarnation);
    return XXH3_64bits_withSeed(bytes, sizeof(bytes), DIGEST_SEED);
}

static uint32_t *count_of(struct roster *r, const struct member *m)
{
    struct swim_counts *c = &r->counts;
    uint32_t *const counts[] = {
        [MEMBER_ALIVE] = &c->alive, [MEMBER_SUSPECT] = &c->suspect, [MEMBER_DEAD] = &c->dead,
        [MEMBER_LEFT] = &c->left,   [MEMBER_NAMED] = &c->named,
    };
    return counts[m->state];
}

/* ---- Chains ---- */

static uint32_t chain_of(const struct roster *r, uint32_t tag)
{
    return tag >> (TAG_BITS - r->chain_bits);
}

/* The slot plus 1 of the first member in the tag's chain; 0 when the chain is empty. */
static uint32_t chain_first_1(const struct roster *r, uint32_t tag)
{
    return r->chains[chain_of(r, tag)].first_1;
}

static void chain_add(struct roster *r, struct member *m)
{
    uint16_t *link = &r->chains[chain_of(r, m->tag)].first_1;
    while (*link != 0 && seat_at(r, *link - 1U)->tag < m->tag) {
        link = &seat_at(r, *link - 1U)->next_1;
    }
    m->next_1 = *link;
    *link = (uint16_t)(m->slot + 1);
}

static void chain_remove(struct roster *r, struct member *m)
{
    uint16_t *link = &r->chains[chain_of(r, m->tag)].first_1;
    while (*link != m->slot + 1U) {
        ASSERT(*link != 0);
        link = &seat_at(r, *link - 1U)->next_1;
    }
    *link = m->next_1;
}

/* Adds to what is kept of its chain; `sum` and `live` may be what they would be below 0. */
static void count_in_chain(struct roster *r, const struct member *m, uint32_t sum, int live)
{
    const uint32_t chain = chain_of(r, m->tag);
    r->chain_sums[chain] += sum;
    r->chains[chain].live = (uint16_t)(r->chains[chain].live + live);
    r->block_live[chain / ROSTER_BLOCK] = (uint16_t)(r->block_live[chain / ROSTER_BLOCK] + live);
}

static void grow_chains(struct roster *r)
{
    free(r->chains);
    free(r->chain_sums);
    free(r->block_live);
    r->chain_bits++;
    const size_t count = (size_t)1 << r->chain_bits;
    r->chains = mem_new(count, sizeof(*r->chains));
    r->chain_sums = mem_new(count, sizeof(*r->chain_sums));
    r->block_live = mem_new(count / ROSTER_BLOCK, sizeof(*r->block_live));
    for (uint32_t i = 0; i < r->seat_count; i++) {
        struct member *m = seat_at(r, i);
        if (m->tag != 0) {
            chain_add(r, m);
            if (member_is_live(m)) {
                count_in_chain(r, m, (uint32_t)digest_of(m), 1);
            }
        }
    }
}

struct member *roster_first_in(const struct roster *r, uint32_t first, uint32_t last)
{
    const uint32_t shift = TAG_BITS - r->chain_bits;
    for (uint32_t i = first >> shift; i <= last >> shift; i++) {
        for (uint32_t at = r->chains[i].first_1; at != 0; at = seat_at(r, at - 1)->next_1) {
            struct member *m = seat_at(r, at - 1);
            if (m->tag >= first) {
                return m->tag <= last ? m : NULL;
            }
        }
    }
    return NULL;
}

struct member *roster_after(const struct roster *r, const struct member *m, uint32_t last)
{
    if (m->next_1 != 0) {
        struct member *next = seat_at(r, m->next_1 - 1U);
        return next->tag <= last ? next : NULL;
    }
    const uint32_t shift = TAG_BITS - r->chain_bits;
    const uint32_t chain = m->tag >> shift;
    return chain < last >> shift ? roster_first_in(r, (chain + 1) << shift, last) : NULL;
}

static uint32_t sum_part(const struct roster *r, uint32_t chain, uint32_t first, uint32_t last)
{
    uint32_t sum = 0;
    for (uint32_t at = r->chains[chain].first_1; at != 0; at = seat_at(r, at - 1)->next_1) {
        const struct member *m = seat_at(r, at - 1);
        sum += member_is_live(m) && m->tag >= first && m->tag <= last ? (uint32_t)digest_of(m) : 0;
    }
    return sum;
}

uint32_t roster_chain_width(const struct roster *r)
{
    return TAG_BITS - r->chain_bits;
}

uint32_t roster_sum(const struct roster *r, uint32_t first, uint32_t last)
{
    const uint32_t shift = TAG_BITS - r->chain_bits;
    const uint32_t inner = (1U << shift) - 1; /* the tags within a chain */
    uint32_t sum = 0;
    for (uint32_t i = first >> shift; i <= last >> shift; i++) {
        const bool is_whole = i << shift >= first && (i << shift | inner) <= last;
        sum += is_whole ? r->chain_sums[i] : sum_part(r, i, first, last);
    }
    return sum;
}

/* ---- Ranks ---- */

uint32_t roster_rank(const struct roster *r, const struct member *m)
{
    const uint32_t chain = chain_of(r, m->tag);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < chain / ROSTER_BLOCK; i++) {
        rank += r->block_live[i];
    }
    for (uint32_t i = chain / ROSTER_BLOCK * ROSTER_BLOCK; i < chain; i++) {
        rank += r->chains[i].live;
    }
    const struct member *before = seat_at(r, r->chains[chain].first_1 - 1U);
    for (; before != m; before = seat_at(r, before->next_1 - 1U)) {
        rank += member_is_live(before);
    }
    return rank;
}

struct member *roster_ranked(const struct roster *r, uint32_t rank)
{
    ASSERT(rank < r->order_count + (member_is_live(r->self) ? 1U : 0U));
    uint32_t block = 0;
    for (; rank >= r->block_live[block]; block++) {
        rank -= r->block_live[block];
    }
    uint32_t chain = block * ROSTER_BLOCK;
    for (; rank >= r->chains[chain].live; chain++) {
        rank -= r->chains[chain].live;
    }
    struct member *m = seat_at(r, r->chains[chain].first_1 - 1U);
    while (!member_is_live(m) || rank-- > 0) {
        m = seat_at(r, m->next_1 - 1U);
    }
    return m;
}

struct member *roster_live_after(const struct roster *r, const struct member *m)
{
    struct member *next = NULL;
    while (r->order_count > 0 && (next == NULL || next->is_self || !member_is_live(next))) {
        next = roster_after(r, next != NULL ? next : m, UINT32_MAX);
        next = next != NULL ? next : roster_first_in(r, 0, UINT32_MAX);
    }
    return next;
}

/* ---- Keeping indexes, order, digest and counts in step with a member ---- */

static void index_addrs(struct roster *r, const struct member *m, bool is_added)
{
    struct addr list[MEMBER_USABLE_MAX];
    const uint32_t count = member_is_live(m) ? member_addrs(m, r->host_tag, list) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t hash = candidates_addr_hash(&list[i], r->hash_seed);
        if (is_added) {
            slotindex_add(&r->by_addr, hash, m->slot);
        } else {
            slotindex_remove(&r->by_addr, hash, m->slot);
        }
    }
}

static void order_swap(struct roster *r, uint32_t a, uint32_t b)
{
    const uint16_t slot = r->order[a];
    r->order[a] = r->order[b];
    r->order[b] = slot;
    seat_at(r, r->order[a])->order_1 = (uint16_t)(a + 1);
    seat_at(r, r->order[b])->order_1 = (uint16_t)(b + 1);
}

/* Moves a member that was gone to the living. */
static void order_raise(struct roster *r, const struct member *m)
{
    order_swap(r, m->order_1 - 1U, r->order_count++);
    r->gone_count--;
}

/* And the other way round. */
static void order_lower(struct roster *r, const struct member *m)
{
    order_swap(r, m->order_1 - 1U, --r->order_count);
    r->gone_count++;
}

static void order_add(struct roster *r, struct member *m)
{
    const uint32_t at = r->order_count + r->gone_count++;
    r->order[at] = m->slot;
    m->order_1 = (uint16_t)(at + 1);
}

static void order_remove(struct roster *r, struct member *m)
{
    if (m->order_1 <= r->order_count) {
        order_lower(r, m);
    }
    order_swap(r, m->order_1 - 1U, r->order_count + --r->gone_count);
    m->order_1 = 0;
}

/* Takes the member's share out of everything that depends on its state; put_in() is the inverse. */
static void take_out(struct roster *r, const struct member *m)
{
    index_addrs(r, m, false);
    if (member_is_live(m)) {
        const uint64_t digest = digest_of(m);
        r->digest -= digest;
        count_in_chain(r, m, -(uint32_t)digest, -1);
    }
    if (!m->is_self && !m->is_ghost) {
        (*count_of(r, m))--;
    }
}

static void put_in(struct roster *r, const struct member *m)
{
    index_addrs(r, m, true);
    if (member_is_live(m)) {
        const uint64_t digest = digest_of(m);
        r->digest += digest;
        count_in_chain(r, m, (uint32_t)digest, 1);
    }
    if (!m->is_self && !m->is_ghost) {
        (*count_of(r, m))++;
    }
}

static void settle_order(struct roster *r, const struct member *m)
{
    if (m->is_self) {
        return;
    }
    const bool is_raised = m->order_1 <= r->order_count;
    if (member_is_live(m) && !is_raised) {
        order_raise(r, m);
    } else if (!member_is_live(m) && is_raised) {
        order_lower(r, m);
    }
}

/* ---- Members ---- */

static void grow(struct roster *r)
{
    const uint32_t old = r->seat_count;
    const uint32_t chunks = old / ROSTER_CHUNK;
    if ((chunks & (chunks - 1)) == 0) {
        /* A power of two is full. Growing by a chunk each time would leave holes that nothing fits
         * into: a tenth of the memory of a table of ten thousand. */
        const uint32_t size = chunks == 0 ? 1 : 2 * chunks;
        r->chunks = mem_resize(r->chunks, size, sizeof(struct member *));
        r->order = mem_resize(r->order, (size_t)size * ROSTER_CHUNK, sizeof(*r->order));
    }
    r->seat_count += ROSTER_CHUNK;
    r->chunks[chunks] = mem_new(ROSTER_CHUNK, sizeof(struct member));
    for (uint32_t i = r->seat_count; i-- > old;) {
        seat_at(r, i)->next_1 = (uint16_t)r->free_1;
        r->free_1 = i + 1;
    }
}

struct member *roster_add(struct roster *r, const struct member_card *card, enum member_state state,
                          bool is_self, uint64_t now_us)
{
    if (r->member_count == MEMBERS_MAX) {
        return NULL;
    }
    if (r->free_1 == 0) {
        grow(r);
    }
    if (r->member_count >= (uint32_t)CHAIN_MEMBERS << r->chain_bits) {
        grow_chains(r);
    }
    const uint32_t slot = r->free_1 - 1;
    struct member *m = seat_at(r, slot);
    ASSERT(is_self == (r->self == NULL));
    r->self = is_self ? m : r->self;
    r->free_1 = m->next_1;
    *m = (struct member){
        .state = state,
        .is_self = is_self,
        .state_since_us = now_us,
        .slot = (uint16_t)slot,
        .tag = packet_tag(&card->uuid, r->cluster),
    };
    member_set_card(m, card);
    m->is_mate = strcmp(member_enclave(m), member_enclave(r->self)) == 0;
    r->member_count++;
    chain_add(r, m);
    put_in(r, m);
    if (!is_self) {
        order_add(r, m);
        settle_order(r, m);
    }
    return m;
}

void roster_remove(struct roster *r, struct member *m)
{
    ASSERT(m->probe == NULL && !m->is_self && m->rumor_1 == 0);
    const uint32_t slot = m->slot;
    take_out(r, m);
    order_remove(r, m);
    chain_remove(r, m);
    member_fini(m);
    *m = (struct member){.next_1 = (uint16_t)r->free_1};
    r->free_1 = slot + 1;
    r->member_count--;
}

struct member *roster_gone_at(const struct roster *r, uint32_t i)
{
    ASSERT(i < r->gone_count);
    return seat_at(r, r->order[r->order_count + i]);
}

struct member *roster_oldest_gone(const struct roster *r, uint64_t now_us)
{
    struct member *oldest = NULL;
    for (uint32_t i = 0; i < r->gone_count; i++) {
        struct member *m = roster_gone_at(r, i);
        if (m->link == 0 && m->state != MEMBER_NAMED && m->state_since_us < now_us &&
            (oldest == NULL || m->state_since_us < oldest->state_since_us)) {
            oldest = m;
        }
    }
    return oldest;
}

struct member *roster_at(const struct roster *r, uint32_t slot)
{
    struct member *m = slot < r->seat_count ? seat_at(r, slot) : NULL;
    return m != NULL && m->tag != 0 ? m : NULL;
}

struct member *roster_find(const struct roster *r, const struct uuid *uuid)
{
    const uint32_t tag = packet_tag(uuid, r->cluster);
    for (uint32_t at = chain_first_1(r, tag); at != 0; at = seat_at(r, at - 1)->next_1) {
        struct member *m = seat_at(r, at - 1);
        if (m->tag == tag && uuid_equal(&m->uuid, uuid)) {
            return m;
        }
    }
    return NULL;
}

void roster_prefetch(const struct roster *r, const struct uuid *uuid)
{
    const uint32_t at = chain_first_1(r, packet_tag(uuid, r->cluster));
    if (at != 0) {
        __builtin_prefetch(seat_at(r, at - 1));
    }
}

struct member *roster_find_tag(const struct roster *r, uint32_t tag)
{
    struct member *found = NULL;
    for (uint32_t at = chain_first_1(r, tag); at != 0; at = seat_at(r, at - 1)->next_1) {
        struct member *m = seat_at(r, at - 1);
        if (m->tag == tag) {
            if (found != NULL) {
                return NULL;
            }
            found = m;
        }
    }
    return found != NULL && !found->is_ghost ? found : NULL;
}

struct member *roster_next_at(const struct roster *r, const struct addr *addr, uint32_t *walk)
{
    uint32_t slot = 0;
    while (slotindex_next(&r->by_addr, candidates_addr_hash(addr, r->hash_seed), walk, &slot)) {
        if (roster_has_addr(r, seat_at(r, slot), addr)) {
            return seat_at(r, slot);
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
                      uint64_t incarnation, uint64_t now_us)
{
    take_out(r, m);
    if (m->state != state) {
        m->state = state;
        m->state_since_us = now_us;
    }
    m->incarnation = incarnation;
    put_in(r, m);
    settle_order(r, m);
}

void roster_set_card(struct roster *r, struct member *m, const struct member_card *card)
{
    ASSERT(uuid_equal(&m->uuid, &card->uuid));
    const uint64_t incarnation = m->incarnation;
    take_out(r, m);
    member_set_card(m, card);
    m->incarnation = incarnation;
    m->is_mate = strcmp(member_enclave(m), member_enclave(r->self)) == 0;
    put_in(r, m);
}

void roster_set_last_addr(struct roster *r, struct member *m, const struct addr *addr)
{
    const struct addr last = member_last_addr(m);
    if (last.port == 0 && roster_has_addr(r, m, addr)) {
        member_set_last_addr(m, addr); /* by its card it is found there already */
    } else if (!addr_equal(&last, addr)) {
        index_addrs(r, m, false);
        member_set_last_addr(m, addr);
        index_addrs(r, m, true);
    }
}

/* ---- Choices ---- */

struct member *roster_random(const struct roster *r, struct rng *rng)
{
    return r->order_count == 0 ? NULL : seat_at(r, r->order[rng_below(rng, r->order_count)]);
}

uint32_t roster_live_count(const struct roster *r)
{
    return r->order_count + 1;
}

static void check_chains(const struct roster *r)
{
    uint32_t chained = 0, block_live = 0;
    for (uint32_t i = 0; i < 1U << r->chain_bits; i++) {
        uint32_t sum = 0, live = 0, tag = 0;
        for (uint32_t at = r->chains[i].first_1; at != 0; at = seat_at(r, at - 1)->next_1) {
            const struct member *m = seat_at(r, at - 1);
            ASSERT(m->tag >= tag && m->tag >> (TAG_BITS - r->chain_bits) == i);
            tag = m->tag;
            sum += member_is_live(m) ? (uint32_t)digest_of(m) : 0;
            live += member_is_live(m);
            chained++;
        }
        ASSERT(sum == r->chain_sums[i] && live == r->chains[i].live);
        block_live = (i % ROSTER_BLOCK == 0 ? 0 : block_live) + live;
        ASSERT((i + 1) % ROSTER_BLOCK != 0 || block_live == r->block_live[i / ROSTER_BLOCK]);
    }
    ASSERT(chained == r->member_count);
}

void roster_check(const struct roster *r)
{
    uint64_t digest = 0;
    uint32_t members = 0, addrs = 0, shown = 0;
    check_chains(r);
    for (uint32_t i = 0; i < r->seat_count; i++) {
        const struct member *m = roster_at(r, i);
        if (m == NULL) {
            continue;
        }
        members++;
        ASSERT(m->slot == i && roster_find(r, &m->uuid) == m);
        ASSERT(m->tag == packet_tag(&m->uuid, r->cluster));
        ASSERT(m->is_ghost == (member_name(m)[0] == '\0') && (!m->is_ghost || !member_is_live(m)));
        ASSERT((m->order_1 != 0) == !m->is_self);
        ASSERT(m->is_self || r->order[m->order_1 - 1] == i);
        ASSERT(m->is_self || member_is_live(m) == (m->order_1 <= r->order_count));
        shown += !m->is_self && !m->is_ghost;
        if (member_is_live(m)) {
            struct addr list[MEMBER_USABLE_MAX];
            digest += digest_of(m);
            addrs += member_addrs(m, r->host_tag, list);
        }
    }
    ASSERT(members == r->member_count && members <= MEMBERS_MAX && digest == r->digest);
    ASSERT(r->order_count + r->gone_count + 1 == members);
    ASSERT(shown ==
           r->counts.alive + r->counts.suspect + r->counts.dead + r->counts.left + r->counts.named);
    ASSERT(r->by_addr.count == addrs);
}
