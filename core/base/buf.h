/*
 * buf: a byte buffer that grows up to a maximum said at its birth. Bytes are appended at the end
 * and consumed from the front. Bytes that do not fit are refused whole, never cut.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *base;
    size_t start; /* consumed bytes before the live ones */
    size_t len;   /* live bytes */
    size_t size;  /* allocated */
    size_t max;   /* live bytes never exceed this */
};

void buf_init(struct buf *buf, size_t max);

/* Frees the memory; the buffer is as after buf_init() with the same maximum. */
void buf_fini(struct buf *buf);

/* Drops the content, keeps the memory. */
void buf_clear(struct buf *buf);

/* The same, and leaves room for so many bytes before what is appended next, as far as there is
 * memory already. */
void buf_clear_behind(struct buf *buf, size_t room);

/* Copies `len` bytes before the content, without moving it where room was left. Errors as
 * buf_append(). */
MUST_USE enum rc buf_prepend(struct buf *buf, const void *data, size_t len);

/* Copies `len` bytes to the end. RC_FULL beyond the maximum, RC_NO_MEMORY. */
MUST_USE enum rc buf_append(struct buf *buf, const void *data, size_t len);

/* Room for `len` more bytes, at *ret_room until the next call; made part of the content by
 * buf_commit(). Errors as buf_append(). */
MUST_USE enum rc buf_reserve(struct buf *buf, size_t len, uint8_t **ret_room);
void buf_commit(struct buf *buf, size_t len);

/* The live bytes, valid until the next call that changes the buffer. */
const uint8_t *buf_data(const struct buf *buf);

/* Drops `len` bytes from the front; len <= buf->len. */
void buf_consume(struct buf *buf, size_t len);

#endif
