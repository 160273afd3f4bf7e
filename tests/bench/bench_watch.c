/*
 * bench_watch: many watchers of one node: what they cost it, and how long one write takes to reach
 * them all.
 *
 *   bench_watch PORT PID [WATCHERS] [ROUNDS]      (5000 and 20)
 *
 * PORT is that of a node on this host with the process id PID, ready and otherwise idle. Prints the
 * node's resident memory before and with the watchers, then for each round the time from sending a
 * PUT until the last watcher has its event, as this one thread reads it, and the node's processor
 * time for it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    WATCHERS = 5000,
    ROUNDS = 20,
    EVENTS = 512, /* of one epoll_wait() */
    TAIL = 32,    /* last bytes that a watcher got, kept for marks that are cut in two */
    WAIT_MS = 10000,
};

struct watcher {
    int fd;
    bool has_mark;
    size_t tail_len;
    char tail[TAIL];
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_watch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int connect_to(uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        die("connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void send_text(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
        die("send");
    }
}

/* A figure of /proc/PID/status in kB. */
static long status_kb(const char *pid, const char *name)
{
    char path[64];
    char line[256];
    long kb = 0;
    (void)snprintf(path, sizeof(path), "/proc/%s/status", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        die(path);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kb = strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return kb;
}

/* Processor time of the process in ms, in steps of a clock tick. */
static double cpu_ms(const char *pid)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL) {
        die(path);
    }
    (void)fclose(file);
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 14; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        die(path);
    }
    char *end = NULL;
    const unsigned long user = strtoul(at, &end, 10);
    return (double)(user + strtoul(end, NULL, 10)) * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

/* Reads what has come for one watcher; true when the mark comes for the first time. */
static bool read_mark(struct watcher *w, const char *mark)
{
    char text[16384 + TAIL + 1];
    memcpy(text, w->tail, w->tail_len);
    const ssize_t len = recv(w->fd, text + w->tail_len, sizeof(text) - TAIL - 1, MSG_DONTWAIT);
    if (len == 0 || (len < 0 && errno != EAGAIN)) {
        die("a watcher's stream ended");
    }
    const size_t total = w->tail_len + (len > 0 ? (size_t)len : 0);
    text[total] = '\0';
    const bool is_told = !w->has_mark && strstr(text, mark) != NULL;
    w->has_mark = w->has_mark || is_told;
    w->tail_len = total < TAIL ? total : TAIL;
    memmove(w->tail, text + total - w->tail_len, w->tail_len);
    return is_told;
}

/* Until every watcher has got the mark, or `until_ms`. Returns how many have. */
static size_t await_mark(int epoll, struct watcher *watchers, size_t count, const char *mark,
                         double until_ms)
{
    struct epoll_event events[EVENTS];
    size_t told = 0;
    for (size_t i = 0; i < count; i++) {
        watchers[i].has_mark = false;
        watchers[i].tail_len = 0;
    }
    while (told < count && now_ms() < until_ms) {
        const int ready = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            told += read_mark(events[i].data.ptr, mark);
        }
    }
    return told;
}

static void open_watchers(uint16_t port, int epoll, struct watcher *watchers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        watchers[i].fd = connect_to(port);
        send_text(watchers[i].fd, "GET /watch?prefix=bench HTTP/1.1\r\nHost: bench\r\n\r\n");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &watchers[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, watchers[i].fd, &event) != 0) {
            die("epoll_ctl");
        }
    }
    if (await_mark(epoll, watchers, count, "event: live", now_ms() + (double)WAIT_MS) < count) {
        (void)fprintf(stderr, "bench_watch: not all are live; REPRAM_MAX_WATCHERS, "
                              "REPRAM_MAX_CONNECTIONS?\n");
        exit(1);
    }
}

static double one_round(uint16_t port, int epoll, struct watcher *watchers, size_t count,
                        unsigned round)
{
    char request[256];
    char mark[TAIL];
    const int fd = connect_to(port);
    (void)snprintf(mark, sizeof(mark), "\"bench-%06u\"", round);
    (void)snprintf(request, sizeof(request),
                   "PUT /data/bench-%06u HTTP/1.1\r\nHost: bench\r\nContent-Length: 5\r\n\r\nhello",
                   round);
    const double began_ms = now_ms();
    send_text(fd, request);
    const size_t told = await_mark(epoll, watchers, count, mark, began_ms + (double)WAIT_MS);
    const double took_ms = now_ms() - began_ms;
    (void)close(fd);
    if (told < count) {
        (void)fprintf(stderr, "bench_watch: %zu of %zu were told\n", told, count);
        exit(1);
    }
    return took_ms;
}

/* Reads what comes, and looks at none of it. */
static _Noreturn void read_on(int epoll)
{
    struct epoll_event events[EVENTS];
    char text[65536];
    for (;;) {
        const int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            const struct watcher *w = events[i].data.ptr;
            if (recv(w->fd, text, sizeof(text), MSG_DONTWAIT) == 0) {
                (void)fputs("bench_watch: a watcher's stream ended\n", stderr);
                exit(1);
            }
        }
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fputs("usage: bench_watch PORT PID [WATCHERS] [ROUNDS]\n", stderr);
        return 2;
    }
    const uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
    const size_t count = argc > 3 ? strtoul(argv[3], NULL, 10) : WATCHERS;
    const size_t rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : ROUNDS;
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct watcher *watchers = calloc(count + 1, sizeof(*watchers));
    double *took = calloc(rounds + 1, sizeof(*took));
    if (watchers == NULL || took == NULL || epoll < 0 || count == 0) {
        die("out of memory, or nothing to do");
    }
    const long before_kb = status_kb(argv[2], "VmRSS:");
    open_watchers(port, epoll, watchers, count);
    const long with_kb = status_kb(argv[2], "VmRSS:");
    (void)printf("%zu watchers: %ld kB resident before, %ld with them: %.1f MB, %.0f bytes each\n",
                 count, before_kb, with_kb, (double)(with_kb - before_kb) / 1024,
                 (double)(with_kb - before_kb) * 1024 / (double)count);
    if (rounds == 0) {
        (void)fflush(stdout);
        read_on(epoll);
    }
    const double cpu_before = cpu_ms(argv[2]);
    for (size_t i = 0; i < rounds; i++) {
        took[i] = one_round(port, epoll, watchers, count, (unsigned)i);
    }
    const double cpu = cpu_ms(argv[2]) - cpu_before;
    qsort(took, rounds, sizeof(*took), compare);
    (void)printf("one PUT to all of them: %.1f ms fastest, %.1f median, %.1f slowest of %zu\n",
                 took[0], took[rounds / 2], took[rounds - 1], rounds);
    (void)printf("processor time of the node: %.1f ms a PUT, %.2f us a watcher\n",
                 cpu / (double)rounds, cpu * 1e3 / (double)rounds / (double)count);
    (void)printf("resident after that: %ld kB\n", status_kb(argv[2], "VmRSS:"));
    for (size_t i = 0; i < count; i++) {
        (void)close(watchers[i].fd);
    }
    free(watchers);
    free(took);
    return 0;
}
