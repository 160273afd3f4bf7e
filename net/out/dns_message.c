#include "net/out/dns_message.h"

#include <string.h>

enum {
    CLASS_IN = 1,
    TYPE_CNAME = 5,
    POINTER = 0xc0,     /* the two highest bits of a label's length */
    WIRE_MAX = 255,     /* of a name, lengths included */
    POINTERS_MAX = 126, /* of a name: one behind each of as many labels as fit, but the last */
    A_LEN = 4,
    AAAA_LEN = 16,
};

struct reader {
    struct cursor c;
    const uint8_t *bytes; /* the whole message, which pointers lead into */
    size_t len;
    uint32_t ttl_max_s; /* by the CNAMEs so far */
    void (*found)(void *arg, const struct dns_record *record);
    void *arg;
};

/* A dot, a blank or a NUL within a label would make another name of the text. */
static bool is_plain(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != '.' && byte != '\\';
}

/* The label at `c`, appended to the text; false when a byte of it has no place there. */
static bool take_label(struct cursor *c, size_t label_len, char *text, size_t *text_len)
{
    bool is_good = true;
    const uint8_t *label = cursor_bytes(c, label_len);
    if (label == NULL) {
        return false;
    }
    if (*text_len > 0) {
        text[(*text_len)++] = '.';
    }
    for (size_t i = 0; i < label_len; i++) {
        is_good = is_good && is_plain(label[i]);
        text[(*text_len)++] = (char)label[i];
    }
    return is_good;
}

/*
 * A name at the cursor, as text. A pointer must lead to before where this part of the name began,
 * so that there is no circle; what it leads to is read by a cursor of its own. A message has room
 * for thousands of pointers in a row, and for thousands of names that begin at the last of them, so
 * their number is bounded too. False, and an empty text, when the name is one that cannot be asked
 * for.
 */
static bool read_name(struct reader *r, char ret_text[static DNS_NAME_SIZE])
{
    struct cursor elsewhere, *c = &r->c;
    size_t wire = 1, text_len = 0, start = c->pos, pointers = 0;
    bool is_good = true;
    for (;;) {
        const uint8_t length = cursor_u8(c);
        if ((length & POINTER) == POINTER) {
            const size_t to = (size_t)(length & ~POINTER & 0xff) << 8 | cursor_u8(c);
            if (!cursor_ok(c) || to >= start || ++pointers > POINTERS_MAX) {
                cursor_fail(&r->c);
                break;
            }
            elsewhere = cursor_reader(r->bytes, r->len);
            (void)cursor_bytes(&elsewhere, to);
            c = &elsewhere;
            start = to;
            continue;
        }
        wire += length == 0 ? 0 : (size_t)length + 1;
        if ((length & POINTER) != 0 || wire > WIRE_MAX || !cursor_ok(c)) {
            cursor_fail(&r->c);
            break;
        }
        if (length == 0) {
            break;
        }
        is_good = take_label(c, length, ret_text, &text_len) && is_good;
    }
    if (!cursor_ok(c)) {
        cursor_fail(&r->c);
    }
    is_good = is_good && cursor_ok(&r->c);
    ret_text[is_good ? text_len : 0] = '\0';
    return is_good;
}

static void read_a(struct cursor *data, struct dns_record *record)
{
    const uint8_t *ip = cursor_bytes(data, A_LEN);
    if (ip != NULL) {
        record->addr = addr_v4(ip, 0);
    }
}

static void read_aaaa(struct cursor *data, struct dns_record *record)
{
    const uint8_t *ip = cursor_bytes(data, AAAA_LEN);
    if (ip != NULL) {
        memcpy(record->addr.ip, ip, AAAA_LEN);
    }
}

/* The data of a record of `len` bytes, which must be all of it. False when it is not to be told. */
static bool read_data(struct reader *r, struct dns_record *record, size_t len)
{
    const size_t end = r->c.pos + len;
    bool is_good = true;
    switch (record->type) {
    case DNS_TYPE_A:
        read_a(&r->c, record);
        break;
    case DNS_TYPE_AAAA:
        read_aaaa(&r->c, record);
        break;
    case DNS_TYPE_SRV:
        record->priority = cursor_u16(&r->c);
        record->weight = cursor_u16(&r->c);
        record->port = cursor_u16(&r->c);
        is_good = read_name(r, record->target);
        break;
    }
    if (r->c.pos != end) {
        cursor_fail(&r->c);
    }
    return is_good && cursor_ok(&r->c);
}

static bool is_told(uint16_t type, uint16_t class)
{
    return class == CLASS_IN &&
           (type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_SRV);
}

/* RFC 2181 section 8: with the highest bit set it is 0. */
static uint32_t sane_ttl(uint32_t ttl_s)
{
    return ttl_s > INT32_MAX ? 0 : ttl_s;
}

enum section { ANSWER, AUTHORITY, ADDITIONAL };

static void read_record(struct reader *r, enum section section)
{
    struct dns_record record;
    memset(&record, 0, sizeof(record));
    const bool is_named = read_name(r, record.name);
    const uint16_t type = cursor_u16(&r->c);
    const uint16_t class = cursor_u16(&r->c);
    record.ttl_s = sane_ttl(cursor_u32(&r->c));
    const uint16_t len = cursor_u16(&r->c);
    if (section == ANSWER && type == TYPE_CNAME && record.ttl_s < r->ttl_max_s) {
        r->ttl_max_s = record.ttl_s;
    }
    if (section == AUTHORITY || !is_told(type, class)) {
        (void)cursor_bytes(&r->c, len);
        return;
    }
    record.type = (enum dns_type)type;
    record.is_additional = section == ADDITIONAL;
    if (section == ANSWER && r->ttl_max_s < record.ttl_s) {
        record.ttl_s = r->ttl_max_s;
    }
    if (len > cursor_left(&r->c)) {
        cursor_fail(&r->c);
    } else if (read_data(r, &record, len) && is_named) {
        r->found(r->arg, &record);
    }
}

enum rc dns_message_read(const uint8_t *bytes, size_t len,
                         void (*found)(void *arg, const struct dns_record *record), void *arg)
{
    struct reader r = {.c = cursor_reader(bytes, len),
                       .bytes = bytes,
                       .len = len,
                       .ttl_max_s = INT32_MAX,
                       .found = found,
                       .arg = arg};
    char name[DNS_NAME_SIZE];
    uint16_t counts[ADDITIONAL + 1];
    (void)cursor_u32(&r.c); /* id and flags, which the resolver has looked at */
    const uint16_t questions = cursor_u16(&r.c);
    for (enum section s = ANSWER; s <= ADDITIONAL; s++) {
        counts[s] = cursor_u16(&r.c);
    }
    for (uint32_t i = 0; i < questions && cursor_ok(&r.c); i++) {
        (void)read_name(&r, name);
        (void)cursor_u32(&r.c);
    }
    for (enum section s = ANSWER; s <= ADDITIONAL; s++) {
        for (uint32_t i = 0; i < counts[s] && cursor_ok(&r.c); i++) {
            read_record(&r, s);
        }
    }
    return cursor_ok(&r.c) ? RC_OK : RC_MALFORMED;
}
