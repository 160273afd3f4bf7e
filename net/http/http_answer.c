#include "net/http/http_answer.h"

#include "core/base/assert.h"
#include "core/base/cursor.h"
#include "core/base/digits.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMING_BYTES_MAX = 256, /* status line, Date, Connection, length, empty line */
    TOGETHER_MAX = 2048,     /* a body up to this shares the head's memory: one allocation */
    COPIED_MAX = 16 * 1024,  /* above this it changes owner instead */
    CHUNK_HEAD_MAX = 8 + 2,
};

const char *http_answer_date_line(struct http_date *date, time_t now)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (date->second != now || date->line[0] == '\0') {
        struct tm tm;
        (void)gmtime_r(&now, &tm);
        (void)snprintf(date->line, sizeof(date->line),
                       "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                       &days[3 * (size_t)tm.tm_wday], tm.tm_mday, &months[3 * (size_t)tm.tm_mon],
                       (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
        date->second = now;
    }
    return date->line;
}

static void put_text(struct cursor *c, const char *text)
{
    cursor_put_bytes(c, text, strlen(text));
}

static void put_number(struct cursor *c, uint64_t value)
{
    char digits[DIGITS_U64_MAX];
    cursor_put_bytes(c, digits, digits_decimal(value, digits));
}

static void put_head(struct cursor *c, const struct http_answer *answer,
                     const struct http_response *rs, const char *date_line)
{
    put_text(c, "HTTP/1.1 ");
    put_number(c, (uint64_t)rs->status);
    put_text(c, " ");
    put_text(c, http_reason(rs->status));
    put_text(c, "\r\n");
    put_text(c, date_line);
    cursor_put_bytes(c, buf_data(&rs->headers), rs->headers.len);
    if (answer->is_close) {
        put_text(c, "Connection: close\r\n");
    } else if (answer->is_keep_alive_named) {
        put_text(c, "Connection: keep-alive\r\n");
    }
    if (answer->length == HTTP_LENGTH_KNOWN) {
        put_text(c, "Content-Length: ");
        put_number(c, answer->body_len);
        put_text(c, "\r\n");
    } else if (answer->length == HTTP_LENGTH_CHUNKED) {
        put_text(c, "Transfer-Encoding: chunked\r\n");
    }
    put_text(c, "\r\n");
}

static void free_bytes(const void *data, size_t len, void *base)
{
    (void)data;
    (void)len;
    free(base);
}

/* A body too large to stand beside its head. */
static enum rc add_bytes(struct evbuffer *out, struct http_response *rs)
{
    if (rs->bytes.len <= COPIED_MAX) {
        return evbuffer_add(out, buf_data(&rs->bytes), rs->bytes.len) == 0 ? RC_OK : RC_NO_MEMORY;
    }
    if (evbuffer_add_reference(out, buf_data(&rs->bytes), rs->bytes.len, free_bytes,
                               rs->bytes.base) != 0) {
        return RC_NO_MEMORY;
    }
    buf_init(&rs->bytes, rs->bytes.max);
    return RC_OK;
}

enum rc http_answer_write(struct evbuffer *out, const struct http_answer *answer,
                          struct http_response *rs, const char *date_line)
{
    if (rs->is_cut) {
        return RC_NO_MEMORY;
    }
    const bool has_bytes =
        rs->kind == HTTP_BODY_BYTES && !answer->is_bodiless && answer->length != HTTP_LENGTH_NONE;
    const size_t together = has_bytes && rs->bytes.len <= TOGETHER_MAX ? rs->bytes.len : 0;
    struct evbuffer_iovec room;
    const size_t size = FRAMING_BYTES_MAX + rs->headers.len + together;
    if (evbuffer_reserve_space(out, (ev_ssize_t)size, &room, 1) < 1) {
        return RC_NO_MEMORY;
    }
    struct cursor c = cursor_writer(room.iov_base, room.iov_len);
    put_head(&c, answer, rs, date_line);
    cursor_put_bytes(&c, buf_data(&rs->bytes), together);
    ASSERT(cursor_ok(&c));
    room.iov_len = c.pos;
    if (evbuffer_commit_space(out, &room, 1) != 0) {
        return RC_NO_MEMORY;
    }
    return has_bytes && together < rs->bytes.len ? add_bytes(out, rs) : RC_OK;
}

enum rc http_answer_upgrade(struct evbuffer *out, const struct http_response *rs)
{
    static const char line[] = "HTTP/1.1 101 Switching Protocols\r\n";
    const bool is_added = !rs->is_cut && evbuffer_add(out, line, sizeof(line) - 1) == 0 &&
                          evbuffer_add(out, buf_data(&rs->headers), rs->headers.len) == 0 &&
                          evbuffer_add(out, "\r\n", 2) == 0;
    return is_added ? RC_OK : RC_NO_MEMORY;
}

bool http_answer_source_is_active(const struct http_source *source)
{
    return source->blob != NULL || source->produce != NULL;
}

void http_answer_source_take(struct http_source *source, struct http_response *rs, bool is_chunked)
{
    *source = (struct http_source){.is_chunked = is_chunked};
    if (rs->kind == HTTP_BODY_BLOB) {
        source->blob = rs->blob;
        rs->blob = NULL;
    } else {
        source->produce = rs->produce;
        source->done = rs->done;
        source->arg = rs->arg;
        source->is_waking = rs->is_waking;
        rs->produce = NULL;
        rs->done = NULL;
    }
}

void http_answer_source_drop(struct http_source *source)
{
    const struct http_source dropped = *source;
    *source = (struct http_source){.blob = NULL};
    blob_release(dropped.blob);
    if (dropped.done != NULL) {
        dropped.done(dropped.arg);
    }
}

static void release_run(const void *data, size_t len, void *blob)
{
    (void)data;
    (void)len;
    blob_release(blob);
}

static enum rc fill_blob(struct http_source *source, struct evbuffer *out)
{
    while (evbuffer_get_length(out) < HTTP_OUTPUT_BLOB && source->offset < blob_len(source->blob)) {
        const uint8_t *run = NULL;
        const size_t len = blob_run(source->blob, source->offset, &run);
        if (evbuffer_add_reference(out, run, len, release_run, blob_hold(source->blob)) != 0) {
            blob_release(source->blob);
            return RC_NO_MEMORY;
        }
        source->offset += len;
    }
    if (source->offset == blob_len(source->blob)) {
        http_answer_source_drop(source);
    }
    return RC_OK;
}

/* One piece, framed as a chunk where the client reads chunks (RFC 9112 section 7.1). */
static enum rc add_piece(struct evbuffer *out, const struct buf *piece, bool is_chunked,
                         bool is_last)
{
    char head[CHUNK_HEAD_MAX + 1];
    int failed = 0;
    if (piece->len > 0) {
        if (is_chunked) {
            const int len = snprintf(head, sizeof(head), "%zx\r\n", piece->len);
            failed |= evbuffer_add(out, head, (size_t)len);
        }
        failed |= evbuffer_add(out, buf_data(piece), piece->len);
        failed |= is_chunked ? evbuffer_add(out, "\r\n", 2) : 0;
    }
    failed |= is_chunked && is_last ? evbuffer_add(out, "0\r\n\r\n", 5) : 0;
    return failed == 0 ? RC_OK : RC_NO_MEMORY;
}

enum rc http_answer_source_fill(struct http_source *source, struct evbuffer *out, struct buf *piece)
{
    if (source->blob != NULL) {
        return fill_blob(source, out);
    }
    while (source->produce != NULL && evbuffer_get_length(out) < HTTP_OUTPUT_LOW) {
        buf_clear(piece);
        const bool is_more = source->produce(source->arg, piece);
        const enum rc rc = add_piece(out, piece, source->is_chunked, !is_more);
        if (rc != RC_OK) {
            return rc;
        }
        if (!is_more) {
            http_answer_source_drop(source);
        } else if (piece->len == 0) {
            return RC_AGAIN;
        }
    }
    return RC_OK;
}

/* The piece between the lines of a chunk. */
static enum rc frame(struct buf *piece)
{
    char digits[CHUNK_HEAD_MAX];
    size_t at = sizeof(digits);
    digits[--at] = '\n';
    digits[--at] = '\r';
    for (size_t left = piece->len; left > 0; left /= 16) {
        ASSERT(at > 0);
        digits[--at] = "0123456789abcdef"[left % 16];
    }
    const enum rc rc = buf_prepend(piece, digits + at, sizeof(digits) - at);
    return rc == RC_OK ? buf_append(piece, "\r\n", 2) : rc;
}

enum rc http_answer_source_piece(struct http_source *source, struct buf *piece)
{
    enum rc rc = RC_OK;
    buf_clear_behind(piece, CHUNK_HEAD_MAX);
    const bool is_more = source->produce(source->arg, piece);
    if (source->is_chunked) {
        rc = piece->len > 0 ? frame(piece) : RC_OK;
        rc = rc == RC_OK && !is_more ? buf_append(piece, "0\r\n\r\n", 5) : rc;
    }
    if (rc == RC_OK && !is_more) {
        http_answer_source_drop(source);
    }
    return rc;
}
