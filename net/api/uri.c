#include "net/api/uri.h"

#include "core/base/parse.h"

#include <stdbool.h>
#include <string.h>

enum { PARAMETER_NAME_MAX = 32 };

enum rc uri_decode(struct http_text text, uint8_t *ret_bytes, size_t size, size_t *ret_len)
{
    return parse_percent(text.data, text.len, '+', ret_bytes, size, ret_len);
}

enum rc uri_decode_query(struct http_text text, uint8_t *ret_bytes, size_t size, size_t *ret_len)
{
    return parse_percent(text.data, text.len, ' ', ret_bytes, size, ret_len);
}

static bool is_named(struct http_text text, const char *name)
{
    uint8_t decoded[PARAMETER_NAME_MAX];
    size_t len = 0;
    return uri_decode_query(text, decoded, sizeof(decoded), &len) == RC_OK && len == strlen(name) &&
           memcmp(decoded, name, len) == 0;
}

size_t uri_query(struct http_text query, const char *name, struct http_text *ret_value)
{
    size_t count = 0;
    size_t start = 0;
    while (start < query.len) {
        const char *piece = query.data + start;
        const char *amp = memchr(piece, '&', query.len - start);
        const size_t len = amp == NULL ? query.len - start : (size_t)(amp - piece);
        const char *equals = memchr(piece, '=', len);
        const size_t name_len = equals == NULL ? len : (size_t)(equals - piece);
        if (is_named((struct http_text){.data = piece, .len = name_len}, name) && count++ == 0) {
            const size_t skipped = equals == NULL ? len : name_len + 1;
            *ret_value = (struct http_text){.data = piece + skipped, .len = len - skipped};
        }
        start += len + 1;
    }
    return count;
}
