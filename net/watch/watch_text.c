#include "net/watch/watch_text.h"

#include "core/base/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { LINES_SIZE = 320, BOOT_DIGITS = 16 + 1, FRONT_DIGITS = BOOT_DIGITS + 8 + 1 };

static enum rc say(const char *text, struct buf *out)
{
    return buf_append(out, text, strlen(text));
}

enum rc watch_text_wait(struct buf *out)
{
    char text[LINES_SIZE];
    (void)snprintf(text, sizeof(text), "retry: %d\n: the node is still catching up\n\n",
                   HTTP_EVENTS_RETRY_MS);
    return say(text, out);
}

enum rc watch_text_begin(const char *reset, struct buf *out)
{
    char text[LINES_SIZE];
    (void)snprintf(text, sizeof(text), "retry: %d\n%s%s%s\n\n", HTTP_EVENTS_RETRY_MS,
                   reset == NULL ? ":" : "id:\nevent: reset\ndata: {\"reason\":\"",
                   reset == NULL ? "" : reset, reset == NULL ? "" : "\"}");
    return say(text, out);
}

uint32_t watch_text_scope(const uint8_t *prefix, size_t len, bool has_values)
{
    return (uint32_t)(XXH3_64bits_withSeed(prefix, len, has_values) >> 32);
}

enum rc watch_text_id(uint64_t boot, uint32_t scope, uint64_t number, const char *text,
                      struct buf *out)
{
    char line[LINES_SIZE];
    (void)snprintf(line, sizeof(line), "id: %016" PRIx64 "-%08" PRIx32 "-%" PRIu64 "\n%s", boot,
                   scope, number, text);
    return say(line, out);
}

enum rc watch_text_read_id(uint64_t boot, uint32_t scope, struct http_text id, uint64_t *ret_number)
{
    char own[FRONT_DIGITS + 1];
    (void)snprintf(own, sizeof(own), "%016" PRIx64 "-%08" PRIx32 "-", boot, scope);
    if (id.len <= FRONT_DIGITS || memcmp(id.data, own, BOOT_DIGITS) != 0) {
        return RC_STRANGER;
    }
    if (memcmp(id.data + BOOT_DIGITS, own + BOOT_DIGITS, FRONT_DIGITS - BOOT_DIGITS) != 0) {
        return RC_STALE;
    }
    return parse_u64(id.data + FRONT_DIGITS, id.len - FRONT_DIGITS, UINT64_MAX, ret_number);
}
