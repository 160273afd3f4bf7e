/*
 * proxy: who the client is when a proxy stands between: X-Forwarded-For, read only as far as it can
 * be trusted.
 *
 * Each proxy appends the address that it saw, so the list is believed from its right end: an entry
 * counts only when the hop that wrote it, the one to its right, is trusted. Forwarded (RFC 7239) is
 * not read.
 */
#ifndef NET_HTTP_PROXY_H
#define NET_HTTP_PROXY_H

#include "core/base/addr.h"
#include "net/http/http.h"

struct node_cidr {
    struct addr addr;   /* the network, port 0 */
    uint8_t prefix_len; /* of the 128-bit form: 96 + n for IPv4 */
};

/* Whether the address lies in the network; ports are ignored. */
bool proxy_cidr_has(const struct node_cidr *cidr, const struct addr *addr);

/* Whether it is one of the proxies whose word counts. */
bool proxy_is_trusted(const struct addr *addr, const struct node_cidr *trust, uint32_t trust_count);

/*
 * The client's address: the rightmost entry that is not a trusted proxy; `peer` itself when it is
 * not trusted or there is no such header. With `trust_all` any peer of the connection is trusted,
 * and nobody behind it: the last entry. An entry that is not an address ends the walk at the hop
 * that wrote it. The port is 0 unless the answer is `peer`.
 */
struct addr proxy_client(const struct http_request *rq, const struct addr *peer, bool trust_all,
                         const struct node_cidr *trust, uint32_t trust_count);

#endif
