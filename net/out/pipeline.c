#include "net/out/pipeline.h"

#include "core/base/addr.h"
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/resolve.h"
#include "net/out/response_parser.h"
#include "net/out/tls_client.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ADDRESSES_MAX = 8, /* of one name */
    ERROR_SIZE = 384,
    HOST_TEXT_SIZE = 300,
};

struct sent {
    void *tag;
    size_t bytes;
};

struct lane {
    struct pipeline *pipeline;
    struct bufferevent *bev; /* NULL while there is no connection */
    struct response_parser *parser;
    struct sent *ring; /* config.depth of them, the oldest at ring_at */
    uint32_t ring_at, ring_count;
};

struct pipeline {
    struct pipeline_config config;
    struct event_base *base;
    struct lane *lanes;
    size_t pending, pending_bytes;
    uint64_t answer_count;
    char host_text[HOST_TEXT_SIZE]; /* as in the Host header */
    struct addr addrs[ADDRESSES_MAX];
    size_t addr_count;
    size_t addr_good; /* the one that accepted last */
    char error[ERROR_SIZE];
};

struct pipeline *pipeline_new(const struct pipeline_config *config)
{
    ASSERT(config->connections > 0 && config->depth > 0);
    struct event_base *base = config->base != NULL ? config->base : event_base_new();
    if (base == NULL) {
        return NULL;
    }
    struct pipeline *p = mem_new(1, sizeof(*p));
    const char *error = NULL;
    const bool is_v6 = strchr(config->host, ':') != NULL;
    p->config = *config;
    p->base = base;
    p->lanes = mem_new(config->connections, sizeof(*p->lanes));
    for (uint32_t i = 0; i < config->connections; i++) {
        p->lanes[i].pipeline = p;
        p->lanes[i].ring = mem_new(config->depth, sizeof(*p->lanes[i].ring));
    }
    (void)snprintf(p->host_text, sizeof(p->host_text), "%s%s%s:%u", is_v6 ? "[" : "", config->host,
                   is_v6 ? "]" : "", config->port);
    if (resolve_wait(config->host, config->port, p->addrs, ADDRESSES_MAX, &p->addr_count, &error) !=
        RC_OK) {
        p->addr_count = 0;
        (void)snprintf(p->error, sizeof(p->error), "%.120s does not resolve: %.100s", config->host,
                       error);
    }
    return p;
}

/* ---- The end of a connection ---- */

static void lane_close(struct lane *l)
{
    if (l->bev != NULL) {
        bufferevent_free(l->bev);
        l->bev = NULL;
    }
    response_parser_free(l->parser);
    l->parser = NULL;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->config.connections; i++) {
        lane_close(&p->lanes[i]);
        free(p->lanes[i].ring);
    }
    if (p->config.base == NULL) {
        event_base_free(p->base);
    }
    free(p->lanes);
    free(p);
}

static void lane_pop(struct lane *l, struct pipeline_answer *answer)
{
    struct pipeline *p = l->pipeline;
    const struct sent sent = l->ring[l->ring_at];
    l->ring_at = (l->ring_at + 1) % p->config.depth;
    l->ring_count--;
    p->pending--;
    p->pending_bytes -= sent.bytes;
    p->answer_count++;
    answer->tag = sent.tag;
    p->config.answered(p->config.arg, answer);
}

/* What was under way has failed. `text` is copied. */
static void lane_lost(struct lane *l, enum rc rc, const char *text)
{
    struct pipeline *p = l->pipeline;
    if (l->ring_count > 0) {
        (void)snprintf(p->error, sizeof(p->error), "%s", text);
    }
    lane_close(l);
    while (l->ring_count > 0) {
        struct pipeline_answer answer = {.rc = rc, .error = p->error};
        lane_pop(l, &answer);
    }
}

/* ---- Receiving ---- */

/* One answer is complete. False when the connection is over. */
static bool take_answer(struct lane *l)
{
    struct pipeline_answer answer = {.rc = RC_OK,
                                     .error = "",
                                     .status = response_parser_status(l->parser),
                                     .headers = l->parser};
    answer.body = response_parser_body(l->parser, &answer.body_len);
    const bool is_last = !response_parser_is_keep_alive(l->parser);
    lane_pop(l, &answer);
    if (is_last) {
        lane_lost(l, RC_IO, "the server closes after an answer");
        return false;
    }
    response_parser_next(l->parser);
    return true;
}

/* False when the connection is over. */
static bool take_bytes(struct lane *l, const uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (l->ring_count == 0) {
            lane_lost(l, RC_MALFORMED, "an answer to nothing that was asked");
            return false;
        }
        const size_t before = response_parser_length(l->parser);
        const enum rc rc = response_parser_feed(l->parser, data + at, len - at);
        if (rc == RC_AGAIN) {
            return true;
        }
        if (rc != RC_OK) {
            lane_lost(l, rc,
                      rc == RC_TOO_LONG ? "the answer is longer than allowed"
                                        : "the answer is not HTTP");
            return false;
        }
        at += response_parser_length(l->parser) - before;
        if (!take_answer(l)) {
            return false;
        }
    }
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct lane *l = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    for (size_t len = 0; (len = evbuffer_get_contiguous_space(in)) > 0;) {
        if (!take_bytes(l, evbuffer_pullup(in, (ev_ssize_t)len), len)) {
            return;
        }
        (void)evbuffer_drain(in, len);
    }
}

static void on_end(struct lane *l, short what)
{
    const int error = EVUTIL_SOCKET_ERROR();
    char why[ERROR_SIZE];
    if ((what & BEV_EVENT_EOF) != 0 && l->ring_count > 0 &&
        response_parser_end(l->parser) == RC_OK) {
        (void)take_answer(l);
        return;
    }
    if ((what & BEV_EVENT_ERROR) != 0 && l->pipeline->config.is_tls) {
        tls_client_error(l->bev, why, sizeof(why));
        lane_lost(l, RC_IO, why);
        return;
    }
    lane_lost(l, RC_IO,
              (what & BEV_EVENT_EOF) != 0 || error == 0
                  ? "the connection ended before the answer did"
                  : strerror(error));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct lane *l = arg;
    (void)bev;
    if ((what & BEV_EVENT_TIMEOUT) != 0) {
        lane_lost(l, RC_TIMEOUT, "no answer in time");
    } else if ((what & BEV_EVENT_WRITING) != 0 && (what & BEV_EVENT_ERROR) != 0) {
        /* The server reads no further, as when it refuses a large body: its answer may be here.
         * libevent stops reading too where the connection is TLS. */
        (void)bufferevent_disable(l->bev, EV_WRITE);
        (void)bufferevent_enable(l->bev, EV_READ);
        return;
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        on_end(l, what);
    }
}

/* ---- Sending ---- */

/* The time for an answer begins anew. False without memory for that. */
static bool arm(struct lane *l)
{
    const uint32_t ms = l->pipeline->config.timeout_ms;
    const struct timeval timeout = {.tv_sec = ms / 1000,
                                    .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    return bufferevent_set_timeouts(l->bev, &timeout, NULL) == 0;
}

/* Bytes went out: a large body on its way is no silence. */
static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
    struct lane *l = arg;
    (void)out;
    if (info->n_deleted > 0 && l->bev != NULL) {
        (void)arm(l);
    }
}

/* A connected socket, waited for; -1 with errno. */
static int connect_wait(const struct addr *addr, uint32_t timeout_ms)
{
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                                    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    const int on = 1;
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(addr, sockaddr_family(addr), &sa);
    const int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    /* On Linux the time for sending is that for connecting too; EINPROGRESS says that it is over.
     */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&sa, sa_len) != 0 ||
        evutil_make_socket_nonblocking(fd) != 0) {
        const int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int connect_any(struct pipeline *p)
{
    char where[ADDR_TEXT_SIZE];
    for (size_t i = 0; i < p->addr_count; i++) {
        const size_t at = (p->addr_good + i) % p->addr_count;
        const int fd = connect_wait(&p->addrs[at], p->config.timeout_ms / (uint32_t)p->addr_count);
        if (fd >= 0) {
            p->addr_good = at;
            return fd;
        }
        (void)snprintf(p->error, sizeof(p->error), "%s: %s", addr_format(&p->addrs[at], where),
                       strerror(errno));
    }
    return -1;
}

static enum rc lane_open(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    const int fd = connect_any(p);
    if (fd < 0) {
        return RC_REFUSED;
    }
    l->bev = p->config.is_tls ? tls_client_open(p->config.tls, p->base, fd, p->config.host)
                              : bufferevent_socket_new(p->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (l->bev == NULL) {
        (void)close(fd);
        (void)snprintf(p->error, sizeof(p->error), "%s", rc_text(RC_NO_MEMORY));
        return RC_NO_MEMORY;
    }
    l->parser = response_parser_new(false, p->config.body_max);
    bufferevent_setcb(l->bev, on_read, NULL, on_event, l);
    (void)evbuffer_add_cb(bufferevent_get_output(l->bev), on_output, l);
    if (!arm(l) || bufferevent_enable(l->bev, EV_READ | EV_WRITE) != 0) {
        lane_close(l);
        (void)snprintf(p->error, sizeof(p->error), "%s", rc_text(RC_NO_MEMORY));
        return RC_NO_MEMORY;
    }
    return RC_OK;
}

/* The lane with the least under way; NULL when none may have more. */
static struct lane *pick(struct pipeline *p)
{
    struct lane *best = &p->lanes[0];
    for (uint32_t i = 1; i < p->config.connections; i++) {
        if (p->lanes[i].ring_count < best->ring_count) {
            best = &p->lanes[i];
        }
    }
    return best->ring_count < p->config.depth ? best : NULL;
}

static bool add_request(struct lane *l, const struct pipeline_request *r)
{
    const struct pipeline *p = l->pipeline;
    struct evbuffer *out = bufferevent_get_output(l->bev);
    return evbuffer_add_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%sContent-Length: %zu\r\n\r\n",
                               r->method, r->target, p->host_text, p->config.lines, r->lines,
                               r->body_len) >= 0 &&
           (r->body_len == 0 || evbuffer_add(out, r->body, r->body_len) == 0);
}

enum rc pipeline_send(struct pipeline *p, const struct pipeline_request *request)
{
    struct lane *l = pick(p);
    const size_t bytes = strlen(request->target) + request->body_len;
    if (l == NULL || (p->pending > 0 && p->pending_bytes + bytes > p->config.pending_max)) {
        return RC_FULL;
    }
    const enum rc rc = l->bev == NULL ? lane_open(l) : RC_OK;
    if (rc != RC_OK) {
        return rc;
    }
    if ((l->ring_count == 0 && !arm(l)) || !add_request(l, request)) {
        /* Half a request may be in the buffer. */
        lane_lost(l, RC_NO_MEMORY, rc_text(RC_NO_MEMORY));
        (void)snprintf(p->error, sizeof(p->error), "%s", rc_text(RC_NO_MEMORY));
        return RC_NO_MEMORY;
    }
    l->ring[(l->ring_at + l->ring_count++) % p->config.depth] =
        (struct sent){.tag = request->tag, .bytes = bytes};
    p->pending++;
    p->pending_bytes += bytes;
    return RC_OK;
}

void pipeline_wait(struct pipeline *p)
{
    const uint64_t before = p->answer_count;
    while (p->pending > 0 && p->answer_count == before) {
        const int n = event_base_loop(p->base, EVLOOP_ONCE);
        ASSERT(n == 0);
    }
}

size_t pipeline_pending(const struct pipeline *p)
{
    return p->pending;
}

const char *pipeline_error(const struct pipeline *p)
{
    return p->error;
}

const char *pipeline_header_of(const struct pipeline_answer *answer, const char *name)
{
    return answer->headers == NULL ? NULL : response_parser_header(answer->headers, name);
}
