#include "net/watch/watch_event.h"

#include "core/base/assert.h"
#include "net/http/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_TEXT_MAX = 64 + JSON_OUT_QUOTED_MAX(KEY_BYTES_MAX),
    TAIL_TEXT_MAX = 64 + VERSION_TEXT_SIZE,
};

_Static_assert((int)HEAD_TEXT_MAX + (int)TAIL_TEXT_MAX + (int)VALUE_OUT_TEXT_MAX + 64 <
                   (int)WATCH_EVENT_TEXT_MAX,
               "the longest event fits");

static size_t put_text(char *to, const char *text)
{
    const size_t len = strlen(text);
    memcpy(to, text, len);
    return len;
}

static size_t write_head(enum watch_kind kind, const struct record *r, char *ret_text)
{
    const bool is_text = json_out_is_utf8(r->key, r->key_len);
    size_t len = put_text(ret_text, kind == WATCH_PUT ? "event: put\n" : "event: expire\n");
    len += put_text(ret_text + len, is_text ? "data: {\"key\":" : "data: {\"key_base64\":\"");
    if (is_text) {
        len += json_out_quote(r->key, r->key_len, ret_text + len);
    } else {
        len += base64_encode(r->key, r->key_len, ret_text + len);
        len += put_text(ret_text + len, "\"");
    }
    return len + put_text(ret_text + len, ",\"ttl_ms\":");
}

static size_t write_tail(const struct record *r, char *ret_text)
{
    char etag[VERSION_TEXT_SIZE];
    const int len = snprintf(ret_text, TAIL_TEXT_MAX, ",\"size\":%zu,\"etag\":\"%s\"", r->value_len,
                             version_format(&r->version, etag));
    ASSERT(len > 0 && len < TAIL_TEXT_MAX);
    return (size_t)len;
}

struct watch_event *watch_event_new(enum watch_kind kind, const struct record *r, bool has_value)
{
    char head[HEAD_TEXT_MAX];
    char tail[TAIL_TEXT_MAX];
    char value[VALUE_OUT_TEXT_MAX];
    const size_t head_len = write_head(kind, r, head);
    const size_t tail_len = write_tail(r, tail);
    const size_t value_len = has_value && kind == WATCH_PUT ? value_out_member(r, value) : 0;
    const size_t size = sizeof(struct watch_event) + r->key_len + head_len + tail_len + value_len;
    struct watch_event *e = malloc(size);
    if (e == NULL) {
        return NULL;
    }
    *e = (struct watch_event){.expiry_ms = r->expiry_ms,
                              .kind = kind,
                              .size = (uint32_t)size,
                              .key_len = (uint16_t)r->key_len,
                              .head_len = (uint16_t)head_len,
                              .tail_len = (uint16_t)tail_len,
                              .value_len = (uint32_t)value_len};
    uint8_t *at = e->bytes;
    memcpy(at, r->key, r->key_len);
    memcpy(at + r->key_len, head, head_len);
    memcpy(at + r->key_len + head_len, tail, tail_len);
    memcpy(at + r->key_len + head_len + tail_len, value, value_len);
    return e;
}

const uint8_t *watch_event_key(const struct watch_event *e)
{
    return e->bytes;
}

enum rc watch_event_write(const struct watch_event *e, uint64_t clock_ms, bool has_value,
                          struct buf *out)
{
    static const char END[] = "}\n\n";
    static const char OMITTED_END[] = ",\"value_omitted\":true}\n\n";
    char left[24];
    const uint64_t left_ms =
        e->kind == WATCH_PUT && e->expiry_ms > clock_ms ? e->expiry_ms - clock_ms : 0;
    const size_t left_len = (size_t)snprintf(left, sizeof(left), "%" PRIu64, left_ms);
    /* No value is served after its time, here neither. */
    const bool is_late = left_ms == 0 && has_value && e->value_len > 0;
    const size_t value_len = has_value && !is_late ? e->value_len : 0;
    const uint8_t *head = e->bytes + e->key_len;
    const uint8_t *tail = head + e->head_len;
    const char *end = is_late ? OMITTED_END : END;
    const size_t end_len = strlen(end);
    const size_t len = e->head_len + left_len + e->tail_len + value_len + end_len;
    uint8_t *room = NULL;
    const enum rc rc = buf_reserve(out, len, &room);
    if (rc != RC_OK) {
        return rc;
    }
    memcpy(room, head, e->head_len);
    room += e->head_len;
    memcpy(room, left, left_len);
    room += left_len;
    memcpy(room, tail, (size_t)e->tail_len + value_len); /* the value stands behind the tail */
    room += e->tail_len + value_len;
    memcpy(room, end, end_len);
    buf_commit(out, len);
    return RC_OK;
}
