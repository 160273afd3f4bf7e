#include "net/out/response_parser.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "net/http/http.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct response_parser {
    llhttp_t llhttp;
    llhttp_settings_t settings;
    bool is_head;
    bool is_done;
    bool is_past_head; /* what looks like a header now is a trailer */
    bool is_keep_alive;
    bool keeps_nothing; /* head_len and body_len grow, head and body do not */
    uint32_t header_count;
    size_t head_len, body_len;
    size_t length; /* bytes fed that belong to the answer */
    /* The reason why a callback refused; llhttp itself only knows that one did. */
    enum rc refusal;
    /* "name\0value\0" for each header of the answer. */
    struct buf head;
    struct buf body;
};

static int refuse(struct response_parser *p, enum rc rc)
{
    p->refusal = rc == RC_FULL ? RC_TOO_LONG : rc;
    return HPE_USER;
}

/* Counts `len` bytes against the buffer's limit, and keeps them if anything is to be kept. */
static enum rc take(const struct response_parser *p, struct buf *to, size_t *total, const char *at,
                    size_t len)
{
    if (!p->keeps_nothing) {
        return buf_append(to, at, len);
    }
    if (len > to->max - *total) {
        return RC_FULL;
    }
    *total += len;
    return RC_OK;
}

static int head_append(llhttp_t *llhttp, const char *at, size_t len)
{
    struct response_parser *p = llhttp->data;
    const enum rc rc = p->is_past_head ? RC_OK : take(p, &p->head, &p->head_len, at, len);
    return rc == RC_OK ? 0 : refuse(p, rc);
}

static int head_terminate(llhttp_t *llhttp)
{
    return head_append(llhttp, "", 1);
}

static int value_terminate(llhttp_t *llhttp)
{
    struct response_parser *p = llhttp->data;
    if (p->is_past_head) {
        return 0;
    }
    if (++p->header_count > HTTP_HEADERS_MAX) {
        return refuse(p, RC_TOO_LONG);
    }
    return head_terminate(llhttp);
}

static int message_begin(llhttp_t *llhttp)
{
    struct response_parser *p = llhttp->data;
    p->header_count = 0;
    p->is_past_head = false;
    p->head_len = 0;
    buf_clear(&p->head);
    return 0;
}

/* 1 tells llhttp that there is no body. */
static int headers_complete(llhttp_t *llhttp)
{
    struct response_parser *p = llhttp->data;
    p->is_past_head = true;
    if (p->is_head) {
        return 1;
    }
    if ((llhttp->flags & F_CONTENT_LENGTH) != 0 && llhttp->content_length > p->body.max) {
        p->refusal = RC_TOO_LONG;
        return -1;
    }
    return 0;
}

static int body_append(llhttp_t *llhttp, const char *at, size_t len)
{
    struct response_parser *p = llhttp->data;
    const enum rc rc = take(p, &p->body, &p->body_len, at, len);
    return rc == RC_OK ? 0 : refuse(p, rc);
}

/* 101 is final: the connection speaks another protocol from here. The other 1xx announce the answer
 * to come (RFC 9110 section 15.2). */
static int message_complete(llhttp_t *llhttp)
{
    struct response_parser *p = llhttp->data;
    if (llhttp->status_code / 100 == 1 && llhttp->status_code != 101) {
        return 0;
    }
    p->is_done = true;
    p->is_keep_alive = llhttp_should_keep_alive(llhttp) != 0 && llhttp->status_code != 101;
    return HPE_PAUSED;
}

struct response_parser *response_parser_new(bool is_head, size_t bytes_max)
{
    struct response_parser *p = mem_new(1, sizeof(*p));
    p->is_head = is_head;
    buf_init(&p->head, HTTP_HEADER_BYTES_MAX);
    buf_init(&p->body, bytes_max);
    llhttp_settings_init(&p->settings);
    p->settings.on_message_begin = message_begin;
    p->settings.on_header_field = head_append;
    p->settings.on_header_field_complete = head_terminate;
    p->settings.on_header_value = head_append;
    p->settings.on_header_value_complete = value_terminate;
    p->settings.on_headers_complete = headers_complete;
    p->settings.on_body = body_append;
    p->settings.on_message_complete = message_complete;
    llhttp_init(&p->llhttp, HTTP_RESPONSE, &p->settings);
    p->llhttp.data = p;
    return p;
}

void response_parser_free(struct response_parser *p)
{
    if (p != NULL) {
        buf_fini(&p->head);
        buf_fini(&p->body);
        free(p);
    }
}

void response_parser_keep_nothing(struct response_parser *p)
{
    p->keeps_nothing = true;
}

void response_parser_next(struct response_parser *p)
{
    llhttp_reset(&p->llhttp);
    p->is_done = false;
    p->length = 0;
    p->body_len = 0;
    buf_clear(&p->body);
}

bool response_parser_is_keep_alive(const struct response_parser *p)
{
    return p->is_keep_alive;
}

enum rc response_parser_feed(struct response_parser *p, const void *data, size_t len)
{
    if (len == 0) {
        return RC_AGAIN;
    }
    const llhttp_errno_t error = llhttp_execute(&p->llhttp, data, len);
    if (p->is_done) {
        p->length += (size_t)(llhttp_get_error_pos(&p->llhttp) - (const char *)data);
        return RC_OK;
    }
    if (error == HPE_OK) {
        p->length += len;
        return RC_AGAIN;
    }
    return p->refusal != RC_OK ? p->refusal : RC_MALFORMED;
}

enum rc response_parser_end(struct response_parser *p)
{
    (void)llhttp_finish(&p->llhttp);
    return p->is_done ? RC_OK : RC_CLOSED;
}

size_t response_parser_length(const struct response_parser *p)
{
    return p->length;
}

int response_parser_status(const struct response_parser *p)
{
    return p->llhttp.status_code;
}

const uint8_t *response_parser_body(const struct response_parser *p, size_t *ret_len)
{
    *ret_len = p->body.len;
    return buf_data(&p->body);
}

bool response_parser_has_head(const struct response_parser *p)
{
    return p->is_past_head && p->llhttp.status_code / 100 != 1;
}

void response_parser_drain(struct response_parser *p)
{
    buf_clear(&p->body);
}

const char *response_parser_header(const struct response_parser *p, const char *name)
{
    if (p->header_count == 0) {
        return NULL;
    }
    const char *at = (const char *)buf_data(&p->head);
    const char *end = at + p->head.len;
    for (uint32_t i = 0; i < p->header_count && at < end; i++) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}
