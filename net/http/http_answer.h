/*
 * http_answer: a response's bytes, appended to a connection's output buffer.
 *
 * Status line, the handler's headers, and the framing ones (Date, Connection, Content-Length or
 * Transfer-Encoding), which only the server knows. Blobs and streams are bodies that are made as
 * the client reads them. They are an http_source, which never puts more into the buffer than its
 * marks say.
 */
#ifndef NET_HTTP_HTTP_ANSWER_H
#define NET_HTTP_HTTP_ANSWER_H

#include "net/http/http.h"

#include <time.h>

struct evbuffer;

enum {
    /* A source fills the output up to this and is asked again when it is under the low mark: two
     * blob segments keep a fast reader busy for a loop turn, and bound what a slow one costs. */
    HTTP_OUTPUT_HIGH = 128 * 1024,
    /* A blob, of which nothing is copied, fills it up to this: what the kernel takes at once, in a
     * turn of a quarter of a millisecond. */
    HTTP_OUTPUT_BLOB = 1024 * 1024 + 64 * 1024,
    HTTP_OUTPUT_LOW = 32 * 1024,
    HTTP_PIECE_MAX = 64 * 1024, /* so much one call of a stream's producer may append */
    HTTP_FRAME_MAX = 32,        /* so much is put around it */
};

/* The Date line (RFC 9110 section 6.6.1), formatted again when the second changes. */
struct http_date {
    time_t second;
    char line[48];
};

const char *http_answer_date_line(struct http_date *date, time_t now);

enum http_length {
    HTTP_LENGTH_KNOWN,       /* Content-Length */
    HTTP_LENGTH_CHUNKED,     /* Transfer-Encoding: chunked */
    HTTP_LENGTH_UNTIL_CLOSE, /* to an HTTP/1.0 client */
    HTTP_LENGTH_NONE,        /* 204, 304: no body, no length */
};

struct http_answer {
    enum http_length length;
    uint64_t body_len;        /* when known */
    bool is_bodiless;         /* HEAD: the headers of a GET, and no more */
    bool is_close;            /* Connection: close */
    bool is_keep_alive_named; /* Connection: keep-alive, without which HTTP/1.0 closes */
};

/* Appends the head, and for a response of bytes the body too; large ones are taken out of `rs`
 * instead of copied. RC_NO_MEMORY: the connection is of no more use. */
MUST_USE enum rc http_answer_write(struct evbuffer *out, const struct http_answer *answer,
                                   struct http_response *rs, const char *date_line);

/* Appends "101 Switching Protocols" and the handler's headers. */
MUST_USE enum rc http_answer_upgrade(struct evbuffer *out, const struct http_response *rs);

/* The rest of a body that is being sent. */
struct http_source {
    struct blob *blob; /* one count; NULL for a stream */
    size_t offset;
    http_produce produce; /* NULL: no source */
    void (*done)(void *arg);
    void *arg;
    bool is_chunked;
    bool is_waking; /* as in the response */
};

bool http_answer_source_is_active(const struct http_source *source);

/* Takes blob or stream out of the response. */
void http_answer_source_take(struct http_source *source, struct http_response *rs, bool is_chunked);

/* Appends up to the high mark; `piece` is scratch memory with a maximum of HTTP_PIECE_MAX. After
 * the last byte the source is over. RC_AGAIN: a stream has nothing for now. RC_NO_MEMORY. */
MUST_USE enum rc http_answer_source_fill(struct http_source *source, struct evbuffer *out,
                                         struct buf *piece);

/* What a stream has to say when it is woken, framed, in `piece` itself, and with the source's end
 * if that was the last. Its producer is asked once, and may have more. Empty: nothing. RC_FULL,
 * RC_NO_MEMORY. */
MUST_USE enum rc http_answer_source_piece(struct http_source *source, struct buf *piece);

/* Lets go of what is left. */
void http_answer_source_drop(struct http_source *source);

#endif
