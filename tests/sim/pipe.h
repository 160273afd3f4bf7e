/*
 * pipe: how streams begin, carry bytes and end in a simulated cluster.
 *
 * Bytes arrive in order. A lost segment is sent again as Linux does it (RACK-TLP, RFC 8985). It
 * goes when the arrival of anything sent after it is acknowledged, and a quarter of a round trip
 * has passed. Else a probe brings it, which waits two round trips, and 200 ms more when nothing
 * else is under way; then it goes after 200 ms, doubling. The bytes behind it wait (head-of-line
 * blocking). A stream whose way is closed keeps its bytes and tries again, and is reset after
 * CLUSTER_STUCK_US. Headers are estimated, not sent: 52 bytes a segment and for the acknowledgement
 * of two, three packets to dial and four to close, and an HTTP upgrade each way. Left out: slow
 * start, congestion, limits of the link.
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include "tests/sim/cluster.h"

/* ACTION_DIAL, ACTION_OUTPUT, ACTION_CLOSE of a node. */
void pipe_dial(struct cluster *c, uint32_t from, const struct action *a);
void pipe_output(struct cluster *c, uint32_t node, uint32_t link);
void pipe_close(struct cluster *c, uint32_t node, uint32_t link);

/* At `at_us` the end `end` of a stream learns that it is over. */
void pipe_end(struct cluster *c, uint32_t stream, uint32_t end, enum link_end why, uint64_t at_us);

/* Resets one node's end of the stream that links it with another, if there is one; the other end
 * hears nothing. */
void pipe_lose_end(struct cluster *c, uint32_t node, uint32_t other);

/* EVENT_DIAL: arrives at the other side, whoever is there. */
void pipe_answer(struct cluster *c, const struct event *e);

/* EVENT_BYTES: whether some arrive now. Those that a closed way keeps will try again. */
bool pipe_arrives(struct cluster *c, const struct event *e);

/* EVENT_DIAL_DONE, EVENT_BYTES, EVENT_DRAINED, EVENT_END of a living node. */
void pipe_take(struct cluster *c, const struct event *e);

/* Whether no loss still holds up bytes on any stream. */
bool pipe_is_quiet(const struct cluster *c);

/* Any event happens again at `at_us` instead. */
void pipe_put_off(struct cluster *c, const struct event *e, uint64_t at_us);

/* A stream's event is over, whether a node took it or not. */
void pipe_event_over(struct cluster *c, const struct event *e);

#endif
