/*
 * output: standard output, of which no byte is lost in silence.
 *
 * Whatever is printed goes to stdout as usual. The first write that fails is remembered, even one
 * in the middle of a printf whose buffer was full, as stdio forgets its reason. main() asks at
 * the end, so no command has to. That nobody reads any more is no fault worth a line.
 */
#ifndef CMD_BASE_OUTPUT_H
#define CMD_BASE_OUTPUT_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>

/* Once, before anything is printed. A standard descriptor that the parent closed is taken, so that
 * no file or socket gets its number: reading or writing it fails from then on. */
void output_begin(void);

/* Writes what is buffered; false when any byte was lost until now. */
bool output_flush(void);

/* The command's exit code: `code`, or 1 when it was 0 and bytes were lost, and a line on standard
 * error says why. */
int output_end(int code);

bool output_is_terminal(void);

/* Columns of the terminal; 80 when it does not say. */
size_t output_columns(void);

enum output_tint { TINT_NONE, TINT_BOLD, TINT_GOOD, TINT_DOUBTFUL, TINT_BAD, TINT_COUNT };

/* When colours are shown: "auto" (on a terminal, unless NO_COLOR is set or TERM is "dumb"; what it
 * is at first), "always" or "never". RC_MALFORMED for another word. */
MUST_USE enum rc output_set_color(const char *when);

/* What begins a tint, and with TINT_NONE ends it; "" where colours are not shown. */
const char *output_tint(enum output_tint tint);

/* A line on standard error that tells whoever looks on how far it is, and is written over: begins
 * it, in place of the last one; what it says follows, without a newline. */
void output_progress_begin(void);

/* Takes it away, if one is shown: before anything else is said there, and at the end. */
void output_progress_end(void);

/* Whether somebody could still read: false for a pipe whose reader has gone. */
bool output_has_reader(void);

/* Waits, but not beyond the moment when the reader goes. */
void output_pause(unsigned ms);

#endif
