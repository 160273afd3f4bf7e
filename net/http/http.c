#include "net/http/http.h"

#include "core/base/assert.h"
#include "core/base/cursor.h"
#include "core/base/digits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { EVENTS_END_SIZE = 256 };

const struct http_header *http_find(const struct http_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->header_count; i++) {
        if (http_text_is(rq->headers[i].name, name)) {
            return &rq->headers[i];
        }
    }
    return NULL;
}

bool http_lists(const struct http_request *rq, const char *name, const char *word)
{
    for (size_t i = 0; i < rq->header_count; i++) {
        if (http_text_is(rq->headers[i].name, name) &&
            http_text_lists(rq->headers[i].value, word)) {
            return true;
        }
    }
    return false;
}

uint32_t http_weight(const struct http_request *rq, const char *name, const char *word)
{
    uint32_t most = 0;
    for (size_t i = 0; i < rq->header_count; i++) {
        if (http_text_is(rq->headers[i].name, name)) {
            const uint32_t weight = http_text_weight(rq->headers[i].value, word);
            most = weight > most ? weight : most;
        }
    }
    return most;
}

size_t http_count(const struct http_request *rq, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < rq->header_count; i++) {
        count += http_text_is(rq->headers[i].name, name);
    }
    return count;
}

void http_response_init(struct http_response *rs)
{
    *rs = (struct http_response){.status = 200};
    buf_init(&rs->headers, HTTP_RESPONSE_HEADER_BYTES_MAX);
    buf_init(&rs->bytes, HTTP_RESPONSE_BYTES_MAX);
}

void http_response_clear(struct http_response *rs)
{
    blob_release(rs->blob);
    if (rs->done != NULL) {
        rs->done(rs->arg);
    }
    struct buf headers = rs->headers;
    struct buf bytes = rs->bytes;
    buf_clear(&headers);
    buf_clear(&bytes);
    *rs = (struct http_response){.status = 200, .headers = headers, .bytes = bytes};
}

void http_response_fini(struct http_response *rs)
{
    http_response_clear(rs);
    buf_fini(&rs->headers);
    buf_fini(&rs->bytes);
}

/* Where the line of that name starts in the headers, and its length with CRLF in *ret_len. */
static const uint8_t *find_line(const struct http_response *rs, const char *name, size_t *ret_len)
{
    const size_t name_len = strlen(name);
    const uint8_t *line = buf_data(&rs->headers);
    const uint8_t *end = line + rs->headers.len;
    while (line < end) {
        const uint8_t *lf = memchr(line, '\n', (size_t)(end - line));
        ASSERT(lf != NULL);
        const size_t len = (size_t)(lf - line) + 1;
        const struct http_text head = {(const char *)line, len < name_len ? len : name_len};
        if (len > name_len && line[name_len] == ':' && http_text_is(head, name)) {
            *ret_len = len;
            return line;
        }
        line += len;
    }
    return NULL;
}

static void remove_line(struct http_response *rs, const char *name)
{
    size_t len = 0;
    const uint8_t *line = find_line(rs, name, &len);
    if (line != NULL) {
        const size_t at = (size_t)(line - buf_data(&rs->headers));
        uint8_t *to = rs->headers.base + rs->headers.start + at;
        memmove(to, to + len, rs->headers.len - at - len);
        rs->headers.len -= len;
    }
}

/* What is added has a place: a response's headers are ours. It may have no memory. */
static bool is_added(struct http_response *rs, enum rc rc)
{
    ASSERT(rc == RC_OK || rc == RC_NO_MEMORY);
    rs->is_cut = rs->is_cut || rc != RC_OK;
    return rc == RC_OK;
}

static bool is_one_line(const char *text, size_t len)
{
    return memchr(text, '\r', len) == NULL && memchr(text, '\n', len) == NULL;
}

static void add_line(struct http_response *rs, const char *name, const char *value,
                     size_t value_len)
{
    const size_t name_len = strlen(name);
    ASSERT(memchr(name, ':', name_len) == NULL && is_one_line(name, name_len));
    ASSERT(is_one_line(value, value_len));
    uint8_t *room = NULL;
    const size_t len = name_len + 2 + value_len + 2;
    if (!is_added(rs, buf_reserve(&rs->headers, len, &room))) {
        return;
    }
    struct cursor c = cursor_writer(room, len);
    cursor_put_bytes(&c, name, name_len);
    cursor_put_bytes(&c, ": ", 2);
    cursor_put_bytes(&c, value, value_len);
    cursor_put_bytes(&c, "\r\n", 2);
    ASSERT(cursor_ok(&c));
    buf_commit(&rs->headers, len);
}

void http_add(struct http_response *rs, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    const int value_len = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    ASSERT(value_len >= 0 && (size_t)value_len < sizeof(value));
    add_line(rs, name, value, (size_t)value_len);
}

void http_add_text(struct http_response *rs, const char *name, const char *value)
{
    add_line(rs, name, value, strlen(value));
}

void http_add_number(struct http_response *rs, const char *name, uint64_t value)
{
    char digits[DIGITS_U64_MAX];
    add_line(rs, name, digits, digits_decimal(value, digits));
}

void http_add_lines(struct http_response *rs, const char *lines)
{
    const size_t len = strlen(lines);
    ASSERT(len >= 2 && lines[len - 2] == '\r' && lines[len - 1] == '\n');
    (void)is_added(rs, buf_append(&rs->headers, lines, len));
}

void http_set_body(struct http_response *rs, int status, const char *type, const void *data,
                   size_t len)
{
    rs->status = status;
    rs->kind = HTTP_BODY_BYTES;
    remove_line(rs, "Content-Type");
    buf_clear(&rs->bytes);
    if (buf_append(&rs->bytes, data, len) != RC_OK) {
        rs->status = 500;
        return;
    }
    http_add_text(rs, "Content-Type", type);
}

void http_stream_json(struct http_response *rs, http_produce produce, void (*done)(void *arg),
                      void *arg)
{
    rs->status = 200;
    rs->kind = HTTP_BODY_STREAM;
    rs->produce = produce;
    rs->done = done;
    rs->arg = arg;
    http_add_lines(rs, "Content-Type: application/json\r\nCache-Control: no-store\r\n");
}

/* Writes `text` as the inside of a JSON string; what is not printable ASCII is escaped or, above
 * it, replaced. */
static size_t json_escape(char *to, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (const char *from = text; *from != '\0'; from++) {
        const uint8_t c = (uint8_t)*from;
        if (c == '"' || c == '\\') {
            to[len++] = '\\';
            to[len++] = (char)c;
        } else if (c < 0x20) {
            memcpy(to + len, "\\u00", 4);
            to[len + 4] = hex[c >> 4];
            to[len + 5] = hex[c & 15];
            len += 6;
        } else {
            to[len++] = c < 0x7f ? (char)c : '?';
        }
    }
    to[len] = '\0';
    return len;
}

void http_problem(struct http_response *rs, int status, const char *code, const char *format, ...)
{
    enum { DETAIL_MAX = 500, ESCAPED_MAX = 6 * DETAIL_MAX };
    char detail[DETAIL_MAX + 1];
    char escaped[ESCAPED_MAX + 1];
    char body[ESCAPED_MAX + 256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    (void)json_escape(escaped, detail);
    const int len = snprintf(body, sizeof(body),
                             "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
                             "\"detail\":\"%s\",\"code\":\"%.40s\"}\n",
                             http_reason(status), status, escaped, code);
    ASSERT(len > 0 && (size_t)len < sizeof(body));
    http_set_body(rs, status, "application/problem+json", body, (size_t)len);
    size_t line_len = 0;
    if ((status == 429 || status == 503) && find_line(rs, "Retry-After", &line_len) == NULL) {
        http_add(rs, "Retry-After", "1");
    }
}

/* ---- Events ---- */

void http_events(struct http_response *rs)
{
    rs->status = 200;
    http_add_lines(rs, "Content-Type: text/event-stream\r\n"
                       "Cache-Control: no-store\r\n"
                       "X-Accel-Buffering: no\r\n"); /* nginx: pass each event on as it comes */
}

enum rc http_events_end(struct buf *out, uint32_t retry_ms, const char *code, const char *detail)
{
    char text[EVENTS_END_SIZE];
    const int len = snprintf(text, sizeof(text),
                             "retry: %" PRIu32 "\nevent: end\n"
                             "data: {\"code\":\"%s\",\"detail\":\"%s\"}\n\n",
                             retry_ms, code, detail);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    return buf_append(out, text, (size_t)len);
}

void http_events_refuse(struct http_response *rs, uint32_t retry_ms, const char *code,
                        const char *detail)
{
    http_events(rs);
    rs->kind = HTTP_BODY_BYTES;
    buf_clear(&rs->bytes);
    if (http_events_end(&rs->bytes, retry_ms, code, detail) != RC_OK) {
        rs->status = 500;
    }
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {404, "Not Found"},
        {304, "Not Modified"},
        {101, "Switching Protocols"},
        {302, "Found"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].reason;
        }
    }
    return "Unknown";
}
