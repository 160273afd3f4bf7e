/*
 * line_reader: the lines of a descriptor, one after the other, of any length up to a limit.
 */
#ifndef CMD_CLIENT_LINE_READER_H
#define CMD_CLIENT_LINE_READER_H

#include "core/base/buf.h"
#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_reader {
    int fd; /* borrowed */
    struct buf buf;
    size_t line_max;
    size_t taken;    /* bytes of the last line, with its end, still at the front of the buffer */
    uint64_t number; /* of the last line, from 1 on */
    uint64_t bytes;  /* read so far */
    bool is_over;    /* the descriptor's end was seen */
    bool is_cut;     /* the last line has no end */
};

void line_reader_init(struct line_reader *r, int fd, size_t line_max);
void line_reader_fini(struct line_reader *r);

/* The next line without its LF, borrowed until the next call. RC_NOT_FOUND at the end; RC_TOO_LONG
 * (r->number is that line's), RC_NO_MEMORY, RC_IO (errno). */
MUST_USE enum rc line_reader_next(struct line_reader *r, const char **ret_text, size_t *ret_len);

/* Whether the next line is not there yet, so that line_reader_next() would wait for who writes it.
 */
bool line_reader_would_wait(const struct line_reader *r);

#endif
