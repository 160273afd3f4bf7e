#include "net/out/event_stream.h"

#include <stdio.h>
#include <string.h>

void event_stream_init(struct event_stream *s,
                       void (*event)(void *arg, const struct stream_event *event), void *arg)
{
    *s = (struct event_stream){.arg = arg, .event = event};
    buf_init(&s->line, EVENT_STREAM_LINE_MAX);
    buf_init(&s->data, EVENT_STREAM_DATA_MAX + 1);
}

void event_stream_fini(struct event_stream *s)
{
    buf_fini(&s->line);
    buf_fini(&s->data);
}

static void forget_event(struct event_stream *s)
{
    buf_clear(&s->data);
    s->name[0] = '\0';
    s->has_data = false;
}

void event_stream_restart(struct event_stream *s)
{
    forget_event(s);
    buf_clear(&s->line);
    s->was_cr = false;
    memcpy(s->id, s->last_id, sizeof(s->id));
}

/* An empty line: what stood before it is an event, if it has data. */
static enum rc dispatch(struct event_stream *s)
{
    memcpy(s->last_id, s->id, sizeof(s->last_id));
    if (s->has_data) {
        if (buf_append(&s->data, "", 1) != RC_OK) {
            return RC_TOO_LONG;
        }
        const struct stream_event event = {.name = s->name[0] != '\0' ? s->name : "message",
                                           .data = (const char *)buf_data(&s->data),
                                           .data_len = s->data.len - 1};
        s->event(s->arg, &event);
    }
    forget_event(s);
    return RC_OK;
}

static enum rc add_data(struct event_stream *s, const char *value, size_t len)
{
    enum rc rc = s->has_data ? buf_append(&s->data, "\n", 1) : RC_OK;
    rc = rc == RC_OK ? buf_append(&s->data, value, len) : rc;
    s->has_data = true;
    return rc;
}

static enum rc take_field(struct event_stream *s, const char *name, size_t name_len,
                          const char *value, size_t len)
{
    if (name_len == 4 && memcmp(name, "data", 4) == 0) {
        return add_data(s, value, len);
    }
    if (name_len == 5 && memcmp(name, "event", 5) == 0) {
        (void)snprintf(s->name, sizeof(s->name), "%.*s", (int)len, value);
    } else if (name_len == 2 && memcmp(name, "id", 2) == 0 && len < sizeof(s->id) &&
               memchr(value, '\0', len) == NULL) {
        memcpy(s->id, value, len);
        s->id[len] = '\0';
    }
    return RC_OK;
}

static enum rc take_line(struct event_stream *s)
{
    const char *line = (const char *)buf_data(&s->line);
    const size_t len = s->line.len;
    if (len == 0) {
        return dispatch(s);
    }
    const char *colon = memchr(line, ':', len);
    const size_t name_len = colon == NULL ? len : (size_t)(colon - line);
    size_t at = colon == NULL ? len : name_len + 1;
    at += at < len && line[at] == ' ';
    /* A comment is a field without a name. */
    return take_field(s, line, name_len, line + at, len - at);
}

static enum rc end_line(struct event_stream *s)
{
    const enum rc rc = take_line(s);
    buf_clear(&s->line);
    return rc;
}

enum rc event_stream_feed(struct event_stream *s, const uint8_t *data, size_t len)
{
    enum rc rc = RC_OK;
    for (size_t at = 0; at < len && rc == RC_OK;) {
        const uint8_t c = data[at];
        if (c == '\n' && s->was_cr) {
            s->was_cr = false;
            at++;
            continue;
        }
        s->was_cr = c == '\r';
        if (c == '\n' || c == '\r') {
            rc = end_line(s);
            at++;
            continue;
        }
        size_t end = at;
        while (end < len && data[end] != '\n' && data[end] != '\r') {
            end++;
        }
        rc = buf_append(&s->line, data + at, end - at);
        at = end;
    }
    return rc == RC_FULL ? RC_TOO_LONG : rc;
}
