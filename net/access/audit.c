#include "net/access/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE_SIZE = 512 };

void audit_tick(struct audit *a, uint64_t now_ms)
{
    if (now_ms / 1000 == a->second) {
        return;
    }
    a->second = now_ms / 1000;
    a->count = 0;
    if (a->left_out > 0) {
        a->hooks->log(a->hooks->arg, LOG_WARN, "acl", "%" PRIu64 " more refusals were not logged",
                      a->left_out);
        a->left_out = 0;
    }
}

void audit_refused(struct audit *a, uint64_t now_ms, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    audit_tick(a, now_ms);
    if (a->count == AUDIT_REFUSALS_MAX) {
        a->left_out++;
        return;
    }
    a->count++;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    a->hooks->log(a->hooks->arg, LOG_WARN, "acl", "refused: %s", line);
}
