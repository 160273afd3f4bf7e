#include "net/resolve.h"

#include "net/sockaddr.h"

#include <netdb.h>

enum rc resolve_wait(const char *host, uint16_t port, struct addr *ret_addrs, size_t max,
                     size_t *ret_count, const char **ret_error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    size_t count = 0;
    if (addr_parse_ip(host, port, ret_addrs) == RC_OK) {
        *ret_count = 1;
        return RC_OK;
    }
    const int result = getaddrinfo(host, NULL, &hints, &list);
    if (result != 0) {
        *ret_error = gai_strerror(result);
        return RC_NOT_FOUND;
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
