/*
 * log: one line per event, as text for people or as JSON for machines. Its descriptor may be slow,
 * full or gone.
 *
 * A line is written only when the descriptor has room for it now. Otherwise it is lost and counted,
 * and a later line says how many were lost. Lines are at most LOG_LINE_MAX bytes, which a pipe with
 * room takes at once (PIPE_BUF). The descriptor itself stays blocking, because others may share it.
 * What is not plain (cmd/base/plain) never reaches the output.
 *
 *   2026-11-20T13:00:00.123Z info  claim   message
 *   {"time":"...","level":"info","node":"flux-node-1","event":"claim","message":"..."}
 */
#ifndef CMD_BASE_LOG_H
#define CMD_BASE_LOG_H

#include "gossip/wire/outbox.h"
#include "net/discovery/node_config.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_format { LOG_TEXT, LOG_JSON };

enum {
    LOG_LINE_MAX = 4096,     /* PIPE_BUF */
    LOG_OWN_LINE_MAX = 3400, /* leaves room for what a launcher adds */
};

struct log {
    int fd; /* borrowed */
    enum log_level level;
    enum log_format format;
    char node[NAME_SIZE]; /* named in JSON lines when not empty */
    uint64_t dropped;     /* lines, ever */
    uint64_t dropped_told;
};

struct log log_init(int fd, enum log_level level, enum log_format format);

/* Writes a line when `level` is not below the log's. `event` is a short stable word. */
void log_line(struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void log_vline(struct log *log, enum log_level level, const char *event, const char *format,
               va_list args) __attribute__((format(printf, 4, 0)));

/* Writes bytes that are a line already, its newline included; false when they were lost. */
bool log_raw(struct log *log, const char *line, size_t len);

/* One line with its newline into `ret_line`, cut to fit; returns its length. `wall_ms`: Unix time.
 */
size_t log_format_line(char *ret_line, size_t size, enum log_format format, uint64_t wall_ms,
                       enum log_level level, const char *node, const char *event,
                       const char *message);

const char *log_level_name(enum log_level level);

/* RC_MALFORMED for another word. */
MUST_USE enum rc log_level_parse(const char *text, enum log_level *ret_level);
MUST_USE enum rc log_format_parse(const char *text, enum log_format *ret_format);

#endif
