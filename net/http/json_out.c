#include "net/http/json_out.h"

#include "net/sys/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void json_out_init(struct json_out *o, struct buf *buf)
{
    *o = (struct json_out){.buf = buf};
}

bool json_out_ok(const struct json_out *o)
{
    return !o->is_failed;
}

static void put(struct json_out *o, const void *data, size_t len)
{
    if (!o->is_failed && buf_append(o->buf, data, len) != RC_OK) {
        o->is_failed = true;
    }
}

static void put_text(struct json_out *o, const char *text)
{
    put(o, text, strlen(text));
}

/* Writes what precedes a value: the comma after the value before it, and its name. */
static void lead(struct json_out *o, const char *name)
{
    if (o->needs_comma) {
        put_text(o, ",");
    }
    o->needs_comma = true;
    if (name != NULL) {
        put_text(o, "\"");
        put_text(o, name);
        put_text(o, "\":");
    }
}

void json_out_begin(struct json_out *o, const char *name, char bracket)
{
    lead(o, name);
    put(o, &bracket, 1);
    o->needs_comma = false;
}

void json_out_end(struct json_out *o, char bracket)
{
    put(o, &bracket, 1);
    o->needs_comma = true;
}

size_t json_out_utf8_size(const uint8_t *data, size_t len)
{
    /* Which second bytes may follow a first byte up to `first_max`, in a sequence of `size` bytes.
     * No other is well-formed: it would be longer than it need be, a surrogate, or beyond the last
     * character. */
    static const struct {
        uint8_t first_max, second_min, second_max, size;
    } rows[] = {
        {0xC1, 0, 0, 0},       {0xDF, 0x80, 0xBF, 2}, {0xE0, 0xA0, 0xBF, 3}, {0xEC, 0x80, 0xBF, 3},
        {0xED, 0x80, 0x9F, 3}, {0xEF, 0x80, 0xBF, 3}, {0xF0, 0x90, 0xBF, 4}, {0xF3, 0x80, 0xBF, 4},
        {0xF4, 0x80, 0x8F, 4}, {0xFF, 0, 0, 0},
    };
    if (data[0] < 0x80) {
        return 1;
    }
    size_t row = 0;
    while (data[0] > rows[row].first_max) {
        row++;
    }
    const size_t size = rows[row].size;
    if (size == 0 || size > len || data[1] < rows[row].second_min ||
        data[1] > rows[row].second_max) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if ((data[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return size;
}

bool json_out_is_utf8(const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (i < len) {
        const size_t size = json_out_utf8_size(data + i, len - i);
        if (size == 0) {
            return false;
        }
        i += size;
    }
    return true;
}

/* One ASCII byte as it stands inside a JSON string; returns how many characters it became. */
static size_t quote_ascii(uint8_t byte, char *ret_text)
{
    static const char HEX[] = "0123456789abcdef";
    if (byte == '"' || byte == '\\') {
        ret_text[0] = '\\';
        ret_text[1] = (char)byte;
        return 2;
    }
    if (byte >= 0x20) {
        ret_text[0] = (char)byte;
        return 1;
    }
    const char escape[] = {'\\', 'u', '0', '0', HEX[byte >> 4], HEX[byte & 15]};
    memcpy(ret_text, escape, sizeof(escape));
    return sizeof(escape);
}

size_t json_out_quote(const uint8_t *data, size_t len, char *ret_text)
{
    static const char REPLACEMENT[] = "\\ufffd";
    size_t written = 0;
    ret_text[written++] = '"';
    size_t i = 0;
    while (i < len) {
        const size_t size = json_out_utf8_size(data + i, len - i);
        if (size == 1) {
            written += quote_ascii(data[i], ret_text + written);
        } else if (size > 1) {
            memcpy(ret_text + written, data + i, size);
            written += size;
        } else {
            memcpy(ret_text + written, REPLACEMENT, sizeof(REPLACEMENT) - 1);
            written += sizeof(REPLACEMENT) - 1;
        }
        i += size == 0 ? 1 : size;
    }
    ret_text[written++] = '"';
    return written;
}

void json_out_text(struct json_out *o, const char *name, const char *text)
{
    lead(o, name);
    const size_t len = strlen(text);
    uint8_t *room = NULL;
    if (o->is_failed || buf_reserve(o->buf, JSON_OUT_QUOTED_MAX(len), &room) != RC_OK) {
        o->is_failed = true;
        return;
    }
    buf_commit(o->buf, json_out_quote((const uint8_t *)text, len, (char *)room));
}

void json_out_bool(struct json_out *o, const char *name, bool value)
{
    lead(o, name);
    put_text(o, value ? "true" : "false");
}

/* The longest number of ours: 20 digits, a point and three decimals. */
enum { NUMBER_SIZE = 32 };

void json_out_u64(struct json_out *o, const char *name, uint64_t value)
{
    char text[NUMBER_SIZE];
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    lead(o, name);
    put_text(o, text);
}

void json_out_i64(struct json_out *o, const char *name, int64_t value)
{
    char text[NUMBER_SIZE];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    lead(o, name);
    put_text(o, text);
}

void json_out_hex64(struct json_out *o, const char *name, uint64_t value)
{
    char text[NUMBER_SIZE];
    (void)snprintf(text, sizeof(text), "\"%016" PRIx64 "\"", value);
    lead(o, name);
    put_text(o, text);
}

void json_out_ms(struct json_out *o, const char *name, uint64_t us)
{
    char text[NUMBER_SIZE];
    (void)snprintf(text, sizeof(text), "%" PRIu64 ".%03u", us / 1000, (unsigned)(us % 1000));
    lead(o, name);
    put_text(o, text);
}

void json_out_time(struct json_out *o, const char *name, uint64_t ms)
{
    char text[RFC3339_TEXT_SIZE];
    json_out_text(o, name, rfc3339_format(ms, text));
}
