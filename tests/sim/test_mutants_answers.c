/* Broken engines that take writes, and answer them, as they should not: each is caught. */
#include "tests/sim/mutants/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_life_that_is_too_short_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_MISERLY, trial_story("steady"), INVARIANT_STAMPED,
                             ALSO(LIFETIME));
    trial_assert_caught_with(MUTANT_FLEETING, trial_story("steady"), INVARIANT_STAMPED,
                             ALSO(LIFETIME));
}

static void an_answer_that_does_not_say_what_is_held_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_BOASTFUL, trial_story("steady"), INVARIANT_STAMPED);
    trial_assert_caught(MUTANT_VAGUE, trial_story("steady"), INVARIANT_STAMPED);
    trial_assert_caught(MUTANT_MISNAMING, trial_story("steady"), INVARIANT_STAMPED);
}

static void a_node_that_does_not_show_its_own_write_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_DEFERRED, trial_story("steady"), INVARIANT_OWN, ALSO(SERVED));
    /* Nor one that shows the write before. */
    trial_assert_caught_with(MUTANT_STALE, trial_story("steady"), INVARIANT_OWN,
                             ALSO(BACK) | ALSO(LISTED));
}

static void a_201_below_the_quorum_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_HASTY, trial_story("steady"), INVARIANT_QUORUM);
}

static void a_201_that_does_not_count_its_members_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_SOLITARY, trial_story("steady"), INVARIANT_COUNTED);
}

static void a_201_without_its_holders_is_caught(void **state)
{
    (void)state;
    /* A dropped record may have replaced something that the node goes on serving. */
    trial_assert_caught_with(MUTANT_LIAR, trial_story("steady"), INVARIANT_HELD,
                             ALSO(RESURRECTED) | ALSO(LOST) | ALSO(COST));
}

static void a_write_that_is_not_answered_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_DUMB, trial_story("steady"), INVARIANT_ANSWERED);
    trial_assert_caught(MUTANT_SILENT, trial_story("partition"), INVARIANT_ANSWERED);
    trial_assert_caught(MUTANT_MUTE, trial_story("steady"), INVARIANT_ANSWERED);
}

static void a_write_that_is_taken_and_dropped_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_SWALLOWING, trial_story("steady"), INVARIANT_ANSWERED,
                             ALSO(OWN) | ALSO(CONDITION));
}

static void conditions_that_are_not_heeded_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_OBLIVIOUS, trial_story("steady"), INVARIANT_CONDITION);
    trial_assert_caught(MUTANT_DOUBTFUL, trial_story("steady"), INVARIANT_CONDITION);
}

static void an_answer_after_the_timeout_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_TARDY, trial_story("partition"), INVARIANT_ANSWERED);
}

static void a_second_answer_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_ECHOING, trial_story("steady"), INVARIANT_ANSWERED);
}

static void an_answer_to_a_write_that_was_refused_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_POLITE, trial_full(), INVARIANT_ANSWERED);
}

/* More than PENDING looks at. */
static void a_202_where_all_is_quiet_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_EVASIVE, trial_story("steady"), INVARIANT_ANSWERED,
                             ALSO(PENDING));
    struct story story = trial_story("steady");
    story.nodes = 20;
    story.run_ms = 20000;
    trial_assert_caught(MUTANT_TIMID, story, INVARIANT_ANSWERED);
}

/* Nodes fill up one after the other; the others hold what one refuses. */
static void a_202_for_one_refusal_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_PRICKLY, trial_full(), INVARIANT_PENDING);
}

/* Of two nodes, the one that restarts is the other's quorum, and has no clock for a moment. */
static void a_202_of_members_that_are_there_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("kill");
    story.nodes = 2;
    story.writes_per_1000_s = 100000;
    trial_assert_caught(MUTANT_OFFENDED, story, INVARIANT_PENDING);
    trial_assert_well(story);
}

static uint64_t count_pendings(enum mutant m, struct story story)
{
    struct figures figures = {.seeds = 0};
    volatile uint64_t now_us = 0;
    mutant_set(m);
    for (story.seed = 1; story.seed <= 2; story.seed++) {
        story_run(&story, &figures, &now_us);
    }
    mutant_set(MUTANT_NONE);
    const uint64_t pendings = figures.pendings;
    assert_int_equal(figures.broken, 0);
    figures_fini(&figures);
    return pendings;
}

/* A loner counts members that it sees but that hold none of its writes: these find no quorum. */
static void a_quorum_of_another_clock_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("loner");
    story.nodes = 8;
    story.factor = 9; /* so that each who is counted counts */
    story.writes_per_1000_s = 20000;
    story.run_ms = 40000;
    const uint64_t well = count_pendings(MUTANT_NONE, story);
    assert_true(count_pendings(MUTANT_SOCIABLE, story) > 5 * (well + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_that_is_too_short_is_caught),
        cmocka_unit_test(an_answer_that_does_not_say_what_is_held_is_caught),
        cmocka_unit_test(a_node_that_does_not_show_its_own_write_is_caught),
        cmocka_unit_test(a_201_below_the_quorum_is_caught),
        cmocka_unit_test(a_201_that_does_not_count_its_members_is_caught),
        cmocka_unit_test(a_201_without_its_holders_is_caught),
        cmocka_unit_test(a_write_that_is_not_answered_is_caught),
        cmocka_unit_test(a_write_that_is_taken_and_dropped_is_caught),
        cmocka_unit_test(conditions_that_are_not_heeded_are_caught),
        cmocka_unit_test(an_answer_after_the_timeout_is_caught),
        cmocka_unit_test(a_second_answer_is_caught),
        cmocka_unit_test(an_answer_to_a_write_that_was_refused_is_caught),
        cmocka_unit_test(a_202_where_all_is_quiet_is_caught),
        cmocka_unit_test(a_202_for_one_refusal_is_caught),
        cmocka_unit_test(a_202_of_members_that_are_there_is_caught),
        cmocka_unit_test(a_quorum_of_another_clock_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
