/*
 * notices: the engine's notices as sentences for the log. A pure table from kind to level, event
 * and prose.
 */
#ifndef CMD_NOTICES_H
#define CMD_NOTICES_H

#include "gossip/wire/outbox.h"
#include "net/discovery/node_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NOTICE_SENTENCE_SIZE = 512 };

struct notice_line {
    enum log_level level;
    const char *event; /* static */
    char text[NOTICE_SENTENCE_SIZE];
};

void notices_describe(const struct notice *notice, struct notice_line *ret_line);

/* That so many lines of the kind were left out; 0: that others will be from now on. */
void notices_describe_left_out(enum notice_kind kind, uint32_t count, struct notice_line *ret_line);

#endif
