/*
 * load_rig: a server on the loop of a run of net/load, for the tests of the load generator, which
 * answers as a test says: at once, late, not at all, or with anything else.
 */
#ifndef TESTS_UNIT_LOAD_RIG_H
#define TESTS_UNIT_LOAD_RIG_H

#include "net/load/load.h"
#include "own_clock.h"
#include "patience.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

enum { CLIENTS_MAX = 64, DESCRIPTORS = 1024 };

/* A server on the run's own loop. It answers each request, and looks only for the method and the
 * end of the head: values are empty here. The clock is the test's own: each answer takes a
 * millisecond, unless the test says otherwise. */
struct load_rig {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *clients[CLIENTS_MAX]; /* NULL where it is gone */
    size_t client_count;
    const char *get_answer; /* NULL: none, ever */
    const char *put_answer;
    uint32_t mute_after;  /* answers no more than so many, in all; 0: all */
    uint32_t close_after; /* ends the connection behind the n-th request of it; 0: never */
    uint32_t answer_ms;   /* of the test's clock */
    uint32_t stall_at,
        stall_ms;           /* the n-th request takes so long, and all behind it wait; 0: none */
    uint64_t hold_until_us; /* until then the second connection gets no answer */
    uint32_t held;
    unsigned accepted, gets, puts;
    unsigned under_way_max; /* requests that came in one piece */
    struct load_target target;
    char host[32];
    struct load_config config;
    struct load_result result;
};

static inline void drop(struct load_rig *rig, struct bufferevent *bev)
{
    for (size_t i = 0; i < rig->client_count; i++) {
        if (rig->clients[i] == bev) {
            rig->clients[i] = NULL;
        }
    }
    bufferevent_free(bev);
}

static inline void on_flushed(struct bufferevent *bev, void *arg)
{
    drop(arg, bev);
}

/* Whether the answer is kept back. Those that were are said with the first one after that time. */
static inline bool is_held(struct load_rig *rig, const struct bufferevent *bev)
{
    if (own_clock_us < rig->hold_until_us) {
        rig->held += bev == rig->clients[1] ? 1 : 0;
        return bev == rig->clients[1];
    }
    for (; rig->held > 0; rig->held--) {
        (void)bufferevent_write(rig->clients[1], rig->get_answer, strlen(rig->get_answer));
    }
    return false;
}

static inline void answer(struct load_rig *rig, struct bufferevent *bev, bool is_put)
{
    const char *text = is_put ? rig->put_answer : rig->get_answer;
    rig->puts += is_put ? 1 : 0;
    rig->gets += is_put ? 0 : 1;
    own_clock_pass_ms(rig->answer_ms);
    if (rig->gets + rig->puts == rig->stall_at) {
        own_clock_pass_ms(rig->stall_ms);
    }
    if (is_held(rig, bev)) {
        return;
    }
    if (text != NULL && (rig->mute_after == 0 || rig->gets + rig->puts <= rig->mute_after)) {
        (void)bufferevent_write(bev, text, strlen(text));
    }
}

static inline void on_requests(struct bufferevent *bev, void *arg)
{
    struct load_rig *rig = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    unsigned count = 0;
    for (;;) {
        const struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
        uint8_t first = 0;
        if (end.pos < 0) {
            break;
        }
        (void)evbuffer_copyout(in, &first, 1);
        (void)evbuffer_drain(in, (size_t)end.pos + 4);
        answer(rig, bev, first == 'P');
        if (++count == rig->close_after) {
            bufferevent_setcb(bev, NULL, on_flushed, NULL, rig);
            if (evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
                drop(rig, bev);
            }
            return;
        }
    }
    rig->under_way_max = count > rig->under_way_max ? count : rig->under_way_max;
}

static inline void on_gone(struct bufferevent *bev, short what, void *arg)
{
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        drop(arg, bev);
    }
}

static inline void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                             struct sockaddr *sa, int sa_len, void *arg)
{
    struct load_rig *rig = arg;
    (void)listener;
    (void)sa;
    (void)sa_len;
    struct bufferevent *bev = bufferevent_socket_new(rig->base, fd, BEV_OPT_CLOSE_ON_FREE);
    rig->accepted++;
    bufferevent_setcb(bev, on_requests, NULL, on_gone, rig);
    (void)bufferevent_enable(bev, EV_READ | EV_WRITE);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (i == rig->client_count || rig->clients[i] == NULL) {
            rig->clients[i] = bev;
            rig->client_count += i == rig->client_count ? 1 : 0;
            return;
        }
    }
}

/* By default: 100 GETs over 4 connections, no fill. */
static inline void rig_init(struct load_rig *rig)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    (void)signal(SIGPIPE, SIG_IGN);
    *rig = (struct load_rig){
        .get_answer = OK_ANSWER, .put_answer = CREATED, .answer_ms = 1, .base = event_base_new()};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rig->listener = evconnlistener_new_bind(rig->base, on_accept, rig, LEV_OPT_CLOSE_ON_FREE, 128,
                                            (const struct sockaddr *)&sin, sizeof(sin));
    assert_non_null(rig->listener);
    assert_int_equal(
        getsockname(evconnlistener_get_fd(rig->listener), (struct sockaddr *)&sin, &len), 0);
    (void)snprintf(rig->host, sizeof(rig->host), "127.0.0.1:%u", ntohs(sin.sin_port));
    rig->target = (struct load_target){
        .addrs = {addr_v4(loopback, ntohs(sin.sin_port))}, .addr_count = 1, .host = rig->host};
    rig->config = (struct load_config){
        .base = rig->base,
        .targets = &rig->target,
        .target_count = 1,
        .mix = {.prefix = "k-", .key_count = 20, .reads_percent = 100, .seed = 1},
        .connections = 4,
        .depth = 1,
        .requests_max = 100,
        .timeout_ms = 5000,
    };
}

static inline void rig_fini(struct load_rig *rig)
{
    load_result_fini(&rig->result);
    for (size_t i = 0; i < rig->client_count; i++) {
        if (rig->clients[i] != NULL) {
            bufferevent_free(rig->clients[i]);
        }
    }
    if (rig->listener != NULL) {
        evconnlistener_free(rig->listener);
    }
    event_base_free(rig->base);
}

/* Descriptors that are open. */
static inline int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

/* Nothing of a run is left, but for the server's ends of connections that it has not seen close. */
static inline void run(struct load_rig *rig, enum rc expected)
{
    const int before = open_count();
    assert_int_equal(load_run(&rig->config, &rig->result), expected);
    int served = 0;
    for (size_t i = 0; i < rig->client_count; i++) {
        served += rig->clients[i] != NULL ? 1 : 0;
    }
    assert_int_equal(open_count(), before + served);
}

#endif
