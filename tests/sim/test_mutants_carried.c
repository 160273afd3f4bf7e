/* Broken engines whose writes, links or clocks go wrong: each is caught. */
#include "tests/sim/mutants/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void copies_that_nobody_needs_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_REPEATING, trial_story("steady"), INVARIANT_COST);
}

static void bytes_that_nobody_needs_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_NODDING, trial_story("steady"), INVARIANT_COST);
}

static void links_that_strangers_take_are_caught(void **state)
{
    (void)state;
    struct figures figures = {.seeds = 0};
    struct story story = trial_story("hostile");
    story.run_ms = 5000;
    trial_run(MUTANT_NONE, story, &figures);
    assert_int_equal(figures.counters.links_opened, 0); /* all that there are have formed before */
    trial_run(MUTANT_MEEK, story, &figures);
    assert_int_not_equal(figures.counters.links_opened, 0);
    figures_fini(&figures);
}

static void a_silent_link_that_makes_way_for_nobody_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("half-open");
    story.nodes = 2; /* each is the other's quorum */
    story.run_ms = 20000;
    trial_assert_caught(MUTANT_STUBBORN, story, INVARIANT_PENDING);
}

static void a_queue_that_is_too_long_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_LONG_QUEUE, trial_story("steady"), INVARIANT_QUEUE);
    struct story story = trial_story("tcp-block"); /* so that links send nothing */
    story.nodes = 2;
    story.writes_per_1000_s = 100000;
    story.run_ms = 30000;
    trial_assert_caught(MUTANT_HOARDING, story, INVARIANT_QUEUE);
}

static void a_clock_that_steps_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_JUMPY, trial_story("steady"), INVARIANT_CLOCK,
                             ALSO(LIFETIME) | ALSO(STAMPED));
}

/* A loner's write, stamped by its clock, lives on with the others by theirs. */
static void data_of_another_clock_are_caught(void **state)
{
    (void)state;
    struct story story = trial_story("loner");
    story.nodes = 10;
    trial_assert_caught_with(MUTANT_UNDATED, story, INVARIANT_APART, ALSO(SERVED));
}

/* What it took is served too long. Once all of that has ended the others have nothing either,
 * follow it back in time, differ from then on, lack what they have shown, and may take what they
 * know to be replaced. The seed decides which of these shows first. */
static void a_newcomer_with_the_clock_of_a_loner_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("loner");
    struct figures figures = {.seeds = 0};
    story.nodes = 10;
    trial_run(MUTANT_SOLO, story, &figures);
    const uint64_t *by = figures.broken_by;
    const uint64_t seen = by[INVARIANT_OUTLIVED] + by[INVARIANT_DIGESTS] + by[INVARIANT_BACK] +
                          by[INVARIANT_REPLACED] + by[INVARIANT_LOST];
    const uint64_t others = figures.broken - seen;
    figures_fini(&figures);
    assert_int_not_equal(seen, 0);
    assert_int_equal(others, 0);
}

static void structures_that_are_not_sound_are_caught(void **state)
{
    (void)state;
    int status = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        struct figures figures = {.seeds = 0};
        (void)freopen("/dev/null", "w", stderr); /* the assertion is meant */
        trial_run(MUTANT_SLOPPY, trial_story("steady"), &figures);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_that_nobody_needs_are_caught),
        cmocka_unit_test(bytes_that_nobody_needs_are_caught),
        cmocka_unit_test(links_that_strangers_take_are_caught),
        cmocka_unit_test(a_silent_link_that_makes_way_for_nobody_is_caught),
        cmocka_unit_test(a_queue_that_is_too_long_is_caught),
        cmocka_unit_test(a_clock_that_steps_is_caught),
        cmocka_unit_test(data_of_another_clock_are_caught),
        cmocka_unit_test(a_newcomer_with_the_clock_of_a_loner_is_caught),
        cmocka_unit_test(structures_that_are_not_sound_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
