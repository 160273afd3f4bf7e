#include "net/out/resolve.h"

#include "net/sys/sockaddr.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

enum { LOOKUP_S = 1, ATTEMPTS = 2 };

size_t resolve_localhost(const char *host, struct addr ret_addrs[RESOLVE_LOCALHOST_ADDRS])
{
    static const char suffix[] = ".localhost";
    const size_t suffix_len = sizeof(suffix) - 1;
    size_t len = strlen(host);
    len -= len > 0 && host[len - 1] == '.' ? 1 : 0;
    const bool is_itself = len == suffix_len - 1 && strncasecmp(host, suffix + 1, len) == 0;
    if (!is_itself &&
        (len <= suffix_len || strncasecmp(host + len - suffix_len, suffix, suffix_len) != 0)) {
        return 0;
    }
    ret_addrs[0] = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    ret_addrs[1] = (struct addr){.ip = {[15] = 1}};
    return RESOLVE_LOCALHOST_ADDRS;
}

enum rc resolve_wait(const char *host, uint16_t port, struct addr *ret_addrs, size_t max,
                     size_t *ret_count, const char **ret_error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct addr loopback[RESOLVE_LOCALHOST_ADDRS];
    size_t count = 0;
    if (addr_parse_ip(host, port, ret_addrs) == RC_OK) {
        *ret_count = 1;
        return RC_OK;
    }
    const size_t loopback_count = resolve_localhost(host, loopback);
    if (loopback_count > 0) {
        for (; count < loopback_count && count < max; count++) {
            ret_addrs[count] = loopback[count];
            ret_addrs[count].port = port;
        }
        *ret_count = count;
        return RC_OK;
    }
    const int result = getaddrinfo(host, NULL, &hints, &list);
    if (result != 0) {
        *ret_error = gai_strerror(result);
        return result == EAI_NONAME || result == EAI_NODATA ? RC_NOT_FOUND : RC_AGAIN;
    }
    for (const struct addrinfo *ai = list; ai != NULL && count < max; ai = ai->ai_next) {
        if (sockaddr_to(ai->ai_addr, ai->ai_addrlen, &ret_addrs[count]) == RC_OK) {
            ret_addrs[count++].port = port;
        }
    }
    freeaddrinfo(list);
    if (count == 0) {
        *ret_error = "it has no address";
        return RC_NOT_FOUND;
    }
    *ret_count = count;
    return RC_OK;
}

void resolve_be_brief(void)
{
    if (res_init() == 0) {
        _res.retrans = LOOKUP_S;
        _res.retry = ATTEMPTS;
    }
}
