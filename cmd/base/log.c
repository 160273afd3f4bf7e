#include "cmd/base/log.h"

#include "cmd/base/plain.h"
#include "net/sys/hostclock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

enum rc log_level_parse(const char *text, enum log_level *ret_level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return RC_OK;
        }
    }
    return RC_MALFORMED;
}

enum rc log_format_parse(const char *text, enum log_format *ret_format)
{
    if (strcmp(text, "text") == 0) {
        *ret_format = LOG_TEXT;
    } else if (strcmp(text, "json") == 0) {
        *ret_format = LOG_JSON;
    } else {
        return RC_MALFORMED;
    }
    return RC_OK;
}

struct log log_init(int fd, enum log_level level, enum log_format format)
{
    return (struct log){.fd = fd, .level = level, .format = format};
}

/* Text being built in a fixed space; what does not fit is left out. */
struct line {
    char *at;
    size_t len;
    size_t max;
};

static void line_bytes(struct line *line, const char *data, size_t len)
{
    if (len <= line->max - line->len) {
        memcpy(line->at + line->len, data, len);
        line->len += len;
    }
}

static void line_text(struct line *line, const char *text)
{
    line_bytes(line, text, strlen(text));
}

static void line_plain(struct line *line, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        const struct plain c = plain_next(text, left);
        line_bytes(line, c.is_plain ? text : "?", c.is_plain ? c.len : 1);
        text += c.len;
        left -= c.len;
    }
}

/* A JSON string's inside (RFC 8259 section 7). What is not plain is escaped, so the line stays
 * valid, whatever name a peer has. */
static void line_json(struct line *line, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        const struct plain c = plain_next(text, left);
        char escaped[8];
        if (c.code == '"' || c.code == '\\') {
            (void)snprintf(escaped, sizeof(escaped), "\\%c", (char)c.code);
            line_text(line, escaped);
        } else if (!c.is_plain) {
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", c.code & 0xFFFFU);
            line_text(line, escaped);
        } else {
            line_bytes(line, text, c.len);
        }
        text += c.len;
        left -= c.len;
    }
}

static void format_time(uint64_t wall_ms, char *ret_text, size_t size)
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) {
        tm = (struct tm){.tm_year = 70, .tm_mday = 1};
    }
    char date[64];
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(ret_text, size, "%s.%03uZ", date, (unsigned)(wall_ms % 1000));
}

size_t log_format_line(char *ret_line, size_t size, enum log_format format, uint64_t wall_ms,
                       enum log_level level, const char *node, const char *event,
                       const char *message)
{
    static const char json_end[] = "\"}\n";
    char when[80];
    char head[128];
    struct line line = {.at = ret_line, .max = size - sizeof(json_end)};
    format_time(wall_ms, when, sizeof(when));
    if (format == LOG_TEXT) {
        (void)snprintf(head, sizeof(head), "%s %-5s %-9s ", when, log_level_name(level), event);
        line_plain(&line, head);
        line_plain(&line, message);
        line.max = size;
        line_text(&line, "\n");
        return line.len;
    }
    (void)snprintf(head, sizeof(head), "{\"time\":\"%s\",\"level\":\"%s\"", when,
                   log_level_name(level));
    line_text(&line, head);
    if (node != NULL && node[0] != '\0') {
        line_text(&line, ",\"node\":\"");
        line_json(&line, node);
        line_text(&line, "\"");
    }
    line_text(&line, ",\"event\":\"");
    line_json(&line, event);
    line_text(&line, "\",\"message\":\"");
    line_json(&line, message);
    line.max = size;
    line_text(&line, json_end);
    return line.len;
}

/* Whether a write of up to PIPE_BUF bytes will not block: for a pipe the kernel says so only when a
 * whole page is free. */
static bool has_room(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT) != 0;
}

static bool write_line(int fd, const char *data, size_t len)
{
    while (len > 0) {
        if (!has_room(fd)) {
            return false;
        }
        const ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void tell_dropped(struct log *log)
{
    char message[64];
    char line[256];
    const uint64_t count = log->dropped - log->dropped_told;
    (void)snprintf(message, sizeof(message), "%llu lines were lost to a full or broken output",
                   (unsigned long long)count);
    const size_t len = log_format_line(line, sizeof(line), log->format, hostclock_wall_ms(),
                                       LOG_WARN, log->node, "log", message);
    if (write_line(log->fd, line, len)) {
        log->dropped_told += count;
    }
}

bool log_raw(struct log *log, const char *line, size_t len)
{
    if (log->dropped > log->dropped_told) {
        tell_dropped(log);
    }
    if (!write_line(log->fd, line, len)) {
        log->dropped++;
        return false;
    }
    return true;
}

void log_vline(struct log *log, enum log_level level, const char *event, const char *format,
               va_list args)
{
    if (level < log->level) {
        return;
    }
    char message[LOG_LINE_MAX / 2];
    char line[LOG_OWN_LINE_MAX];
    (void)vsnprintf(message, sizeof(message), format, args);
    const size_t len = log_format_line(line, sizeof(line), log->format, hostclock_wall_ms(), level,
                                       log->node, event, message);
    (void)log_raw(log, line, len);
}

void log_line(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vline(log, level, event, format, args);
    va_end(args);
}
