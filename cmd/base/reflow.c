#include "cmd/base/reflow.h"

#include <stdbool.h>
#include <string.h>

/* The line that is being written. */
struct flow {
    FILE *out;
    size_t columns; /* it may have */
    size_t hang;    /* blanks before what goes on in the next line */
    size_t at;      /* columns that it has */
    bool is_open;   /* a word would need a blank before it */
};

static void write_blanks(FILE *out, size_t count)
{
    (void)fprintf(out, "%*s", (int)count, "");
}

static void flow_words(struct flow *f, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        const size_t gap = strspn(text + at, " ");
        size_t size = 0;
        at += gap;
        while (at + size < len && text[at + size] != ' ') {
            size++;
        }
        if (at >= len) {
            return;
        }
        if (f->is_open && f->at + 1 + size > f->columns) {
            (void)fputc('\n', f->out);
            write_blanks(f->out, f->hang);
            f->at = f->hang;
        } else if (f->is_open) {
            (void)fputc(' ', f->out);
            f->at++;
        }
        (void)fwrite(text + at, 1, size, f->out);
        f->at += size;
        f->is_open = true;
        at += size;
    }
}

static void flow_end(struct flow *f)
{
    if (f->is_open || f->at > 0) {
        (void)fputc('\n', f->out);
    }
    f->at = 0;
    f->is_open = false;
}

/* The column of an item's description; 0 when it has none. */
static size_t description_at(const char *line, size_t len)
{
    for (size_t at = strspn(line, " "); at + 2 < len; at++) {
        if (line[at] == ' ' && line[at + 1] == ' ') {
            return at + strspn(line + at, " ");
        }
    }
    return 0;
}

/* Begins an item. */
static void begin_item(struct flow *f, const char *line, size_t len, size_t indent)
{
    const size_t described = description_at(line, len);
    if (described == 0) {
        write_blanks(f->out, indent);
        f->at = indent;
        f->hang = indent + 2;
        flow_words(f, line + indent, len - indent);
        return;
    }
    (void)fwrite(line, 1, described, f->out);
    f->at = described;
    f->hang = described;
    flow_words(f, line + described, len - described);
}

void reflow_print(FILE *out, const char *text, size_t columns)
{
    struct flow f = {.out = out,
                     .columns = columns < REFLOW_COLUMNS_MAX ? columns : REFLOW_COLUMNS_MAX};
    while (*text != '\0') {
        const size_t len = strcspn(text, "\n");
        const size_t indent = strspn(text, " ");
        if (len == 0) {
            flow_end(&f);
            (void)fputc('\n', out);
            f.hang = 0;
        } else if (f.is_open && indent == f.hang) {
            flow_words(&f, text, len);
        } else {
            flow_end(&f);
            if (indent > 0) {
                begin_item(&f, text, len, indent);
            } else {
                f.hang = 0;
                flow_words(&f, text, len);
            }
        }
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    flow_end(&f);
}
