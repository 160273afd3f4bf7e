/*
 * config_file: `KEY=value` lines of a file given with --config, and of files that hold a secret.
 *
 * Blank lines and lines that begin with '#' are skipped; spaces around key and value are dropped,
 * and one pair of quotes around the value. No escapes, no continuation, no inclusion. Bounded in
 * bytes and lines.
 */
#ifndef CMD_SETTINGS_CONFIG_FILE_H
#define CMD_SETTINGS_CONFIG_FILE_H

#include "core/base/rc.h"

#include <stddef.h>

enum {
    CONFIG_FILE_BYTES_MAX = 64 * 1024,
    CONFIG_FILE_LINES_MAX = 1024,
    CONFIG_FILE_WAIT_MS = 5000, /* for who fetches a secret before he writes it */
};

struct config_line {
    const char *key;   /* terminated, never empty */
    const char *value; /* terminated, may be empty */
    unsigned number;   /* of the line, from 1 */
};

struct config_file {
    char *text; /* owned; the lines point into it */
    size_t len;
    struct config_line lines[CONFIG_FILE_LINES_MAX];
    size_t line_count;
};

/*
 * Reads a file of at most `size_max` bytes into memory, which is the caller's to free; a NUL is
 * appended and not counted. Of a FIFO, to which nobody may ever write, RC_TIMEOUT when it is silent
 * for CONFIG_FILE_WAIT_MS. RC_NOT_FOUND, RC_TOO_LONG, RC_IO; errno is kept for the first and last.
 */
MUST_USE enum rc config_file_read(const char *path, size_t size_max, char **ret_text,
                                  size_t *ret_len);

/* The same of a file that others read too, or this process once more: RC_REFUSED of a FIFO, which
 * gives up what it holds once only. */
MUST_USE enum rc config_file_read_again(const char *path, size_t size_max, char **ret_text,
                                        size_t *ret_len);

/* What config_file_read() failed with, for people; errno is still its. */
const char *config_file_why(enum rc rc);

/* Parses a copy of `len` bytes. RC_MALFORMED (a line without '=', an empty or strange key, a NUL)
 * with the line in *ret_line; RC_TOO_LONG beyond the limits. */
MUST_USE enum rc config_file_parse(struct config_file *file, const char *text, size_t len,
                                   unsigned *ret_line);

void config_file_fini(struct config_file *file);

#endif
