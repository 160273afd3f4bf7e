#include "gossip/wire/packet.h"

#include "core/base/assert.h"

#include <xxhash.h>

enum { FLAG_LONG = 1, FLAG_KNOWS_YOU = 2, FLAG_INTRO = 4, FLAGS_ALL = 7 };
enum {
    SECTION_SEEN_AS = 1,
    SECTION_ENTRIES = 2,
    SECTION_COOKIE = 3,
    SECTION_PADDING = 4,
    SECTION_CRITICAL = 128,
};
enum { ENTRY_AGE_MAX = UINT16_MAX, SEAL_BYTES = 16 };

uint32_t packet_tag(const struct uuid *uuid, uint64_t cluster)
{
    const uint32_t tag = (uint32_t)XXH3_64bits_withSeed(uuid->bytes, UUID_BYTES, cluster);
    return tag == 0 ? 1 : tag;
}

uint32_t packet_mark(const uint8_t *data, size_t len)
{
    struct cursor c = cursor_reader(data + len - SEAL_BYTES, SEAL_BYTES);
    const uint32_t mark = cursor_u32(&c);
    return mark == 0 ? 1 : mark;
}

/* ---- Entries ---- */

void packet_entry_write(struct cursor *c, const struct entry *e)
{
    cursor_put_u8(c, (uint8_t)e->kind);
    if (e->kind == ENTRY_ALIVE) {
        cursor_put_bytes(c, e->card, e->card_len);
        return;
    }
    cursor_put_uuid(c, &e->uuid);
    cursor_put_u64(c, e->incarnation);
    if (e->kind == ENTRY_SUSPECT || e->kind == ENTRY_DEAD) {
        cursor_put_uuid(c, &e->by);
    } else if (e->kind == ENTRY_PAST) {
        cursor_put_u8(c, (uint8_t)e->state);
        cursor_put_u16(c, (uint16_t)(e->age < ENTRY_AGE_MAX ? e->age : ENTRY_AGE_MAX));
    }
}

static void read_past(struct cursor *c, struct entry *e)
{
    const uint8_t state = cursor_u8(c);
    if (state != MEMBER_DEAD && state != MEMBER_LEFT) {
        cursor_fail(c);
        return;
    }
    e->state = (enum member_state)state;
    e->age = cursor_u16(c);
}

void packet_entry_read(struct cursor *c, struct entry *ret_entry)
{
    const uint8_t kind = cursor_u8(c);
    struct entry *e = ret_entry;
    *e = (struct entry){.kind = ENTRY_ALIVE};
    if (kind < ENTRY_ALIVE || kind > ENTRY_PAST) {
        cursor_fail(c);
        return;
    }
    e->kind = (enum entry_kind)kind;
    if (e->kind == ENTRY_ALIVE) {
        e->card = c->in + c->pos;
        const size_t start = c->pos;
        member_card_skip(c, &e->uuid, &e->incarnation, &e->addr_count);
        e->card_len = c->pos - start;
        return;
    }
    e->uuid = cursor_uuid(c);
    e->incarnation = cursor_u64(c);
    if (e->kind == ENTRY_SUSPECT || e->kind == ENTRY_DEAD) {
        e->by = cursor_uuid(c);
    } else if (e->kind == ENTRY_PAST) {
        read_past(c, e);
    }
    if (uuid_is_nil(&e->uuid)) {
        cursor_fail(c);
    }
}

/* ---- Packets ---- */

static void put_vitals(struct cursor *c, const struct packet *p)
{
    cursor_put_u8(c, p->vitals.flags);
    cursor_put_u64(c, p->vitals.clock_us);
    cursor_put_u8(c, (uint8_t)(p->vitals.cut_s >> 32));
    cursor_put_u32(c, (uint32_t)p->vitals.cut_s);
    cursor_put_u64(c, p->vitals.root);
    cursor_put_u64(c, p->member_digest);
}

static void read_vitals(struct cursor *c, struct packet *p)
{
    p->vitals.flags = cursor_u8(c);
    p->vitals.clock_us = cursor_u64(c);
    p->vitals.cut_s = (uint64_t)cursor_u8(c) << 32;
    p->vitals.cut_s |= cursor_u32(c);
    p->vitals.root = cursor_u64(c);
    p->member_digest = cursor_u64(c);
}

bool packet_is_for_anybody(enum packet_kind kind)
{
    return kind == PACKET_INTRO || kind == PACKET_UNREAD;
}

static void put_header(struct cursor *c, const struct packet *p)
{
    const int flags = (p->is_long ? FLAG_LONG : 0) | (p->knows_you ? FLAG_KNOWS_YOU : 0) |
                      (packet_is_for_anybody(p->kind) ? FLAG_INTRO : 0);
    cursor_put_u8(c, p->version);
    cursor_put_u8(c, (uint8_t)flags);
    cursor_put_u16(c, p->key_id);
    cursor_put_u32(c, p->tag);
    cursor_put_u64(c, p->counter);
    if (p->is_long) {
        cursor_put_u64(c, p->cluster);
        cursor_put_uuid(c, &p->uuid);
        cursor_put_u64(c, p->boot);
    }
}

static void put_body(struct cursor *c, const struct packet *p)
{
    cursor_put_u8(c, (uint8_t)p->kind);
    switch (p->kind) {
    case PACKET_PING:
        cursor_put_u32(c, p->seq);
        cursor_put_u32(c, p->target_tag);
        put_vitals(c, p);
        break;
    case PACKET_ACK:
        cursor_put_u32(c, p->seq);
        put_vitals(c, p);
        break;
    case PACKET_WRONG:
        cursor_put_u32(c, p->seq);
        break;
    case PACKET_PING_REQ:
        cursor_put_u32(c, p->seq);
        cursor_put_uuid(c, &p->target);
        break;
    case PACKET_RELAYED:
        cursor_put_u32(c, p->seq);
        cursor_put_uuid(c, &p->target);
        cursor_put_u8(c, p->is_answered ? 1 : 0);
        break;
    case PACKET_GOSSIP:
        break;
    case PACKET_PULL:
        cursor_put_u32(c, p->seq);
        cursor_put_u32(c, p->first);
        cursor_put_u8(c, (uint8_t)p->width);
        cursor_put_u8(c, (uint8_t)p->count);
        cursor_put_bytes(c, p->sums, (size_t)p->count * PULL_SUM_BYTES);
        break;
    case PACKET_CARDS:
        cursor_put_u32(c, p->seq);
        cursor_put_u32(c, p->first);
        break;
    case PACKET_COOKIE:
        cursor_put_u32(c, p->seq);
        cursor_put_u64(c, p->cookie);
        break;
    case PACKET_INTRO:
        cursor_put_u32(c, p->seq);
        cursor_put_bytes(c, p->nonce, PACKET_NONCE_BYTES);
        break;
    case PACKET_INTRO_ACK:
        cursor_put_u32(c, p->seq);
        cursor_put_bytes(c, p->nonce, PACKET_NONCE_BYTES);
        cursor_put_u64(c, p->cookie);
        break;
    case PACKET_UNREAD:
        cursor_put_u32(c, p->seq);
        break;
    }
}

static void put_padding(struct cursor *c, size_t size_min)
{
    if (c->pos + SECTION_HEAD_BYTES <= size_min) {
        static const uint8_t zeros[PACKET_ACCUSE_BYTES];
        const size_t len = size_min - c->pos - SECTION_HEAD_BYTES;
        ASSERT(len <= sizeof(zeros));
        cursor_put_u8(c, SECTION_PADDING);
        cursor_put_u16(c, (uint16_t)len);
        cursor_put_bytes(c, zeros, len);
    }
}

void packet_write(struct cursor *c, const struct packet *p)
{
    put_header(c, p);
    put_body(c, p);
    if (p->has_seen_as) {
        cursor_put_u8(c, SECTION_SEEN_AS);
        cursor_put_u16(c, addr_is_v4(&p->seen_as) ? 1 + 4 + 2 : 1 + 16 + 2);
        addr_write(c, &p->seen_as);
    }
    if (p->cookie != 0 && p->kind != PACKET_COOKIE && p->kind != PACKET_INTRO_ACK) {
        cursor_put_u8(c, SECTION_COOKIE);
        cursor_put_u16(c, COOKIE_BYTES);
        cursor_put_u64(c, p->cookie);
    }
    if (p->entries_len > 0) {
        ASSERT(p->entries_len <= UINT16_MAX);
        cursor_put_u8(c, SECTION_ENTRIES);
        cursor_put_u16(c, (uint16_t)p->entries_len);
        cursor_put_bytes(c, p->entries, p->entries_len);
    }
    put_padding(c, p->size_min);
}

static void read_pull(struct cursor *c, struct packet *p)
{
    p->first = cursor_u32(c);
    p->width = cursor_u8(c);
    p->count = cursor_u8(c);
    p->sums = cursor_bytes(c, (size_t)p->count * PULL_SUM_BYTES);
    if (p->width > PULL_WIDTH_MAX || p->count == 0 || p->count > PULL_SUMS_MAX ||
        (uint64_t)p->count << p->width > UINT64_C(1) << PULL_WIDTH_MAX) {
        cursor_fail(c);
    }
}

/* A kind that is there only to be sealed. */
static bool is_sealed_kind(enum packet_kind kind)
{
    return kind == PACKET_INTRO || kind == PACKET_INTRO_ACK || kind == PACKET_UNREAD;
}

static void read_kind(struct cursor *c, bool is_intro, struct packet *p)
{
    const uint8_t kind = cursor_u8(c);
    p->kind = kind < PACKET_PING || kind > PACKET_UNREAD ? PACKET_GOSSIP : (enum packet_kind)kind;
    if (p->kind != kind || is_intro != packet_is_for_anybody(p->kind) ||
        (is_sealed_kind(p->kind) && (p->key_id == 0 || !p->is_long))) {
        cursor_fail(c);
    }
}

static void read_body(struct cursor *c, struct packet *p)
{
    if (p->kind != PACKET_GOSSIP) {
        p->seq = cursor_u32(c);
    }
    if (p->kind == PACKET_PULL) {
        read_pull(c, p);
    } else if (p->kind == PACKET_CARDS) {
        p->first = cursor_u32(c);
    } else if (p->kind == PACKET_INTRO || p->kind == PACKET_INTRO_ACK) {
        p->nonce = cursor_bytes(c, PACKET_NONCE_BYTES);
    }
    if (p->kind == PACKET_PING) {
        p->target_tag = cursor_u32(c);
    }
    if (p->kind == PACKET_PING || p->kind == PACKET_ACK) {
        read_vitals(c, p);
    } else if (p->kind == PACKET_PING_REQ) {
        p->target = cursor_uuid(c);
    } else if (p->kind == PACKET_COOKIE || p->kind == PACKET_INTRO_ACK) {
        p->cookie = cursor_u64(c);
        if (p->cookie == 0) {
            cursor_fail(c);
        }
    } else if (p->kind == PACKET_RELAYED) {
        p->target = cursor_uuid(c);
        const uint8_t answered = cursor_u8(c);
        p->is_answered = answered == 1;
        if (answered > 1) {
            cursor_fail(c);
        }
    }
}

static void check_entries(struct cursor *c, const struct packet *p)
{
    struct cursor entries = cursor_reader(p->entries, p->entries_len);
    struct entry entry;
    while (cursor_left(&entries) > 0) {
        packet_entry_read(&entries, &entry);
        if (cursor_ok(&entries) && entry.kind == ENTRY_PAST && p->kind != PACKET_CARDS) {
            cursor_fail(&entries);
        }
    }
    if (!cursor_ok(&entries)) {
        cursor_fail(c);
    }
}

static void read_seen_as(struct cursor *section, struct packet *p)
{
    if (p->has_seen_as) {
        cursor_fail(section);
        return;
    }
    p->seen_as = addr_read(section);
    p->has_seen_as = true;
}

static void read_entries(struct cursor *section, struct packet *p)
{
    if (p->entries != NULL) {
        cursor_fail(section);
        return;
    }
    p->entries_len = cursor_left(section);
    p->entries = cursor_bytes(section, p->entries_len);
    check_entries(section, p);
}

static void read_cookie(struct cursor *section, struct packet *p)
{
    const bool may_have = p->kind == PACKET_PING || p->kind == PACKET_PULL;
    const bool is_repeated = p->cookie != 0;
    p->cookie = cursor_u64(section);
    if (!may_have || is_repeated || p->cookie == 0) {
        cursor_fail(section);
    }
}

/* Each known section stands there once and is read to its end; of those that are not known only the
 * critical ones are refused. */
static void read_section(struct cursor *c, struct packet *p)
{
    const uint8_t type = cursor_u8(c);
    const size_t len = cursor_u16(c);
    const uint8_t *bytes = cursor_bytes(c, len);
    if (bytes == NULL) {
        return;
    }
    struct cursor section = cursor_reader(bytes, len);
    bool is_known = true;
    switch (type) {
    case SECTION_SEEN_AS:
        read_seen_as(&section, p);
        break;
    case SECTION_ENTRIES:
        read_entries(&section, p);
        break;
    case SECTION_COOKIE:
        read_cookie(&section, p);
        break;
    default:
        is_known = false;
        break;
    }
    if (is_known ? !cursor_ok(&section) || cursor_left(&section) > 0 : type >= SECTION_CRITICAL) {
        cursor_fail(c);
    }
}

static void read_long(struct cursor *c, struct packet *p)
{
    p->cluster = cursor_u64(c);
    p->uuid = cursor_uuid(c);
    p->boot = cursor_u64(c);
    if (cursor_ok(c) && (uuid_is_nil(&p->uuid) || packet_tag(&p->uuid, p->cluster) != p->tag)) {
        cursor_fail(c);
    }
}

static enum rc read_header(struct cursor *c, struct packet *ret_packet, bool *ret_is_intro)
{
    struct packet *p = ret_packet;
    if (c->size < PACKET_SHORT_BYTES + 1 || c->size > DATAGRAM_BYTES_MAX) {
        return RC_MALFORMED;
    }
    p->version = cursor_u8(c);
    if (p->version < PROTOCOL_VERSION_MIN || p->version > PROTOCOL_VERSION_MAX) {
        return RC_VERSION;
    }
    const uint8_t flags = cursor_u8(c);
    p->key_id = cursor_u16(c);
    p->is_long = (flags & FLAG_LONG) != 0;
    p->knows_you = (flags & FLAG_KNOWS_YOU) != 0;
    *ret_is_intro = (flags & FLAG_INTRO) != 0;
    p->tag = cursor_u32(c);
    p->counter = cursor_u64(c);
    if (p->tag == 0 || (flags & ~FLAGS_ALL) != 0 || (*ret_is_intro && !p->is_long)) {
        return RC_MALFORMED;
    }
    if (p->is_long) {
        read_long(c, p);
    }
    return cursor_ok(c) ? RC_OK : RC_MALFORMED;
}

enum rc packet_read_head(const uint8_t *data, size_t len, struct packet_head *ret_head)
{
    struct packet p = {.kind = PACKET_GOSSIP};
    struct cursor c = cursor_reader(data, len);
    bool is_intro = false;
    const enum rc rc = read_header(&c, &p, &is_intro);
    *ret_head = (struct packet_head){
        .version = p.version,
        .is_long = p.is_long,
        .is_intro = is_intro,
        .key_id = p.key_id,
        .tag = p.tag,
        .counter = p.counter,
        .cluster = p.cluster,
        .uuid = p.uuid,
        .len = c.pos,
    };
    return rc;
}

enum rc packet_read(const uint8_t *data, size_t len, struct packet *ret_packet)
{
    struct packet p = {.kind = PACKET_GOSSIP};
    struct cursor c = cursor_reader(data, len);
    bool is_intro = false;
    const enum rc rc = read_header(&c, &p, &is_intro);
    if (rc != RC_OK) {
        ret_packet->version = p.version;
        return rc;
    }
    read_kind(&c, is_intro, &p);
    read_body(&c, &p);
    while (cursor_left(&c) > 0) {
        read_section(&c, &p);
    }
    if (!cursor_ok(&c)) {
        return RC_MALFORMED;
    }
    *ret_packet = p;
    return RC_OK;
}
