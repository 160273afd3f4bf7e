/*
 * patience: how the unit tests wait for events that come through a kernel.
 *
 * A test waits for a condition, never for a number of turns of a loop: how much a kernel takes,
 * when it hands over, and in which turn it wakes somebody differ between machines and between
 * moments. The deadline only ends a test that would hang. It goes by the real clock, whatever clock
 * the test has given to the code under test.
 */
#ifndef TESTS_UNIT_PATIENCE_H
#define TESTS_UNIT_PATIENCE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 40, /* a machine ten times slower, under load, is well within it */
    PATIENCE_REST_MS = 1,
};

static inline uint64_t patience_now_ms(void)
{
    struct timespec now = {0};
    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* When patience that begins now ends. */
static inline uint64_t patience_begins(void)
{
    return patience_now_ms() + UINT64_C(1000) * PATIENCE_S;
}

/* Whether any is left; gives the kernel a moment for data on its way. */
static inline bool patience_lasts(uint64_t until_ms)
{
    (void)poll(NULL, 0, PATIENCE_REST_MS);
    return patience_now_ms() < until_ms;
}

/* A loopback port on which nobody listens, nor can while the returned descriptor is open. -1: there
 * is none. */
static inline int hold_deaf_port(uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (const struct sockaddr *)&at, len) != 0 ||
                    getsockname(fd, (struct sockaddr *)&at, &len) != 0)) {
        (void)close(fd);
        return -1;
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

#endif
