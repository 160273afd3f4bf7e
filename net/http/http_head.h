/*
 * http_head: the request line and the header lines, split and checked without mercy (RFC 9112,
 * sections 2 to 5). These are pure functions over complete lines, and http_parse feeds them.
 *
 * They see the head before anything acts on it. They do not depend on how strictly the llhttp
 * beside them was built.
 */
#ifndef NET_HTTP_HTTP_HEAD_H
#define NET_HTTP_HTTP_HEAD_H

#include "net/http/http.h"

struct http_refusal {
    int status;
    const char *code;   /* of the problem; static */
    const char *detail; /* static */
};

struct http_request_line {
    struct http_text method;
    struct http_text target;
    int minor; /* of HTTP/1.x */
};

/* Splits "METHOD SP target SP HTTP/1.x", without its CRLF. False with *ret_refusal set: 400, 505
 * for another major version. */
bool http_head_request_line(struct http_text line, struct http_request_line *ret_line,
                            struct http_refusal *ret_refusal);

/* Sets the request's method, target, path and query: origin form, absolute form (of which path and
 * query remain), "*" for OPTIONS. False with *ret_refusal set: 400, 501 for CONNECT. */
bool http_head_target(const struct http_request_line *line, struct http_request *rq,
                      struct http_refusal *ret_refusal);

/* Splits header lines, from the first to the empty one, into at most HTTP_HEADERS_MAX headers.
 * False with *ret_refusal set: 400, 431. */
bool http_head_split(struct http_text lines, struct http_header *ret_headers, size_t *ret_count,
                     struct http_refusal *ret_refusal);

/* What the headers say about framing and expectation. */
struct http_framing {
    bool is_chunked;
    bool expects_continue;
    uint64_t content_length; /* 0 when chunked or not given */
};

/* Judges Host, Content-Length, Transfer-Encoding and Expect together (RFC 9112 sections 3.2 and 6,
 * RFC 9110 section 10.1.1). False with *ret_refusal set: 400, 413, 417, 501. */
bool http_head_framing(const struct http_request *rq, int minor, struct http_framing *ret_framing,
                       struct http_refusal *ret_refusal);

#endif
