/*
 * forge: the bytes of packets and HELLOs that no honest node would send, for tests that play
 * strangers. It only formats: whoever runs it sends them.
 *
 * Each line of standard input is one packet or HELLO, each line of output its bytes in hex:
 *
 *   KIND NAME=VALUE...
 *
 * KIND is ping, ack, wrong, ping_req, relayed, gossip, pull, cards or hello. Numbers are decimal,
 * uuids 32 hex digits, addresses IP,PORT. What is not named is 0, but for long=1.
 *
 *   network=NAME uuid=UUID boot=N counter=N long=0|1 knows=0|1
 *   seq=N target=UUID (a ping's as its tag) answered=0|1
 *   flags=N clock_us=N cut_s=N root=N digest=N
 *   first=N width=N count=N                       a PULL's sums are zeros
 *   cookie=N                                      of a PING or a PULL; the token of a HELLO
 *   seen_as=ADDR
 *   suspect=UUID,N,UUID dead=UUID,N,UUID left=UUID,N past=UUID,N,STATE,AGE   entries: the number
 *                                                  is the incarnation, the second uuid who says so
 *   alive=UUID,N,NAME,ENCLAVE,HOST_TAG[,SCOPE,ADDR]...                       SCOPE is host, global
 *   me=UUID,N,NAME,ENCLAVE,HOST_TAG[,SCOPE,ADDR]... the card of a HELLO
 */
#include "core/base/parse.h"
#include "gossip/membership/swim.h"
#include "gossip/wire/frame.h"
#include "gossip/wire/packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16384 };

struct forgery {
    const char *network;
    struct packet packet;
    struct frame_hello hello;
    uint8_t entry_bytes[DATAGRAM_BYTES_MAX];
    struct cursor entries;
};

static _Noreturn void refuse(const char *what)
{
    (void)fprintf(stderr, "forge: what is '%s'?\n", what);
    exit(EXIT_FAILURE);
}

/* ---- Words ---- */

/* Takes the text up to the next `end`, which is overwritten; *rest is NULL when there was none. */
static char *take_until(char **rest, char end)
{
    char *taken = *rest;
    *rest = strchr(taken, end);
    if (*rest != NULL) {
        *(*rest)++ = '\0';
    }
    return taken;
}

static const char *next_part(char **rest)
{
    if (*rest == NULL) {
        refuse("a value with too few parts");
    }
    return take_until(rest, ',');
}

static uint64_t number_of(const char *text)
{
    uint64_t value = 0;
    if (parse_u64(text, strlen(text), UINT64_MAX, &value) != RC_OK) {
        refuse(text);
    }
    return value;
}

static struct uuid uuid_of(const char *text)
{
    struct uuid uuid;
    struct cursor c = cursor_writer(uuid.bytes, UUID_BYTES);
    for (size_t i = 0; i < 2; i++) {
        uint64_t half = 0;
        if (strlen(text) != UUID_TEXT_SIZE - 1 ||
            parse_hex_u64(text + 16 * i, 16, &half) != RC_OK) {
            refuse(text);
        }
        cursor_put_u64(&c, half);
    }
    return uuid;
}

static struct addr next_addr(char **rest)
{
    struct addr addr;
    const char *ip = next_part(rest);
    const char *port = next_part(rest);
    if (addr_parse_ip(ip, (uint16_t)number_of(port), &addr) != RC_OK) {
        refuse(ip);
    }
    return addr;
}

static void copy_name(char to[static NAME_SIZE], const char *text)
{
    if (strlen(text) >= NAME_SIZE) {
        refuse(text);
    }
    memcpy(to, text, strlen(text) + 1);
}

static struct member_card card_of(char *rest)
{
    struct member_card card = {
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
    };
    card.uuid = uuid_of(next_part(&rest));
    card.incarnation = number_of(next_part(&rest));
    copy_name(card.name, next_part(&rest));
    copy_name(card.enclave, next_part(&rest));
    card.host_tag = number_of(next_part(&rest));
    while (rest != NULL && card.addr_count < MEMBER_ADDRS_MAX) {
        struct member_addr *a = &card.addrs[card.addr_count++];
        a->scope = strcmp(next_part(&rest), "host") == 0 ? SCOPE_HOST : SCOPE_GLOBAL;
        a->addr = next_addr(&rest);
    }
    return card;
}

/* ---- Entries ---- */

static void add_card(struct forgery *f, char *value)
{
    uint8_t bytes[CARD_WIRE_MAX];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct member_card card = card_of(value);
    member_card_write(&c, &card);
    const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = c.pos};
    packet_entry_write(&f->entries, &e);
}

static void add_entry(struct forgery *f, enum entry_kind kind, char *rest)
{
    struct entry e = {.kind = kind};
    e.uuid = uuid_of(next_part(&rest));
    e.incarnation = number_of(next_part(&rest));
    if (kind == ENTRY_SUSPECT || kind == ENTRY_DEAD) {
        e.by = uuid_of(next_part(&rest));
    } else if (kind == ENTRY_PAST) {
        e.state = strcmp(next_part(&rest), "left") == 0 ? MEMBER_LEFT : MEMBER_DEAD;
        e.age = (uint32_t)number_of(next_part(&rest));
    }
    packet_entry_write(&f->entries, &e);
}

static bool take_entry(struct forgery *f, const char *name, char *value)
{
    static const struct {
        const char *name;
        enum entry_kind kind;
    } kinds[] = {{"suspect", ENTRY_SUSPECT},
                 {"dead", ENTRY_DEAD},
                 {"left", ENTRY_LEFT},
                 {"past", ENTRY_PAST}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            add_entry(f, kinds[i].kind, value);
            return true;
        }
    }
    if (strcmp(name, "alive") == 0) {
        add_card(f, value);
        return true;
    }
    return false;
}

/* ---- Fields ---- */

static bool take_number(struct forgery *f, const char *name, const char *value)
{
    struct packet *p = &f->packet;
    const struct {
        const char *name;
        uint64_t *u64;
        uint32_t *u32;
        bool *is;
    } fields[] = {
        {.name = "boot", .u64 = &p->boot},
        {.name = "counter", .u64 = &p->counter},
        {.name = "clock_us", .u64 = &p->vitals.clock_us},
        {.name = "cut_s", .u64 = &p->vitals.cut_s},
        {.name = "root", .u64 = &p->vitals.root},
        {.name = "cookie", .u64 = &p->cookie},
        {.name = "digest", .u64 = &p->member_digest},
        {.name = "seq", .u32 = &p->seq},
        {.name = "first", .u32 = &p->first},
        {.name = "width", .u32 = &p->width},
        {.name = "count", .u32 = &p->count},
        {.name = "long", .is = &p->is_long},
        {.name = "knows", .is = &p->knows_you},
        {.name = "answered", .is = &p->is_answered},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(name, fields[i].name) == 0) {
            const uint64_t number = number_of(value);
            if (fields[i].u64 != NULL) {
                *fields[i].u64 = number;
            } else if (fields[i].u32 != NULL) {
                *fields[i].u32 = (uint32_t)number;
            } else {
                *fields[i].is = number != 0;
            }
            return true;
        }
    }
    return false;
}

static void take_word(struct forgery *f, char *word)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        refuse(word);
    }
    *value++ = '\0';
    if (take_number(f, word, value) || take_entry(f, word, value)) {
        return;
    }
    if (strcmp(word, "network") == 0) {
        f->network = value;
    } else if (strcmp(word, "uuid") == 0) {
        f->packet.uuid = uuid_of(value);
    } else if (strcmp(word, "target") == 0) {
        f->packet.target = uuid_of(value);
    } else if (strcmp(word, "flags") == 0) {
        f->packet.vitals.flags = (uint8_t)number_of(value);
    } else if (strcmp(word, "seen_as") == 0) {
        f->packet.has_seen_as = true;
        f->packet.seen_as = next_addr(&value);
    } else if (strcmp(word, "me") == 0) {
        f->hello.card = card_of(value);
    } else {
        refuse(word);
    }
}

/* ---- Bytes ---- */

static size_t write_packet(struct forgery *f, enum packet_kind kind, uint8_t *data, size_t size)
{
    static const uint8_t sums[PULL_SUMS_MAX * PULL_SUM_BYTES];
    struct packet *p = &f->packet;
    struct cursor c = cursor_writer(data, size);
    p->version = PROTOCOL_VERSION_MAX;
    p->kind = kind;
    p->cluster = swim_cluster_hash(f->network);
    p->tag = packet_tag(&p->uuid, p->cluster);
    p->target_tag = uuid_is_nil(&p->target) ? 0 : packet_tag(&p->target, p->cluster);
    p->sums = sums;
    p->entries = f->entry_bytes;
    p->entries_len = f->entries.pos;
    packet_write(&c, p);
    if (!cursor_ok(&c) || !cursor_ok(&f->entries)) {
        refuse("a packet that does not fit a datagram");
    }
    return c.pos;
}

static size_t write_hello(struct forgery *f, uint8_t *data, size_t size)
{
    struct frame_hello *h = &f->hello;
    uint8_t payload[DATAGRAM_BYTES_MAX];
    struct cursor body = cursor_writer(payload, sizeof(payload));
    struct cursor c = cursor_writer(data, size);
    h->cluster = swim_cluster_hash(f->network);
    h->version_min = h->card.version_min;
    h->version_max = h->card.version_max;
    h->token = f->packet.cookie;
    h->flags = f->packet.vitals.flags;
    h->clock_us = f->packet.vitals.clock_us;
    h->value_max = UINT64_C(10) << 20;
    h->ttl_min_ms = 300000;
    h->ttl_max_ms = 86400000;
    h->seen_as = f->packet.seen_as;
    frame_hello_write(&body, h);
    frame_header_write(&c, FRAME_HELLO, FRAME_CRITICAL, body.pos);
    cursor_put_bytes(&c, payload, body.pos);
    if (!cursor_ok(&body) || !cursor_ok(&c)) {
        refuse("a HELLO that is too long");
    }
    return c.pos;
}

static size_t forge(char *line, uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"",        "ping",   "ack",  "wrong", "ping_req",
                                        "relayed", "gossip", "pull", "cards"};
    struct forgery f = {.network = "", .packet = {.is_long = true}};
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    const char *kind = take_until(&rest, ' ');
    f.entries = cursor_writer(f.entry_bytes, sizeof(f.entry_bytes));
    while (rest != NULL) {
        take_word(&f, take_until(&rest, ' '));
    }
    for (size_t i = PACKET_PING; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            return write_packet(&f, (enum packet_kind)i, data, size);
        }
    }
    if (strcmp(kind, "hello") != 0) {
        refuse(kind);
    }
    return write_hello(&f, data, size);
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        uint8_t data[2 * DATAGRAM_BYTES_MAX];
        const size_t len = forge(line, data, sizeof(data));
        for (size_t i = 0; i < len; i++) {
            (void)printf("%02x", data[i]);
        }
        (void)printf("\n");
        (void)fflush(stdout);
    }
    return EXIT_SUCCESS;
}
