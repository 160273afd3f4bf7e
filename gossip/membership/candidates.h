/*
 * candidates: addresses where a node may be, while it is being found out.
 *
 * A candidate is asked by datagram up to three times; with each key of the ring, where there are
 * more. One that stays silent or refuses is dialled once. Then it has answered, or is forgotten
 * until a provider names it again. The table also remembers which addresses turned out to be this
 * very node, so that they cost nothing later.
 *
 * A candidate that wants this node to prove itself first has sent it a cookie, and is asked again
 * with it, at once and up to four times. One that was asked by an INTRO has said with its cookie
 * who it is.
 *
 * It sends nothing itself: candidates_due() says what to do. It knows no members.
 */
#ifndef GOSSIP_MEMBERSHIP_CANDIDATES_H
#define GOSSIP_MEMBERSHIP_CANDIDATES_H

#include "core/base/addr.h"
#include "core/base/series.h"
#include "core/base/slotindex.h"
#include "core/base/timerheap.h"
#include "gossip/wire/packet.h"

enum {
    CANDIDATES_MAX = 4096,
    /* Asked at 0, 100 and 300 ms, dialled at 500: the first pass of discovery lasts 2 s at most, of
     * which a dial may take the rest. */
    CANDIDATE_ASKS_MAX = 3,
    CANDIDATE_ASK_FIRST_US = 100000,
    CANDIDATE_ASK_LATER_US = 200000,
    CANDIDATE_DIAL_US = 1500000,
    /* With a cookie it is asked anew, at shorter intervals: it is there, and its round trip is
     * known.
     */
    CANDIDATE_COOKIE_ASKS_MAX = 4,
    CANDIDATE_COOKIE_ASK_MIN_US = 20000,
    /* A long list is asked in bursts, so that its datagrams fit the outbox and sockets' buffers. */
    CANDIDATE_BURST = 64,
    CANDIDATE_BURST_US = 10000,
    /* Each address of this host, in both families, times a port or two. */
    CANDIDATE_OWN_MAX = 32,
};

struct candidate;

struct candidates {
    struct candidate **slots;
    uint32_t slot_count;
    uint32_t count;
    uint64_t hash_seed;
    struct series seqs, nonces;
    struct slotindex by_addr, by_seq;
    struct timerheap timers;
    struct addr own[CANDIDATE_OWN_MAX];
    uint32_t own_count;
    uint32_t asks_max; /* without a cookie */
    uint64_t burst_us; /* when the last one's first ask is due */
    uint32_t burst_count;
};

enum candidate_step {
    CANDIDATE_WAIT, /* nothing is due */
    CANDIDATE_ASK,  /* send a ping for whoever is there, with the sequence number given */
    CANDIDATE_DIAL, /* try a link */
};

struct candidate_ask {
    struct addr addr;
    uint32_t seq;
    uint32_t number;                   /* of the ask: 0 is the first */
    uint64_t cookie;                   /* to send back; 0 for none */
    uint8_t nonce[PACKET_NONCE_BYTES]; /* of an INTRO */
    /* With a cookie: who sent it, and under which key, by an answer to an INTRO; else nil and 0. */
    struct uuid uuid;
    uint16_t key_id;
};

/* Its numbers are made with the secret. A candidate is asked CANDIDATE_ASKS_MAX times, or as often
 * as asks_max is set to. */
void candidates_init(struct candidates *cs, uint64_t hash_seed,
                     const uint8_t secret[static SIPHASH_KEY_BYTES]);
void candidates_fini(struct candidates *cs);

/* Takes a hint. False when it costs nothing: under way already, known as own, or the table full. */
bool candidates_add(struct candidates *cs, const struct addr *addr, uint64_t now_us);

/* NEVER when nothing is under way. */
uint64_t candidates_deadline(const struct candidates *cs);

/* What is due now, one at a time: call until CANDIDATE_WAIT. */
enum candidate_step candidates_due(struct candidates *cs, uint64_t now_us,
                                   struct candidate_ask *ret_ask);

/* Nobody listens there for datagrams: no further ask, dial at once. False when it is none of ours.
 */
bool candidates_refused(struct candidates *cs, const struct addr *addr, uint64_t now_us);

/* It answered, or failed for good. False when it is none of ours. */
bool candidates_settle(struct candidates *cs, const struct addr *addr);

/* Whether a candidate under way was asked with `seq`. */
bool candidates_has_asked(const struct candidates *cs, uint32_t seq);

/* The candidate asked with `seq` has answered. False when it is none under way. */
bool candidates_settle_seq(struct candidates *cs, uint32_t seq, struct addr *ret_addr);

/* The candidate asked with `seq` sent a cookie: it is to be asked again with it. Counts once. False
 * when it is none under way. */
bool candidates_cookie(struct candidates *cs, uint32_t seq, uint64_t cookie, uint64_t now_us);

/* The same by an answer to an INTRO: it came from that member, under that key. False where the
 * nonce is another, too. */
bool candidates_introduced(struct candidates *cs, uint32_t seq,
                           const uint8_t nonce[static PACKET_NONCE_BYTES], const struct uuid *uuid,
                           uint16_t key_id, uint64_t cookie, uint64_t now_us);

/* The address is this very node. */
void candidates_add_own(struct candidates *cs, const struct addr *addr);
bool candidates_is_own(const struct candidates *cs, const struct addr *addr);

void candidates_check(const struct candidates *cs);

/* A hash of an address that outsiders cannot predict. */
uint32_t candidates_addr_hash(const struct addr *addr, uint64_t seed);

#endif
