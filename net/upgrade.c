#include "net/upgrade.h"

#include "core/assert.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PROTOCOL "repram-gossip/1"

static const char version_text[] = "HTTP/1.1 ";
static const char status_text[] = "HTTP/1.1 101";

struct text {
    const char *data;
    size_t len;
};

size_t upgrade_request(const struct addr *host, char ret_text[static UPGRADE_REQUEST_SIZE])
{
    char where[ADDR_TEXT_SIZE];
    const int len = snprintf(ret_text, UPGRADE_REQUEST_SIZE,
                             "GET /gossip HTTP/1.1\r\n"
                             "Host: %s\r\n"
                             "Connection: Upgrade\r\n"
                             "Upgrade: " PROTOCOL "\r\n\r\n",
                             addr_format(host, where));
    ASSERT(len > 0 && len < UPGRADE_REQUEST_SIZE);
    return (size_t)len;
}

static struct text trimmed(struct text t)
{
    while (t.len > 0 && (t.data[0] == ' ' || t.data[0] == '\t')) {
        t.data++;
        t.len--;
    }
    while (t.len > 0 && (t.data[t.len - 1] == ' ' || t.data[t.len - 1] == '\t')) {
        t.len--;
    }
    return t;
}

static bool text_is(struct text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.data, word, t.len) == 0;
}

/* Whether a comma-separated list (RFC 9110 section 5.6.1) holds the word. */
static bool list_has(struct text list, const char *word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        const size_t len = comma == NULL ? list.len : (size_t)(comma - list.data);
        if (text_is(trimmed((struct text){list.data, len}), word)) {
            return true;
        }
        const size_t past = comma == NULL ? len : len + 1;
        list.data += past;
        list.len -= past;
    }
    return false;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* "name: value". RC_MALFORMED for an empty name, a space before the colon, or a folded line. */
static enum rc parse_header(struct text line, struct text *ret_name, struct text *ret_value)
{
    size_t len = 0;
    while (len < line.len && is_token_char(line.data[len])) {
        len++;
    }
    if (len == 0 || len == line.len || line.data[len] != ':') {
        return RC_MALFORMED;
    }
    *ret_name = (struct text){line.data, len};
    *ret_value = trimmed((struct text){line.data + len + 1, line.len - len - 1});
    return RC_OK;
}

/* Takes the next line, which must end in CRLF and hold no other control character than a tab. */
static enum rc next_line(struct text *rest, struct text *ret_line)
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
            *ret_line = (struct text){rest->data, i};
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
static enum rc parse_headers(struct text *rest)
{
    bool has_upgrade = false, has_connection = false, has_body = false;
    for (;;) {
        struct text line, name, value;
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
        has_upgrade = has_upgrade || (text_is(name, "upgrade") && text_is(value, PROTOCOL));
        has_connection =
            has_connection || (text_is(name, "connection") && list_has(value, "upgrade"));
        has_body =
            has_body || text_is(name, "content-length") || text_is(name, "transfer-encoding");
    }
}

static bool begins_like(struct text t, const char *text)
{
    const size_t len = strlen(text);
    return memcmp(t.data, text, t.len < len ? t.len : len) == 0;
}

enum rc upgrade_parse_answer(const void *data, size_t len, size_t *ret_head_len)
{
    if (len == 0) {
        return RC_AGAIN;
    }
    struct text rest = {data, len < UPGRADE_ANSWER_MAX ? len : UPGRADE_ANSWER_MAX};
    const size_t looked_at = rest.len;
    /* Another program, or another answer, is known by its first bytes. */
    if (!begins_like(rest, version_text)) {
        return RC_MALFORMED;
    }
    if (!begins_like(rest, status_text)) {
        return RC_REFUSED;
    }
    struct text line;
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
