#include "net/http/proxy.h"

#include <string.h>

bool proxy_cidr_has(const struct node_cidr *cidr, const struct addr *addr)
{
    const size_t whole = cidr->prefix_len / 8U;
    const unsigned rest = cidr->prefix_len % 8U;
    if (memcmp(cidr->addr.ip, addr->ip, whole) != 0) {
        return false;
    }
    const unsigned mask = rest == 0 ? 0 : 0xffU << (8 - rest) & 0xffU;
    return mask == 0 || ((cidr->addr.ip[whole] ^ addr->ip[whole]) & mask) == 0;
}

bool proxy_is_trusted(const struct addr *addr, const struct node_cidr *trust, uint32_t trust_count)
{
    for (uint32_t i = 0; i < trust_count; i++) {
        if (proxy_cidr_has(&trust[i], addr)) {
            return true;
        }
    }
    return false;
}

/* An address, alone or with a port, which some proxies add: 192.0.2.1:80, [2001:db8::1]:80. */
static bool parse_entry(struct http_text text, struct addr *ret_addr)
{
    char copy[ADDR_TEXT_SIZE + 8];
    if (text.len == 0 || text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    char *colon = strrchr(copy, ':');
    if (colon != NULL && (strchr(copy, ':') == colon || colon[-1] == ']')) {
        *colon = '\0';
    }
    return addr_parse_ip(copy, 0, ret_addr) == RC_OK;
}

/* Cuts the last entry off a comma list; false when the list was empty. */
static bool pop_entry(struct http_text *list, struct http_text *ret_entry)
{
    if (list->len == 0) {
        return false;
    }
    size_t at = list->len;
    while (at > 0 && list->data[at - 1] != ',') {
        at--;
    }
    *ret_entry = http_text_trim((struct http_text){list->data + at, list->len - at});
    list->len = at > 0 ? at - 1 : 0;
    return true;
}

struct addr proxy_client(const struct http_request *rq, const struct addr *peer, bool trust_all,
                         const struct node_cidr *trust, uint32_t trust_count)
{
    struct addr client = *peer;
    if (!trust_all && !proxy_is_trusted(peer, trust, trust_count)) {
        return client;
    }
    for (size_t i = rq->header_count; i > 0; i--) {
        const struct http_header *header = &rq->headers[i - 1];
        if (!http_text_is(header->name, "X-Forwarded-For")) {
            continue;
        }
        struct http_text list = header->value;
        struct http_text entry;
        while (pop_entry(&list, &entry)) {
            if (!parse_entry(entry, &client) || trust_all ||
                !proxy_is_trusted(&client, trust, trust_count)) {
                return client;
            }
        }
    }
    return client;
}
