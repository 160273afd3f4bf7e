#include "cmd/base/report.h"

#include "cmd/base/plain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void report_add(struct report *r, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    r->count++;
    if (len < 0) {
        return;
    }
    const size_t used = plain_clean(line, strlen(line));
    if (used + 2 > sizeof(r->text) - r->len) {
        return;
    }
    memcpy(r->text + r->len, line, used);
    r->len += used;
    r->text[r->len++] = '\n';
    r->text[r->len] = '\0';
}

void report_print(const struct report *r, const char *prefix)
{
    uint32_t printed = 0;
    for (const char *at = r->text; *at != '\0';) {
        const size_t len = strcspn(at, "\n");
        (void)fprintf(stderr, "%s%.*s\n", prefix, (int)len, at);
        at += len + 1;
        printed++;
    }
    if (printed < r->count) {
        (void)fprintf(stderr, "%sand %u more\n", prefix, r->count - printed);
    }
}
