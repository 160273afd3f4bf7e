/*
 * watch_event: one change of one key, as server-sent events tell it (WHATWG HTML, 9.2).
 *
 * An event is formatted once, when it happens, and copied to each watcher. Only the time that is
 * left is written at each delivery: an event that arrives late must not promise a longer life.
 *
 *   event: put
 *   data: {"key":"a","ttl_ms":59990,"size":5,"etag":"019e..."}
 *
 * A key that is not UTF-8 stands in "key_base64" instead. A put has "value" in base64, or
 * "value_omitted":true when it is too large or its time is over, where the watcher asked for
 * values.
 */
#ifndef NET_WATCH_WATCH_EVENT_H
#define NET_WATCH_WATCH_EVENT_H

#include "core/base/buf.h"
#include "core/store/record.h"
#include "net/http/value_out.h"

enum {
    WATCH_VALUE_MAX = VALUE_OUT_BYTES_MAX, /* larger values are left out */
    /* An event with the longest key, all of it escaped, and the largest value. */
    WATCH_EVENT_TEXT_MAX = 32 * 1024,
};

enum watch_kind { WATCH_PUT, WATCH_EXPIRE };

struct watch_event {
    uint64_t expiry_ms;
    enum watch_kind kind;
    uint32_t size; /* of the allocation */
    uint16_t key_len;
    uint16_t head_len, tail_len; /* the text before and after the time that is left */
    uint32_t value_len;          /* of the text about the value; 0: the event has none */
    uint8_t bytes[];             /* key, head, tail, value */
};

/* A copy of what the record says; with its value, if it has one to tell and `has_value`. NULL
 * without memory. free() releases it. */
struct watch_event *watch_event_new(enum watch_kind kind, const struct record *r, bool has_value);

const uint8_t *watch_event_key(const struct watch_event *e);

/* Appends the event without an id, whole or not at all. RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc watch_event_write(const struct watch_event *e, uint64_t clock_ms, bool has_value,
                                   struct buf *out);

#endif
