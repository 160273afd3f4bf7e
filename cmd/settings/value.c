#include "cmd/settings/value.h"

#include "core/base/parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_NAME_MAX_LEN = 253, LABEL_MAX_LEN = 63 }; /* RFC 1035 section 2.3.4 */

bool value_is_name(const char *text)
{
    const size_t len = strlen(text);
    if (len == 0 || len >= NAME_SIZE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_label_char(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
}

bool value_is_app(const char *text)
{
    bool is_app = value_is_name(text) && strchr("-_.", text[0]) == NULL;
    for (const char *c = text; is_app && *c != '\0'; c++) {
        is_app = is_label_char(*c) || *c == '.';
    }
    return is_app;
}

static bool is_label(const char *text, size_t len)
{
    if (len == 0 || len > LABEL_MAX_LEN || text[0] == '-' || text[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_label_char(text[i])) {
            return false;
        }
    }
    return true;
}

static bool is_host_name(const char *text)
{
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len > HOST_NAME_MAX_LEN) {
        return false;
    }
    bool is_numeric = false;
    for (size_t at = 0; at <= len;) {
        const char *dot = memchr(text + at, '.', len - at);
        const size_t label_len = dot != NULL ? (size_t)(dot - text) - at : len - at;
        if (!is_label(text + at, label_len)) {
            return false;
        }
        is_numeric = true;
        for (size_t i = 0; i < label_len; i++) {
            is_numeric = is_numeric && is_digit(text[at + i]);
        }
        at += label_len + 1;
    }
    /* No top-level domain is a number: 300.1.2.3 is an address with a mistake in it. */
    return !is_numeric;
}

bool value_is_host(const char *text)
{
    struct addr addr;
    return text[0] != '[' && (addr_parse_ip(text, 0, &addr) == RC_OK || is_host_name(text));
}

enum rc value_bool(const char *text, bool *ret_value)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_value = i % 2 == 1;
            return RC_OK;
        }
    }
    return RC_MALFORMED;
}

/* Where the host ends in `host:port`: `len` when there is no port, more than `len` when it is
 * ambiguous. */
static size_t host_end(const char *text, size_t len)
{
    if (len > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', len);
        return bracket == NULL ? len + 1 : (size_t)(bracket - text) + 1;
    }
    const char *colon = memchr(text, ':', len);
    if (colon == NULL) {
        return len;
    }
    const size_t end = (size_t)(colon - text);
    /* A second colon: an IPv6 address without its brackets, whose port would be a guess. */
    return memchr(colon + 1, ':', len - end - 1) != NULL ? len + 1 : end;
}

enum rc value_host_port(const char *text, size_t len, uint16_t default_port,
                        struct node_peer *ret_peer)
{
    struct node_peer peer = {.port = default_port};
    const size_t end = host_end(text, len);
    if (end > len || end == 0 || end >= sizeof(peer.host)) {
        return RC_MALFORMED;
    }
    const bool is_bracketed = text[0] == '[';
    (void)snprintf(peer.host, sizeof(peer.host), "%.*s", (int)(is_bracketed ? end - 2 : end),
                   text + (is_bracketed ? 1 : 0));
    if (!value_is_host(peer.host) || is_bracketed != (strchr(peer.host, ':') != NULL)) {
        return RC_MALFORMED;
    }
    if (end < len) {
        uint64_t port = 0;
        const enum rc rc = text[end] != ':'
                               ? RC_MALFORMED
                               : parse_u64(text + end + 1, len - end - 1, UINT16_MAX, &port);
        if (rc != RC_OK) {
            return rc;
        }
        peer.port = (uint16_t)port;
    } else if (default_port == 0) {
        return RC_MALFORMED;
    }
    if (peer.port == 0) {
        return RC_RANGE;
    }
    *ret_peer = peer;
    return RC_OK;
}

/* The next item of a comma list; false at the end. An empty list has one empty item, which every
 * caller refuses. */
static bool list_next(const char **at, const char **ret_item, size_t *ret_len)
{
    if (*at == NULL) {
        return false;
    }
    const char *comma = strchr(*at, ',');
    *ret_item = *at;
    *ret_len = comma != NULL ? (size_t)(comma - *at) : strlen(*at);
    *at = comma != NULL ? comma + 1 : NULL;
    return true;
}

enum rc value_peers(const char *text, uint16_t default_port, struct node_peer *ret_peers,
                    uint32_t max, uint32_t *ret_count)
{
    const char *item = NULL;
    size_t len = 0;
    uint32_t count = 0;
    for (const char *at = text; list_next(&at, &item, &len);) {
        if (count == max) {
            return RC_FULL;
        }
        const enum rc rc = value_host_port(item, len, default_port, &ret_peers[count]);
        if (rc != RC_OK) {
            return rc;
        }
        count++;
    }
    *ret_count = count;
    return RC_OK;
}

static enum rc parse_cidr(const char *text, size_t len, struct node_cidr *ret_cidr)
{
    const char *slash = memchr(text, '/', len);
    const size_t ip_len = slash != NULL ? (size_t)(slash - text) : len;
    char ip[ADDR_TEXT_SIZE];
    struct node_cidr cidr;
    if (ip_len == 0 || ip_len >= sizeof(ip) || text[0] == '[') {
        return RC_MALFORMED;
    }
    memcpy(ip, text, ip_len);
    ip[ip_len] = '\0';
    if (addr_parse_ip(ip, 0, &cidr.addr) != RC_OK) {
        return RC_MALFORMED;
    }
    const bool is_v4 = addr_is_v4(&cidr.addr);
    const uint64_t bits_max = is_v4 ? 32 : 128;
    uint64_t bits = bits_max;
    if (slash != NULL) {
        const enum rc rc = parse_u64(slash + 1, len - ip_len - 1, bits_max, &bits);
        if (rc != RC_OK) {
            return rc;
        }
    }
    cidr.prefix_len = (uint8_t)(is_v4 ? 96 + bits : bits);
    *ret_cidr = cidr;
    return RC_OK;
}

enum rc value_trust(const char *text, bool *ret_all, struct node_cidr *ret_list, uint32_t max,
                    uint32_t *ret_count)
{
    *ret_count = 0;
    if (value_bool(text, ret_all) == RC_OK) {
        return RC_OK;
    }
    const char *item = NULL;
    size_t len = 0;
    uint32_t count = 0;
    for (const char *at = text; list_next(&at, &item, &len);) {
        if (count == max) {
            return RC_FULL;
        }
        const enum rc rc = parse_cidr(item, len, &ret_list[count]);
        if (rc != RC_OK) {
            return rc;
        }
        count++;
    }
    *ret_all = false;
    *ret_count = count;
    return RC_OK;
}

enum rc value_providers(const char *text, uint32_t *ret_set)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } known[] = {{"port-range", PROVIDER_PORT_RANGE},
                 {"static", PROVIDER_STATIC},
                 {"dns", PROVIDER_DNS},
                 {"flux", PROVIDER_FLUX},
                 {"srv", PROVIDER_SRV}};
    const char *item = NULL;
    size_t len = 0;
    uint32_t set = 0;
    for (const char *at = text; list_next(&at, &item, &len);) {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) &&
               (strlen(known[i].name) != len || memcmp(known[i].name, item, len) != 0)) {
            i++;
        }
        if (i == sizeof(known) / sizeof(known[0])) {
            return RC_MALFORMED;
        }
        set |= known[i].bit;
    }
    *ret_set = set;
    return RC_OK;
}

enum rc value_url(const char *text, struct value_url *ret_url)
{
    static const char plain[] = "http://", secure[] = "https://";
    /* Schemes have no case (RFC 3986 section 3.1). */
    struct value_url url = {.is_tls = strncasecmp(text, secure, sizeof(secure) - 1) == 0};
    if (!url.is_tls && strncasecmp(text, plain, sizeof(plain) - 1) != 0) {
        return RC_MALFORMED;
    }
    const char *host = text + (url.is_tls ? sizeof(secure) : sizeof(plain)) - 1;
    const size_t len = strcspn(host, "/");
    url.path = host + len;
    for (const char *c = url.path; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr("\"<>\\^`{|}?#", *c) != NULL) {
            return RC_MALFORMED;
        }
    }
    if (strlen(url.path) >= NODE_TEXT_SIZE) {
        return RC_TOO_LONG;
    }
    const enum rc rc = value_host_port(host, len, url.is_tls ? 443 : 80, &url.server);
    if (rc == RC_OK) {
        *ret_url = url;
    }
    return rc;
}
