/* The connections of a load generator: each asks, waits for the answer and asks again. */
#include "net/load/load_state.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/response_parser.h"
#include "net/out/tls_client.h"
#include "net/sys/hostclock.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NS_PER_MS = 1000000,
    SEND_MAX = 1 << 30, /* all that there is */
    COPY_MAX = 4096, /* a value up to this is copied behind its head; a larger one is referred to */
};

static void conn_open(struct load_conn *c);

static const struct load_target *target_of(const struct load_conn *c)
{
    return &c->load->config->targets[c->target];
}

void load_conn_init(struct load_conn *c, struct load *l, size_t target, uint64_t open_ns)
{
    *c = (struct load_conn){
        .load = l, .target = target, .stream = stream_plain(-1), .reopen_ns = open_ns};
    c->ring = mem_new(l->config->depth, sizeof(*c->ring));
    c->out = evbuffer_new();
    ASSERT(c->out != NULL);
}

/* ---- The end of a connection ---- */

static void conn_close(struct load_conn *c)
{
    struct event *const events[] = {c->readable, c->writable};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    c->readable = c->writable = NULL;
    stream_close(&c->stream);
    response_parser_free(c->parser);
    c->parser = NULL;
    (void)evbuffer_drain(c->out, evbuffer_get_length(c->out));
    c->state = LOAD_CONN_CLOSED;
}

void load_conn_fini(struct load_conn *c)
{
    conn_close(c);
    evbuffer_free(c->out);
    free(c->ring);
}

static void ring_pop(struct load_conn *c, struct load_sent *ret_sent)
{
    *ret_sent = c->ring[c->ring_at];
    c->ring_at = (c->ring_at + 1) % c->load->config->depth;
    c->ring_count--;
}

/* Everything that was under way has failed. A connection that was of use is opened again at once,
 * others after a while, so that a server which turns connections away is not hammered. */
static void conn_lost(struct load_conn *c, enum load_fault fault, const char *text)
{
    struct load_sent sent;
    conn_close(c);
    c->reopen_ns = hostclock_boot_ns() + (c->is_useful ? 0 : (uint64_t)LOAD_REOPEN_MS * NS_PER_MS);
    while (c->ring_count > 0) {
        ring_pop(c, &sent);
        load_failed(c->load, c, &sent, fault, text);
    }
}

/* ---- Sending ---- */

static void conn_flush(struct load_conn *c)
{
    for (size_t left = evbuffer_get_length(c->out); left > 0;) {
        const size_t before = left;
        if (stream_send(&c->stream, c->out, SEND_MAX) != RC_OK) {
            /* The server's reason can still be read. The connection ends when that has been
             * read. */
            return;
        }
        left = evbuffer_get_length(c->out);
        c->load->result->bytes_out += before - left;
        if (left == before) {
            (void)event_add(c->writable, NULL);
            return;
        }
    }
}

static bool add_request(struct load_conn *c, const struct load_ask *ask)
{
    char head[LOAD_MIX_HEAD_MAX];
    const struct load_mix *mix = &c->load->mix;
    const char *host = target_of(c)->host;
    const size_t len = load_mix_head(mix, ask, host, strlen(host), head);
    const uint8_t *value = load_mix_value(mix, ask);
    if (evbuffer_add(c->out, head, len) != 0) {
        return false;
    }
    if (ask->value_len <= COPY_MAX) {
        return ask->value_len == 0 || evbuffer_add(c->out, value, ask->value_len) == 0;
    }
    return evbuffer_add_reference(c->out, value, ask->value_len, NULL, NULL) == 0;
}

uint32_t load_conn_pump(struct load_conn *c, uint32_t most)
{
    const uint32_t depth = c->load->config->depth;
    const uint32_t full = c->load->config->is_burst ? 1 : depth;
    struct load_ask ask;
    struct load_sent sent;
    uint32_t count = 0;
    if (c->state != LOAD_CONN_OPEN || c->ring_count >= full) {
        return 0;
    }
    const uint64_t now_ns = hostclock_boot_ns();
    while (c->state == LOAD_CONN_OPEN && c->ring_count < depth && count < most &&
           load_take(c->load, c->target, now_ns, &ask, &sent)) {
        c->ring[(c->ring_at + c->ring_count++) % depth] = sent;
        count++;
        if (!add_request(c, &ask)) {
            conn_lost(c, LOAD_FAULT_IO, rc_text(RC_NO_MEMORY));
            return count;
        }
    }
    if (count > 0) {
        c->burst_count = count;
        conn_flush(c);
    }
    return count;
}

/* ---- Receiving ---- */

/* One answer is complete. False when the connection is over. */
static bool take_answer(struct load_conn *c, uint64_t now_ns)
{
    struct load_sent sent;
    const int status = response_parser_status(c->parser);
    if (status < 100 || status >= LOAD_STATUS_END) {
        conn_lost(c, LOAD_FAULT_MALFORMED, "a status that HTTP does not know");
        return false;
    }
    ring_pop(c, &sent);
    c->is_useful = load_answered(c->load, c, &sent, status, now_ns) || c->is_useful;
    if (!response_parser_is_keep_alive(c->parser)) {
        conn_lost(c, LOAD_FAULT_CLOSED, "the server closes after an answer");
        return false;
    }
    response_parser_next(c->parser);
    return true;
}

static bool take_bytes(struct load_conn *c, const uint8_t *data, size_t len)
{
    const uint64_t now_ns = hostclock_boot_ns();
    size_t at = 0;
    while (at < len) {
        if (c->ring_count == 0) {
            static const char text[] = "an answer to nothing that was asked";
            load_failed(c->load, c, NULL, LOAD_FAULT_MALFORMED, text);
            conn_lost(c, LOAD_FAULT_MALFORMED, text);
            return false;
        }
        const size_t before = response_parser_length(c->parser);
        const enum rc rc = response_parser_feed(c->parser, data + at, len - at);
        if (rc == RC_AGAIN) {
            return true;
        }
        if (rc != RC_OK) {
            conn_lost(c, LOAD_FAULT_MALFORMED,
                      rc == RC_TOO_LONG ? "an answer that is longer than the largest value"
                                        : "an answer that is not HTTP");
            return false;
        }
        at += response_parser_length(c->parser) - before;
        if (!take_answer(c, now_ns)) {
            return false;
        }
    }
    return true;
}

/* The server has ended the connection, which may be what ends an answer without a length. */
static void conn_ended(struct load_conn *c)
{
    if (c->ring_count > 0 && response_parser_end(c->parser) == RC_OK) {
        (void)take_answer(c, hostclock_boot_ns());
        return;
    }
    conn_lost(c, LOAD_FAULT_CLOSED, "the server closes before it answers");
}

/* Reads once; false when there was nothing. */
static bool read_some(struct load_conn *c)
{
    size_t len = 0;
    const enum rc rc = stream_read(&c->stream, c->load->input, sizeof(c->load->input), &len);
    if (rc == RC_AGAIN) {
        return false;
    }
    if (rc == RC_OK) {
        c->load->result->bytes_in += len;
        if (take_bytes(c, c->load->input, len)) {
            (void)load_conn_pump(c, UINT32_MAX);
        }
    } else if (rc == RC_CLOSED) {
        conn_ended(c);
    } else {
        conn_lost(c, LOAD_FAULT_IO, strerror(errno));
    }
    return true;
}

static void shake(struct load_conn *c);

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct load_conn *c = arg;
    (void)fd;
    (void)what;
    if (c->state == LOAD_CONN_SHAKING) {
        shake(c);
        return;
    }
    /* What TLS has read ahead is no event of the socket. */
    while (read_some(c) && c->state == LOAD_CONN_OPEN && c->stream.has_more) {
    }
    if (c->state == LOAD_CONN_CLOSED && c->load->part != LOAD_OVER && c->is_useful) {
        conn_open(c);
    }
}

/* ---- Connecting ---- */

/* The next address, or, when all have failed, all of them again after a while. */
static void connect_failed(struct load_conn *c, const char *text)
{
    conn_close(c);
    if (++c->tried < target_of(c)->addr_count) {
        c->addr = (c->addr + 1) % target_of(c)->addr_count;
        conn_open(c);
        return;
    }
    c->tried = 0;
    c->reopen_ns = hostclock_boot_ns() + (uint64_t)LOAD_REOPEN_MS * NS_PER_MS;
    load_failed(c->load, c, NULL, LOAD_FAULT_CONNECT, text);
}

static void connected(struct load_conn *c)
{
    c->state = LOAD_CONN_OPEN;
    c->tried = 0;
    c->is_useful = false;
    c->since_ns = hostclock_boot_ns();
    c->load->good_addr[c->target] = c->addr;
    c->load->alive_ns = c->since_ns;
    /* Values that others wrote under the keys may have any size that the protocol allows. */
    c->parser = response_parser_new(false, LOAD_MIX_SIZE_MAX);
    response_parser_keep_nothing(c->parser);
    (void)event_add(c->readable, NULL);
    (void)load_conn_pump(c, UINT32_MAX);
    if (c->state == LOAD_CONN_OPEN && c->stream.has_more) {
        event_active(c->readable, EV_READ, 0);
    }
}

/* ---- TLS ---- */

static void shake(struct load_conn *c)
{
    char text[LOAD_ERROR_SIZE / 2];
    bool is_writing = false;
    const enum rc rc = stream_handshake(&c->stream, &is_writing);
    if (rc == RC_OK) {
        connected(c);
    } else if (rc == RC_AGAIN) {
        (void)event_add(is_writing ? c->writable : c->readable, NULL);
    } else {
        tls_client_refusal(c->stream.ssl, text, sizeof(text));
        connect_failed(c, text);
    }
}

/* The socket is connected: to be used as it is, or by TLS. */
static void begin_stream(struct load_conn *c)
{
    const char *name = target_of(c)->tls_name;
    if (name == NULL) {
        connected(c);
        return;
    }
    struct ssl_st *ssl = tls_client_ssl(c->load->config->tls, name);
    if (ssl == NULL || stream_secure(&c->stream, ssl) != RC_OK) {
        connect_failed(c, rc_text(RC_NO_MEMORY));
        return;
    }
    c->state = LOAD_CONN_SHAKING;
    c->since_ns = hostclock_boot_ns();
    shake(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct load_conn *c = arg;
    int error = 0;
    socklen_t len = sizeof(error);
    (void)what;
    if (c->state == LOAD_CONN_OPEN) {
        conn_flush(c);
        return;
    }
    if (c->state == LOAD_CONN_SHAKING) {
        shake(c);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        connect_failed(c, strerror(error));
    } else {
        begin_stream(c);
    }
}

/* Returns 0 when the connect is under way, else the error number. */
static int connect_start(struct load_conn *c)
{
    const struct addr *addr = &target_of(c)->addrs[c->addr];
    const int on = 1;
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(addr, sockaddr_family(addr), &sa);
    const int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    c->stream = stream_plain(fd);
    /* Requests that leave behind unanswered ones would wait for an acknowledgement else. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&sa, sa_len) != 0 && errno != EINPROGRESS) {
        return errno;
    }
    c->readable = event_new(c->load->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(c->load->base, fd, EV_WRITE, on_writable, c);
    return c->readable == NULL || c->writable == NULL || event_add(c->writable, NULL) != 0 ? ENOMEM
                                                                                           : 0;
}

static void conn_open(struct load_conn *c)
{
    if (c->tried == 0) {
        c->addr = c->load->good_addr[c->target];
    }
    c->state = LOAD_CONN_CONNECTING;
    c->since_ns = hostclock_boot_ns();
    const int error = connect_start(c);
    if (error != 0) {
        connect_failed(c, strerror(error));
    }
}

static void answer_missing(struct load_conn *c)
{
    char text[LOAD_ERROR_SIZE / 2];
    (void)snprintf(text, sizeof(text), "no answer in time");
    if (c->load->config->is_burst) {
        (void)snprintf(text, sizeof(text), "%u of %u answers to a burst did not come in time",
                       c->ring_count, c->burst_count);
    }
    c->is_useful = false;
    conn_lost(c, LOAD_FAULT_TIMEOUT, text);
}

void load_conn_turn(struct load_conn *c, uint64_t now_ns)
{
    const uint64_t timeout_ns = (uint64_t)c->load->config->timeout_ms * NS_PER_MS;
    if (c->state == LOAD_CONN_CLOSED && now_ns >= c->reopen_ns) {
        conn_open(c);
    } else if ((c->state == LOAD_CONN_CONNECTING || c->state == LOAD_CONN_SHAKING) &&
               now_ns > c->since_ns + timeout_ns) {
        connect_failed(c, strerror(ETIMEDOUT));
    } else if (c->state == LOAD_CONN_OPEN) {
        c->load->alive_ns = now_ns;
        if (c->ring_count > 0 && now_ns > c->ring[c->ring_at].sent_ns + timeout_ns) {
            answer_missing(c);
        }
    }
}
