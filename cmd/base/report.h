/*
 * report: lines for a person, collected so that all are shown at once and a test can read them. It
 * is bounded: a line that does not fit is left out whole, and counted.
 */
#ifndef CMD_BASE_REPORT_H
#define CMD_BASE_REPORT_H

#include <stddef.h>
#include <stdint.h>

enum { REPORT_BYTES_MAX = 8 * 1024 };

struct report {
    char text[REPORT_BYTES_MAX]; /* lines, each ended by a newline; terminated */
    size_t len;
    uint32_t count; /* lines, those left out included */
};

/* Adds one line, without its newline. What is not plain (cmd/base/plain) becomes '?'. */
void report_add(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes every line to standard error behind `prefix`. */
void report_print(const struct report *r, const char *prefix);

#endif
