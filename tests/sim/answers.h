/*
 * answers: what clients of a simulated cluster are told of their writes. The part of oracle that
 * judges it; oracle.h says by which rules. It shares its state with writes.
 */
#ifndef SIM_ANSWERS_H
#define SIM_ANSWERS_H

#include "tests/sim/writes.h"

/* A node has just taken a write, and shows it, with the end that it should have. */
void answers_judge_own(struct writes *w, uint64_t token);

/* A write was answered: once, in time, with its end, and a 201 must be true. */
void answers_done(struct writes *w, const struct put_done *done);

/* Every write whose time for it is over has been answered, unless its node has ended; at rest every
 * write. */
void answers_judge_owed(struct writes *w, bool is_rest);

#endif
