/*
 * The server alone: every GET answers 200 with 100 bytes, every PUT 201. For a load generator:
 *
 *   bench_http [port] &     then     wrk -t1 -c32 -d5s http://127.0.0.1:<port>/
 *
 * On SIGINT it prints its CPU time per request, the figure that is steadier than requests per
 * second.
 */
#include "net/http/http_server.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct http_route route(void *arg, const struct http_request *rq)
{
    (void)arg;
    (void)rq;
    return (struct http_route){.body_max = 10 << 20};
}

static void handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
    static char body[100];
    (void)arg;
    memset(body, 'x', sizeof(body));
    if (rq->method == HTTP_PUT_) {
        http_set_body(rs, 201, "text/plain", "OK", 2);
    } else {
        http_set_body(rs, 200, "application/octet-stream", body, sizeof(body));
    }
}

static void upgraded(void *arg, struct bufferevent *bev, const struct addr *from)
{
    (void)arg;
    (void)bev;
    (void)from;
}

static void on_stop(evutil_socket_t fd, short what, void *base)
{
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(base);
}

static int listen_on(uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    const long port = argc > 1 ? strtol(argv[1], NULL, 10) : 18099;
    (void)signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    const struct http_server_config config = {.base = base,
                                              .listen_fd = listen_on((uint16_t)port),
                                              .connections_max = 10000,
                                              .bodies_bytes_max = UINT64_MAX,
                                              .idle_timeout_ms = 75000,
                                              .request_timeout_ms = 15000,
                                              .route = route,
                                              .handle = handle,
                                              .upgraded = upgraded};
    struct http_server *server = http_server_new(&config);
    struct event *stop = evsignal_new(base, SIGINT, on_stop, base);
    (void)event_add(stop, NULL);
    (void)event_base_dispatch(base);
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    const double us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                      (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    const struct http_server_stats stats = http_server_stats(server);
    (void)printf("%llu requests, %.2f us of CPU each\n", (unsigned long long)stats.requests_total,
                 stats.requests_total > 0 ? us / (double)stats.requests_total : 0.0);
    event_free(stop);
    http_server_free(server);
    event_base_free(base);
    return 0;
}
