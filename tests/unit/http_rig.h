/*
 * http_rig: an HTTP server and its clients on one loop in one process, for the tests of
 * net/http/http_*.
 *
 * Clients are plain non-blocking sockets; every wait has a condition, turns the server's loop and
 * ends with our patience. The server's clock is the test's own: it passes while nothing happens.
 * Callbacks only record: cmocka's assertions must not jump out of libevent. The handler's paths:
 *
 *   /hello            200 "hello"                /echo      200 with the body that came
 *   /blob             200 with rig->blob         /stream    rig->stream_bytes in a stream
 *   /defer            deferred, as rig->deferred /trickle   a stream with pauses: "a" "b" "c"
 *   /brief            deferred, as rig->late[], with a brief answer
 *   /upgrade          upgraded                   /204 /304  that status
 *   /wake             a stream that says a letter of rig->say each time it is woken, to its NUL
 */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include "core/base/mem.h"
#include "net/http/http_conn.h"
#include "net/http/http_server.h"
#include "own_clock.h"
#include "patience.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENT_INPUT_MAX = 1 << 20,
    NOTHING_TURNS = 30,
    RIG_LATE_MAX = 64,
    IDLE_TURNS_MAX = 2000, /* each a moment long: nothing comes after so many without anything */
};

struct client {
    int fd;
    struct stream *tls; /* NULL: plain */
    bool is_eof, is_reset;
    size_t len;
    char *input; /* terminated */
};

struct rig {
    struct event_base *base;
    struct http_server *server;
    struct http_server_config config;
    uint16_t port;
    uint32_t from; /* whose clients are opened, of 127/8; 0: 127.0.0.1's */
    uint64_t body_max;
    const char *cors; /* of every request */
    struct blob *blob;
    size_t stream_bytes;
    uint64_t deferred;           /* the id of the last deferred exchange */
    uint64_t late[RIG_LATE_MAX]; /* of those with brief answers */
    size_t late_count;
    uint64_t waking;  /* of the last stream that waits to be woken */
    const char *say;  /* what it has to say still */
    bool is_said_out; /* and then it is over */
    unsigned handled, done;
    uint64_t said;      /* bytes that the clients have sent */
    struct addr client; /* of the last request */
    struct bufferevent *upgraded;
    /* Clients speak TLS: tests/unit/http_tls_rig.h. NULL: plain. */
    void (*secure)(struct rig *rig, struct client *c);
};

struct rig_stream {
    struct rig *rig;
    size_t left;
    unsigned calls;
};

static inline bool produce_bytes(void *arg, struct buf *out)
{
    static uint8_t block[8000];
    struct rig_stream *stream = arg;
    const size_t len = stream->left < sizeof(block) ? stream->left : sizeof(block);
    memset(block, 's', sizeof(block));
    stream->left -= len;
    return buf_append(out, block, len) == RC_OK && stream->left > 0;
}

static inline bool produce_trickle(void *arg, struct buf *out)
{
    struct rig_stream *stream = arg;
    const unsigned call = stream->calls++;
    if (call % 2 == 1) {
        return true; /* nothing for now */
    }
    const char letter = (char)('a' + call / 2);
    return buf_append(out, &letter, 1) == RC_OK && letter < 'c';
}

static inline bool produce_woken(void *arg, struct buf *out)
{
    const struct rig_stream *stream = arg;
    struct rig *rig = stream->rig;
    const size_t len = strlen(rig->say);
    const enum rc rc = buf_append(out, rig->say, len);
    rig->say += len;
    return rc == RC_OK && !rig->is_said_out;
}

static inline void stream_done(void *arg)
{
    struct rig_stream *stream = arg;
    stream->rig->done++;
    free(stream);
}

static inline void answer_stream(struct rig *rig, struct http_response *rs, http_produce produce)
{
    struct rig_stream *stream =
        mem_new(1, sizeof(*stream)); /* which tests of failures leave alone */
    stream->rig = rig;
    stream->left = rig->stream_bytes;
    rs->kind = HTTP_BODY_STREAM;
    rs->produce = produce;
    rs->done = stream_done;
    rs->arg = stream;
}

static inline bool is_path(const struct http_request *rq, const char *path)
{
    return rq->path.len == strlen(path) && memcmp(rq->path.data, path, rq->path.len) == 0;
}

static inline void rig_handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
    struct rig *rig = arg;
    rig->handled++;
    rig->client = rq->client;
    if (is_path(rq, "/hello")) {
        http_set_body(rs, 200, "text/plain", "hello", 5);
    } else if (is_path(rq, "/echo") && rq->blob != NULL) {
        rs->kind = HTTP_BODY_BLOB;
        rs->blob = blob_hold(rq->blob);
    } else if (is_path(rq, "/echo")) {
        http_set_body(rs, 200, "text/plain", rq->body, rq->body_len);
    } else if (is_path(rq, "/blob")) {
        rs->kind = HTTP_BODY_BLOB;
        rs->blob = blob_hold(rig->blob);
    } else if (is_path(rq, "/stream")) {
        answer_stream(rig, rs, produce_bytes);
    } else if (is_path(rq, "/trickle")) {
        answer_stream(rig, rs, produce_trickle);
    } else if (is_path(rq, "/wake")) {
        answer_stream(rig, rs, produce_woken);
        rs->is_waking = true;
        rig->waking = rq->id;
    } else if (is_path(rq, "/defer")) {
        rs->kind = HTTP_BODY_DEFER;
        rig->deferred = rq->id;
    } else if (is_path(rq, "/brief")) {
        rs->kind = HTTP_BODY_DEFER;
        rs->is_brief = true;
        rig->late[rig->late_count++ % RIG_LATE_MAX] = rq->id;
    } else if (is_path(rq, "/upgrade")) {
        rs->kind = HTTP_BODY_UPGRADE;
        http_add(rs, "Connection", "Upgrade");
        http_add(rs, "Upgrade", "%s", "test/1");
    } else if (is_path(rq, "/204") || is_path(rq, "/304")) {
        rs->status = is_path(rq, "/204") ? 204 : 304;
    } else {
        http_problem(rs, 404, "not_found", "no such path");
    }
}

static inline struct http_route rig_route(void *arg, const struct http_request *rq)
{
    return (struct http_route){
        .body_max = ((struct rig *)arg)->body_max,
        .cors = ((struct rig *)arg)->cors,
        .is_exempt = rq->query.len == 5 && memcmp(rq->query.data, "probe", 5) == 0,
        .is_events = rq->query.len == 6 && memcmp(rq->query.data, "events", 6) == 0};
}

static inline void rig_upgraded(void *arg, struct bufferevent *bev, const struct addr *from)
{
    struct rig *rig = arg;
    rig->upgraded = bev;
    rig->client = *from;
}

static inline void rig_init(struct rig *rig)
{
    (void)signal(SIGPIPE, SIG_IGN);
    *rig = (struct rig){.base = event_base_new(),
                        .body_max = 1 << 20,
                        .cors = HTTP_CORS_LINES,
                        .stream_bytes = 20000,
                        .say = ""};
    rig->config = (struct http_server_config){.base = rig->base,
                                              .connections_max = 100,
                                              .bodies_bytes_max = UINT64_MAX,
                                              .idle_timeout_ms = 60000,
                                              .request_timeout_ms = 30000,
                                              .arg = rig,
                                              .route = rig_route,
                                              .cors = HTTP_CORS_LINES,
                                              .handle = rig_handle,
                                              .upgraded = rig_upgraded};
}

/* A socket for the server that is begun next. */
static inline void rig_bind(struct rig *rig)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    rig->port = ntohs(at.sin_port);
    rig->config.listen_fd = fd;
}

static inline void rig_start(struct rig *rig)
{
    rig_bind(rig);
    rig->server = http_server_new(&rig->config);
    assert_non_null(rig->server);
}

static inline void rig_fini(struct rig *rig)
{
    http_server_free(rig->server);
    if (rig->upgraded != NULL) {
        bufferevent_free(rig->upgraded);
    }
    blob_release(rig->blob);
    event_base_free(rig->base);
}

/* One turn: without ONCE the loop would go on as long as a socket is ready. */
static inline void rig_turn(struct rig *rig)
{
    (void)event_base_loop(rig->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Lets the server's clock pass, and handles what falls due. */
static inline void rig_pass_ms(struct rig *rig, uint64_t ms)
{
    own_clock_pass_ms(ms);
    rig_turn(rig);
}

/* A moment in which nothing has happened yet; false when our patience is at its end. */
static inline bool rig_waits(struct rig *rig, uint64_t until_ms)
{
    const bool is_patient = patience_lasts(until_ms);
    rig_pass_ms(rig, PATIENCE_REST_MS);
    return is_patient;
}

/* The same, for a test that counts the turns without anything new instead of having patience. */
static inline bool rig_idles(struct rig *rig, unsigned *idle)
{
    (void)rig_waits(rig, UINT64_MAX);
    return ++*idle < IDLE_TURNS_MAX;
}

static inline bool wait_for(struct rig *rig, const unsigned *value, unsigned wanted)
{
    const uint64_t until = patience_begins();
    rig_turn(rig);
    while (*value != wanted && rig_waits(rig, until)) {
    }
    return *value == wanted;
}

/* Answers a deferred exchange with the text, if it is awaited. */
static inline void rig_complete(struct rig *rig, uint64_t id, const char *text)
{
    struct http_response rs;
    http_response_init(&rs);
    http_set_body(&rs, 201, "text/plain", text, strlen(text));
    http_server_complete(rig->server, id, &rs);
    http_response_fini(&rs);
}

/* Waits until the server has so many connections. */
static inline bool rig_has_connections(struct rig *rig, uint64_t wanted)
{
    const uint64_t until = patience_begins();
    while (http_server_stats(rig->server).connections != wanted && rig_waits(rig, until)) {
    }
    return http_server_stats(rig->server).connections == wanted;
}

/* Waits until the server has used all that the clients have sent. */
static inline bool rig_took_all(struct rig *rig)
{
    const uint64_t until = patience_begins();
    while (http_server_stats(rig->server).bytes_in != rig->said && rig_waits(rig, until)) {
    }
    return http_server_stats(rig->server).bytes_in == rig->said;
}

static inline struct client client_open(struct rig *rig)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(rig->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                       .input = calloc(1, CLIENT_INPUT_MAX + 1)};
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(rig->from)};
    if (rig->from != 0) {
        assert_int_equal(bind(c.fd, (const struct sockaddr *)&from, sizeof(from)), 0);
    }
    assert_int_equal(connect(c.fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
    rig_turn(rig);
    if (rig->secure != NULL) {
        rig->secure(rig, &c);
    }
    return c;
}

static inline void client_close(struct client *c)
{
    if (c->tls != NULL) {
        stream_close(c->tls);
        free(c->tls);
    } else if (c->fd >= 0) {
        (void)close(c->fd);
    }
    free(c->input);
    *c = (struct client){.fd = -1};
}

static inline void client_reset(struct client *c)
{
    const struct linger hard = {.l_onoff = 1};
    if (c->tls != NULL) {
        stream_reset(c->tls);
        stream_close(c->tls);
    } else {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        (void)close(c->fd);
    }
    c->fd = -1;
}

/* As recv() and send() say it. */
static inline ssize_t client_result(enum rc rc, size_t len)
{
    errno = rc == RC_AGAIN ? EAGAIN : ECONNRESET;
    return rc == RC_OK ? (ssize_t)len : rc == RC_CLOSED ? 0 : -1;
}

static inline ssize_t client_recv(struct client *c, void *to, size_t size)
{
    size_t len = 0;
    if (c->tls == NULL) {
        return recv(c->fd, to, size, 0);
    }
    const enum rc rc = stream_read(c->tls, to, size, &len);
    return client_result(rc, len);
}

static inline ssize_t client_give(struct client *c, const void *from, size_t size)
{
    size_t len = 0;
    if (c->tls == NULL) {
        return send(c->fd, from, size, MSG_NOSIGNAL);
    }
    const enum rc rc = stream_write(c->tls, from, size, &len);
    return client_result(rc, len);
}

/* It sends no more. */
static inline void client_finish(struct client *c)
{
    if (c->tls != NULL) {
        stream_finish(c->tls);
    } else {
        assert_int_equal(shutdown(c->fd, SHUT_WR), 0);
    }
}

/* One turn of everything: the server's loop, and what has come for the client. */
static inline void client_turn(struct rig *rig, struct client *c)
{
    rig_turn(rig);
    if (c->is_eof || c->is_reset || c->len == CLIENT_INPUT_MAX) {
        return;
    }
    const ssize_t len = client_recv(c, c->input + c->len, CLIENT_INPUT_MAX - c->len);
    if (len > 0) {
        c->len += (size_t)len;
        c->input[c->len] = '\0';
    } else if (len == 0) {
        c->is_eof = true;
    } else if (errno != EAGAIN) {
        c->is_reset = true;
    } else {
        (void)rig_waits(rig, UINT64_MAX);
    }
}

/* Sends what the server will take, and reads what it answers meanwhile; false when it stopped
 * taking. */
static inline bool client_send(struct rig *rig, struct client *c, const void *data, size_t len)
{
    const uint8_t *from = data;
    const uint64_t until = patience_begins();
    while (len > 0 && patience_now_ms() < until) {
        const ssize_t sent = client_give(c, from, len);
        if (sent > 0) {
            from += sent;
            len -= (size_t)sent;
            rig->said += (uint64_t)sent;
            rig_turn(rig);
        } else if (errno == EAGAIN) {
            client_turn(rig, c);
        } else {
            return false;
        }
    }
    return len == 0;
}

static inline bool client_say(struct rig *rig, struct client *c, const char *text)
{
    return client_send(rig, c, text, strlen(text));
}

/* Waits until the text has come, or the end; whether it has. */
static inline bool client_hears(struct rig *rig, struct client *c, const char *text)
{
    const uint64_t until = patience_begins();
    while (strstr(c->input, text) == NULL && !c->is_eof && !c->is_reset &&
           patience_now_ms() < until) {
        client_turn(rig, c);
    }
    return strstr(c->input, text) != NULL;
}

static inline bool client_hears_end(struct rig *rig, struct client *c)
{
    const uint64_t until = patience_begins();
    while (!c->is_eof && !c->is_reset && patience_now_ms() < until) {
        client_turn(rig, c);
    }
    return c->is_eof;
}

/* Nothing comes, and it stays open, for some turns of the loop. */
static inline bool client_hears_nothing(struct rig *rig, struct client *c)
{
    const size_t len = c->len;
    for (int i = 0; i < NOTHING_TURNS; i++) {
        client_turn(rig, c);
    }
    return c->len == len && !c->is_eof && !c->is_reset;
}

static inline unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

/* Waits until the text has come that often; whether it has, and not more often. */
static inline bool client_hears_times(struct rig *rig, struct client *c, const char *text,
                                      unsigned wanted)
{
    const uint64_t until = patience_begins();
    while (count_of(c->input, text) < wanted && !c->is_eof && !c->is_reset &&
           patience_now_ms() < until) {
        client_turn(rig, c);
    }
    return count_of(c->input, text) == wanted;
}

#endif
