/* Broken engines that do not know who is there, or believe anybody: each is caught. */
#include "tests/sim/faults.h"
#include "tests/sim/mutants/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nodes_that_do_not_find_each_other_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_HERMIT, trial_story("steady"), INVARIANT_FORMED);
}

static void clusters_that_are_founded_blindly_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_FOUNDER, trial_story("blind"), INVARIANT_FOUNDED);
}

static void an_enclave_that_begins_alone_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("blind");
    story.stagger_ms = 20000;
    trial_assert_caught(MUTANT_EAGER, story, INVARIANT_BEGUN);
}

static void a_false_death_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_RASH, trial_story("steady"), INVARIANT_DEATH);
}

static void deaths_that_strangers_tell_are_caught(void **state)
{
    (void)state;
    /* A member that seems gone is neither counted nor written to, and may stay gone for some
     * nodes. */
    trial_assert_caught_with(MUTANT_HANGMAN, trial_story("hostile"), INVARIANT_DEATH,
                             ALSO(COUNTED) | ALSO(PENDING) | ALSO(VIEWS));
}

static void members_of_whom_strangers_tell_are_caught(void **state)
{
    (void)state;
    struct story story = trial_story("hostile");
    story.run_ms = 10000; /* each made-up member is asked, and named to others */
    trial_assert_caught_with(MUTANT_NAIVE, story, INVARIANT_VIEWS, ALSO(COUNTED));
}

static void a_quorum_of_those_that_are_only_named_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("hostile");
    story.nodes = 3;
    story.factor = 9; /* so that each who is counted counts */
    story.run_ms = 10000;
    trial_assert_caught_with(MUTANT_FLATTERED, story, INVARIANT_PENDING, ALSO(VIEWS));
    trial_assert_well(story);
}

static void incarnations_that_strangers_tell_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_BELIEVER, trial_story("hostile"), INVARIANT_VIEWS);
}

static void addresses_that_strangers_tell_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_LOST, trial_story("hostile"), INVARIANT_ADDRESS);
}

/* Strangers say that a member is silent which only relays hear, and a while later that it is
 * dead. */
static void deaths_of_who_is_heard_by_relays_only_are_caught(void **state)
{
    (void)state;
    struct story story = trial_story("hostile");
    uint32_t pairs = 0;
    assert_true(faults_find("pairs", 1, &pairs));
    story.faults |= pairs;
    trial_assert_caught_with(MUTANT_PLIANT, story, INVARIANT_DEATH, ALSO(COUNTED));
}

/* A member that is never declared dead also keeps the views apart. This test is about what shows
 * first. */
static void a_crash_that_nobody_notices_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_FAITHFUL, trial_story("crash"), INVARIANT_NOTICED, ALSO(VIEWS));
}

static struct story crashes_under_a_stranger(void)
{
    struct story story = trial_story("hostile");
    uint32_t crash = 0;
    assert_true(faults_find("crash", 1, &crash));
    story.faults |= crash;
    story.writes_per_1000_s = 0;
    return story;
}

static void what_anybody_says_and_keeps_the_dead_is_caught(void **state)
{
    (void)state;
    static const enum mutant mutants[] = {MUTANT_GULLIBLE, MUTANT_EASED, MUTANT_CURTAINED,
                                          MUTANT_TOUCHY};
    trial_assert_well(crashes_under_a_stranger());
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        struct figures figures = {.seeds = 0};
        trial_run_until(mutants[i], crashes_under_a_stranger(), INVARIANT_NOTICED, &figures);
        const uint64_t noticed = figures.broken_by[INVARIANT_NOTICED];
        /* A member that only some hold for alive keeps the views apart. */
        const uint64_t others = figures.broken - noticed - figures.broken_by[INVARIANT_VIEWS];
        figures_fini(&figures);
        assert_int_not_equal(noticed, 0);
        assert_int_equal(others, 0);
    }
}

static void an_address_that_is_believed_without_its_cookie_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_CREDULOUS, trial_story("steady"), INVARIANT_REFLECTED);
}

static void an_answer_longer_than_what_came_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("churn");
    story.nodes = 32;
    story.order = CONTACTS_RANDOM; /* so that not each has asked each */
    story.contacts = 3;
    trial_assert_caught(MUTANT_LAVISH, story, INVARIANT_REFLECTED);
}

static void halves_that_never_meet_again_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_GRUDGING, trial_story("partition"), INVARIANT_VIEWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_that_do_not_find_each_other_are_caught),
        cmocka_unit_test(clusters_that_are_founded_blindly_are_caught),
        cmocka_unit_test(an_enclave_that_begins_alone_is_caught),
        cmocka_unit_test(a_false_death_is_caught),
        cmocka_unit_test(deaths_that_strangers_tell_are_caught),
        cmocka_unit_test(members_of_whom_strangers_tell_are_caught),
        cmocka_unit_test(a_quorum_of_those_that_are_only_named_is_caught),
        cmocka_unit_test(incarnations_that_strangers_tell_are_caught),
        cmocka_unit_test(addresses_that_strangers_tell_are_caught),
        cmocka_unit_test(deaths_of_who_is_heard_by_relays_only_are_caught),
        cmocka_unit_test(a_crash_that_nobody_notices_is_caught),
        cmocka_unit_test(what_anybody_says_and_keeps_the_dead_is_caught),
        cmocka_unit_test(an_address_that_is_believed_without_its_cookie_is_caught),
        cmocka_unit_test(an_answer_longer_than_what_came_is_caught),
        cmocka_unit_test(halves_that_never_meet_again_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
