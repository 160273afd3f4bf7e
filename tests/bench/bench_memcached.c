/*
 * Load for memcached's text protocol, because the generators that Debian packages for it stall
 * after some seconds or choose the size of values themselves:
 *
 *   bench_memcached PORT set|get CONNECTIONS SECONDS KEYS VALUE_BYTES
 *
 * One thread, one request under way on each connection, keys in turn. An answer other than the
 * expected one ends it with exit code 1; a get whose key is absent is one. Prints the number of
 * requests and the seconds that they took. Needs nothing but the C library.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, VALUE_MAX = 16384, TEXT_MAX = VALUE_MAX + 128, EVENTS = 64 };

struct connection {
    int fd;
    char expected[TEXT_MAX];
    size_t expected_len, received;
};

struct load {
    bool is_set;
    long key_count, value_len, next_key;
    char value[VALUE_MAX];
};

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int connect_to(long port)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        fail("connect");
    }
    return fd;
}

static void ask(struct load *load, struct connection *c)
{
    char request[TEXT_MAX];
    const long key = load->next_key;
    const int len = (int)load->value_len;
    int request_len = 0, expected_len = 0;
    load->next_key = (key + 1) % load->key_count;
    if (load->is_set) {
        request_len = snprintf(request, sizeof(request), "set bench-%06ld 0 0 %d\r\n%.*s\r\n", key,
                               len, len, load->value);
        expected_len = snprintf(c->expected, sizeof(c->expected), "STORED\r\n");
    } else {
        request_len = snprintf(request, sizeof(request), "get bench-%06ld\r\n", key);
        expected_len =
            snprintf(c->expected, sizeof(c->expected), "VALUE bench-%06ld 0 %d\r\n%.*s\r\nEND\r\n",
                     key, len, len, load->value);
    }
    c->expected_len = (size_t)expected_len;
    c->received = 0;
    /* It fits the socket's buffer, which is empty: the last request has been answered. */
    if (write(c->fd, request, (size_t)request_len) != request_len) {
        fail("write");
    }
}

/* Whether the answer is complete. */
static bool take(struct connection *c)
{
    char got[TEXT_MAX];
    const ssize_t n = read(c->fd, got, c->expected_len - c->received);
    if (n <= 0) {
        fail("read");
    }
    if (memcmp(got, c->expected + c->received, (size_t)n) != 0) {
        (void)fprintf(stderr, "an answer that was not expected: %.*s\n", (int)n, got);
        exit(1);
    }
    c->received += (size_t)n;
    return c->received == c->expected_len;
}

/* Until so many have been answered, or the time is over; the number. */
static uint64_t run(struct load *load, int epoll, uint64_t most, double seconds)
{
    const double end = now_s() + seconds;
    struct epoll_event events[EVENTS];
    uint64_t count = 0;
    while (count < most && now_s() < end) {
        const int n = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (take(c)) {
                count++;
                ask(load, c);
            }
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    static struct connection connections[CONNECTIONS_MAX];
    static struct load load;
    const long count = argc == 7 ? strtol(argv[3], NULL, 10) : 0;
    const double seconds = argc == 7 ? strtod(argv[4], NULL) : 0;
    load.key_count = argc == 7 ? strtol(argv[5], NULL, 10) : 0;
    load.value_len = argc == 7 ? strtol(argv[6], NULL, 10) : 0;
    if (count < 1 || count > CONNECTIONS_MAX || load.key_count < 1 || load.value_len > VALUE_MAX) {
        (void)fputs("usage: bench_memcached PORT set|get CONNECTIONS SECONDS KEYS VALUE_BYTES\n",
                    stderr);
        return 2;
    }
    memset(load.value, 'x', sizeof(load.value));
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    load.is_set = true;
    for (long i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = connect_to(strtol(argv[1], NULL, 10));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
            fail("epoll_ctl");
        }
        ask(&load, c);
    }
    /* Every key is written first, and what is under way then is answered before anything counts. */
    (void)run(&load, epoll, (uint64_t)(load.key_count + count), 60);
    load.is_set = strcmp(argv[2], "set") == 0;
    (void)run(&load, epoll, (uint64_t)count, 60);
    (void)printf("begun\n");
    (void)fflush(stdout);
    const double began = now_s();
    const uint64_t answered = run(&load, epoll, UINT64_MAX, seconds);
    (void)printf("%llu requests in %.6f s\n", (unsigned long long)answered, now_s() - began);
    return 0;
}
