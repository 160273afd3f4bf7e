#include "net/link/upgrade.h"

#include "core/base/assert.h"
#include "net/out/response_parser.h"

#include <stdio.h>
#include <string.h>

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

static struct http_text text_of(const char *value)
{
    return http_text_trim((struct http_text){value, strlen(value)});
}

/* A 101 has no body (RFC 9110 section 8.6), so one that says it has is not to be trusted. */
static bool is_accepted(const struct response_parser *p)
{
    const char *protocol = response_parser_header(p, "Upgrade");
    const char *options = response_parser_header(p, "Connection");
    return response_parser_status(p) == 101 && protocol != NULL && options != NULL &&
           http_text_is(text_of(protocol), UPGRADE_PROTOCOL) &&
           http_text_lists(text_of(options), "upgrade") &&
           response_parser_header(p, "Content-Length") == NULL &&
           response_parser_header(p, "Transfer-Encoding") == NULL;
}

enum rc upgrade_parse_answer(const void *data, size_t len, size_t *ret_head_len)
{
    const size_t looked_at = len < UPGRADE_ANSWER_MAX ? len : UPGRADE_ANSWER_MAX;
    struct response_parser *p = response_parser_new(true, 0);
    enum rc rc = response_parser_feed(p, data, looked_at);
    if (rc == RC_AGAIN && looked_at == UPGRADE_ANSWER_MAX) {
        rc = RC_TOO_LONG;
    }
    if (rc == RC_OK && !is_accepted(p)) {
        rc = RC_REFUSED;
    }
    if (rc == RC_OK) {
        *ret_head_len = response_parser_length(p);
    }
    response_parser_free(p);
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
