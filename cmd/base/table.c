#include "cmd/base/table.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GAP = 2 }; /* spaces between columns */

struct table {
    size_t column_count;
    size_t row_count;  /* the headings are row 0 */
    size_t cells_size; /* of the array, in cells */
    char **cells;      /* row by row */
    size_t width[TABLE_COLUMNS_MAX];
};

static char *copy_cell(const char *text)
{
    const size_t len = text != NULL ? strlen(text) : 0;
    char *copy = mem_new(len + 1, 1);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        copy[i] = c < ' ' || c == 0x7f ? '?' : text[i];
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
        t->width[i] = len > t->width[i] ? len : t->width[i];
    }
    t->row_count++;
}

/* The most bytes that a row takes. */
static size_t row_max(const struct table *t)
{
    size_t len = 1;
    for (size_t i = 0; i < t->column_count; i++) {
        len += t->width[i] + GAP;
    }
    return len;
}

static size_t format_row(const struct table *t, size_t row, bool is_human, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        const char *cell = t->cells[row * t->column_count + i];
        const size_t cell_len = strlen(cell);
        const bool is_last = i + 1 == t->column_count;
        (void)snprintf(out + len, cell_len + 1, "%s", cell);
        len += cell_len;
        if (!is_last && is_human) {
            memset(out + len, ' ', t->width[i] + GAP - cell_len);
            len += t->width[i] + GAP - cell_len;
        } else if (!is_last) {
            out[len++] = '\t';
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

void table_print(const struct table *t, FILE *out)
{
    char *text = table_format(t, isatty(fileno(out)) == 1);
    (void)fputs(text, out);
    free(text);
}
