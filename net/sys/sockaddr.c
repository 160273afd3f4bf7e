#include "net/sys/sockaddr.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

int sockaddr_family(const struct addr *addr)
{
    return addr_is_v4(addr) ? AF_INET : AF_INET6;
}

socklen_t sockaddr_from(const struct addr *addr, int family, struct sockaddr_storage *ret_sa)
{
    memset(ret_sa, 0, sizeof(*ret_sa));
    if (family == AF_INET) {
        if (!addr_is_v4(addr)) {
            return 0;
        }
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip + 12, 4);
        memcpy(ret_sa, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->ip, sizeof(addr->ip));
    memcpy(ret_sa, &in6, sizeof(in6));
    return sizeof(in6);
}

enum rc sockaddr_to(const void *sa, size_t len, struct addr *ret_addr)
{
    sa_family_t family;
    if (sa == NULL || len < sizeof(struct sockaddr_in)) {
        return RC_MALFORMED;
    }
    memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof(family));
    if (family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        uint8_t ip[4];
        memcpy(ip, &in.sin_addr, sizeof(ip));
        *ret_addr = addr_v4(ip, ntohs(in.sin_port));
        return RC_OK;
    }
    if (family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        memcpy(ret_addr->ip, &in6.sin6_addr, sizeof(ret_addr->ip));
        ret_addr->port = ntohs(in6.sin6_port);
        return RC_OK;
    }
    return RC_MALFORMED;
}

enum rc sockaddr_local(int fd, struct addr *ret_addr)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        return RC_IO;
    }
    return sockaddr_to(&sa, len, ret_addr);
}

enum rc sockaddr_peer(int fd, struct addr *ret_addr)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0) {
        return RC_IO;
    }
    return sockaddr_to(&sa, len, ret_addr);
}
