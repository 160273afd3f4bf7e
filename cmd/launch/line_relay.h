/*
 * line_relay: turns a child's output into whole lines that carry its name.
 *
 * Text lines come out as `[name] line`; in JSON mode a line that is an object passes as it is (the
 * child names itself in it) and any other is wrapped into one. A line longer than RELAY_LINE_MAX
 * comes out in pieces. No descriptors here: bytes in, lines to a callback.
 */
#ifndef CMD_LAUNCH_LINE_RELAY_H
#define CMD_LAUNCH_LINE_RELAY_H

#include "cmd/base/log.h"

#include <stddef.h>

enum { RELAY_LINE_MAX = 3500 }; /* with name and wrapping still within LOG_LINE_MAX */

struct line_relay {
    char name[NAME_SIZE];
    enum log_format format;
    size_t len;
    char line[RELAY_LINE_MAX];
};

/* `line` ends with a newline and is borrowed. */
typedef void (*line_relay_emit)(void *arg, const char *line, size_t len);

void line_relay_init(struct line_relay *r, const char *name, enum log_format format);

/* `wall_ms`: Unix time, for lines that must be wrapped. */
void line_relay_feed(struct line_relay *r, const char *data, size_t len, uint64_t wall_ms,
                     line_relay_emit emit, void *arg);

/* The output ended: a last line without its newline comes out. */
void line_relay_end(struct line_relay *r, uint64_t wall_ms, line_relay_emit emit, void *arg);

#endif
