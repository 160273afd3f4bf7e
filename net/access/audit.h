/*
 * audit: log lines about refused requests, so many a second at most: of a flood the others are
 * counted, and how many they were is said once.
 */
#ifndef NET_ACCESS_AUDIT_H
#define NET_ACCESS_AUDIT_H

#include "net/discovery/node_config.h"

enum { AUDIT_REFUSALS_MAX = 10 }; /* lines a second */

struct audit {
    const struct node_hooks *hooks; /* borrowed */
    uint64_t second;                /* in which `count` lines were written */
    uint32_t count;
    uint64_t left_out; /* refusals since the last line that has said so */
};

/* A refusal at `now_ms`: a line, or one more that is left out. */
void audit_refused(struct audit *a, uint64_t now_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says how many were left out, once their second is over. */
void audit_tick(struct audit *a, uint64_t now_ms);

#endif
