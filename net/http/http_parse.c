#include "net/http/http_parse.h"

#include "core/base/assert.h"
#include "core/base/units.h"
#include "core/store/record.h"
#include "net/http/chunk_line.h"
#include "net/http/http_head.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

enum {
    CRLF = 2,
    LINE_BYTES_MAX = HTTP_REQUEST_LINE_MAX + CRLF,
    HEAD_BYTES_MAX = LINE_BYTES_MAX + HTTP_HEADER_BYTES_MAX + CRLF,
    /* A head that outgrew this does not stay in memory for the next request. */
    HEAD_BYTES_KEPT = 4 * 1024,
    /* Chunk sizes, extensions and trailers: so much in all, plus so much for each byte of data. A
     * sender of one-byte chunks spends 5. */
    CHUNK_BYTES_FREE = 16 * 1024,
    CHUNK_BYTES_EACH = 16,
    ROOM_MIN = 4 * 1024,   /* for what of a body is to come next */
    CHUNK_LINE_PIECE = 32, /* of a chunk's line, handed to llhttp at once */
};

struct http_parse {
    struct pagepool *pool; /* of large bodies */
    llhttp_t llhttp;
    enum http_parse_state state;
    struct http_refusal refusal;
    struct buf head;
    size_t line_end;  /* where the first header starts; 0 until the request line is complete */
    size_t target_at; /* in it; once the line is complete */
    struct http_request_line line;
    struct http_framing framing;
    bool is_head_seen, is_end_seen; /* by llhttp, in this feed */
    bool is_keep_alive, is_upgrade;
    uint64_t body_max;
    uint64_t chunk_bytes;      /* of the body that were not data */
    const uint8_t *chunk_from; /* where this feed's next run of such bytes starts */
    uint8_t chunk_prev;        /* the last one; '\n' at the start of a line, 0 after data */
    uint64_t chunk_left;       /* bytes up to the next chunk's line; NEVER in the trailers */
    struct chunk_line chunk_line;
    struct http_request request;
    struct http_header headers[HTTP_HEADERS_MAX];
    uint8_t body[VALUE_INLINE_MAX];
};

static void refuse(struct http_parse *p, int status, const char *code, const char *detail)
{
    if (p->state != HTTP_PARSE_REFUSED) {
        p->state = HTTP_PARSE_REFUSED;
        p->refusal = (struct http_refusal){status, code, detail};
    }
}

/* The bytes between data: line ends must be CRLF, no line is folded or nameless, and there are not
 * too many of them. */
static void check_chunk_bytes(struct http_parse *p, const uint8_t *end)
{
    for (const uint8_t *at = p->chunk_from; at < end; at++) {
        const bool is_line_start = p->chunk_prev == '\n';
        if ((p->chunk_prev == '\r') != (*at == '\n') ||
            (is_line_start && (*at == ' ' || *at == '\t' || *at == ':'))) {
            refuse(p, 400, "invalid_request", "a chunk or trailer line is malformed");
            return;
        }
        p->chunk_prev = *at;
    }
    p->chunk_bytes += (uint64_t)(end - p->chunk_from);
    if (p->chunk_bytes > CHUNK_BYTES_FREE + CHUNK_BYTES_EACH * (uint64_t)p->request.body_len) {
        refuse(p, 400, "invalid_request", "too many bytes of chunk framing for so little data");
    }
}

/* The body so far moves from the small buffer into a blob of at most `bytes_max`. */
static enum rc move_to_blob(struct http_parse *p, uint64_t bytes_max)
{
    struct blob *blob = blob_new(p->pool, bytes_max);
    if (blob == NULL) {
        return RC_NO_MEMORY;
    }
    const enum rc rc = blob_append(blob, p->body, p->request.body_len);
    if (rc != RC_OK) {
        blob_release(blob);
        return rc;
    }
    p->request.blob = blob;
    return RC_OK;
}

static enum rc append_body(struct http_parse *p, const void *data, size_t len)
{
    struct http_request *rq = &p->request;
    if (len > p->body_max - rq->body_len) {
        return RC_TOO_LONG;
    }
    if (rq->blob == NULL && rq->body_len + len <= sizeof(p->body)) {
        memcpy(p->body + rq->body_len, data, len);
    } else {
        enum rc rc = rq->blob == NULL ? move_to_blob(p, p->body_max) : RC_OK;
        if (rc == RC_OK) {
            rc = blob_take(rq->blob, data, len);
        }
        if (rc != RC_OK) {
            return rc;
        }
    }
    rq->body_len += len;
    return RC_OK;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parse *p = llhttp->data;
    const uint8_t *data = (const uint8_t *)at;
    const enum rc rc = append_body(p, data, len);
    if (rc == RC_TOO_LONG) {
        refuse(p, 413, "value_too_large", "the body is too large");
    } else if (rc != RC_OK) {
        refuse(p, 503, "overloaded", "there is no memory for the body");
    } else if (p->framing.is_chunked) {
        check_chunk_bytes(p, data);
        p->chunk_from = data + len;
        p->chunk_prev = 0;
    }
    return p->state == HTTP_PARSE_REFUSED ? HPE_USER : 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;
    p->is_head_seen = true;
    return HPE_PAUSED;
}

/* A chunk's line is complete. The last chunk is empty, and trailers follow. */
static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;
    if (llhttp->content_length > p->body_max - p->request.body_len) {
        refuse(p, 413, "value_too_large", "the body is too large");
        return HPE_USER;
    }
    p->chunk_left = llhttp->content_length == 0 ? NEVER : llhttp->content_length + CRLF;
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;
    p->is_end_seen = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

struct http_parse *http_parse_new(struct pagepool *pool)
{
    struct http_parse *p = calloc(1, sizeof(*p));
    if (p != NULL) {
        p->pool = pool;
        buf_init(&p->head, HEAD_BYTES_MAX);
        http_parse_reset(p);
    }
    return p;
}

void http_parse_free(struct http_parse *p)
{
    if (p != NULL) {
        blob_release(p->request.blob);
        buf_fini(&p->head);
        free(p);
    }
}

void http_parse_reset(struct http_parse *p)
{
    blob_release(p->request.blob);
    p->request = (struct http_request){.id = 0};
    if (p->head.size > HEAD_BYTES_KEPT) {
        buf_fini(&p->head);
    }
    buf_clear(&p->head);
    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
    /* HTTP/1.2 is answered as HTTP/1.1 (RFC 9110 section 2.5), though llhttp would refuse it. Our
     * own reading of the line decides which versions are allowed. */
    p->llhttp.lenient_flags |= LENIENT_VERSION;
    p->state = HTTP_PARSE_HEAD;
    p->line_end = 0;
    p->framing = (struct http_framing){.is_chunked = false};
    p->is_head_seen = false;
    p->is_end_seen = false;
    p->is_keep_alive = false;
    p->is_upgrade = false;
    p->chunk_bytes = 0;
    p->chunk_prev = '\n';
    p->chunk_left = 0;
    p->chunk_line = (struct chunk_line){.has_size = false};
}

/* Looks for the end of the request line among the bytes from `from` on, and judges the line at
 * once. Otherwise a request without a version would wait for headers that never come. */
static void look_for_line(struct http_parse *p, size_t from)
{
    const char *head = (const char *)buf_data(&p->head);
    const char *lf = memchr(head + from, '\n', p->head.len - from);
    if (lf == NULL) {
        if (p->head.len == LINE_BYTES_MAX) {
            refuse(p, 414, "key_too_long", "the request line is longer than 8 KiB");
        }
        return;
    }
    const size_t len = (size_t)(lf - head);
    struct http_refusal refusal;
    if (len == 0 || head[len - 1] != '\r') {
        refuse(p, 400, "invalid_request", "the request line does not end in CRLF");
    } else if (http_head_request_line((struct http_text){head, len - 1}, &p->line, &refusal)) {
        p->line_end = len + 1;
        p->target_at = (size_t)(p->line.target.data - head);
    } else {
        refuse(p, refusal.status, refusal.code, refusal.detail);
    }
}

/* llhttp refused the head. An unknown method is 501 (RFC 9110 section 15.6.2), a length beyond 64
 * bits is one that is too large, and the rest is 400. */
static void refuse_as_llhttp(struct http_parse *p, llhttp_errno_t error)
{
    const char *head = (const char *)buf_data(&p->head);
    const char *space = memchr(head, ' ', p->head.len);
    const struct http_text method = {head, space == NULL ? p->head.len : (size_t)(space - head)};
    const bool is_foreign = error == HPE_INVALID_CONSTANT && p->llhttp.method >= HTTP_SOURCE;
    if ((error == HPE_INVALID_METHOD || is_foreign) && http_text_is_token(method)) {
        refuse(p, 501, "unsupported", "the method is not known");
    } else if (error == HPE_INVALID_CONTENT_LENGTH &&
               strcmp(llhttp_get_error_reason(&p->llhttp), "Content-Length overflow") == 0) {
        refuse(p, 413, "value_too_large", "the body is too large");
    } else {
        refuse(p, 400, "invalid_request", llhttp_get_error_reason(&p->llhttp));
    }
}

/* The head is complete: everything that the caller may ask about it is set. */
static void judge_head(struct http_parse *p)
{
    const char *head = (const char *)buf_data(&p->head);
    struct http_request *rq = &p->request;
    const struct http_text lines = {head + p->line_end, p->head.len - p->line_end};
    struct http_refusal refusal;
    /* The line was split when it came; the buffer may have moved since. */
    p->line.method.data = head;
    p->line.target.data = head + p->target_at;
    rq->headers = p->headers;
    if (!http_head_target(&p->line, rq, &refusal) ||
        !http_head_split(lines, p->headers, &rq->header_count, &refusal) ||
        !http_head_framing(rq, p->line.minor, &p->framing, &refusal)) {
        refuse(p, refusal.status, refusal.code, refusal.detail);
    } else if (p->llhttp.method >= HTTP_SOURCE) {
        refuse(p, 501, "unsupported", "the method is not one of HTTP");
    } else {
        p->is_keep_alive = llhttp_should_keep_alive(&p->llhttp) != 0;
        p->is_upgrade = p->llhttp.upgrade != 0 && p->line.minor > 0;
        p->state = HTTP_PARSE_HEADERS;
    }
}

static size_t feed_head(struct http_parse *p, const uint8_t *data, size_t len)
{
    const size_t before = p->head.len;
    const size_t end =
        p->line_end == 0 ? LINE_BYTES_MAX : p->line_end + HTTP_HEADER_BYTES_MAX + (size_t)CRLF;
    const size_t taken = len < end - before ? len : end - before;
    if (buf_append(&p->head, data, taken) != RC_OK) {
        refuse(p, 503, "overloaded", "there is no memory for the request");
        return taken;
    }
    if (p->line_end == 0) {
        look_for_line(p, before);
        if (p->state == HTTP_PARSE_REFUSED) {
            return taken;
        }
    }
    const char *fed = (const char *)buf_data(&p->head) + before;
    const llhttp_errno_t error = llhttp_execute(&p->llhttp, fed, taken);
    if (error == HPE_PAUSED && p->is_head_seen) {
        const size_t used = (size_t)(llhttp_get_error_pos(&p->llhttp) - fed);
        p->head.len = before + used;
        judge_head(p);
        return used;
    }
    if (error != HPE_OK) {
        refuse_as_llhttp(p, error);
    } else if (p->line_end > 0 && p->head.len == p->line_end + HTTP_HEADER_BYTES_MAX + CRLF) {
        refuse(p, 431, "invalid_request", "the headers are longer than 16 KiB");
    }
    return taken;
}

static void finish(struct http_parse *p)
{
    struct http_request *rq = &p->request;
    rq->body = rq->blob == NULL ? p->body : NULL;
    if (rq->blob != NULL) {
        blob_trim(rq->blob);
    }
    p->state = HTTP_PARSE_DONE;
}

/* llhttp is given a chunk's line without its extensions. Returns how much of `data` was taken. */
static size_t feed_chunk_line(struct http_parse *p, const uint8_t *data, size_t len,
                              llhttp_errno_t *ret_error)
{
    char piece[CHUNK_LINE_PIECE];
    size_t used = 0;
    size_t kept = 0;
    bool is_end = false;
    while (used < len && kept < sizeof(piece) && !is_end) {
        const uint8_t byte = data[used++];
        const enum chunk_byte is = chunk_line_take(&p->chunk_line, byte);
        if (is == CHUNK_BYTE_WRONG) {
            refuse(p, 400, "invalid_request", "a chunk's line is malformed");
            return used;
        }
        if (is == CHUNK_BYTE_KEPT) {
            piece[kept++] = (char)byte;
        }
        is_end = byte == '\n';
    }
    *ret_error = llhttp_execute(&p->llhttp, piece, kept);
    if (is_end) {
        p->chunk_line = (struct chunk_line){.has_size = false};
    }
    return used;
}

/* One chunk's line, or one chunk with its CRLF, or the trailers, as far as they are here. */
static size_t feed_chunk(struct http_parse *p, const uint8_t *data, size_t len,
                         llhttp_errno_t *ret_error)
{
    if (p->chunk_left == 0) {
        return feed_chunk_line(p, data, len, ret_error);
    }
    size_t used = (size_t)min_u64(len, p->chunk_left);
    *ret_error = llhttp_execute(&p->llhttp, (const char *)data, used);
    if (*ret_error != HPE_OK) {
        used = (size_t)((const uint8_t *)llhttp_get_error_pos(&p->llhttp) - data);
    } else if (p->chunk_left != NEVER) {
        p->chunk_left -= used;
    }
    return used;
}

static size_t feed_all(struct http_parse *p, const uint8_t *data, size_t len,
                       llhttp_errno_t *ret_error)
{
    size_t used = 0;
    if (p->framing.is_chunked) {
        while (used < len && *ret_error == HPE_OK && p->state == HTTP_PARSE_BODY) {
            used += feed_chunk(p, data + used, len - used, ret_error);
        }
        return used;
    }
    *ret_error = llhttp_execute(&p->llhttp, (const char *)data, len);
    return *ret_error == HPE_OK
               ? len
               : (size_t)((const uint8_t *)llhttp_get_error_pos(&p->llhttp) - data);
}

static size_t feed_body(struct http_parse *p, const uint8_t *data, size_t len)
{
    llhttp_errno_t error = HPE_OK;
    p->chunk_from = data;
    const size_t used = feed_all(p, data, len, &error);
    if (p->state == HTTP_PARSE_REFUSED) {
        return len;
    }
    if (p->framing.is_chunked) {
        check_chunk_bytes(p, data + used);
    }
    if (error != HPE_OK && !p->is_end_seen) {
        refuse(p, 400, "invalid_request", llhttp_get_error_reason(&p->llhttp));
    }
    if (p->state != HTTP_PARSE_REFUSED && p->is_end_seen) {
        finish(p);
    }
    return p->state == HTTP_PARSE_REFUSED ? len : used;
}

size_t http_parse_feed(struct http_parse *p, const void *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    switch (p->state) {
    case HTTP_PARSE_HEAD:
        return feed_head(p, data, len);
    case HTTP_PARSE_BODY:
        return feed_body(p, data, len);
    case HTTP_PARSE_HEADERS:
    case HTTP_PARSE_DONE:
    case HTTP_PARSE_REFUSED:
        break;
    }
    return 0;
}

size_t http_parse_rooms(struct http_parse *p, size_t wanted, struct blob_room *ret_rooms)
{
    const bool is_known = p->state == HTTP_PARSE_BODY && !p->framing.is_chunked;
    /* No more than has come, so that what is only announced takes no memory. */
    const size_t grown = p->request.body_len > ROOM_MIN ? p->request.body_len : (size_t)ROOM_MIN;
    return is_known && p->request.blob != NULL
               ? blob_rooms(p->request.blob, grown < wanted ? grown : wanted, ret_rooms)
               : 0;
}

void http_parse_accept(struct http_parse *p, uint64_t body_max)
{
    ASSERT(p->state == HTTP_PARSE_HEADERS);
    p->body_max = body_max;
    if (p->framing.content_length > body_max) {
        refuse(p, 413, "value_too_large", "the body is too large");
    } else if (!http_parse_has_body(p)) {
        finish(p);
    } else if (p->framing.content_length > VALUE_INLINE_MAX &&
               move_to_blob(p, p->framing.content_length) != RC_OK) {
        refuse(p, 503, "overloaded", "there is no memory for the body");
    } else {
        llhttp_resume(&p->llhttp);
        p->state = HTTP_PARSE_BODY;
    }
}

enum http_parse_state http_parse_state(const struct http_parse *p)
{
    return p->state;
}

const struct http_refusal *http_parse_refusal(const struct http_parse *p)
{
    return &p->refusal;
}

struct http_request *http_parse_request(struct http_parse *p)
{
    return &p->request;
}

bool http_parse_is_keep_alive(const struct http_parse *p)
{
    return p->is_keep_alive;
}

bool http_parse_is_http10(const struct http_parse *p)
{
    return p->line.minor == 0;
}

bool http_parse_is_upgrade(const struct http_parse *p)
{
    return p->is_upgrade;
}

bool http_parse_has_body(const struct http_parse *p)
{
    return p->framing.is_chunked || p->framing.content_length > 0;
}

uint64_t http_parse_body_len(const struct http_parse *p)
{
    return p->request.body_len;
}

uint64_t http_parse_body_max(const struct http_parse *p)
{
    return p->framing.is_chunked ? p->body_max : p->framing.content_length;
}

bool http_parse_expects_continue(const struct http_parse *p)
{
    return p->framing.expects_continue;
}
