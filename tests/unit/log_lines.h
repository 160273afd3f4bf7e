/*
 * log_lines: hooks of a node that keep what is logged, for tests of what logs.
 */
#ifndef TESTS_UNIT_LOG_LINES_H
#define TESTS_UNIT_LOG_LINES_H

#include "net/discovery/node_config.h"

#include <stdio.h>
#include <string.h>

struct log_lines {
    struct node_hooks hooks;
    char text[8192]; /* "level event words\n" of each */
    unsigned count;
};

__attribute__((format(printf, 4, 5))) static inline void log_lines_add(void *arg,
                                                                       enum log_level level,
                                                                       const char *event,
                                                                       const char *format, ...)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct log_lines *l = arg;
    const size_t len = strlen(l->text);
    char words[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    (void)snprintf(l->text + len, sizeof(l->text) - len, "%s %s %s\n", levels[level], event, words);
    l->count++;
}

static inline void log_lines_init(struct log_lines *l)
{
    *l = (struct log_lines){.hooks = {.arg = l, .log = log_lines_add}};
}

static inline void log_lines_clear(struct log_lines *l)
{
    l->text[0] = '\0';
    l->count = 0;
}

#endif
