/*
 * export_file: where an export goes: standard output, or a file, which an export that was broken
 * off can go on with behind its last whole line.
 */
#ifndef CMD_CLIENT_EXPORT_FILE_H
#define CMD_CLIENT_EXPORT_FILE_H

#include "core/base/rc.h"
#include "core/store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct export_file {
    FILE *out;
    const char *name; /* for people; borrowed */
    bool is_stdout;
    bool has_head; /* lines are there already */
    /* The key of the last entry that is there; after_len is 0 when there is none. */
    uint8_t after[KEY_BYTES_MAX];
    size_t after_len;
    char problem[256]; /* of what failed, for people */
};

/*
 * Opens it for writing; `path` is NULL or "-" for standard output. With `resumes` a file that is
 * there is cut behind its last whole line; else it is emptied. RC_IO, RC_MALFORMED (it is no
 * export), RC_NO_MEMORY, and f->problem says what is wrong.
 */
MUST_USE enum rc export_file_open(struct export_file *f, const char *path, bool resumes);

/* Writes it, and keeps nothing back. RC_IO when not all was written, which f->problem explains. */
MUST_USE enum rc export_file_write(struct export_file *f, const void *data, size_t len);

/* Closes it unless it is standard output. RC_IO likewise. Once, after a successful open. */
MUST_USE enum rc export_file_close(struct export_file *f);

#endif
