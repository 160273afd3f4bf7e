/*
 * http_input: what a client has sent and nobody has used yet.
 *
 * Reading goes into memory that all connections share. What is used at once is never copied: that
 * is every small request and most of a large body. What is left at the end of the event is kept in
 * the connection's own buffer, and comes first the next time. A bufferevent of libevent would ask
 * the kernel how much there is, and allocate for it, before each read; that is one system call in
 * three.
 *
 * Left out: how much may be kept, and when the socket is read.
 */
#ifndef NET_HTTP_HTTP_INPUT_H
#define NET_HTTP_HTTP_INPUT_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct evbuffer;

struct http_input {
    struct evbuffer *kept; /* borrowed */
    const uint8_t *fresh;  /* behind it; only until http_input_keep() */
    size_t fresh_len;
};

/* `len` bytes were read to `data`, which is not to be used otherwise until http_input_keep(). */
void http_input_take(struct http_input *input, const uint8_t *data, size_t len);

/* Copies what was not used. RC_NO_MEMORY: it is lost. */
MUST_USE enum rc http_input_keep(struct http_input *input);

/* Bytes that are there. */
size_t http_input_len(const struct http_input *input);

/* The first run of them: its address in *ret_run, its length returned; 0 when there is none. */
size_t http_input_run(const struct http_input *input, const uint8_t **ret_run);

/* Copies the first `size` bytes, or as many as there are; returns how many. */
size_t http_input_copy(const struct http_input *input, uint8_t *to, size_t size);

/* The first `len` bytes, which are there, were used. */
void http_input_drop(struct http_input *input, size_t len);

#endif
