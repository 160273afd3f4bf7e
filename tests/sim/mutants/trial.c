#include "tests/sim/mutants/trial.h"

#include "tests/sim/faults.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SEEDS_BROKEN = 24 /* one that is broken may show it late */ };

struct story trial_story(const char *scenario)
{
    struct story story = {.nodes = 5,
                          .run_ms = MUTANT_RUN_MS,
                          .last_ms = MUTANT_RUN_MS,
                          .settle_ms = 3000,
                          .delay_us = 500,
                          .jitter_us = 300,
                          .writes_per_1000_s = 3000,
                          .ttl_ms = 40000,
                          .key_count = 16,
                          .walk_every = 1};
    assert_true(faults_find(scenario, 1, &story.faults));
    return story;
}

void trial_run(enum mutant m, struct story story, struct figures *figures)
{
    volatile uint64_t now_us = 0;
    mutant_set(m);
    const uint64_t seeds = m == MUTANT_NONE ? TRIAL_SEEDS : SEEDS_BROKEN;
    for (story.seed = 1; story.seed <= seeds && figures->broken == 0; story.seed++) {
        story_run(&story, figures, &now_us);
    }
    mutant_set(MUTANT_NONE);
}

void trial_run_until(enum mutant m, struct story story, enum invariant by, struct figures *figures)
{
    volatile uint64_t now_us = 0;
    mutant_set(m);
    for (story.seed = 1; story.seed <= SEEDS_BROKEN && figures->broken_by[by] == 0; story.seed++) {
        story_run(&story, figures, &now_us);
    }
    mutant_set(MUTANT_NONE);
}

void trial_assert_caught_with(enum mutant m, struct story story, enum invariant by,
                              uint64_t follows)
{
    struct figures figures = {.seeds = 0};
    trial_run(m, story, &figures);
    const uint64_t caught = figures.broken_by[by];
    uint64_t others = 0;
    for (uint32_t i = 0; i < INVARIANTS; i++) {
        others += i == by || (follows >> i & 1) != 0 ? 0 : figures.broken_by[i];
    }
    for (uint32_t i = 0; caught == 0 || others > 0 ? i < INVARIANTS : false; i++) {
        print_error("%s%s: %lu\n", i == by ? "wanted: " : "", invariant_text((enum invariant)i),
                    (unsigned long)figures.broken_by[i]);
    }
    figures_fini(&figures);
    assert_int_not_equal(caught, 0);
    assert_int_equal(others, 0);
}

void trial_assert_caught(enum mutant m, struct story story, enum invariant by)
{
    trial_assert_caught_with(m, story, by, 0);
}

struct story trial_full(void)
{
    struct story story = trial_story("full");
    story.nodes = 3;
    story.factor = 3;
    story.key_count = 2000;
    story.writes_per_1000_s = 20000;
    return story;
}

void trial_assert_well(struct story story)
{
    struct figures figures = {.seeds = 0};
    trial_run(MUTANT_NONE, story, &figures);
    assert_int_equal(figures.broken, 0);
    assert_int_equal(figures.seeds, TRIAL_SEEDS);
    assert_true(figures.reads > 0 && figures.walks > 0);
    figures_fini(&figures);
}
