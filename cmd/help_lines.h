/*
 * help_lines: the parts of a help text (cmd/settings/help), for completion and the manual.
 *
 *   usage: repram put KEY [options]       the first lines, up to an empty one
 *
 *   Stores a value.                       paragraphs
 *
 *     -f, --file FILE    read the value   options: lines that begin with blanks and a dash; lines
 *                        from a file      of more blanks that follow go on with the words
 *
 *   examples:                             to the end
 */
#ifndef CMD_HELP_LINES_H
#define CMD_HELP_LINES_H

#include "cmd/base/options.h"

#include <stdbool.h>
#include <stddef.h>

enum { HELP_LINES_VALUE_SIZE = 40, HELP_LINES_TEXT_SIZE = 512 };

struct help_option {
    char value[HELP_LINES_VALUE_SIZE]; /* what stands for it, as FILE; "" for none */
    char text[HELP_LINES_TEXT_SIZE];   /* what it does, in one line */
};

/* What the help says of an option; false when it says nothing. */
bool help_lines_option(const char *text, const struct option_def *def, struct help_option *ret);

/* What the overview says of a command, in one line; "" when nothing. Returns `ret_text`. */
const char *help_lines_summary(const char *overview, const char *command, char *ret_text,
                               size_t size);

/* A line of the text at *at, without its end, of which *at becomes the next; false at the end. */
bool help_lines_next(const char **at, const char **ret_line, size_t *ret_len);

/* Whether the line begins an option, or goes on with one. */
bool help_lines_is_option(const char *line, size_t len);

#endif
