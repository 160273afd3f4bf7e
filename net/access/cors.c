#include "net/access/cors.h"

#include "core/base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ALLOW[] = "Access-Control-Allow-Origin: ";
/* The answer depends on who asks, though this one gets nothing. */
static const char OTHER[] = "Vary: Origin\r\n";

struct allowed {
    const char *origin; /* in `text`, not terminated */
    size_t len;
    char *lines;
};

struct cors {
    bool is_any;
    uint32_t count;
    struct allowed allowed[CORS_ORIGINS_MAX];
    char text[]; /* of the setting */
};

/* ---- Origins (RFC 6454 section 6.2) ---- */

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static size_t run_of(const char *text, size_t len, const char *others)
{
    size_t n = 0;
    while (n < len && (is_lower_or_digit(text[n]) || strchr(others, text[n]) != NULL)) {
        n++;
    }
    return n;
}

/* A browser leaves out the port that the scheme implies, so one that is named would never match. */
static bool is_port(const char *text, size_t len, bool is_http, bool is_https)
{
    uint64_t port = 0;
    return parse_u64(text, len, UINT16_MAX, &port) == RC_OK && port > 0 && text[0] != '0' &&
           !(is_http && port == 80) && !(is_https && port == 443);
}

static bool is_origin(const char *text, size_t len)
{
    const size_t scheme = run_of(text, len, "+.-");
    if (scheme == 0 || text[0] < 'a' || len - scheme < 4 || memcmp(text + scheme, "://", 3) != 0) {
        return false;
    }
    const bool is_http = scheme == 4 && memcmp(text, "http", 4) == 0;
    const bool is_https = scheme == 5 && memcmp(text, "https", 5) == 0;
    text += scheme + 3;
    len -= scheme + 3;
    size_t host = 0;
    if (*text == '[') {
        host = 1 + run_of(text + 1, len - 1, ":.");
        if (host < 3 || host == len || text[host] != ']') {
            return false;
        }
        host++;
    } else {
        host = run_of(text, len, ".-_");
    }
    if (host == 0 || host == len) {
        return host > 0;
    }
    return text[host] == ':' && is_port(text + host + 1, len - host - 1, is_http, is_https);
}

/* The next item of a comma list; false behind the last. */
static bool next_item(const char **at, const char **ret_item, size_t *ret_len)
{
    if (*at == NULL) {
        return false;
    }
    *ret_item = *at;
    *ret_len = strcspn(*at, ",");
    *at = (*at)[*ret_len] == ',' ? *at + *ret_len + 1 : NULL;
    return true;
}

enum rc cors_check(const char *text)
{
    const char *item = NULL;
    size_t len = 0;
    uint32_t count = 0;
    if (strlen(text) > CORS_TEXT_MAX) {
        return RC_TOO_LONG;
    }
    if (strcmp(text, "any") == 0 || strcmp(text, "none") == 0) {
        return RC_OK;
    }
    for (const char *at = text; next_item(&at, &item, &len);) {
        if (!is_origin(item, len)) {
            return RC_MALFORMED;
        }
        if (count++ == CORS_ORIGINS_MAX) {
            return RC_FULL;
        }
    }
    return RC_OK;
}

/* ---- Lines ---- */

static bool allow(struct cors *c, const char *origin, size_t len)
{
    static const char rest[] = "\r\nVary: Origin\r\n" HTTP_CORS_EXPOSED;
    const size_t size = sizeof(ALLOW) + len + sizeof(rest);
    struct allowed *a = &c->allowed[c->count];
    a->lines = malloc(size);
    if (a->lines == NULL) {
        return false;
    }
    a->origin = origin;
    a->len = len;
    (void)snprintf(a->lines, size, "%s%.*s%s", ALLOW, (int)len, origin, rest);
    c->count++;
    return true;
}

struct cors *cors_new(const char *text)
{
    const size_t size = strlen(text) + 1;
    struct cors *c = calloc(1, sizeof(*c) + size);
    if (c == NULL) {
        return NULL;
    }
    memcpy(c->text, text, size);
    c->is_any = strcmp(text, "any") == 0;
    const char *item = NULL;
    size_t len = 0;
    const char *at = c->is_any || strcmp(text, "none") == 0 ? NULL : c->text;
    while (next_item(&at, &item, &len)) {
        if (!allow(c, item, len)) {
            cors_free(c);
            return NULL;
        }
    }
    return c;
}

void cors_free(struct cors *c)
{
    if (c != NULL) {
        for (uint32_t i = 0; i < c->count; i++) {
            free(c->allowed[i].lines);
        }
        free(c);
    }
}

const char *cors_lines_blind(const struct cors *c)
{
    if (c == NULL || c->is_any) {
        return HTTP_CORS_LINES;
    }
    return c->count > 0 ? OTHER : NULL;
}

const char *cors_lines(const struct cors *c, const struct http_request *rq)
{
    const struct http_header *origin = NULL;
    if (c != NULL && c->count > 0) {
        origin = http_find(rq, "Origin");
    }
    for (uint32_t i = 0; origin != NULL && i < c->count; i++) {
        if (origin->value.len == c->allowed[i].len &&
            memcmp(origin->value.data, c->allowed[i].origin, origin->value.len) == 0) {
            return c->allowed[i].lines;
        }
    }
    return cors_lines_blind(c);
}

bool cors_allows(const char *lines)
{
    return lines != NULL && strncmp(lines, ALLOW, sizeof(ALLOW) - 1) == 0;
}
