/*
 * http: a request and a response as plain values, between the server (net/http/http_server) and the
 * handlers (net/api).
 *
 * Handlers are functions from one to the other and know no socket. The server has parsed, limited
 * and decoded; RFC 9112 framing is its business, RFC 9110 meaning the handlers'.
 */
#ifndef NET_HTTP_HTTP_H
#define NET_HTTP_HTTP_H

#include "core/base/addr.h"
#include "core/base/buf.h"
#include "core/base/rc.h"
#include "core/store/blob.h"
#include "net/http/http_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_REQUEST_LINE_MAX = 8 * 1024,
    HTTP_HEADERS_MAX = 100,
    HTTP_HEADER_BYTES_MAX = 16 * 1024,
    /* What a handler may put into a response. The body's bound is above the longest page we make, a
     * member list of 16,384; longer ones are streams. */
    HTTP_RESPONSE_HEADER_BYTES_MAX = 16 * 1024,
    HTTP_RESPONSE_BYTES_MAX = 16 * 1024 * 1024,
    /* After how long an EventSource should connect again, and where there is no room for it now. */
    HTTP_EVENTS_RETRY_MS = 1000,
    HTTP_EVENTS_BUSY_MS = 5000,
};

enum http_method {
    HTTP_GET_, /* the underscore keeps clear of llhttp's names */
    HTTP_HEAD_,
    HTTP_PUT_,
    HTTP_POST_,
    HTTP_DELETE_,
    HTTP_OPTIONS_,
    HTTP_PATCH_,
    HTTP_OTHER_, /* any other valid token */
};

struct http_header {
    struct http_text name;  /* as sent; compare without case */
    struct http_text value; /* without surrounding white space */
};

/* What a request asks for, as found once, when its headers are complete. */
struct http_route {
    const void *row;       /* of the handlers' table; NULL: there were no handlers yet */
    struct http_text rest; /* of the path, behind the row's part of it; borrowed likewise */
    uint64_t body_max;     /* the most bytes of body that it may have */
    bool is_bounded;       /* by a rule: what is larger is judged once more, by its size */
    bool is_exempt;        /* no rate limit touches it (probes) */
    uint8_t right;         /* what it takes where there are rules; 0: nothing */
    uint32_t user, rules;  /* who asks, and by which of the rules that is so (net/access/access) */
    const char *cors;      /* lines for the answer, whichever it is; NULL: none */
    bool is_events;        /* answered by http_events(): refusals that pass are events too */
};

/* Everything borrowed from the connection until the handler returns (for a deferred answer: not
 * longer). */
struct http_request {
    uint64_t id; /* names the exchange for http_server_complete() */
    enum http_method method;
    struct http_text target; /* origin form, as sent */
    struct http_text path;   /* before '?', still percent-encoded */
    struct http_text query;  /* after '?', still encoded; empty when there is none */
    const struct http_header *headers;
    size_t header_count;
    struct addr client; /* who asks: the connection's peer, or what a trusted proxy says */
    bool is_tls;        /* over HTTPS */
    bool needs_token;   /* a certificate let it in, and a browser shows one by itself, whichever
                           page asks (Origin): nothing is allowed without a token */
    struct http_route route;
    /* The body: inline when small, a blob when larger than VALUE_INLINE_MAX; a handler that keeps
     * the blob holds it. */
    const uint8_t *body;
    struct blob *blob;
    size_t body_len;
};

/* The first header of that name without regard to case; NULL when there is none. */
const struct http_header *http_find(const struct http_request *rq, const char *name);

/* Whether a header of that name lists the word, case ignored. */
bool http_lists(const struct http_request *rq, const char *name, const char *word);

/* http_text_weight() of all headers of that name together. */
uint32_t http_weight(const struct http_request *rq, const char *name, const char *word);

/* How many headers of that name there are. */
size_t http_count(const struct http_request *rq, const char *name);

enum http_body {
    HTTP_BODY_BYTES,   /* `bytes` */
    HTTP_BODY_BLOB,    /* `blob`, one count of which passes to the server */
    HTTP_BODY_STREAM,  /* `produce` is called for more whenever the connection's buffer has drained
                        */
    HTTP_BODY_DEFER,   /* no answer yet: http_server_complete() follows */
    HTTP_BODY_UPGRADE, /* 101, then the connection leaves HTTP (only for net/link/peer_link) */
};

/* Appends some more of a streamed body to `out`; returns false after the last piece. `arg` is freed
 * by `done`. */
typedef bool (*http_produce)(void *arg, struct buf *out);

struct http_response {
    int status;
    struct buf headers; /* complete "Name: value\r\n" lines, without framing ones (length,
                           connection, date) */
    struct buf bytes;
    enum http_body kind;
    struct blob *blob;
    http_produce produce;
    void (*done)(
        void *arg); /* called once when the stream is over, however it ended; may be NULL */
    void *arg;
    bool is_waking; /* a stream that is not asked for more until http_server_wake(), and then once,
                       or until it has nothing to say; it ends with its client's half of the
                       connection */
    bool is_brief;  /* of HTTP_BODY_DEFER: the answer will be of HTTP_BODY_BYTES, so requests behind
                       it need not wait for it */
    bool is_close;  /* close the connection after this answer */
    bool is_cut;    /* there was no memory for a header: the server resets the connection */
};

void http_response_init(struct http_response *rs);

/* Frees what is in it: buffers, its count of the blob, and a stream that was not taken (`done` is
 * called). Empty afterwards. */
void http_response_fini(struct http_response *rs);

/* The same, but the memory of its two buffers is kept for the next answer. */
void http_response_clear(struct http_response *rs);

/* Adds one header line; name and value must hold no CR or LF, which is asserted. Without memory for
 * it, as for the two below, the answer is cut. */
void http_add(struct http_response *rs, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same without a format, for what every answer has. */
void http_add_text(struct http_response *rs, const char *name, const char *value);
void http_add_number(struct http_response *rs, const char *name, uint64_t value);

/* Adds whole lines, each with its CRLF, that are written down in the code. */
void http_add_lines(struct http_response *rs, const char *lines);

/* Sets the status and a body of bytes with its content type, in place of an earlier body and type.
 * Without memory for it the answer becomes an empty 500. */
void http_set_body(struct http_response *rs, int status, const char *type, const void *data,
                   size_t len);

/* The answer is a stream of JSON. It is not kept by anybody on the way. */
void http_stream_json(struct http_response *rs, http_produce produce, void (*done)(void *arg),
                      void *arg);

/* The answer is a stream of server-sent events (WHATWG HTML, 9.2): its status and headers. No proxy
 * keeps it back. */
void http_events(struct http_response *rs);

/* The last words of such a stream: when to come back, and an event `end` with a code and a sentence
 * for people, neither of which needs escapes. All of it or nothing: RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc http_events_end(struct buf *out, uint32_t retry_ms, const char *code,
                                 const char *detail);

/* A refusal that passes, as a stream of events that is over at once: after another status than 200
 * an EventSource never comes back. */
void http_events_refuse(struct http_response *rs, uint32_t retry_ms, const char *code,
                        const char *detail);

/* What a page of another origin may read beside the body of an answer that it may read (CORS). */
#define HTTP_CORS_EXPOSED             \
    "Access-Control-Expose-Headers: " \
    "ETag, X-Created-At, X-Original-TTL, X-Remaining-TTL, X-Replicas, Retry-After\r\n"
/* Pages of any origin may. */
#define HTTP_CORS_LINES "Access-Control-Allow-Origin: *\r\n" HTTP_CORS_EXPOSED

/*
 * An application/problem+json answer (RFC 9457): type, title, status, detail and our `code`.
 * `detail` must not hold the value of a record; it is escaped here, and cut after 500 bytes.
 * Statuses that ask for it get Retry-After: 1 (429, 503).
 */
void http_problem(struct http_response *rs, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The reason phrase of a status we use; "Unknown" otherwise. */
const char *http_reason(int status);

#endif
