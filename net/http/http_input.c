#include "net/http/http_input.h"

#include "core/base/assert.h"

#include <event2/buffer.h>
#include <string.h>

void http_input_take(struct http_input *input, const uint8_t *data, size_t len)
{
    ASSERT(input->fresh_len == 0);
    input->fresh = data;
    input->fresh_len = len;
}

enum rc http_input_keep(struct http_input *input)
{
    const size_t len = input->fresh_len;
    input->fresh_len = 0;
    if (len > 0 && evbuffer_add(input->kept, input->fresh, len) != 0) {
        return RC_NO_MEMORY;
    }
    return RC_OK;
}

size_t http_input_len(const struct http_input *input)
{
    return evbuffer_get_length(input->kept) + input->fresh_len;
}

size_t http_input_run(const struct http_input *input, const uint8_t **ret_run)
{
    struct evbuffer_iovec piece;
    if (evbuffer_get_length(input->kept) > 0 &&
        evbuffer_peek(input->kept, -1, NULL, &piece, 1) > 0) {
        *ret_run = piece.iov_base;
        return piece.iov_len;
    }
    *ret_run = input->fresh;
    return input->fresh_len;
}

size_t http_input_copy(const struct http_input *input, uint8_t *to, size_t size)
{
    size_t copied = 0;
    if (evbuffer_get_length(input->kept) > 0) {
        const ev_ssize_t got = evbuffer_copyout(input->kept, to, size);
        copied = got > 0 ? (size_t)got : 0;
    }
    const size_t left = size - copied < input->fresh_len ? size - copied : input->fresh_len;
    if (left > 0) {
        memcpy(to + copied, input->fresh, left);
    }
    return copied + left;
}

void http_input_drop(struct http_input *input, size_t len)
{
    const size_t kept = evbuffer_get_length(input->kept);
    const size_t from_kept = len < kept ? len : kept;
    ASSERT(len - from_kept <= input->fresh_len);
    if (from_kept > 0) {
        (void)evbuffer_drain(input->kept, from_kept);
    }
    if (len > from_kept) {
        input->fresh += len - from_kept;
        input->fresh_len -= len - from_kept;
    }
}
