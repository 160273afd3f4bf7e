/*
 * http_parse: the bytes of one request, as they come, into a struct http_request or a refusal.
 * Sans-IO.
 *
 * llhttp does the framing and the tables of characters. What it lets through is refused here, on
 * the lines of the head that this module keeps and splits itself, and on the bytes between the data
 * of chunks: missing or doubled Host, obs-fold, bare CR or LF, empty names, no version, versions
 * other than 1.x, methods of other protocols, Transfer-Encoding that is not exactly "chunked", and
 * unbounded chunk extensions and trailers. After a refusal the framing cannot be trusted any more:
 * answer and close.
 *
 * Left out: what a path or a header means (the handlers), Expect's interim answer, keep-alive as a
 * policy (http_conn). Trailers are checked and dropped.
 */
#ifndef NET_HTTP_HTTP_PARSE_H
#define NET_HTTP_HTTP_PARSE_H

#include "net/http/http.h"
#include "net/http/http_head.h"

struct http_parse;
struct pagepool;

enum http_parse_state {
    HTTP_PARSE_HEAD,    /* more of the request line and the headers is wanted */
    HTTP_PARSE_HEADERS, /* they are complete: http_parse_accept() decides */
    HTTP_PARSE_BODY,    /* more of the body is wanted */
    HTTP_PARSE_DONE,    /* the request is complete */
    HTTP_PARSE_REFUSED, /* see http_parse_refusal() */
};

/* Large bodies get their memory from `pool`, as blob_new(). NULL when out of memory. */
struct http_parse *http_parse_new(struct pagepool *pool);
void http_parse_free(struct http_parse *p);

/* Makes it ready for the next request and lets go of the last one's body. */
void http_parse_reset(struct http_parse *p);

/* Takes bytes, at least one while it is in HEAD or BODY, and returns how many. It stops after the
 * head and after the last byte of the request: what follows belongs to the next one. */
size_t http_parse_feed(struct http_parse *p, const void *data, size_t len);

/* Where the next bytes may be put before http_parse_feed() gets them, each room by itself, so that
 * it need not copy them: those of a large body whose length is known, as many as have come and
 * `wanted` at most. Sets up to BLOB_ROOMS_MAX of ret_rooms and returns how many; 0: nowhere. Good
 * until the next feed or reset.
 */
size_t http_parse_rooms(struct http_parse *p, size_t wanted, struct blob_room *ret_rooms);

/* Goes on from HEADERS to BODY, or to DONE when there is no body. A body that declares more than
 * `body_max` is refused (413) here; one without a declared length is refused when it gets there. */
void http_parse_accept(struct http_parse *p, uint64_t body_max);

enum http_parse_state http_parse_state(const struct http_parse *p);
const struct http_refusal *http_parse_refusal(const struct http_parse *p);

/* From HEADERS on; pointers hold until the reset. `id` and `client` are the caller's to set. Body
 * and blob are there when DONE. */
struct http_request *http_parse_request(struct http_parse *p);

/* From HEADERS on. */
bool http_parse_is_keep_alive(const struct http_parse *p); /* the client's wish */
bool http_parse_is_http10(const struct http_parse *p);
bool http_parse_is_upgrade(const struct http_parse *p);   /* Connection and Upgrade ask for it */
bool http_parse_has_body(const struct http_parse *p);     /* of a length over 0, or chunked */
uint64_t http_parse_body_len(const struct http_parse *p); /* so much of it has come */
uint64_t http_parse_body_max(const struct http_parse *p); /* the most bytes it can still come to */
bool http_parse_expects_continue(const struct http_parse *p); /* Expect: 100-continue */

#endif
