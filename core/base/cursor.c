#include "core/base/cursor.h"

#include "core/base/assert.h"

#include <endian.h>
#include <string.h>

struct cursor cursor_reader(const void *data, size_t len)
{
    ASSERT(data != NULL || len == 0);
    /* An empty input may be a null pointer, to which not even 0 may be added. */
    return (struct cursor){.in = data != NULL ? data : (const uint8_t *)"", .size = len};
}

struct cursor cursor_writer(void *data, size_t size)
{
    ASSERT(data != NULL || size == 0);
    return (struct cursor){.out = data, .size = size};
}

bool cursor_ok(const struct cursor *c)
{
    return !c->is_failed;
}

size_t cursor_left(const struct cursor *c)
{
    return c->is_failed ? 0 : c->size - c->pos;
}

void cursor_fail(struct cursor *c)
{
    c->is_failed = true;
}

const uint8_t *cursor_bytes(struct cursor *c, size_t len)
{
    if (c->is_failed || len > c->size - c->pos) {
        c->is_failed = true;
        return NULL;
    }
    const uint8_t *at = c->in + c->pos;
    c->pos += len;
    return at;
}

uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 1);
    return at != NULL ? *at : 0;
}

/* The next bytes as they are, or zeros. */
static void get(struct cursor *c, void *ret_bytes, size_t len)
{
    const uint8_t *at = cursor_bytes(c, len);
    if (at != NULL) {
        memcpy(ret_bytes, at, len);
    }
}

uint16_t cursor_u16(struct cursor *c)
{
    uint16_t value = 0;
    get(c, &value, sizeof(value));
    return be16toh(value);
}

uint32_t cursor_u32(struct cursor *c)
{
    uint32_t value = 0;
    get(c, &value, sizeof(value));
    return be32toh(value);
}

uint64_t cursor_u48(struct cursor *c)
{
    const uint64_t high = cursor_u16(c);
    const uint64_t low = cursor_u32(c);
    return cursor_ok(c) ? high << 32 | low : 0;
}

uint64_t cursor_u64(struct cursor *c)
{
    uint64_t value = 0;
    get(c, &value, sizeof(value));
    return be64toh(value);
}

struct uuid cursor_uuid(struct cursor *c)
{
    struct uuid uuid = {{0}};
    get(c, uuid.bytes, UUID_BYTES);
    return uuid;
}

void cursor_put_bytes(struct cursor *c, const void *data, size_t len)
{
    if (c->is_failed || len > c->size - c->pos) {
        c->is_failed = true;
        return;
    }
    if (len > 0) {
        memcpy(c->out + c->pos, data, len);
        c->pos += len;
    }
}

void cursor_put_u8(struct cursor *c, uint8_t value)
{
    cursor_put_bytes(c, &value, sizeof(value));
}

void cursor_put_u16(struct cursor *c, uint16_t value)
{
    const uint16_t wire = htobe16(value);
    cursor_put_bytes(c, &wire, sizeof(wire));
}

void cursor_put_u32(struct cursor *c, uint32_t value)
{
    const uint32_t wire = htobe32(value);
    cursor_put_bytes(c, &wire, sizeof(wire));
}

void cursor_put_u48(struct cursor *c, uint64_t value)
{
    cursor_put_u16(c, (uint16_t)(value >> 32));
    cursor_put_u32(c, (uint32_t)value);
}

void cursor_put_u64(struct cursor *c, uint64_t value)
{
    const uint64_t wire = htobe64(value);
    cursor_put_bytes(c, &wire, sizeof(wire));
}

void cursor_put_uuid(struct cursor *c, const struct uuid *uuid)
{
    cursor_put_bytes(c, uuid->bytes, UUID_BYTES);
}

uint64_t cursor_varint(struct cursor *c)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = cursor_u8(c);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            const bool is_too_long = (byte == 0 && shift > 0) || (shift == 63 && byte > 1);
            c->is_failed = c->is_failed || is_too_long;
            return c->is_failed ? 0 : value;
        }
    }
    c->is_failed = true;
    return 0;
}

int64_t cursor_signed(struct cursor *c)
{
    const uint64_t folded = cursor_varint(c);
    return (int64_t)(folded >> 1 ^ (~(folded & 1) + 1));
}

void cursor_put_varint(struct cursor *c, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[len++] = (uint8_t)(value | 0x80);
    }
    bytes[len++] = (uint8_t)value;
    cursor_put_bytes(c, bytes, len);
}

void cursor_put_signed(struct cursor *c, int64_t value)
{
    cursor_put_varint(c, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void cursor_put_text(struct cursor *c, const char *text)
{
    const size_t len = strlen(text);
    ASSERT(len <= UINT8_MAX);
    cursor_put_u8(c, (uint8_t)len);
    cursor_put_bytes(c, text, len);
}

void cursor_text(struct cursor *c, char *ret_text, size_t size)
{
    ASSERT(size > 0);
    ret_text[0] = '\0';
    const size_t len = cursor_u8(c);
    const uint8_t *at = cursor_bytes(c, len);
    if (at == NULL || len >= size || memchr(at, 0, len) != NULL) {
        c->is_failed = true;
        return;
    }
    memcpy(ret_text, at, len);
    ret_text[len] = '\0';
}
