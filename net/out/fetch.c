#include "net/out/fetch.h"

#include "core/base/addr.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "net/out/dns.h"
#include "net/out/resolve.h"
#include "net/out/response_parser.h"
#include "net/out/tls_client.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HOST_LEN_MAX = 255,           /* RFC 1035 section 2.3.4 */
    ADDRESSES_MAX = 8,            /* addresses of one name; more would only make a failure slower */
    REQUEST_HEAD_MAX = 16 * 1024, /* what servers accept */
    ERROR_TEXT_SIZE = 384,
};

struct fetch {
    struct event_base *base;
    void (*done)(void *arg, const struct fetch_answer *answer);
    bool (*piece)(void *arg, const uint8_t *data, size_t len);
    void *arg;
    void *piece_arg;
    char host[HOST_LEN_MAX + 1];
    uint16_t port;
    bool is_tls;
    struct tls_client *tls;
    bool is_sent; /* the request went out: no other address is tried */
    struct buf request;
    uint32_t timeout_ms, connect_ms;
    struct event *timer;     /* the whole exchange */
    struct event *kick;      /* the first connect, so that `done` never comes from fetch_start() */
    struct event *attempt;   /* the connect in progress */
    struct event *hangup;    /* NULL unless the caller gave a descriptor for it */
    struct dns_query *query; /* NULL unless the name is being looked up */
    struct addr addrs[ADDRESSES_MAX];
    size_t addr_count, addr_next;
    int fd; /* until a bufferevent owns it; else -1 */
    struct bufferevent *bev;
    struct response_parser *parser;
    enum rc rc;       /* of the last failed attempt */
    bool was_reached; /* an address accepted: its error says more than a later refusal */
    char error[ERROR_TEXT_SIZE];
};

static void fetch_free(struct fetch *f)
{
    dns_cancel(f->query);
    struct event *const events[] = {f->timer, f->kick, f->attempt, f->hangup};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (f->bev != NULL) {
        bufferevent_free(f->bev);
    }
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    response_parser_free(f->parser);
    buf_fini(&f->request);
    free(f);
}

/* Hands the outcome to the caller and is over; what `done` was given is borrowed until it returns.
 */
static void fetch_finish(struct fetch *f, enum rc rc)
{
    struct fetch_answer answer = {
        .rc = rc, .was_sent = f->is_sent, .error = rc == RC_OK ? "" : f->error};
    if (rc == RC_OK) {
        answer.status = response_parser_status(f->parser);
        answer.body = response_parser_body(f->parser, &answer.body_len);
        answer.headers = f->parser;
    }
    f->done(f->arg, &answer);
    fetch_free(f);
}

__attribute__((format(printf, 3, 4))) static void fetch_fail(struct fetch *f, enum rc rc,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(f->error, sizeof(f->error), format, args);
    va_end(args);
    f->rc = rc;
}

const char *fetch_header_of(const struct fetch_answer *answer, const char *name)
{
    return answer->headers == NULL ? NULL : response_parser_header(answer->headers, name);
}

/* ---- The exchange, on a connected bufferevent ---- */

static void fetch_next_address(struct fetch *f);

static int arm_timer(const struct fetch *f)
{
    const struct timeval timeout = {.tv_sec = f->timeout_ms / 1000,
                                    .tv_usec = (suseconds_t)(f->timeout_ms % 1000) * 1000};
    return evtimer_add(f->timer, &timeout);
}

/* Hands on the part of a body that has come, for callers that take it as it comes; false when they
 * want no more. */
static bool fetch_pass_on(const struct fetch *f)
{
    size_t len = 0;
    bool is_taken = true;
    if (f->piece == NULL || !response_parser_has_head(f->parser) ||
        response_parser_status(f->parser) != 200) {
        return true;
    }
    const uint8_t *data = response_parser_body(f->parser, &len);
    if (len > 0) {
        is_taken = f->piece(f->piece_arg, data, len);
        response_parser_drain(f->parser);
    }
    (void)arm_timer(f);
    return is_taken;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct fetch *f = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    for (;;) {
        const size_t len = evbuffer_get_contiguous_space(in);
        if (len == 0) {
            return;
        }
        enum rc rc = response_parser_feed(f->parser, evbuffer_pullup(in, (ev_ssize_t)len), len);
        if ((rc == RC_OK || rc == RC_AGAIN) && !fetch_pass_on(f)) {
            rc = RC_MALFORMED;
        }
        if (rc != RC_AGAIN) {
            fetch_fail(f, rc, "the answer is %s", rc_text(rc));
            fetch_finish(f, rc);
            return;
        }
        (void)evbuffer_drain(in, len);
    }
}

static void fetch_send(struct fetch *f)
{
    (void)event_del(f->attempt);
    f->is_sent = true;
    if (bufferevent_write(f->bev, buf_data(&f->request), f->request.len) != 0) {
        fetch_fail(f, RC_NO_MEMORY, "%s", rc_text(RC_NO_MEMORY));
        fetch_finish(f, RC_NO_MEMORY);
    }
}

/* The connection is over before the answer was complete, unless its end completes it. */
static void fetch_broken(struct fetch *f, short what)
{
    const int error = EVUTIL_SOCKET_ERROR();
    if (f->is_sent && (what & BEV_EVENT_WRITING) != 0) {
        /* The server reads no further, as when it refuses a large body: its answer may be here.
         * libevent stops reading too where the connection is TLS. */
        (void)bufferevent_disable(f->bev, EV_WRITE);
        (void)bufferevent_enable(f->bev, EV_READ);
        return;
    }
    if (f->is_sent && (what & BEV_EVENT_EOF) != 0 && response_parser_end(f->parser) == RC_OK) {
        fetch_finish(f, RC_OK);
        return;
    }
    /* The certificate that a server of TLS 1.3 misses it asks for behind the handshake. */
    if (f->is_tls && (!f->is_sent || (what & BEV_EVENT_ERROR) != 0)) {
        char why[ERROR_TEXT_SIZE];
        tls_client_error(f->bev, why, sizeof(why));
        fetch_fail(f, RC_IO, "%s", why);
        if (f->is_sent) {
            fetch_finish(f, RC_IO);
        } else {
            fetch_next_address(f);
        }
        return;
    }
    if ((what & BEV_EVENT_EOF) != 0 || error == 0) {
        fetch_fail(f, RC_IO, "the connection ended before the answer did");
    } else {
        fetch_fail(f, RC_IO, "%s", strerror(error));
    }
    fetch_finish(f, RC_IO);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct fetch *f = arg;
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        fetch_send(f);
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        fetch_broken(f, what);
    }
}

/* ---- Connecting ---- */

static void attempt_drop(struct fetch *f)
{
    if (f->attempt != NULL) {
        event_free(f->attempt);
        f->attempt = NULL;
    }
    if (f->bev != NULL) {
        bufferevent_free(f->bev);
        f->bev = NULL;
    }
    if (f->fd >= 0) {
        (void)close(f->fd);
        f->fd = -1;
    }
}

static void attempt_failed(struct fetch *f, int error)
{
    char where[ADDR_TEXT_SIZE];
    if (f->was_reached) {
        return;
    }
    fetch_fail(f, error == ECONNREFUSED ? RC_REFUSED : RC_IO, "%s: %s",
               addr_format(&f->addrs[f->addr_next - 1], where), strerror(error));
}

static void attempt_connected(struct fetch *f)
{
    f->bev = f->is_tls ? tls_client_open(f->tls, f->base, f->fd, f->host)
                       : bufferevent_socket_new(f->base, f->fd, BEV_OPT_CLOSE_ON_FREE);
    if (f->bev == NULL) {
        fetch_fail(f, RC_IO, "TLS could not be set up");
        fetch_finish(f, RC_IO);
        return;
    }
    f->fd = -1;
    f->was_reached = true;
    bufferevent_setcb(f->bev, on_read, NULL, on_event, f);
    (void)bufferevent_enable(f->bev, EV_READ | EV_WRITE);
    if (!f->is_tls) {
        fetch_send(f);
    }
}

/* The socket is writable, or the address took too long to accept. */
static void on_attempt(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *f = arg;
    if ((what & EV_TIMEOUT) != 0) {
        attempt_failed(f, ETIMEDOUT);
        f->rc = f->was_reached ? f->rc : RC_TIMEOUT;
        fetch_next_address(f);
        return;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        attempt_failed(f, error);
        fetch_next_address(f);
        return;
    }
    attempt_connected(f);
}

/* Returns 0 when a connect is under way, else the error number. */
static int attempt_start(struct fetch *f, const struct addr *addr)
{
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(addr, sockaddr_family(addr), &sa);
    f->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f->fd < 0) {
        return errno;
    }
    if (connect(f->fd, (const struct sockaddr *)&sa, sa_len) != 0 && errno != EINPROGRESS) {
        return errno;
    }
    f->attempt = event_new(f->base, f->fd, EV_WRITE, on_attempt, f);
    /* Each address gets its share of the time. So one that swallows packets does not use up the
     * time of the others. */
    uint32_t ms = f->timeout_ms / (uint32_t)f->addr_count;
    ms = f->connect_ms > 0 && f->connect_ms < ms ? f->connect_ms : ms;
    const struct timeval share = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    if (f->attempt == NULL || event_add(f->attempt, ms < f->timeout_ms ? &share : NULL) != 0) {
        return ENOMEM;
    }
    return 0;
}

static void fetch_next_address(struct fetch *f)
{
    attempt_drop(f);
    while (f->addr_next < f->addr_count) {
        const int error = attempt_start(f, &f->addrs[f->addr_next++]);
        if (error == 0) {
            return;
        }
        attempt_failed(f, error);
        attempt_drop(f);
    }
    fetch_finish(f, f->rc);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fetch_next_address(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *f = arg;
    (void)fd;
    (void)what;
    fetch_fail(f, RC_TIMEOUT, "no answer within %u ms", f->timeout_ms);
    fetch_finish(f, RC_TIMEOUT);
}

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
    struct fetch *f = arg;
    (void)fd;
    (void)what;
    fetch_fail(f, RC_CLOSED, "nobody waits for the answer any more");
    fetch_finish(f, RC_CLOSED);
}

static bool arm_hangup(struct fetch *f, int fd)
{
    if (fd == 0) {
        return true;
    }
    f->hangup = event_new(f->base, fd, EV_READ, on_hangup, f);
    return f->hangup != NULL && event_add(f->hangup, NULL) == 0;
}

/* ---- Names ---- */

static void add_address(struct fetch *f, const struct addr *addr)
{
    if (f->addr_count < ADDRESSES_MAX) {
        f->addrs[f->addr_count] = *addr;
        f->addrs[f->addr_count++].port = f->port;
    }
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
    struct fetch *f = arg;
    f->query = NULL;
    if (answer->rc != RC_OK) {
        fetch_fail(f, RC_IO, "%s does not resolve: %s", f->host, answer->detail);
    }
    for (size_t i = 0; i < answer->count; i++) {
        add_address(f, &answer->addrs[i]);
    }
    fetch_next_address(f);
}

static void resolve_blocking(struct fetch *f)
{
    const char *error = NULL;
    if (resolve_wait(f->host, f->port, f->addrs, ADDRESSES_MAX, &f->addr_count, &error) != RC_OK) {
        fetch_fail(f, RC_IO, "%s does not resolve: %s", f->host, error);
    }
}

static void resolve(struct fetch *f, struct dns *dns)
{
    if (addr_parse_ip(f->host, f->port, &f->addrs[0]) == RC_OK) {
        f->addr_count = 1;
    } else if (dns != NULL) {
        f->query = dns_resolve(dns, f->host, DNS_BOTH, on_resolved, f);
        return;
    } else {
        resolve_blocking(f);
    }
    event_active(f->kick, EV_TIMEOUT, 0);
}

/* ---- The request's bytes ---- */

/* Printable, without spaces: nothing that could end a line or a word of the request's head. */
static bool is_word(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c == 0x7f) {
            return false;
        }
    }
    return *text != '\0';
}

static bool is_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

static bool is_known_method(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(method, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_possible(const struct fetch_request *request)
{
    if (!is_known_method(request->method) || !is_word(request->host) ||
        strlen(request->host) > HOST_LEN_MAX || request->port == 0 || !is_word(request->target)) {
        return false;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        if (!is_word(request->headers[i].name) || !is_line(request->headers[i].value)) {
            return false;
        }
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool add_line(struct buf *buf, const char *format, ...)
{
    uint8_t *room = NULL;
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || buf_reserve(buf, (size_t)len + 1, &room) != RC_OK) {
        return false;
    }
    va_start(args, format);
    (void)vsnprintf((char *)room, (size_t)len + 1, format, args);
    va_end(args);
    buf_commit(buf, (size_t)len);
    return true;
}

/* The default port is left out (RFC 9110 section 4.2.3); some virtual hosts know only that form. */
static bool add_host(struct buf *buf, const struct fetch_request *request)
{
    const bool is_v6 = strchr(request->host, ':') != NULL;
    const char *open = is_v6 ? "[" : "";
    const char *close_ = is_v6 ? "]" : "";
    if (request->port == (request->is_tls ? 443 : 80)) {
        return add_line(buf, "Host: %s%s%s\r\n", open, request->host, close_);
    }
    return add_line(buf, "Host: %s%s%s:%u\r\n", open, request->host, close_, request->port);
}

static bool build_request(struct buf *buf, const struct fetch_request *request)
{
    bool has_host = false;
    bool is_ok = add_line(buf, "%s %s HTTP/1.1\r\n", request->method, request->target);
    for (size_t i = 0; i < request->header_count && is_ok; i++) {
        has_host = has_host || strcasecmp(request->headers[i].name, "Host") == 0;
        is_ok = add_line(buf, "%s: %s\r\n", request->headers[i].name, request->headers[i].value);
    }
    if (is_ok && !has_host) {
        is_ok = add_host(buf, request);
    }
    const bool is_upload =
        strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0;
    if (is_ok && (is_upload || request->body_len > 0)) {
        is_ok = add_line(buf, "Content-Length: %zu\r\n", request->body_len);
    }
    return is_ok && add_line(buf, "Connection: close\r\n\r\n") &&
           (request->body_len == 0 || buf_append(buf, request->body, request->body_len) == RC_OK);
}

/* ---- Public ---- */

struct fetch *fetch_start(struct event_base *base, struct dns *dns,
                          const struct fetch_request *request,
                          void (*done)(void *arg, const struct fetch_answer *answer), void *arg)
{
    if (!is_possible(request)) {
        return NULL;
    }
    struct fetch *f = mem_new(1, sizeof(*f));
    f->base = base;
    f->done = done;
    f->arg = arg;
    f->piece = request->piece;
    f->piece_arg = request->piece_arg;
    (void)snprintf(f->host, sizeof(f->host), "%s", request->host);
    f->port = request->port;
    f->is_tls = request->is_tls;
    f->tls = request->tls;
    f->timeout_ms = request->timeout_ms;
    f->connect_ms = request->connect_ms;
    f->fd = -1;
    buf_init(&f->request, REQUEST_HEAD_MAX + request->body_len);
    f->parser = response_parser_new(strcmp(request->method, "HEAD") == 0, request->bytes_max);
    f->timer = evtimer_new(base, on_timer, f);
    f->kick = evtimer_new(base, on_kick, f);
    if (f->timer == NULL || f->kick == NULL || !build_request(&f->request, request) ||
        arm_timer(f) != 0 || !arm_hangup(f, request->hangup_fd)) {
        fetch_free(f);
        return NULL;
    }
    resolve(f, dns);
    return f;
}

void fetch_cancel(struct fetch *f)
{
    if (f != NULL) {
        fetch_free(f);
    }
}

struct wait {
    enum rc rc;
    void (*seen)(void *arg, const struct fetch_answer *answer);
    void *arg;
};

static void on_waited(void *arg, const struct fetch_answer *answer)
{
    struct wait *wait = arg;
    wait->rc = answer->rc;
    if (wait->seen != NULL) {
        wait->seen(wait->arg, answer);
    }
}

enum rc fetch_wait(const struct fetch_request *request,
                   void (*seen)(void *arg, const struct fetch_answer *answer), void *arg)
{
    struct wait wait = {.rc = RC_IO, .seen = seen, .arg = arg};
    struct event_base *base = event_base_new();
    if (base == NULL || fetch_start(base, NULL, request, on_waited, &wait) == NULL) {
        const struct fetch_answer answer = {.rc = RC_IO, .error = "the request cannot be made"};
        on_waited(&wait, &answer);
    } else {
        (void)event_base_dispatch(base);
    }
    if (base != NULL) {
        event_base_free(base);
    }
    return wait.rc;
}
