#include "cmd/help_lines.h"

#include <stdio.h>
#include <string.h>

enum { MORE_BLANKS = 10 }; /* at the front of a line that goes on with an option's words */

bool help_lines_next(const char **at, const char **ret_line, size_t *ret_len)
{
    if (**at == '\0') {
        return false;
    }
    *ret_line = *at;
    *ret_len = strcspn(*at, "\n");
    *at += *ret_len + ((*at)[*ret_len] == '\n' ? 1 : 0);
    return true;
}

static size_t blanks(const char *line, size_t len)
{
    size_t count = 0;
    while (count < len && line[count] == ' ') {
        count++;
    }
    return count;
}

bool help_lines_is_option(const char *line, size_t len)
{
    const size_t front = blanks(line, len);
    return front >= MORE_BLANKS || (front >= 2 && front < len && line[front] == '-');
}

static void append(char *text, size_t size, const char *words, size_t len)
{
    const size_t used = strlen(text);
    (void)snprintf(text + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)len, words);
}

/* Where the option's name ends in the line; NULL when it is another option's. */
static const char *find_name(const char *line, size_t len, const char *name)
{
    const size_t name_len = strlen(name);
    const size_t front = blanks(line, len);
    for (size_t i = front; i + 2 + name_len <= len && line[front] == '-' && i <= front + 4; i++) {
        const char *end = line + i + 2 + name_len;
        if (memcmp(line + i, "--", 2) == 0 && memcmp(line + i + 2, name, name_len) == 0 &&
            (end == line + len || *end == ' ' || *end == ',')) {
            return end;
        }
    }
    return NULL;
}

bool help_lines_option(const char *text, const struct option_def *def, struct help_option *ret)
{
    const char *line = NULL, *words = NULL;
    size_t len = 0;
    memset(ret, 0, sizeof(*ret));
    while (words == NULL) {
        if (!help_lines_next(&text, &line, &len)) {
            return false;
        }
        words = find_name(line, len, def->name);
    }
    const char *end = line + len;
    words += blanks(words, (size_t)(end - words));
    if (def->has_value) {
        const size_t value_len = strcspn(words, " \n");
        (void)snprintf(ret->value, sizeof(ret->value), "%.*s", (int)value_len, words);
        words += value_len;
        words += blanks(words, (size_t)(end - words));
    }
    append(ret->text, sizeof(ret->text), words, (size_t)(end - words));
    while (help_lines_next(&text, &line, &len) && blanks(line, len) >= MORE_BLANKS) {
        append(ret->text, sizeof(ret->text), line + blanks(line, len), len - blanks(line, len));
    }
    return true;
}

const char *help_lines_summary(const char *overview, const char *command, char *ret_text,
                               size_t size)
{
    const char *line = NULL;
    const size_t name_len = strlen(command);
    size_t len = 0;
    *ret_text = '\0';
    while (help_lines_next(&overview, &line, &len)) {
        if (len > name_len + 3 && memcmp(line, "  ", 2) == 0 &&
            memcmp(line + 2, command, name_len) == 0 && line[2 + name_len] == ' ') {
            const char *words = line + 2 + name_len;
            const size_t rest = len - 2 - name_len;
            append(ret_text, size, words + blanks(words, rest), rest - blanks(words, rest));
            return ret_text;
        }
    }
    return ret_text;
}
