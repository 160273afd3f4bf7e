/*
 * grammar: frames and packets as a peer of a cluster may say them, field by field.
 *
 * A frame's fields stand in a table of letters, one for each field by what it means; a field is
 * written as the ordinary value of its kind unless a choice says otherwise: the values at its
 * bounds, one that belongs to somebody else, one of earlier frames. What is written can then be
 * spoiled: a byte or a number changed, the end cut off, something put behind it.
 */
#ifndef FUZZ_GRAMMAR_H
#define FUZZ_GRAMMAR_H

#include "core/store/epoch.h"
#include "core/store/record.h"
#include "gossip/wire/batch.h"
#include "gossip/wire/frame.h"
#include "gossip/wire/packet.h"
#include "tests/fuzz/choices.h"

#include <string.h>

/* Writers 0 and 1 are the engines, the others their peers. */
enum { PEERS = 4, WRITERS = 2 + PEERS, IDS_KEPT = 8, KEYS = 8, GRAMMAR_LIST_MAX = 4 };

/* What is true in the world in which things are said, or has been heard there. */
struct told {
    struct uuid uuids[WRITERS]; /* of nodes and peers */
    uint64_t cluster;
    uint64_t clock_ms;
    uint64_t ids[IDS_KEPT]; /* of records that were sent, in a ring */
    uint32_t id_count;
    uint8_t session; /* of the last frame of a session that was heard */
    uint64_t cut_s, key;
    uint32_t seq; /* of the last packet that was heard */
    uint64_t cookie;
    uint64_t token; /* of the link on which HELLO is said */
};

static inline uint64_t say_u64(struct choices *in, uint64_t ordinary)
{
    const uint64_t others[] = {
        ordinary,   0,         1,          ordinary + 1, ordinary - 1,
        UINT64_MAX, INT64_MAX, UINT32_MAX, 2 * ordinary, ordinary ^ UINT64_C(1) << 63};
    return choose_of(in, others, sizeof(others) / sizeof(*others));
}

static inline uint32_t say_u32(struct choices *in, uint32_t ordinary)
{
    const uint64_t others[] = {ordinary,     0,         1,     ordinary + 1,
                               ordinary - 1, INT32_MAX, 65536, UINT32_MAX};
    return (uint32_t)choose_of(in, others, sizeof(others) / sizeof(*others));
}

static inline uint8_t say_u8(struct choices *in, uint8_t ordinary)
{
    const uint8_t choice = choose_byte(in);
    return choice == 0 ? ordinary : (uint8_t)(choice - 1);
}

static inline struct uuid say_uuid(struct choices *in, const struct told *told, uint32_t ordinary)
{
    const uint32_t choice = choose(in, WRITERS + 2);
    if (choice == WRITERS) {
        return (struct uuid){{0}};
    }
    if (choice == WRITERS + 1) {
        return (struct uuid){{0xee, choose_byte(in)}};
    }
    return told->uuids[choice == 0 ? ordinary : choice - 1];
}

/* An instant of the cluster's clock, in milliseconds. */
static inline uint64_t say_ms(struct choices *in, uint64_t ordinary)
{
    static const int64_t off_ms[] = {0,        1,          -1,        1000,    -1000,
                                     59000,    61000,      -61000,    3600000, -3600000,
                                     86400000, 2592000000, 2592000001};
    const uint32_t choice = choose(in, sizeof(off_ms) / sizeof(*off_ms) + 2);
    if (choice >= sizeof(off_ms) / sizeof(*off_ms)) {
        return choice % 2 == 0 ? 0 : UINT64_MAX >> VERSION_COUNTER_BITS;
    }
    return ordinary + (uint64_t)off_ms[choice];
}

static inline uint64_t say_id(struct choices *in, const struct told *told)
{
    const uint32_t choice = choose(in, IDS_KEPT + 2);
    return choice < IDS_KEPT ? told->ids[choice] : choice - IDS_KEPT;
}

/* Of the epochs in which records end that live for minutes. */
static inline uint32_t say_group(struct choices *in, const struct told *told)
{
    const uint64_t now = told->clock_ms / EPOCH_MS / EPOCHS_PER_GROUP;
    return say_u32(in, (uint32_t)now);
}

static inline const uint8_t *say_key(struct choices *in, size_t *ret_len)
{
    static uint8_t key[KEY_BYTES_MAX + 1];
    static const uint16_t lens[] = {4, 1, 0, KEY_BYTES_MAX, KEY_BYTES_MAX + 1};
    memset(key, 'k', sizeof(key));
    key[0] = (uint8_t)('a' + choose(in, KEYS));
    *ret_len = lens[choose(in, sizeof(lens) / sizeof(*lens))];
    return key;
}

static inline size_t say_value_len(struct choices *in)
{
    static const uint64_t lens[] = {10,    0,     VALUE_INLINE_MAX,       VALUE_INLINE_MAX + 1,
                                    65535, 65536, BLOB_SEGMENT_BYTES + 1, 200000};
    return (size_t)choose_of(in, lens, sizeof(lens) / sizeof(*lens));
}

static inline const uint8_t *value_bytes(void)
{
    static uint8_t value[200000];
    return value;
}

/* A record of one of the writers; its blob is not set. */
static inline struct record say_record(struct choices *in, struct told *told)
{
    struct record r = {.value = value_bytes()};
    r.key = say_key(in, &r.key_len);
    r.value_len = say_value_len(in);
    const uint64_t ms = say_ms(in, told->clock_ms);
    r.version.stamp = ms << VERSION_COUNTER_BITS | choose(in, 4);
    r.version.origin = say_uuid(in, told, 2);
    r.expiry_ms = say_ms(in, ms + 60000);
    r.guard_ms = choose(in, 4) == 1 ? say_ms(in, r.expiry_ms + 1000) : 0;
    r.is_shadow = choose(in, 8) == 1;
    r.ahead_ms = choose(in, 8) == 1 ? (uint16_t)say_u32(in, 5) : 0;
    r.value_len = r.is_shadow ? 0 : r.value_len;
    if (record_check(&r) == RC_OK) {
        told->ids[told->id_count++ % IDS_KEPT] = record_write_id(&r, told->cluster);
    }
    return r;
}

static inline void say_card(struct choices *in, const struct told *told, uint32_t who,
                            struct member_card *ret_card)
{
    const uint8_t ip[4] = {10, 0, 1, (uint8_t)(1 + who)};
    *ret_card = (struct member_card){.boot = 1, .name = "peer0", .enclave = "default"};
    ret_card->uuid = say_uuid(in, told, who);
    ret_card->host_tag = say_u8(in, 7);
    ret_card->incarnation = say_u64(in, 1);
    ret_card->version_min = say_u8(in, PROTOCOL_VERSION_MIN);
    ret_card->version_max = say_u8(in, PROTOCOL_VERSION_MAX);
    ret_card->name[4] = (char)('0' + who);
    ret_card->addr_count = choose(in, MEMBER_ADDRS_MAX);
    for (uint32_t i = 0; i < ret_card->addr_count; i++) {
        const uint16_t port = (uint16_t)(8081 + i);
        ret_card->addrs[i].scope = choose(in, 2) == 0 ? SCOPE_GLOBAL : SCOPE_HOST;
        ret_card->addrs[i].addr = addr_v4(ip, port);
    }
    if (choose(in, 6) == 1) {
        memcpy(ret_card->enclave, "others", sizeof("others"));
    }
}

/* ---- Spoiling ---- */

/* Changes what was said, most often not; `size` is the room at `data`. Returns its length. */
static inline size_t spoil(struct choices *in, uint8_t *data, size_t len, size_t size)
{
    const uint8_t way = choose_byte(in);
    const size_t high = choose_byte(in);
    const size_t low = choose_byte(in);
    const size_t at = len == 0 ? 0 : (high << 8 | low) % len;
    static const uint8_t widths[] = {1, 2, 4, 8};
    const size_t width = widths[way / 16 % 4];
    const size_t end = at + width < len ? at + width : len;
    switch (way % 16) {
    case 1:
        return len == 0 ? 0 : len - 1;
    case 2:
        return at;
    case 3:
        data[len] = choose_byte(in);
        return len < size - 1 ? len + 1 : len;
    case 4:
        memset(data + at, 0, end - at);
        return len;
    case 5:
        memset(data + at, 0xff, end - at);
        return len;
    case 6:
        data[at] ^= choose_byte(in);
        return len;
    case 7:
        data[at]++;
        return len;
    case 8:
        data[at]--;
        return len;
    default:
        return len;
    }
}

/* ---- Frames ---- */

/*
 * A letter is a field:
 *   b byte  n, N number of 4 and 8 bytes  m a set of 8 bytes  u uuid  c the clock in microseconds
 *   t cut   k the session's key  q session  g group  x id  s stamp  + signed varint
 *   S scope  E epochs of groups  e an entry's kind and tree
 * and what is in brackets is said up to GRAMMAR_LIST_MAX times.
 */
static inline const char *frame_letters(uint8_t type)
{
    static const char *const letters[FRAME_TREE_HELD + 1] = {
        [FRAME_CLOSE] = "b",
        [FRAME_ACK] = "N",
        [FRAME_NACK] = "Nb",
        [FRAME_ROLE] = "bn",
        [FRAME_CLOCK] = "c",
        [FRAME_STATE] = "b",
        [FRAME_SYNC_GROUPS] = "qtk(gn)",
        [FRAME_SYNC_EPOCHS] = "qbE",
        [FRAME_SYNC_SCOPE] = "qnbSS",
        [FRAME_SYNC_LIST] = "qb(x)",
        [FRAME_SYNC_CELLS] = "qbnn(xn+)",
        [FRAME_SYNC_MORE] = "qbnn",
        [FRAME_SYNC_WANT] = "qbn(x)",
        [FRAME_SYNC_DONE] = "qn",
        [FRAME_SYNC_ROOT] = "tN",
        [FRAME_JOIN] = "bb",
        [FRAME_JOIN_DONE] = "bbN",
        [FRAME_TREE_HAVE] = "(ex)",
        [FRAME_TREE_GRAFT] = "(ex)",
        [FRAME_TREE_PRUNE] = "(b)",
        [FRAME_TREE_HELD] = "xs",
    };
    return type <= FRAME_TREE_HELD && letters[type] != NULL ? letters[type] : "";
}

static inline uint64_t say_epochs(struct choices *in)
{
    const uint64_t sets[] = {3, 1, 0, UINT64_MAX, UINT64_C(1) << 63};
    return choose_of(in, sets, sizeof(sets) / sizeof(*sets));
}

static inline void say_scope(struct choices *in, const struct told *told, struct cursor *c)
{
    const uint32_t count = choose(in, GRAMMAR_LIST_MAX);
    cursor_put_u16(c, (uint16_t)say_u32(in, count));
    for (uint32_t i = 0; i < count; i++) {
        cursor_put_u32(c, say_group(in, told) + i);
        cursor_put_u64(c, say_epochs(in));
    }
}

static inline void say_groups(struct choices *in, const struct told *told, struct cursor *c)
{
    const uint32_t count = choose(in, GRAMMAR_LIST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        cursor_put_u32(c, say_group(in, told) + i);
        const uint8_t whole = choose(in, 2) & 1;
        const uint64_t epochs = say_epochs(in);
        cursor_put_u8(c, whole);
        cursor_put_u64(c, epochs);
        for (int left = whole != 0 ? 0 : __builtin_popcountll(epochs); left > 0; left--) {
            cursor_put_u32(c, say_u32(in, 9));
            cursor_put_varint(c, say_u32(in, 1));
        }
    }
}

static inline void say_field(struct choices *in, const struct told *told, char letter,
                             struct cursor *c)
{
    switch (letter) {
    case 'b':
        cursor_put_u8(c, say_u8(in, 1));
        break;
    case 'e':
        cursor_put_u8(c, (uint8_t)choose(in, TREE_GONE + 2));
        cursor_put_u8(c, (uint8_t)choose(in, TREE_COUNT + 1));
        break;
    case 'n':
        cursor_put_u32(c, say_u32(in, 2));
        break;
    case 'N':
        cursor_put_u64(c, say_u64(in, 2));
        break;
    case 'c':
        cursor_put_u64(c, say_ms(in, told->clock_ms) * 1000);
        break;
    case 's':
        cursor_put_u64(c, say_ms(in, told->clock_ms) << VERSION_COUNTER_BITS);
        break;
    case 't':
        cursor_put_u64(c, say_u64(in, told->cut_s));
        break;
    case 'k':
        cursor_put_u64(c, say_u64(in, told->key));
        break;
    case 'q':
        cursor_put_u8(c, say_u8(in, told->session));
        break;
    case 'g':
        cursor_put_u32(c, say_group(in, told));
        break;
    case 'x':
        cursor_put_u64(c, say_id(in, told));
        break;
    case '+':
        cursor_put_signed(c, (int64_t)say_u64(in, 1));
        break;
    case 'S':
        say_scope(in, told, c);
        break;
    case 'E':
        say_groups(in, told, c);
        break;
    default:
        break;
    }
}

static inline void say_letters(struct choices *in, const struct told *told, const char *letters,
                               struct cursor *c)
{
    for (const char *at = letters; *at != '\0'; at++) {
        if (*at != '(') {
            say_field(in, told, *at, c);
            continue;
        }
        const char *end = strchr(at, ')');
        for (uint32_t left = choose(in, GRAMMAR_LIST_MAX + 1); left > 0; left--) {
            for (const char *of = at + 1; of < end; of++) {
                say_field(in, told, *of, c);
            }
        }
        at = end;
    }
}

static inline void say_hello(struct choices *in, const struct told *told, uint32_t who,
                             struct cursor *c)
{
    const uint8_t ip[4] = {10, 0, 0, 1};
    struct frame_hello hello = {
        .ttl_min_ms = 1000, .ttl_max_ms = DAY_MS, .seen_as = addr_v4(ip, 8081)};
    hello.cluster = say_u64(in, told->cluster);
    hello.token = told->token;
    hello.flags = say_u8(in, MEMBER_HAS_CLOCK | MEMBER_IS_CAUGHT_UP | MEMBER_MAY_BEGIN);
    hello.clock_us = say_ms(in, told->clock_ms) * 1000;
    hello.value_max = say_u64(in, 1 << 20);
    say_card(in, told, who, &hello.card);
    hello.version_min = hello.card.version_min;
    hello.version_max = hello.card.version_max;
    frame_hello_write(c, &hello);
}

static inline void say_batch(struct choices *in, struct told *told, struct cursor *c)
{
    static struct batch b;
    const uint8_t *frame = NULL;
    batch_clear(&b);
    for (uint32_t left = choose(in, GRAMMAR_LIST_MAX) + 1; left > 0; left--) {
        struct record r = say_record(in, told);
        r.value_len = r.value_len <= VALUE_INLINE_MAX ? r.value_len : 10;
        if (record_check(&r) == RC_OK && batch_add(&b, &r) != RC_OK) {
            break;
        }
    }
    const size_t len = batch_frame(&b, &frame);
    if (len > 0) {
        cursor_put_bytes(c, frame + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES);
    }
}

/* ---- Packets ---- */

static inline void say_entries(struct choices *in, const struct told *told, struct cursor *c)
{
    for (uint32_t left = choose(in, GRAMMAR_LIST_MAX + 1); left > 0; left--) {
        uint8_t bytes[CARD_WIRE_MAX];
        struct cursor card = cursor_writer(bytes, sizeof(bytes));
        struct entry e = {.kind = (enum entry_kind)(ENTRY_ALIVE + choose(in, ENTRY_PAST))};
        e.uuid = say_uuid(in, told, 2);
        e.incarnation = say_u64(in, 1);
        e.by = say_uuid(in, told, 3);
        e.state = choose(in, 2) == 0 ? MEMBER_DEAD : MEMBER_LEFT;
        e.age = say_u32(in, 1);
        if (e.kind == ENTRY_ALIVE) {
            struct member_card said;
            const uint32_t whom = 2 + choose(in, PEERS);
            say_card(in, told, whom, &said);
            member_card_write(&card, &said);
            e.card = bytes;
            e.card_len = card.pos;
        }
        packet_entry_write(c, &e);
    }
}

/* A packet of peer `who`; returns its length. */
static inline size_t say_packet(struct choices *in, const struct told *told, uint32_t who,
                                uint8_t ret_bytes[static DATAGRAM_BYTES_MAX])
{
    static uint8_t sums[PULL_SUM_BYTES * PULL_SUMS_MAX];
    uint8_t entries[DATAGRAM_BYTES_MAX / 2];
    struct cursor e = cursor_writer(entries, sizeof(entries));
    struct packet p = {.version = PROTOCOL_VERSION_MAX, .cluster = told->cluster, .sums = sums};
    p.kind = (enum packet_kind)(PACKET_PING + choose(in, PACKET_COOKIE));
    p.is_long = choose(in, 3) != 1;
    p.knows_you = choose(in, 2) == 0;
    p.uuid = say_uuid(in, told, who);
    p.tag = packet_tag(&p.uuid, p.cluster);
    p.counter = say_u64(in, 1);
    p.boot = say_u8(in, 1);
    p.seq = say_u32(in, told->seq);
    p.target = say_uuid(in, told, 0);
    p.target_tag = choose(in, 2) == 0 ? 0 : packet_tag(&p.target, p.cluster);
    p.vitals.flags = say_u8(in, MEMBER_HAS_CLOCK | MEMBER_IS_CAUGHT_UP | MEMBER_MAY_BEGIN);
    p.vitals.clock_us = say_ms(in, told->clock_ms) * 1000;
    p.vitals.cut_s = say_u64(in, told->cut_s) & UINT64_C(0xffffffffff);
    p.vitals.root = say_u64(in, 1);
    p.member_digest = say_u64(in, 1);
    p.is_answered = choose(in, 2) == 0;
    p.first = say_u32(in, 1);
    p.width = p.kind == PACKET_PULL ? say_u8(in, PULL_WIDTH_MAX) % (PULL_WIDTH_MAX + 1) : 0;
    p.count = p.kind == PACKET_PULL ? 1 + choose(in, PULL_SUMS_MAX) : 0;
    p.cookie = choose(in, 2) == 0 ? told->cookie : say_u8(in, 0);
    p.size_min = choose(in, 4) == 1 ? PACKET_ACCUSE_BYTES : 0;
    say_entries(in, told, &e);
    p.entries = entries;
    p.entries_len = cursor_ok(&e) ? e.pos : 0;
    struct cursor c = cursor_writer(ret_bytes, DATAGRAM_BYTES_MAX);
    packet_write(&c, &p);
    return cursor_ok(&c) ? c.pos : 0;
}

#endif
