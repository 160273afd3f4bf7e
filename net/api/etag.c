#include "net/api/etag.h"

#include "core/base/parse.h"

#include <string.h>
#include <strings.h>

enum { STAMP_DIGITS = 16, TAG_DIGITS = VERSION_TEXT_SIZE - 1 };

static bool is_lower_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (!is_digit && !(text[i] >= 'a' && text[i] <= 'f')) {
            return false;
        }
    }
    return true;
}

/* Tags are compared byte by byte, so only the one spelling that we write is a version. */
static bool read_version(const char *text, size_t len, struct version *ret_version)
{
    if (len != TAG_DIGITS || !is_lower_hex(text, len)) {
        return false;
    }
    bool is_read = parse_hex_u64(text, STAMP_DIGITS, &ret_version->stamp) == RC_OK;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        uint64_t byte = 0;
        is_read = is_read && parse_hex_u64(text + STAMP_DIGITS + 2 * i, 2, &byte) == RC_OK;
        ret_version->origin.bytes[i] = (uint8_t)byte;
    }
    return is_read;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* etagc of RFC 9110: no control characters, no space, no quote. */
static bool is_tag_char(char c)
{
    return (uint8_t)c > 0x20 && c != '"' && c != 0x7F;
}

/* Reads the tag that starts at *pos and moves behind it. */
static enum rc read_tag(struct http_text text, size_t *pos, bool is_strong, struct etag_list *list)
{
    size_t i = *pos;
    const bool is_weak = text.len - i >= 2 && memcmp(text.data + i, "W/", 2) == 0;
    i += is_weak ? 2 : 0;
    if (i >= text.len || text.data[i] != '"') {
        return RC_MALFORMED;
    }
    const size_t start = ++i;
    while (i < text.len && is_tag_char(text.data[i])) {
        i++;
    }
    if (i >= text.len || text.data[i] != '"') {
        return RC_MALFORMED;
    }
    struct version version = {0};
    if (!(is_weak && is_strong) && read_version(text.data + start, i - start, &version)) {
        if (list->count == ETAG_LIST_MAX) {
            return RC_MALFORMED;
        }
        list->versions[list->count++] = version;
    }
    *pos = i + 1;
    return RC_OK;
}

/* One header's value: tags between commas; empty elements are allowed (RFC 9110, 5.6.1.2). */
static enum rc read_tags(struct http_text text, bool is_strong, struct etag_list *list)
{
    size_t i = 0;
    bool wants_comma = false;
    while (i < text.len) {
        if (text.data[i] == ',') {
            wants_comma = false;
            i++;
        } else if (is_space(text.data[i])) {
            i++;
        } else if (wants_comma || read_tag(text, &i, is_strong, list) != RC_OK) {
            return RC_MALFORMED;
        } else {
            wants_comma = true;
        }
    }
    return RC_OK;
}

enum rc etag_read(const struct http_request *rq, const char *name, bool is_strong,
                  struct etag_list *ret_list)
{
    ret_list->is_present = false;
    ret_list->is_any = false;
    ret_list->count = 0;
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct http_header *header = &rq->headers[i];
        if (header->name.len != strlen(name) ||
            strncasecmp(header->name.data, name, header->name.len) != 0) {
            continue;
        }
        const bool is_star = header->value.len == 1 && header->value.data[0] == '*';
        if (ret_list->is_any || (is_star && ret_list->is_present)) {
            return RC_MALFORMED;
        }
        ret_list->is_present = true;
        ret_list->is_any = is_star;
        if (!is_star && read_tags(header->value, is_strong, ret_list) != RC_OK) {
            return RC_MALFORMED;
        }
    }
    return RC_OK;
}

bool etag_has(const struct etag_list *list, const struct version *version)
{
    for (size_t i = 0; i < list->count; i++) {
        if (version_compare(&list->versions[i], version) == 0) {
            return true;
        }
    }
    return list->is_any;
}

const char *etag_format(const struct version *version, char ret_text[static ETAG_TEXT_SIZE])
{
    ret_text[0] = '"';
    (void)version_format(version, ret_text + 1);
    memcpy(ret_text + VERSION_TEXT_SIZE, "\"", 2);
    return ret_text;
}
