#include "core/base/buf.h"

#include "core/base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { BUF_SIZE_MIN = 256 };

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_fini(struct buf *buf)
{
    free(buf->base);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->start = 0;
    buf->len = 0;
}

void buf_clear_behind(struct buf *buf, size_t room)
{
    buf->start = room < buf->size ? room : buf->size;
    buf->len = 0;
}

static enum rc buf_grow(struct buf *buf, size_t len)
{
    size_t size = buf->size < BUF_SIZE_MIN ? BUF_SIZE_MIN : buf->size;
    while (size < buf->len + len) {
        size *= 2;
    }
    uint8_t *base = malloc(size);
    if (base == NULL) {
        return RC_NO_MEMORY;
    }
    if (buf->len > 0) {
        memcpy(base, buf->base + buf->start, buf->len);
    }
    free(buf->base);
    buf->base = base;
    buf->start = 0;
    buf->size = size;
    return RC_OK;
}

enum rc buf_reserve(struct buf *buf, size_t len, uint8_t **ret_room)
{
    if (len > buf->max - buf->len) {
        return RC_FULL;
    }
    if (buf->start + buf->len + len > buf->size) {
        if (buf->len + len <= buf->size) {
            memmove(buf->base, buf->base + buf->start, buf->len);
            buf->start = 0;
        } else {
            const enum rc rc = buf_grow(buf, len);
            if (rc != RC_OK) {
                return rc;
            }
        }
    }
    *ret_room = buf->base + buf->start + buf->len;
    return RC_OK;
}

void buf_commit(struct buf *buf, size_t len)
{
    ASSERT(buf->start + buf->len + len <= buf->size);
    buf->len += len;
}

enum rc buf_append(struct buf *buf, const void *data, size_t len)
{
    if (len == 0) {
        return RC_OK;
    }
    uint8_t *room = NULL;
    const enum rc rc = buf_reserve(buf, len, &room);
    if (rc == RC_OK) {
        memcpy(room, data, len);
        buf_commit(buf, len);
    }
    return rc;
}

enum rc buf_prepend(struct buf *buf, const void *data, size_t len)
{
    uint8_t *room = NULL;
    if (len > buf->max - buf->len) {
        return RC_FULL;
    }
    if (buf->start < len) {
        const enum rc rc = buf_reserve(buf, len, &room);
        if (rc != RC_OK) {
            return rc;
        }
        memmove(buf->base + buf->start + len, buf->base + buf->start, buf->len);
        buf->start += len;
    }
    buf->start -= len;
    buf->len += len;
    memcpy(buf->base + buf->start, data, len);
    return RC_OK;
}

const uint8_t *buf_data(const struct buf *buf)
{
    return buf->base == NULL ? (const uint8_t *)"" : buf->base + buf->start;
}

void buf_consume(struct buf *buf, size_t len)
{
    ASSERT(len <= buf->len);
    buf->len -= len;
    buf->start = buf->len == 0 ? 0 : buf->start + len;
}
