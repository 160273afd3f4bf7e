#include "net/http/chunk_line.h"

#include "net/http/http_text.h"

#include <stdbool.h>

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_token(uint8_t byte)
{
    const char text[1] = {(char)byte};
    return http_text_is_token((struct http_text){text, sizeof(text)});
}

/* What may stand in quotes, behind a '\' too (RFC 9110 section 5.6.4). */
static bool is_quotable(uint8_t byte)
{
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static enum chunk_byte enter(struct chunk_line *l, enum chunk_part part)
{
    l->part = part;
    return part == CHUNK_PART_END ? CHUNK_BYTE_KEPT : CHUNK_BYTE_DROPPED;
}

/* Behind a size, a name or a value: another extension, or the end of the line. */
static enum chunk_byte go_on(struct chunk_line *l, uint8_t byte, enum chunk_part after_blank)
{
    if (is_blank(byte)) {
        return enter(l, after_blank);
    }
    if (byte == ';') {
        return enter(l, CHUNK_PART_BEFORE_NAME);
    }
    return byte == '\r' ? enter(l, CHUNK_PART_END) : CHUNK_BYTE_WRONG;
}

static enum chunk_byte take_size(struct chunk_line *l, uint8_t byte)
{
    if (l->has_size) {
        const enum chunk_byte is = go_on(l, byte, CHUNK_PART_BEFORE_SEMI);
        if (is != CHUNK_BYTE_WRONG) {
            return is;
        }
    }
    l->has_size = true;
    return CHUNK_BYTE_KEPT; /* llhttp judges it */
}

static enum chunk_byte take_quoted(struct chunk_line *l, uint8_t byte)
{
    if (l->part == CHUNK_PART_QUOTED && byte == '"') {
        return enter(l, CHUNK_PART_AFTER_QUOTED);
    }
    if (l->part == CHUNK_PART_QUOTED && byte == '\\') {
        return enter(l, CHUNK_PART_ESCAPED);
    }
    return is_quotable(byte) ? enter(l, CHUNK_PART_QUOTED) : CHUNK_BYTE_WRONG;
}

static enum chunk_byte take_before(struct chunk_line *l, uint8_t byte, enum chunk_part next)
{
    if (is_blank(byte)) {
        return CHUNK_BYTE_DROPPED;
    }
    return is_token(byte) ? enter(l, next) : CHUNK_BYTE_WRONG;
}

enum chunk_byte chunk_line_take(struct chunk_line *l, uint8_t byte)
{
    switch (l->part) {
    case CHUNK_PART_SIZE:
        return take_size(l, byte);
    case CHUNK_PART_BEFORE_SEMI:
        return byte == '\r' ? CHUNK_BYTE_WRONG : go_on(l, byte, CHUNK_PART_BEFORE_SEMI);
    case CHUNK_PART_BEFORE_NAME:
        return take_before(l, byte, CHUNK_PART_NAME);
    case CHUNK_PART_NAME:
        if (is_token(byte)) {
            return CHUNK_BYTE_DROPPED;
        }
        return byte == '=' ? enter(l, CHUNK_PART_BEFORE_VALUE)
                           : go_on(l, byte, CHUNK_PART_AFTER_NAME);
    case CHUNK_PART_AFTER_NAME:
        if (byte == '=') {
            return enter(l, CHUNK_PART_BEFORE_VALUE);
        }
        return byte == '\r' ? CHUNK_BYTE_WRONG : go_on(l, byte, CHUNK_PART_AFTER_NAME);
    case CHUNK_PART_BEFORE_VALUE:
        return byte == '"' ? enter(l, CHUNK_PART_QUOTED) : take_before(l, byte, CHUNK_PART_VALUE);
    case CHUNK_PART_VALUE:
        return is_token(byte) ? CHUNK_BYTE_DROPPED : go_on(l, byte, CHUNK_PART_BEFORE_SEMI);
    case CHUNK_PART_QUOTED:
    case CHUNK_PART_ESCAPED:
        return take_quoted(l, byte);
    case CHUNK_PART_AFTER_QUOTED:
        return go_on(l, byte, CHUNK_PART_BEFORE_SEMI);
    case CHUNK_PART_END:
        break;
    }
    return CHUNK_BYTE_KEPT; /* LF, or llhttp refuses it */
}
