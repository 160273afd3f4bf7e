/*
 * notice_gate: how many of the engine's notices reach the log.
 *
 * Of each kind NOTICE_BURST pass at once, and one in NOTICE_PERIOD_MS in the long run. Members that
 * come and go by hundreds, or that a stranger makes up, would fill the log otherwise. Whoever reads
 * it hears at once that others are left out, and within NOTICE_TOLD_MS how many they were. That
 * takes the place of a notice, so that a steady flood makes no more lines than one in a period.
 *
 * It is a pure state machine; zeroed it is ready.
 */
#ifndef NET_NOTICE_GATE_H
#define NET_NOTICE_GATE_H

#include "gossip/wire/outbox.h"

enum { NOTICE_BURST = 30, NOTICE_PERIOD_MS = 5000, NOTICE_TOLD_MS = 10000 };

struct notice_gate {
    uint64_t paid_ms[NOTICE_KINDS]; /* what was said of the kind is paid for by then */
    uint32_t left_out[NOTICE_KINDS];
    uint64_t told_ms[NOTICE_KINDS]; /* when it is due to say how many, while there are some */
};

/* Whether a notice of the kind passes. `ret_is_last`: it is the first one after which others may be
 * left out. `now_ms` does not go back. */
bool notice_gate_passes(struct notice_gate *g, enum notice_kind kind, uint64_t now_ms,
                        bool *ret_is_last);

/* When notice_gate_next() has something; NEVER while nothing was left out. */
uint64_t notice_gate_deadline(const struct notice_gate *g);

/* A kind of which it is due to say how many were left out since that was last said. Call until it
 * returns false. */
bool notice_gate_next(struct notice_gate *g, uint64_t now_ms, enum notice_kind *ret_kind,
                      uint32_t *ret_count);

#endif
