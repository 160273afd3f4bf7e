/*
 * http_server_config: the settings of an HTTP server, its hooks, and its counters.
 */
#ifndef NET_HTTP_HTTP_SERVER_CONFIG_H
#define NET_HTTP_HTTP_SERVER_CONFIG_H

#include "net/crypto/tls_context.h"
#include "net/http/http.h"

struct bufferevent;
struct event_base;
struct pagepool;
struct node_cidr;
struct stream;

struct http_server_config {
    struct event_base *base; /* borrowed */
    int listen_fd;           /* listening, non-blocking; taken over */
    uint32_t connections_max, connections_per_ip_max;
    /* The most memory of all bodies that are arriving; the first of them may exceed it. A body
     * counts as what has come of it takes; one in its connection's own buffer as nothing. One
     * without room waits unread, for at most the request timeout, and others that are too slow for
     * that end before it (net/http/http_room). */
    uint64_t bodies_bytes_max;
    struct pagepool *pages; /* where large bodies get their memory, as blob_new(); borrowed until
                               the base is freed, for answers may lie in its buffers until then */
    uint32_t idle_timeout_ms, request_timeout_ms;
    uint32_t rate_limit; /* requests per second per client, 0 off; burst is twice that */
    bool trust_all;      /* X-Forwarded-For from anybody */
    const struct node_cidr *trust;
    uint32_t trust_count;
    void *arg;
    /* Asked once a request, when its headers are complete (rq->body is not there yet). */
    struct http_route (*route)(void *arg, const struct http_request *rq);
    /* Asked then, of a request that no limit has stopped, and before any of its body is read;
     * false: `rs` is the refusal. It may lower rq->route.body_max, and says so by is_bounded: of a
     * body that turns out to be larger it is asked once more, with a rq->body_len above that. NULL:
     * all may do everything. */
    bool (*admit)(void *arg, struct http_request *rq, struct http_response *rs);
    const char *cors; /* lines for answers to what is no request; NULL: none; borrowed */
    void (*handle)(void *arg, const struct http_request *rq, struct http_response *rs);
    /* After HTTP_BODY_UPGRADE, which is of plain connections alone: the 101 is written, the
     * connection is the callee's (its callbacks are unset, input not yet read stands in its input
     * buffer), and it no longer counts against any limit. */
    void (*upgraded)(void *arg, struct bufferevent *bev, const struct addr *from);
    /* A link that was made with a key of the cluster; taken (stream_take()). It counts against no
     * limit. */
    void (*sealed_link)(void *arg, struct stream *stream, uint16_t key_id, const struct addr *from);
    const struct tls_context *tls; /* borrowed; NULL: nothing but plain HTTP */
};

enum http_handshake {
    HTTP_HANDSHAKE_OK,
    HTTP_HANDSHAKE_FAILED,
    HTTP_HANDSHAKE_TIMEOUT,
    HTTP_HANDSHAKE_LIMITED, /* too many were unfinished */
    HTTP_HANDSHAKE_DRAINED, /* the server ended meanwhile */
    HTTP_HANDSHAKE_RESULTS,
};

struct http_server_stats {
    uint64_t connections; /* open now */
    uint64_t connections_total, connections_refused;
    uint64_t requests_total;
    uint64_t requests_by_class[6]; /* [2] for 2xx ... */
    uint64_t requests_malformed, rate_limited, timeouts, bodies_outpaced;
    uint64_t bytes_in, bytes_out;
    uint64_t handshakes[TLS_KINDS][HTTP_HANDSHAKE_RESULTS]; /* of TLS */
};

#endif
