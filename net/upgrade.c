#include "net/upgrade.h"

#include "core/assert.h"

#include <stdio.h>
#include <string.h>

static const char version_text[] = "HTTP/1.1 ";
static const char status_text[] = "HTTP/1.1 101";

size_t upgrade_request(const struct addr *host, char ret_text[static UPGRADE_REQUEST_SIZE])
{
    char where[ADDR_TEXT_SIZE];
    const int len = snprintf(ret_text, UPGRADE_REQUEST_SIZE,
                             "GET /gossip HTTP/1.1\r\n"
                             "Host: %s\r\n"
                             "Connection: Upgrade\r\n"
                             "Upgrade: " UPGRADE_PROTOCOL "\r\n\r\n",
                             addr_format(host, where));
    ASSERT(len > 0 && len < UPGRADE_REQUEST_SIZE);
    return (size_t)len;
}

/* "name: value". RC_MALFORMED for an empty name, a space before the colon, or a folded line. */
static enum rc parse_header(struct http_text line, struct http_text *ret_name,
                            struct http_text *ret_value)
{
    const char *colon = memchr(line.data, ':', line.len);
    const size_t len = colon == NULL ? 0 : (size_t)(colon - line.data);
    *ret_name = (struct http_text){line.data, len};
    if (!http_text_is_token(*ret_name)) {
        return RC_MALFORMED;
    }
    *ret_value = http_text_trim((struct http_text){line.data + len + 1, line.len - len - 1});
    return RC_OK;
}

/* Takes the next line, which must end in CRLF and hold no other control character than a tab. */
static enum rc next_line(struct http_text *rest, struct http_text *ret_line)
{
    for (size_t i = 0; i < rest->len; i++) {
        const unsigned char c = (unsigned char)rest->data[i];
        if (c == '\r') {
            if (i + 1 == rest->len) {
                return RC_AGAIN;
            }
            if (rest->data[i + 1] != '\n') {
                return RC_MALFORMED;
            }
            *ret_line = (struct http_text){rest->data, i};
            rest->data += i + 2;
            rest->len -= i + 2;
            return RC_OK;
        }
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return RC_MALFORMED;
        }
    }
    return RC_AGAIN;
}

/* The headers up to the empty line. A 101 has no body (RFC 9110 section 8.6), so one that says it
 * has is not to be trusted. */
static enum rc parse_headers(struct http_text *rest)
{
    bool has_upgrade = false, has_connection = false, has_body = false;
    for (;;) {
        struct http_text line, name, value;
        enum rc rc = next_line(rest, &line);
        if (rc != RC_OK) {
            return rc;
        }
        if (line.len == 0) {
            return has_upgrade && has_connection && !has_body ? RC_OK : RC_REFUSED;
        }
        rc = parse_header(line, &name, &value);
        if (rc != RC_OK) {
            return rc;
        }
        has_upgrade =
            has_upgrade || (http_text_is(name, "upgrade") && http_text_is(value, UPGRADE_PROTOCOL));
        has_connection = has_connection ||
                         (http_text_is(name, "connection") && http_text_lists(value, "upgrade"));
        has_body = has_body || http_text_is(name, "content-length") ||
                   http_text_is(name, "transfer-encoding");
    }
}

static bool begins_like(struct http_text t, const char *text)
{
    const size_t len = strlen(text);
    return memcmp(t.data, text, t.len < len ? t.len : len) == 0;
}

enum rc upgrade_parse_answer(const void *data, size_t len, size_t *ret_head_len)
{
    if (len == 0) {
        return RC_AGAIN;
    }
    struct http_text rest = {data, len < UPGRADE_ANSWER_MAX ? len : UPGRADE_ANSWER_MAX};
    const size_t looked_at = rest.len;
    /* Another program, or another answer, is known by its first bytes. */
    if (!begins_like(rest, version_text)) {
        return RC_MALFORMED;
    }
    if (!begins_like(rest, status_text)) {
        return RC_REFUSED;
    }
    struct http_text line;
    enum rc rc = next_line(&rest, &line);
    if (rc == RC_OK) {
        const size_t bare = strlen(status_text);
        if (line.len < bare || (line.len > bare && line.data[bare] != ' ')) {
            return RC_MALFORMED;
        }
        rc = parse_headers(&rest);
    }
    if (rc == RC_AGAIN && looked_at == UPGRADE_ANSWER_MAX) {
        return RC_TOO_LONG;
    }
    if (rc == RC_OK) {
        *ret_head_len = looked_at - rest.len;
    }
    return rc;
}

bool upgrade_is_asked(const struct http_request *rq)
{
    return rq->method == HTTP_GET_ && http_lists(rq, "Connection", "upgrade") &&
           http_lists(rq, "Upgrade", UPGRADE_PROTOCOL);
}

void upgrade_name(struct http_response *rs)
{
    http_add(rs, "Connection", "Upgrade");
    http_add(rs, "Upgrade", UPGRADE_PROTOCOL);
}
