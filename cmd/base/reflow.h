/*
 * reflow: a help text in the width of a terminal.
 *
 * Lines without indentation are a paragraph as long as no empty line comes, and are joined. An
 * indented line is an item: what stands behind two blanks in it is its description, and lines that
 * begin in that column go on with it. Nothing is wider than asked for, but a word that is.
 */
#ifndef CMD_BASE_REFLOW_H
#define CMD_BASE_REFLOW_H

#include <stddef.h>
#include <stdio.h>

enum { REFLOW_COLUMNS_MAX = 100 }; /* longer lines are hard to read */

/* `text`: lines of ASCII, each ended by a newline. */
void reflow_print(FILE *out, const char *text, size_t columns);

#endif
