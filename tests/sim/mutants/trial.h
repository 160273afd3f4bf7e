/*
 * trial: tells stories with a broken engine, and asserts by which invariant it is caught.
 *
 * The oracle must catch each by the invariant that is made for it and by no other, so no check can
 * pass by not looking, except for those that break a second one as a consequence.
 */
#ifndef SIM_MUTANTS_TRIAL_H
#define SIM_MUTANTS_TRIAL_H

#include "tests/sim/mutants/mutant.h"
#include "tests/sim/story.h"

enum { TRIAL_SEEDS = 8 /* of an engine that is as it should be */ };

/* Five nodes near each other, for two minutes. */
struct story trial_story(const char *scenario);

/* Nodes that fill up, one after the other. */
struct story trial_full(void);

/* Tells the story with a broken engine, as often as it takes until something is found, or
 * TRIAL_SEEDS times with MUTANT_NONE. */
void trial_run(enum mutant m, struct story story, struct figures *figures);

/* The same, as often as it takes until this invariant is broken. */
void trial_run_until(enum mutant m, struct story story, enum invariant by, struct figures *figures);

/* The mutant must break this invariant, and no other. */
void trial_assert_caught(enum mutant m, struct story story, enum invariant by);

/* For trial_assert_caught_with(): what follows. */
#define ALSO(name) (UINT64_C(1) << INVARIANT_##name)

/* The same, but some others may follow from it. */
void trial_assert_caught_with(enum mutant m, struct story story, enum invariant by,
                              uint64_t follows);

/* Nothing is broken in this story by the engine as it is. */
void trial_assert_well(struct story story);

#endif
