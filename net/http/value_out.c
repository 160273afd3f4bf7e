#include "net/http/value_out.h"

#include "core/base/assert.h"

#include <string.h>

static size_t put_text(char *to, const char *text)
{
    const size_t len = strlen(text);
    memcpy(to, text, len);
    return len;
}

/* The bytes of a value, one after the other. */
static void gather(const struct record *r, uint8_t *ret_bytes)
{
    if (r->blob == NULL) {
        memcpy(ret_bytes, r->value, r->value_len);
        return;
    }
    for (size_t at = 0; at < r->value_len;) {
        const uint8_t *run = NULL;
        const size_t len = blob_run(r->blob, at, &run);
        ASSERT(len > 0 && at + len <= r->value_len);
        memcpy(ret_bytes + at, run, len);
        at += len;
    }
}

size_t value_out_member(const struct record *r, char *ret_text)
{
    uint8_t bytes[VALUE_OUT_BYTES_MAX];
    if (r->value_len > VALUE_OUT_BYTES_MAX) {
        return put_text(ret_text, ",\"value_omitted\":true");
    }
    if (r->value_len > 0) {
        gather(r, bytes);
    }
    size_t len = put_text(ret_text, ",\"value\":\"");
    len += base64_encode(bytes, r->value_len, ret_text + len);
    return len + put_text(ret_text + len, "\"");
}
