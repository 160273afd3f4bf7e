/*
 * event_stream: server-sent events from the bytes of a stream, as they come (WHATWG HTML, 9.2.6).
 * Sans-IO.
 *
 * Bounded: a line of more than EVENT_STREAM_LINE_MAX bytes, or data of more than
 * EVENT_STREAM_DATA_MAX, is refused, and then the stream is of no more use. Lines end in LF, CRLF
 * or CR. Fields other than event, data and id are skipped, as is an id with a NUL.
 */
#ifndef NET_OUT_EVENT_STREAM_H
#define NET_OUT_EVENT_STREAM_H

#include "core/base/buf.h"

#include <stdbool.h>

enum {
    EVENT_STREAM_LINE_MAX = 64 * 1024,
    EVENT_STREAM_DATA_MAX = 64 * 1024,
    EVENT_STREAM_NAME_SIZE = 32,
    EVENT_STREAM_ID_SIZE = 64,
};

struct stream_event {
    const char *name; /* "message" when the stream names none; cut to fit */
    const char *data; /* terminated; lines joined by LF */
    size_t data_len;
};

struct event_stream {
    void *arg;
    void (*event)(void *arg, const struct stream_event *event); /* borrowed for the call */
    struct buf line, data;
    char name[EVENT_STREAM_NAME_SIZE];
    char id[EVENT_STREAM_ID_SIZE];      /* the id that the next event will have */
    char last_id[EVENT_STREAM_ID_SIZE]; /* of the last event, or comment, that ended with one */
    bool has_data;
    bool was_cr; /* an LF that follows belongs to the line before */
};

void event_stream_init(struct event_stream *s,
                       void (*event)(void *arg, const struct stream_event *event), void *arg);
void event_stream_fini(struct event_stream *s);

/* Takes the next bytes. RC_TOO_LONG, RC_NO_MEMORY: final. */
MUST_USE enum rc event_stream_feed(struct event_stream *s, const uint8_t *data, size_t len);

/* Another stream begins, of which the last one's id is kept. */
void event_stream_restart(struct event_stream *s);

#endif
