/*
 * response_parser: an HTTP/1.1 answer from the bytes of a connection (llhttp in strict mode).
 *
 * Fed as the bytes come; bounded in header bytes, header count and body bytes. Interim answers
 * (1xx) are skipped, but 101, which ends HTTP, is an answer. One parser reads the answers of a
 * connection one after the other, and can be set to keep only their status. Left out: sockets,
 * trailers (read and dropped), content codings.
 */
#ifndef NET_OUT_RESPONSE_PARSER_H
#define NET_OUT_RESPONSE_PARSER_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct response_parser;

/* `is_head`: the answer to a HEAD request, which has no body whatever its headers say. Never NULL.
 */
struct response_parser *response_parser_new(bool is_head, size_t bytes_max);
void response_parser_free(struct response_parser *p);

/* Before the first byte: headers and bodies are checked and counted against their limits as ever,
 * and not kept. */
void response_parser_keep_nothing(struct response_parser *p);

/*
 * Takes the next bytes. RC_AGAIN: more are needed; RC_OK: the answer is complete, and what follows
 * it is ignored; RC_TOO_LONG: the body or the headers are larger than allowed; RC_MALFORMED.
 * Anything but RC_AGAIN is final.
 */
MUST_USE enum rc response_parser_feed(struct response_parser *p, const void *data, size_t len);

/* The connection ended: RC_OK when that completes the answer, RC_CLOSED when it was cut short. */
MUST_USE enum rc response_parser_end(struct response_parser *p);

/* After RC_OK: how many of the bytes fed were the answer. */
size_t response_parser_length(const struct response_parser *p);

/* After RC_OK: whether the connection may carry another request (RFC 9112 section 9.3). */
bool response_parser_is_keep_alive(const struct response_parser *p);

/* After RC_OK: makes it ready for the next answer of the connection. What was borrowed from it is
 * gone. */
void response_parser_next(struct response_parser *p);

/* After RC_OK; borrowed from the parser. */
int response_parser_status(const struct response_parser *p);
const uint8_t *response_parser_body(const struct response_parser *p, size_t *ret_len);

/* While it arrives: whether the head of the final answer is complete, after which status and
 * headers hold; and forgetting the body's bytes so far, which the caller has used. */
bool response_parser_has_head(const struct response_parser *p);
void response_parser_drain(struct response_parser *p);

/* The first header of that name, case ignored; NULL when absent. */
const char *response_parser_header(const struct response_parser *p, const char *name);

#endif
