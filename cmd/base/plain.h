/*
 * plain: text of others, as a terminal or a log may show it.
 *
 * What a peer, a server or a key says could otherwise move the cursor, hide a line, or turn the
 * order of what is read. Not plain are control characters (C0, DEL, and C1, which some terminals
 * obey in UTF-8 too), what sets the direction of text (U+061C, U+200E, U+200F, U+202A to U+202E,
 * U+2066 to U+2069), separators of lines (U+2028, U+2029), and bytes that are not UTF-8.
 */
#ifndef CMD_BASE_PLAIN_H
#define CMD_BASE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PLAIN_NO_CHARACTER = 0xFFFD };

struct plain {
    size_t len;    /* bytes of the character, at least 1 */
    uint32_t code; /* PLAIN_NO_CHARACTER for a byte that is not UTF-8 */
    bool is_plain;
};

/* The character at `data`, of which there is at least one byte. */
struct plain plain_next(const char *data, size_t len);

/* Puts a '?' in place of every character that is not plain; returns the length, which is no longer.
 * Terminates when that leaves room. */
size_t plain_clean(char *text, size_t len);

/* Columns of a terminal: 2 of what is wide as Chinese characters are, 0 of what combines with the
 * character before it. output_begin() chooses the locale that knows; without it, it is 1. */
size_t plain_width(const struct plain *c);

/* Of all the text. */
size_t plain_columns(const char *text, size_t len);

/* Writes the text with '%' and each byte of what is not plain percent-encoded, so that it can be
 * had back. At most `columns_max` columns, of which there are at least 3; what is cut ends with
 * "...". */
void plain_print(FILE *out, const char *data, size_t len, size_t columns_max);

/* The same of the bytes that `base64` stands for; nothing when it is not well-formed. */
void plain_print_base64(FILE *out, const char *base64, size_t columns_max);

/* Writes JSON with what is not plain as \u escapes: the same JSON. Its own white space stays. */
void plain_print_json(FILE *out, const char *json, size_t len);

#endif
