#include "gossip/membership/candidates.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/*
 * A candidate's sequence number: bit 31, and 31 bits that nobody can guess, because whatever
 * repeats the number is an answer. By its number an answer finds its candidate even when it comes
 * from another address of the same host.
 */
#define SEQ_CANDIDATE 0x80000000U

struct candidate {
    struct timer timer;
    struct addr addr;
    uint32_t slot;
    uint32_t seq;
    uint32_t asks;
    uint64_t cookie; /* 0: none so far */
    uint8_t nonce[PACKET_NONCE_BYTES];
    struct uuid uuid; /* who sent the cookie, nil where it did not say; and under which key */
    uint16_t key_id;
    uint64_t asked_us;
    uint64_t pace_us; /* between questions with the cookie */
    bool is_dialed;
};

uint32_t candidates_addr_hash(const struct addr *addr, uint64_t seed)
{
    uint8_t bytes[ADDR_WIRE_MAX];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    addr_write(&c, addr);
    return (uint32_t)XXH3_64bits_withSeed(bytes, c.pos, seed);
}

void candidates_init(struct candidates *cs, uint64_t hash_seed,
                     const uint8_t secret[static SIPHASH_KEY_BYTES])
{
    *cs = (struct candidates){.hash_seed = hash_seed, .asks_max = CANDIDATE_ASKS_MAX};
    series_init(&cs->seqs, secret, "candidates");
    series_init(&cs->nonces, secret, "intro");
    slotindex_init(&cs->by_addr, CANDIDATES_MAX);
    slotindex_init(&cs->by_seq, CANDIDATES_MAX);
    timerheap_init(&cs->timers, CANDIDATES_MAX);
}

void candidates_fini(struct candidates *cs)
{
    for (uint32_t i = 0; i < cs->slot_count; i++) {
        free(cs->slots[i]);
    }
    free(cs->slots);
    slotindex_fini(&cs->by_addr);
    slotindex_fini(&cs->by_seq);
    timerheap_fini(&cs->timers);
}

static struct candidate *find(const struct candidates *cs, const struct addr *addr)
{
    uint32_t walk = 0, slot = 0;
    while (slotindex_next(&cs->by_addr, candidates_addr_hash(addr, cs->hash_seed), &walk, &slot)) {
        if (addr_equal(&cs->slots[slot]->addr, addr)) {
            return cs->slots[slot];
        }
    }
    return NULL;
}

static void forget(struct candidates *cs, struct candidate *ca)
{
    timerheap_clear(&cs->timers, &ca->timer);
    slotindex_remove(&cs->by_addr, candidates_addr_hash(&ca->addr, cs->hash_seed), ca->slot);
    slotindex_remove(&cs->by_seq, ca->seq, ca->slot);
    cs->slots[ca->slot] = NULL;
    cs->count--;
    free(ca);
}

static uint32_t free_slot(struct candidates *cs)
{
    /* The search begins at `count`, because without gaps that is the first free slot. */
    for (uint32_t i = 0; i < cs->slot_count; i++) {
        const uint32_t slot = (cs->count + i) & (cs->slot_count - 1);
        if (cs->slots[slot] == NULL) {
            return slot;
        }
    }
    const uint32_t grown = cs->slot_count == 0 ? CANDIDATE_BURST : 2 * cs->slot_count;
    cs->slots = mem_resize(cs->slots, grown, sizeof(struct candidate *));
    for (uint32_t i = cs->slot_count; i < grown; i++) {
        cs->slots[i] = NULL;
    }
    const uint32_t slot = cs->slot_count;
    cs->slot_count = grown;
    return slot;
}

static uint64_t first_ask_at(struct candidates *cs, uint64_t now_us)
{
    if (cs->burst_us < now_us) {
        cs->burst_us = now_us;
        cs->burst_count = 0;
    }
    if (cs->burst_count == CANDIDATE_BURST) {
        cs->burst_us += CANDIDATE_BURST_US;
        cs->burst_count = 0;
    }
    cs->burst_count++;
    return cs->burst_us;
}

static bool is_seq(uint32_t seq)
{
    return (seq & SEQ_CANDIDATE) != 0;
}

static struct candidate *find_seq(const struct candidates *cs, uint32_t seq)
{
    uint32_t walk = 0, slot = 0;
    while (is_seq(seq) && slotindex_next(&cs->by_seq, seq, &walk, &slot)) {
        if (cs->slots[slot]->seq == seq) {
            return cs->slots[slot];
        }
    }
    return NULL;
}

static uint32_t next_seq(struct candidates *cs)
{
    uint32_t seq = 0;
    do {
        seq = SEQ_CANDIDATE | (uint32_t)series_next(&cs->seqs);
    } while (find_seq(cs, seq) != NULL);
    return seq;
}

/* Nobody can tell it before, so what repeats it answers this INTRO. */
static void draw_nonce(struct candidates *cs, struct candidate *ca)
{
    struct cursor c = cursor_writer(ca->nonce, sizeof(ca->nonce));
    while (c.pos < sizeof(ca->nonce)) {
        cursor_put_u64(&c, series_next(&cs->nonces));
    }
}

bool candidates_add(struct candidates *cs, const struct addr *addr, uint64_t now_us)
{
    if (cs->count == CANDIDATES_MAX || addr->port == 0 || addr_is_any(addr) ||
        candidates_is_own(cs, addr) || find(cs, addr) != NULL) {
        return false;
    }
    struct candidate *ca = mem_new(1, sizeof(*ca));
    ca->timer.owner = ca;
    ca->addr = *addr;
    ca->slot = free_slot(cs);
    ca->seq = next_seq(cs);
    draw_nonce(cs, ca);
    cs->slots[ca->slot] = ca;
    cs->count++;
    slotindex_add(&cs->by_addr, candidates_addr_hash(addr, cs->hash_seed), ca->slot);
    slotindex_add(&cs->by_seq, ca->seq, ca->slot);
    timerheap_set(&cs->timers, &ca->timer, first_ask_at(cs, now_us));
    return true;
}

uint64_t candidates_deadline(const struct candidates *cs)
{
    const struct timer *first = timerheap_first(&cs->timers);
    return first != NULL ? first->due_us : NEVER;
}

enum candidate_step candidates_due(struct candidates *cs, uint64_t now_us,
                                   struct candidate_ask *ret_ask)
{
    for (;;) {
        const struct timer *first = timerheap_first(&cs->timers);
        if (first == NULL || first->due_us > now_us) {
            return CANDIDATE_WAIT;
        }
        struct candidate *ca = first->owner;
        *ret_ask = (struct candidate_ask){.addr = ca->addr,
                                          .seq = ca->seq,
                                          .number = ca->asks,
                                          .cookie = ca->cookie,
                                          .uuid = ca->uuid,
                                          .key_id = ca->key_id};
        memcpy(ret_ask->nonce, ca->nonce, sizeof(ca->nonce));
        if (ca->is_dialed) {
            forget(cs, ca);
            continue;
        }
        if (ca->asks < (ca->cookie != 0 ? CANDIDATE_COOKIE_ASKS_MAX : cs->asks_max)) {
            const uint64_t wait_us = ca->cookie != 0 ? ca->pace_us
                                     : ca->asks == 0 ? CANDIDATE_ASK_FIRST_US
                                                     : CANDIDATE_ASK_LATER_US;
            ca->asks++;
            ca->asked_us = now_us;
            timerheap_set(&cs->timers, &ca->timer, now_us + wait_us);
            return CANDIDATE_ASK;
        }
        ca->is_dialed = true;
        timerheap_set(&cs->timers, &ca->timer, now_us + CANDIDATE_DIAL_US);
        return CANDIDATE_DIAL;
    }
}

bool candidates_refused(struct candidates *cs, const struct addr *addr, uint64_t now_us)
{
    struct candidate *ca = find(cs, addr);
    if (ca == NULL) {
        return false;
    }
    if (addr_is_loopback(addr)) {
        forget(cs, ca); /* no firewall between: who has no UDP port here has no TCP port either */
    } else if (ca->asks > 0 && !ca->is_dialed) {
        ca->asks = CANDIDATE_COOKIE_ASKS_MAX;
        timerheap_set(&cs->timers, &ca->timer, now_us);
    }
    return true;
}

bool candidates_settle(struct candidates *cs, const struct addr *addr)
{
    struct candidate *ca = find(cs, addr);
    if (ca != NULL) {
        forget(cs, ca);
    }
    return ca != NULL;
}

bool candidates_has_asked(const struct candidates *cs, uint32_t seq)
{
    return find_seq(cs, seq) != NULL;
}

bool candidates_settle_seq(struct candidates *cs, uint32_t seq, struct addr *ret_addr)
{
    struct candidate *ca = find_seq(cs, seq);
    if (ca == NULL) {
        return false;
    }
    *ret_addr = ca->addr;
    forget(cs, ca);
    return true;
}

/* Whether a cookie is news of it, and still of use. */
static bool wants_cookie(const struct candidate *ca)
{
    return ca->cookie == 0 && ca->asks > 0 && !ca->is_dialed;
}

bool candidates_cookie(struct candidates *cs, uint32_t seq, uint64_t cookie, uint64_t now_us)
{
    struct candidate *ca = find_seq(cs, seq);
    if (ca != NULL && wants_cookie(ca)) {
        const uint64_t rtts_us = 2 * (now_us - ca->asked_us);
        ca->cookie = cookie;
        ca->pace_us = rtts_us > CANDIDATE_COOKIE_ASK_MIN_US ? rtts_us : CANDIDATE_COOKIE_ASK_MIN_US;
        ca->asks = 0;
        timerheap_set(&cs->timers, &ca->timer, now_us);
    }
    return ca != NULL;
}

bool candidates_introduced(struct candidates *cs, uint32_t seq,
                           const uint8_t nonce[static PACKET_NONCE_BYTES], const struct uuid *uuid,
                           uint16_t key_id, uint64_t cookie, uint64_t now_us)
{
    struct candidate *ca = find_seq(cs, seq);
    if (ca == NULL || memcmp(ca->nonce, nonce, sizeof(ca->nonce)) != 0) {
        return false;
    }
    if (wants_cookie(ca)) {
        ca->uuid = *uuid;
        ca->key_id = key_id;
    }
    return candidates_cookie(cs, seq, cookie, now_us);
}

void candidates_add_own(struct candidates *cs, const struct addr *addr)
{
    if (cs->own_count < CANDIDATE_OWN_MAX && !candidates_is_own(cs, addr)) {
        cs->own[cs->own_count++] = *addr;
    }
}

bool candidates_is_own(const struct candidates *cs, const struct addr *addr)
{
    for (uint32_t i = 0; i < cs->own_count; i++) {
        if (addr_equal(&cs->own[i], addr)) {
            return true;
        }
    }
    return false;
}

void candidates_check(const struct candidates *cs)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cs->slot_count; i++) {
        const struct candidate *ca = cs->slots[i];
        if (ca != NULL) {
            ASSERT(ca->slot == i && ca->timer.at != 0 && find(cs, &ca->addr) == ca);
            ASSERT(find_seq(cs, ca->seq) == ca);
            count++;
        }
    }
    ASSERT(count == cs->count && cs->by_addr.count == count && cs->timers.count == count);
    ASSERT(cs->by_seq.count == count);
    timerheap_check(&cs->timers);
}
