/*
 * seals: judges what nodes with keys send, and what they take.
 *
 * It reads along without a key (tests/sim/seal_model), and knows what each ring is. A node sends
 * under keys that it holds, and a sealed one nothing in clear. It takes what was made for it, in
 * this life of it, once. Its links end when their key is removed. Where all have the same ring, all
 * write under its first key.
 */
#ifndef SIM_SEALS_H
#define SIM_SEALS_H

#include "tests/sim/oracle.h"

struct seals;

struct seals *seals_new(struct oracle *o, const struct oracle_config *config);
void seals_free(struct seals *x);

/* A datagram goes out, lost or not. What was sealed stands in ret_clear then, behind a copy of the
 * header; else all of it. */
void seals_sent(struct seals *x, uint32_t from, uint32_t to, const uint8_t *data, size_t len,
                uint8_t ret_clear[static DATAGRAM_BYTES_MAX]);

/* Something has happened to a node. */
void seals_event(struct seals *x, const struct event *e);

/* Time has passed. */
void seals_sample(struct seals *x);

/* Whether all is at rest from now on. */
void seals_rest(struct seals *x, bool is_at_rest);

#endif
