/* Pieces of a path and of a query, and a query's parameters: any bytes. */
#include "net/api/uri.h"

#include "core/base/assert.h"

#include <string.h>

enum { DECODED_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A query reads as a path does, but for the plus signs that stand in it as they are. */
static void compare(struct http_text text)
{
    uint8_t path[DECODED_MAX], query[DECODED_MAX];
    size_t path_len = 0, query_len = 0;
    const enum rc rc = uri_decode(text, path, sizeof(path), &path_len);
    ASSERT(uri_decode_query(text, query, sizeof(query), &query_len) == rc);
    if (rc != RC_OK) {
        return;
    }
    ASSERT(path_len == query_len && path_len <= text.len);
    for (size_t i = 0; i < path_len; i++) {
        ASSERT(query[i] == path[i] || (path[i] == '+' && query[i] == ' '));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct http_text text = {.data = (const char *)data, .len = size};
    struct http_text value = {0};
    compare(text);
    const size_t count = uri_query(text, "ttl", &value);
    ASSERT(count <= size && (count > 0 || value.data == NULL));
    if (count > 0) {
        ASSERT(value.data >= text.data && value.data + value.len <= text.data + text.len);
        ASSERT(memchr(value.data, '&', value.len) == NULL);
        compare(value);
    }
    return 0;
}
