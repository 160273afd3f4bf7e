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

enum { NOTICE_SENTENCE_SIZE = 320 };

struct notice_line {
    enum log_level level;
    const char *event; /* static */
    char text[NOTICE_SENTENCE_SIZE];
};

/*
 * How many lines of each kind there may be: NOTICE_BURST at once, and one in NOTICE_PERIOD_MS in
 * the long run. Members that come and go by hundreds, or that a stranger makes up, would fill the
 * log otherwise. Zeroed it is ready.
 */
enum { NOTICE_BURST = 100, NOTICE_PERIOD_MS = 1000 };

struct notice_limits {
    uint64_t paid_ms[NOTICE_KINDS]; /* what was said of the kind is paid for by then */
    uint32_t left_out[NOTICE_KINDS];
};

/* Whether a notice of the kind is to be said. Then `ret_left_out` is how many before it were not,
 * and `ret_is_last` that it is the first after which others may be left out: an operator hears so
 * at once, as the next line of the kind may come days later. `now_ms` does not go back. */
bool notices_may_say(struct notice_limits *l, enum notice_kind kind, uint64_t now_ms,
                     uint32_t *ret_left_out, bool *ret_is_last);

void notices_describe(const struct notice *notice, struct notice_line *ret_line);

#endif
