#include "net/link/udp.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "gossip/wire/outbox.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH = 8,       /* datagrams per system call; SWIM rarely has more waiting */
    BATCHES_MAX = 8, /* per turn, so that a flood does not starve the rest of the loop */
    ERRORS_MAX = 64, /* of the error queue per turn, likewise */
    ROOM = DATAGRAM_BYTES_MAX + 1, /* one byte more, so that a longer datagram shows */
    HEADERS_V4 = 20 + 8,
    HEADERS_V6 = 40 + 8,
};

struct udp {
    struct event *event;
    struct udp_hooks hooks;
    struct udp_stats stats;
    int fd;
    int family;
    bool has_errors; /* a send reported it; a receive would not report it again */
};

static uint64_t on_wire(const struct addr *addr, size_t len)
{
    return len + (addr_is_v4(addr) ? HEADERS_V4 : HEADERS_V6);
}

/* ---- In ---- */

struct batch {
    struct mmsghdr messages[BATCH];
    struct iovec iovs[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t bytes[BATCH][ROOM];
};

static void batch_init(struct batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->iovs[i] = (struct iovec){.iov_base = b->bytes[i], .iov_len = ROOM};
        b->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &b->from[i],
                                                      .msg_namelen = sizeof(b->from[i]),
                                                      .msg_iov = &b->iovs[i],
                                                      .msg_iovlen = 1}};
    }
}

static void deliver(struct udp *u, const struct mmsghdr *message, const uint8_t *bytes)
{
    struct addr from;
    if (sockaddr_to(message->msg_hdr.msg_name, message->msg_hdr.msg_namelen, &from) != RC_OK) {
        return;
    }
    u->stats.in_bytes += on_wire(&from, message->msg_len);
    if (message->msg_len > DATAGRAM_BYTES_MAX) {
        u->stats.in_oversize++;
        return;
    }
    u->hooks.datagram(u->hooks.arg, &from, bytes, message->msg_len);
}

/* False when there was nothing to receive, or an error: then the socket woke us for its errors. */
static bool receive(struct udp *u)
{
    struct batch b;
    for (int round = 0; round < BATCHES_MAX; round++) {
        batch_init(&b);
        const int count = recvmmsg(u->fd, b.messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            deliver(u, &b.messages[i], b.bytes[i]);
        }
        if (count < BATCH) {
            return round > 0 || count > 0;
        }
    }
    return true;
}

/* True when the control data says that the port at the other end was unreachable. */
static bool says_refused(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        const bool is_error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                              (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
        struct sock_extended_err error;
        if (is_error && c->cmsg_len >= CMSG_LEN(sizeof(error))) {
            memcpy(&error, CMSG_DATA(c), sizeof(error));
            if (error.ee_errno == ECONNREFUSED) {
                return true;
            }
        }
    }
    return false;
}

/* Empties the error queue; what is in it would otherwise wake the loop for ever. */
static void receive_errors(struct udp *u)
{
    for (int i = 0; i < ERRORS_MAX; i++) {
        struct sockaddr_storage to;
        uint8_t payload[1];
        union { /* aligned as control data must be */
            struct cmsghdr align;
            uint8_t bytes[256];
        } control;
        struct iovec iov = {.iov_base = payload, .iov_len = sizeof(payload)};
        struct msghdr message = {.msg_name = &to,
                                 .msg_namelen = sizeof(to),
                                 .msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        if (recvmsg(u->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            return;
        }
        struct addr addr;
        if (says_refused(&message) && sockaddr_to(&to, message.msg_namelen, &addr) == RC_OK) {
            u->hooks.refused(u->hooks.arg, &addr);
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct udp *u = arg;
    (void)fd;
    (void)what;
    if (!receive(u) || u->has_errors) {
        u->has_errors = false;
        receive_errors(u);
    }
}

/* ---- Out ---- */

void udp_send(struct udp *u, const struct addr *to, const uint8_t *data, size_t len)
{
    ASSERT(len <= DATAGRAM_BYTES_MAX);
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(to, u->family, &sa);
    ssize_t sent = -1;
    /* The first try may be answered with the refusal of an earlier datagram; that clears it. */
    for (int attempt = 0; attempt < 2 && sent < 0 && sa_len > 0; attempt++) {
        sent = sendto(u->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&sa,
                      sa_len);
        u->has_errors |= sent < 0;
        if (sent < 0 && errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH) {
            break;
        }
    }
    if (sent < 0) {
        u->stats.out_dropped++;
        return;
    }
    u->stats.out_bytes += on_wire(to, len);
}

/* ---- Life ---- */

static int family_of(int fd)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(sa);
    ASSERT(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
    return sa.ss_family;
}

/* A kernel without one of these does its work a little less well. So failures are no errors. */
static void set_options(const struct udp *u)
{
    const int on = 1, discover = IP_PMTUDISC_DO, discover_v6 = IPV6_PMTUDISC_DO;
    (void)setsockopt(u->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
    (void)setsockopt(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
    if (u->family == AF_INET6) {
        (void)setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
        (void)setsockopt(u->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover_v6, sizeof(discover_v6));
    }
}

struct udp *udp_new(struct event_base *base, int fd, const struct udp_hooks *hooks)
{
    struct udp *u = mem_new(1, sizeof(*u));
    u->hooks = *hooks;
    u->fd = fd;
    u->family = family_of(fd);
    set_options(u);
    u->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, u);
    ASSERT(u->event != NULL && event_add(u->event, NULL) == 0);
    return u;
}

void udp_free(struct udp *u)
{
    if (u == NULL) {
        return;
    }
    event_free(u->event);
    (void)close(u->fd);
    free(u);
}

struct udp_stats udp_stats(const struct udp *u)
{
    return u->stats;
}
