/*
 * floor: the least that HTTP over TCP costs: an epoll loop that answers every request with a fixed
 * 200. What a server costs more is its own.
 *
 *   floor PORT [BYTES]      of the answer's body; 100
 *
 * A request ends behind its head and as many bytes as its Content-Length says, 64 KiB of head at
 * most; nothing else of it is looked at. Requests that are read together are answered by one write.
 * Whoever does not read its answers is closed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES = 100, BYTES_MAX = 1 << 24, HEAD_MAX = 1 << 16, EVENTS = 256, ANSWERS = 64 };

/* What is left of a request that has not come whole. */
struct client {
    size_t body_left; /* still to come and not looked at */
    size_t len;       /* of `head` */
    char *head;       /* bytes of a head whose end has not come; NULL: none */
};

static char room[HEAD_MAX + (1 << 16) + 1];
static char *answers; /* ANSWERS of them, one after the other */
static size_t answer_len;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void make_answers(size_t bytes)
{
    char head[128];
    const int len =
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", bytes);
    answer_len = (size_t)len + bytes;
    answers = malloc(ANSWERS * answer_len);
    for (size_t i = 0; answers != NULL && i < ANSWERS; i++) {
        memcpy(answers + i * answer_len, head, (size_t)len);
        memset(answers + i * answer_len + len, 'x', bytes);
    }
}

/* Bytes of the head at `text`, which ends with a NUL, with the empty line; 0: its end is not here.
 */
static size_t head_len(const char *text, size_t *ret_body)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    const char *length = strcasestr(text, "\r\nContent-Length:");
    *ret_body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return (size_t)(end - text) + 4;
}

/* How many requests end in the `len` bytes of `room`. What begins and does not end is kept. */
static size_t count_ends(struct client *c, size_t len)
{
    size_t count = 0;
    size_t at = 0;
    while (at < len) {
        if (c->body_left > 0) {
            const size_t some = c->body_left < len - at ? c->body_left : len - at;
            at += some;
            c->body_left -= some;
            count += c->body_left == 0;
            continue;
        }
        size_t body = 0;
        const size_t head = head_len(room + at, &body);
        if (head == 0) {
            break;
        }
        at += head;
        c->body_left = body;
        count += body == 0;
    }
    c->len = len - at;
    if (c->len > 0) {
        c->head = malloc(c->len);
        if (c->head == NULL) {
            die("memory");
        }
        memcpy(c->head, room + at, c->len);
    }
    return count;
}

/* False: the client is gone, or reads nothing. A large answer may have to wait for its reader. */
static int send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return 0;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return 1;
}

static int serve(int fd, struct client *c)
{
    const size_t kept = c->len;
    if (kept > HEAD_MAX) {
        return 0;
    }
    if (kept > 0) {
        memcpy(room, c->head, kept);
        free(c->head);
        c->head = NULL;
        c->len = 0;
    }
    const ssize_t len = recv(fd, room + kept, sizeof(room) - 1 - kept, 0);
    if (len <= 0) {
        return 0;
    }
    room[kept + (size_t)len] = '\0';
    for (size_t left = count_ends(c, kept + (size_t)len); left > 0;) {
        const size_t some = left < ANSWERS ? left : ANSWERS;
        if (!send_all(fd, answers, some * answer_len)) {
            return 0;
        }
        left -= some;
    }
    return 1;
}

static int listen_at(uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, SOMAXCONN) != 0) {
        die("listen");
    }
    return fd;
}

/* Sockets block: an answer waits for its reader for as long as this. */
static void admit(int epoll, int fd, struct client *c)
{
    const int on = 1;
    const struct timeval patience = {.tv_sec = 10};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    *c = (struct client){.len = 0};
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    const size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : BYTES;
    if (argc < 2 || bytes > BYTES_MAX) {
        (void)fputs("usage: floor PORT [BYTES]\n", stderr);
        return 2;
    }
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    make_answers(bytes);
    struct client *clients = calloc(limit.rlim_cur, sizeof(*clients)); /* by descriptor */
    const int listener = listen_at((uint16_t)strtoul(argv[1], NULL, 10));
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (answers == NULL || clients == NULL || epoll < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        die("start");
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        const int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                const int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (accepted >= 0) {
                    admit(epoll, accepted, &clients[accepted]);
                }
            } else if (!serve(fd, &clients[fd])) {
                free(clients[fd].head);
                (void)close(fd);
            }
        }
    }
}
