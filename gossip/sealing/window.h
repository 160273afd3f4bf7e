/*
 * window: which of a sender's datagrams have come, so that none is taken twice.
 *
 * As in IPsec (RFC 4303 section 3.4.3): the highest counter that has come, and a bit for each of
 * the WINDOW_BITS counters up to it. What is older than those is refused, as nobody can tell any
 * more. A zeroed window is one that nothing has come for. Counters begin at 1.
 */
#ifndef GOSSIP_SEALING_WINDOW_H
#define GOSSIP_SEALING_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* A datagram that WINDOW_BITS - 1 others have overtaken is still taken. */
enum { WINDOW_BITS = 256 };

struct window {
    uint64_t highest;
    uint64_t bits[WINDOW_BITS / 64]; /* of a counter: bit counter % WINDOW_BITS */
};

/* Whether the datagram with this counter has not come yet, as far as can be told. */
bool window_is_new(const struct window *w, uint64_t counter);

/* It has come, and is what it says: call only when its seal was verified. It was new. */
void window_take(struct window *w, uint64_t counter);

#endif
