#include "cmd/launch/line_relay.h"

#include "cmd/base/plain.h"

#include <stdio.h>
#include <string.h>

void line_relay_init(struct line_relay *r, const char *name, enum log_format format)
{
    (void)snprintf(r->name, sizeof(r->name), "%s", name);
    r->format = format;
    r->len = 0;
}

static void emit_text(struct line_relay *r, line_relay_emit emit, void *arg)
{
    char out[RELAY_LINE_MAX + NAME_SIZE + 8];
    int len = snprintf(out, sizeof(out), "[%s] ", r->name);
    memcpy(out + len, r->line, r->len);
    len += (int)plain_clean(out + len, r->len);
    out[len++] = '\n';
    emit(arg, out, (size_t)len);
}

static void emit_json(struct line_relay *r, uint64_t wall_ms, line_relay_emit emit, void *arg)
{
    char out[LOG_LINE_MAX];
    char text[RELAY_LINE_MAX + 1];
    if (r->line[0] == '{' && r->line[r->len - 1] == '}') {
        memcpy(out, r->line, r->len);
        out[r->len] = '\n';
        emit(arg, out, r->len + 1);
        return;
    }
    memcpy(text, r->line, r->len);
    text[r->len] = '\0';
    /* This is no line of the child's log, but a failed assertion, or a complaint of a sanitizer or
     * of the loader.
     */
    const size_t len =
        log_format_line(out, sizeof(out), LOG_JSON, wall_ms, LOG_ERROR, r->name, "output", text);
    emit(arg, out, len);
}

static void emit_line(struct line_relay *r, uint64_t wall_ms, line_relay_emit emit, void *arg)
{
    if (r->format == LOG_JSON && r->len > 0) {
        emit_json(r, wall_ms, emit, arg);
    } else if (r->format == LOG_TEXT) {
        emit_text(r, emit, arg);
    }
    r->len = 0;
}

void line_relay_feed(struct line_relay *r, const char *data, size_t len, uint64_t wall_ms,
                     line_relay_emit emit, void *arg)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            emit_line(r, wall_ms, emit, arg);
            continue;
        }
        if (r->len == sizeof(r->line)) {
            emit_line(r, wall_ms, emit, arg);
        }
        r->line[r->len++] = data[i];
    }
}

void line_relay_end(struct line_relay *r, uint64_t wall_ms, line_relay_emit emit, void *arg)
{
    if (r->len > 0) {
        emit_line(r, wall_ms, emit, arg);
    }
}
