#include "net/discovery/claim.h"

#include "net/sys/sockaddr.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum {
    /* What the kernel may hold for us between two turns of the loop; it cuts this to somaxconn. */
    LISTEN_BACKLOG = 1024,
    /* Two that are refused to listen at once try again; that often they do not stay in step. */
    LISTEN_TRIES = 16,
};

static int fail(int fd)
{
    const int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return -error;
}

/* A bound socket, or the negated error number. */
static int bound_socket(int family, int type, const struct addr *at)
{
    const int on = 1, off = 0;
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(at, family, &sa);
    const int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return fail(fd);
    }
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) {
        return fail(fd);
    }
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
        return fail(fd);
    }
    return bind(fd, (const struct sockaddr *)&sa, sa_len) == 0 ? fd : fail(fd);
}

/* The same, and listening. Two TCP sockets can be bound to one port, but only one of them can
 * listen. Where both begin at once, the kernel may refuse both, and neither would have the port. So
 * a refused one tries again. A port where somebody listens by then refuses the bind. */
static int listening_socket(int family, const struct addr *at)
{
    int fd = -EADDRINUSE;
    for (uint32_t i = 0; i < LISTEN_TRIES; i++) {
        fd = bound_socket(family, SOCK_STREAM, at);
        if (fd < 0 || listen(fd, LISTEN_BACKLOG) == 0) {
            return fd;
        }
        fd = fail(fd);
        if (fd != -EADDRINUSE) {
            return fd;
        }
    }
    return fd;
}

static bool is_without_ipv6(int error)
{
    return error == EAFNOSUPPORT || error == EPROTONOSUPPORT || error == EADDRNOTAVAIL;
}

static enum rc failed(bool is_udp, int error, struct claim_failure *ret_failure)
{
    *ret_failure = (struct claim_failure){.is_udp = is_udp, .error = error};
    switch (error) {
    case EADDRINUSE:
        return RC_EXISTS;
    case EACCES:
    case EPERM:
        return RC_REFUSED;
    case EADDRNOTAVAIL:
        return RC_CONFIG;
    default:
        return RC_IO;
    }
}

enum rc claim_port(const struct addr *bind, uint16_t port, struct claim *ret_claim,
                   struct claim_failure *ret_failure)
{
    static const uint8_t any[4] = {0};
    struct addr at = *bind;
    at.port = port;
    int family = sockaddr_family(&at);
    int tcp = listening_socket(family, &at);
    if (tcp < 0 && family == AF_INET6 && addr_is_any(&at) && is_without_ipv6(-tcp)) {
        family = AF_INET;
        at = addr_v4(any, port);
        tcp = listening_socket(family, &at);
    }
    if (tcp < 0) {
        return failed(false, -tcp, ret_failure);
    }
    struct addr local;
    if (sockaddr_local(tcp, &local) != RC_OK) {
        return failed(false, -fail(tcp), ret_failure);
    }
    at.port = local.port;
    const int udp = bound_socket(family, SOCK_DGRAM, &at);
    if (udp < 0) {
        (void)close(tcp);
        return failed(true, -udp, ret_failure);
    }
    *ret_claim = (struct claim){
        .tcp_fd = tcp, .udp_fd = udp, .port = local.port, .is_v6 = family == AF_INET6};
    return RC_OK;
}

enum rc claim_first(const struct addr *bind, uint16_t first, uint16_t last,
                    void (*skipped)(void *arg, uint16_t port, const struct claim_failure *failure),
                    void *arg, struct claim *ret_claim, struct claim_failure *ret_failure)
{
    enum rc rc = RC_EXISTS;
    for (uint32_t port = first; port <= last; port++) {
        rc = claim_port(bind, (uint16_t)port, ret_claim, ret_failure);
        if (rc != RC_EXISTS && rc != RC_REFUSED) {
            return rc;
        }
        if (skipped != NULL) {
            skipped(arg, (uint16_t)port, ret_failure);
        }
    }
    return RC_EXISTS;
}

void claim_release(struct claim *claim)
{
    int *const fds[] = {&claim->tcp_fd, &claim->udp_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0) {
            (void)close(*fds[i]);
            *fds[i] = -1;
        }
    }
}
