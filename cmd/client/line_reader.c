#include "cmd/client/line_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

void line_reader_init(struct line_reader *r, int fd, size_t line_max)
{
    *r = (struct line_reader){.fd = fd, .line_max = line_max};
    buf_init(&r->buf, line_max + 1 + READ_BYTES);
}

void line_reader_fini(struct line_reader *r)
{
    buf_fini(&r->buf);
}

static enum rc read_more(struct line_reader *r)
{
    uint8_t *room = NULL;
    const enum rc rc = buf_reserve(&r->buf, READ_BYTES, &room);
    if (rc != RC_OK) {
        return rc == RC_FULL ? RC_TOO_LONG : rc;
    }
    ssize_t n = -1;
    do {
        n = read(r->fd, room, READ_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return RC_IO;
    }
    buf_commit(&r->buf, (size_t)n);
    r->bytes += (uint64_t)n;
    r->is_over = n == 0;
    return RC_OK;
}

enum rc line_reader_next(struct line_reader *r, const char **ret_text, size_t *ret_len)
{
    size_t seen = 0; /* bytes without an end */
    buf_consume(&r->buf, r->taken);
    r->taken = 0;
    r->number++;
    for (;;) {
        const char *data = (const char *)buf_data(&r->buf);
        const char *end = r->buf.len > seen ? memchr(data + seen, '\n', r->buf.len - seen) : NULL;
        const size_t len = end != NULL ? (size_t)(end - data) : r->buf.len;
        if (len > r->line_max) {
            return RC_TOO_LONG;
        }
        if (end != NULL || (r->is_over && len > 0)) {
            r->is_cut = end == NULL;
            r->taken = r->is_cut ? len : len + 1;
            *ret_text = data;
            *ret_len = len;
            return RC_OK;
        }
        if (r->is_over) {
            r->number--;
            return RC_NOT_FOUND;
        }
        seen = r->buf.len;
        const enum rc rc = read_more(r);
        if (rc != RC_OK) {
            return rc;
        }
    }
}

bool line_reader_would_wait(const struct line_reader *r)
{
    const uint8_t *rest = buf_data(&r->buf) + r->taken;
    struct pollfd fd = {.fd = r->fd, .events = POLLIN};
    return !r->is_over && memchr(rest, '\n', r->buf.len - r->taken) == NULL && poll(&fd, 1, 0) == 0;
}
