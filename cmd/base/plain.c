#include "cmd/base/plain.h"

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "net/http/json_out.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { CUT_COLUMNS = 3 }; /* of "..." */

struct span {
    uint32_t first, last;
};

static const struct span not_plain[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x061C, 0x061C},
    {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
};

static uint32_t code_of(const char *data, size_t len)
{
    /* The bits of a first byte that count, by how many bytes there are. */
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = (unsigned char)data[0] & masks[len];
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | ((unsigned char)data[i] & 0x3F);
    }
    return code;
}

struct plain plain_next(const char *data, size_t len)
{
    const size_t size = json_out_utf8_size((const uint8_t *)data, len);
    if (size == 0) {
        return (struct plain){.len = 1, .code = PLAIN_NO_CHARACTER};
    }
    struct plain found = {.len = size, .code = code_of(data, size), .is_plain = true};
    for (size_t i = 0; i < sizeof(not_plain) / sizeof(not_plain[0]); i++) {
        if (found.code >= not_plain[i].first && found.code <= not_plain[i].last) {
            found.is_plain = false;
        }
    }
    return found;
}

size_t plain_clean(char *text, size_t len)
{
    size_t to = 0;
    for (size_t at = 0; at < len;) {
        const struct plain c = plain_next(text + at, len - at);
        if (c.is_plain) {
            memmove(text + to, text + at, c.len);
        } else {
            text[to] = '?';
        }
        to += c.is_plain ? c.len : 1;
        at += c.len;
    }
    if (to < len) {
        text[to] = '\0';
    }
    return to;
}

size_t plain_width(const struct plain *c)
{
    const int width = c->is_plain ? wcwidth((wchar_t)c->code) : 1;
    return width >= 0 ? (size_t)width : 1;
}

size_t plain_columns(const char *text, size_t len)
{
    size_t columns = 0;
    for (size_t at = 0; at < len;) {
        const struct plain c = plain_next(text + at, len - at);
        columns += plain_width(&c);
        at += c.len;
    }
    return columns;
}

static bool is_shown(const struct plain *c)
{
    return c->is_plain && c->code != '%';
}

void plain_print(FILE *out, const char *data, size_t len, size_t columns_max)
{
    size_t columns = 0, cut_at = 0;
    /* Where it would be cut is found first: the last place that leaves room for the dots. */
    for (size_t at = 0; at < len && columns <= columns_max;) {
        const struct plain c = plain_next(data + at, len - at);
        columns += is_shown(&c) ? plain_width(&c) : 3 * c.len;
        at += c.len;
        cut_at = columns + CUT_COLUMNS <= columns_max ? at : cut_at;
    }
    const bool is_cut = columns > columns_max;
    for (size_t at = 0; at < (is_cut ? cut_at : len);) {
        const struct plain c = plain_next(data + at, len - at);
        if (is_shown(&c)) {
            (void)fwrite(data + at, 1, c.len, out);
        } else {
            for (size_t i = 0; i < c.len; i++) {
                (void)fprintf(out, "%%%02X", (unsigned char)data[at + i]);
            }
        }
        at += c.len;
    }
    (void)fputs(is_cut ? "..." : "", out);
}

void plain_print_base64(FILE *out, const char *base64, size_t columns_max)
{
    const size_t size = strlen(base64);
    char *bytes = mem_new(size + 1, 1);
    size_t len = 0;
    if (base64_decode(base64, size, (uint8_t *)bytes, size, &len) == RC_OK) {
        plain_print(out, bytes, len, columns_max);
    }
    free(bytes);
}

void plain_print_json(FILE *out, const char *json, size_t len)
{
    for (size_t at = 0; at < len;) {
        const struct plain c = plain_next(json + at, len - at);
        if (c.is_plain || json[at] == '\n' || json[at] == '\t' || json[at] == '\r') {
            (void)fwrite(json + at, 1, c.len, out);
        } else {
            (void)fprintf(out, "\\u%04x", c.code);
        }
        at += c.len;
    }
}
