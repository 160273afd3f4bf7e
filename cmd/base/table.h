/*
 * table: rows of text, aligned under headings for a terminal, or with tabs for a script.
 *
 * Cells are copied. What is not plain (cmd/base/plain) becomes '?', so that a cell stays a cell.
 */
#ifndef CMD_BASE_TABLE_H
#define CMD_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { TABLE_COLUMNS_MAX = 10, TABLE_ROWS_MAX = 20000 };

struct table;

/* `headings`: `column_count` words, borrowed for the call. Never NULL. */
struct table *table_new(const char *const *headings, size_t column_count);
void table_free(struct table *t);

/* Adds a row of column_count cells, NULL for an empty one. Rows beyond TABLE_ROWS_MAX are dropped.
 */
void table_add(struct table *t, const char *const *cells);

/* Cuts the widest columns, with "...", until a row for people has at most so many columns; none to
 * fewer than 8. */
void table_fit(struct table *t, size_t columns);

/* Text of the table, the caller's to free; a row a line. */
char *table_format(const struct table *t, bool is_human);

/* Writes it to standard output, for people when that is a terminal. */
void table_print(const struct table *t);

#endif
