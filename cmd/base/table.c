#include "cmd/base/table.h"

#include "cmd/base/output.h"
#include "cmd/base/plain.h"
#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP = 2,         /* blanks between columns */
    TINT_BYTES = 16, /* of a cell, its end included */
    WIDTH_MIN = 8,   /* to which a column is cut */
    CUT_COLUMNS = 3, /* of "..." */
};

struct table {
    size_t column_count;
    size_t row_count;                /* the headings are row 0 */
    size_t cells_size;               /* of the array, in cells */
    char **cells;                    /* row by row */
    size_t width[TABLE_COLUMNS_MAX]; /* in columns of a terminal */
    size_t bytes_max;                /* of any row, without its gaps */
};

static char *copy_cell(const char *text)
{
    const size_t len = text != NULL ? strlen(text) : 0;
    char *copy = mem_new(len + 1, 1);
    if (len > 0) {
        memcpy(copy, text, len);
        (void)plain_clean(copy, len);
    }
    return copy;
}

struct table *table_new(const char *const *headings, size_t column_count)
{
    ASSERT(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
    struct table *t = mem_new(1, sizeof(*t));
    t->column_count = column_count;
    table_add(t, headings);
    return t;
}

void table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->row_count * t->column_count; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    free(t);
}

void table_add(struct table *t, const char *const *cells)
{
    const size_t at = t->row_count * t->column_count;
    size_t bytes = 0;
    if (t->row_count > TABLE_ROWS_MAX) {
        return;
    }
    if (at + t->column_count > t->cells_size) {
        t->cells_size = t->cells_size * 2 + t->column_count;
        t->cells = mem_resize(t->cells, t->cells_size, sizeof(*t->cells));
    }
    for (size_t i = 0; i < t->column_count; i++) {
        t->cells[at + i] = copy_cell(cells[i]);
        const size_t len = strlen(t->cells[at + i]);
        const size_t width = plain_columns(t->cells[at + i], len);
        t->width[i] = width > t->width[i] ? width : t->width[i];
        bytes += len;
    }
    t->bytes_max = bytes > t->bytes_max ? bytes : t->bytes_max;
    t->row_count++;
}

void table_fit(struct table *t, size_t columns)
{
    size_t total = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        total += t->width[i] + (i > 0 ? GAP : 0);
    }
    while (total > columns) {
        size_t widest = 0;
        for (size_t i = 1; i < t->column_count; i++) {
            widest = t->width[i] > t->width[widest] ? i : widest;
        }
        if (t->width[widest] <= WIDTH_MIN) {
            return;
        }
        t->width[widest]--;
        total--;
    }
}

/* States that a cell can name, and what they look like. */
static enum output_tint tint_of(const char *cell)
{
    static const struct {
        const char *word;
        enum output_tint tint;
    } words[] = {
        {"alive", TINT_GOOD},       {"healthy", TINT_GOOD},     {"ready", TINT_GOOD},
        {"suspect", TINT_DOUBTFUL}, {"joining", TINT_DOUBTFUL}, {"draining", TINT_DOUBTFUL},
        {"left", TINT_DOUBTFUL},    {"dead", TINT_BAD},         {"unhealthy", TINT_BAD},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, cell) == 0) {
            return words[i].tint;
        }
    }
    return TINT_NONE;
}

/* The most bytes that a row takes. */
static size_t row_max(const struct table *t)
{
    size_t len = t->bytes_max + 1;
    for (size_t i = 0; i < t->column_count; i++) {
        len += t->width[i] + GAP + TINT_BYTES;
    }
    return len;
}

static size_t append(char *out, const char *text)
{
    const size_t len = strlen(text);
    memcpy(out, text, len);
    return len;
}

/* So many bytes of a cell, and what stands for the rest. */
static size_t append_tinted(const char *cell, size_t size, const char *rest, enum output_tint tint,
                            char *out)
{
    size_t len = tint != TINT_NONE ? append(out, output_tint(tint)) : 0;
    memcpy(out + len, cell, size);
    len += size;
    len += append(out + len, rest);
    return len + (tint != TINT_NONE ? append(out + len, output_tint(TINT_NONE)) : 0);
}

/* A cell for people, cut to its column and filled up with blanks. */
static size_t format_cell(const char *cell, size_t width, enum output_tint tint, char *out)
{
    const bool is_cut = plain_columns(cell, strlen(cell)) > width;
    const size_t columns_max = is_cut ? width - CUT_COLUMNS : width;
    size_t columns = 0, at = 0;
    while (cell[at] != '\0') {
        const struct plain c = plain_next(cell + at, strlen(cell + at));
        if (columns + plain_width(&c) > columns_max) {
            break;
        }
        columns += plain_width(&c);
        at += c.len;
    }
    size_t len = append_tinted(cell, at, is_cut ? "..." : "", tint, out);
    /* A wide character that is cut may leave a column free. */
    const size_t blanks = columns_max - columns;
    memset(out + len, ' ', blanks);
    return len + blanks;
}

static size_t format_row(const struct table *t, size_t row, bool is_human, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        const char *cell = t->cells[row * t->column_count + i];
        const bool is_last = i + 1 == t->column_count;
        if (is_human) {
            len += format_cell(cell, t->width[i], row == 0 ? TINT_BOLD : tint_of(cell), out + len);
        } else {
            len += append_tinted(cell, strlen(cell), "", tint_of(cell), out + len);
        }
        if (!is_last) {
            len += append(out + len, is_human ? "  " : "\t");
        }
    }
    while (is_human && len > 0 && out[len - 1] == ' ') {
        len--;
    }
    out[len++] = '\n';
    return len;
}

char *table_format(const struct table *t, bool is_human)
{
    char *text = mem_new(t->row_count * row_max(t) + 1, 1);
    size_t len = 0;
    for (size_t row = is_human ? 0 : 1; row < t->row_count; row++) {
        len += format_row(t, row, is_human, text + len);
    }
    text[len] = '\0';
    return text;
}

void table_print(const struct table *t)
{
    char *text = table_format(t, output_is_terminal());
    (void)fputs(text, stdout);
    free(text);
}
