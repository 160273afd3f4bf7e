#include "net/watch/watch_text.h"

#include "core/base/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINES_SIZE = 320, BOOT_DIGITS = 16 };

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

enum rc watch_text_id(uint64_t boot, uint64_t number, const char *text, struct buf *out)
{
    char line[LINES_SIZE];
    (void)snprintf(line, sizeof(line), "id: %016" PRIx64 "-%" PRIu64 "\n%s", boot, number, text);
    return say(line, out);
}

enum rc watch_text_read_id(uint64_t boot, struct http_text id, uint64_t *ret_number)
{
    char own[BOOT_DIGITS + 2];
    (void)snprintf(own, sizeof(own), "%016" PRIx64 "-", boot);
    if (id.len <= BOOT_DIGITS + 1 || memcmp(id.data, own, BOOT_DIGITS + 1) != 0) {
        return RC_STRANGER;
    }
    return parse_u64(id.data + BOOT_DIGITS + 1, id.len - BOOT_DIGITS - 1, UINT64_MAX, ret_number);
}
