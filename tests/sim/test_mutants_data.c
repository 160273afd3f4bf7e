/* Broken engines that do not keep and show what was written (tests/sim/mutants/mutant.h): each is
 * caught. */
#include "tests/sim/faults.h"
#include "tests/sim/mutants/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void keys_taken_for_their_twins_are_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_CONFUSED, trial_story("steady"), INVARIANT_WRITTEN,
                             ALSO(PENDING) | ALSO(ANSWERED) | ALSO(OWN) | ALSO(SERVED) |
                                 ALSO(LOST));
}

static void lives_counted_from_stamps_that_run_ahead_are_caught(void **state)
{
    (void)state;
    mutant_set_ahead(true);
    trial_assert_caught_with(MUTANT_STRETCHING, trial_story("steady"), INVARIANT_LIFETIME,
                             ALSO(OUTLIVED) | ALSO(STAMPED));
    mutant_set_ahead(false);
}

static void a_stamp_that_is_taken_for_the_time_of_writing_is_caught(void **state)
{
    (void)state;
    mutant_set_ahead(true);
    trial_assert_caught(MUTANT_VAIN, trial_story("steady"), INVARIANT_LIFETIME);
    mutant_set_ahead(false);
}

static void reads_past_the_expiry_are_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_LATE, trial_story("steady"), INVARIANT_EXPIRED, ALSO(LISTED));
}

static void a_life_that_is_too_long_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_GENEROUS, trial_story("steady"), INVARIANT_OUTLIVED,
                             ALSO(LIFETIME) | ALSO(STAMPED));
}

static void bytes_that_nobody_wrote_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_GARBLER, trial_story("steady"), INVARIANT_WRITTEN);
    struct story story = trial_story("steady");
    story.value_len = UINT64_C(2) * VALUE_INLINE_MAX;
    trial_assert_caught(MUTANT_SMUDGING, story, INVARIANT_WRITTEN);
}

static void an_end_that_nobody_wrote_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_ROUNDING, trial_story("steady"), INVARIANT_WRITTEN,
                             ALSO(EXPIRED) | ALSO(LISTED) | ALSO(CONTENT));
}

static void what_another_enclave_wrote_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("steady");
    story.nodes = 6;
    story.enclave_size = 3;
    trial_assert_caught_with(MUTANT_MINGLING, story, INVARIANT_WRITTEN, ALSO(SERVED) | ALSO(COST));
}

static void a_version_that_goes_back_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_STALE, trial_story("steady"), INVARIANT_BACK,
                             ALSO(OWN) | ALSO(LISTED));
}

static void entries_that_are_not_served_to_their_end_are_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_FITFUL, trial_story("steady"), INVARIANT_SERVED,
                             ALSO(LISTED) | ALSO(CONDITION));
    trial_assert_caught_with(MUTANT_BRIEF, trial_story("steady"), INVARIANT_SERVED,
                             ALSO(LISTED) | ALSO(CONDITION));
    /* What was to live for less is gone before its answer. */
    trial_assert_caught_with(MUTANT_DROPPING, trial_story("steady"), INVARIANT_SERVED, ALSO(HELD));
    trial_assert_caught_with(MUTANT_DISCARDING, trial_story("steady"), INVARIANT_SERVED,
                             ALSO(HELD) | ALSO(LOST) | ALSO(ANSWERED) | ALSO(PENDING));
}

static void listings_that_are_not_what_is_shown_are_caught(void **state)
{
    (void)state;
    static const enum mutant mutants[] = {MUTANT_SECRETIVE, MUTANT_SKIPPING, MUTANT_TRAILING,
                                          MUTANT_CIRCLING, MUTANT_LITERAL};
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        trial_assert_caught(mutants[i], trial_story("steady"), INVARIANT_LISTED);
    }
}

static void watchers_who_are_told_something_else_are_caught(void **state)
{
    (void)state;
    static const enum mutant mutants[] = {MUTANT_UNTOLD, MUTANT_UNENDING, MUTANT_BARE,
                                          MUTANT_FOREHANDED, MUTANT_OVERHASTY};
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        trial_assert_caught(mutants[i], trial_story("watch"), INVARIANT_WATCHED);
    }
}

/* A node that was stopped hears of a version whose time is over, and shows the one before no more.
 */
static void an_end_that_a_later_version_brings_about_and_is_not_told_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("pause");
    uint32_t watch = 0;
    assert_true(faults_find("watch", 1, &watch));
    story.faults |= watch;
    story.ttl_ms = 4000;
    trial_assert_caught(MUTANT_HUSHED, story, INVARIANT_WATCHED);
    trial_assert_well(story);
}

static void a_value_that_comes_back_by_reconciliation_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("partition");
    story.key_count = 64; /* few enough to be overwritten, too many for both halves to do it */
    trial_assert_caught_with(MUTANT_NO_GUARDS, story, INVARIANT_REPLACED, ALSO(RESURRECTED));
}

/* With overwriting, one node shows versions that the other has seen replaced; contents differ then
 * too. */
static void what_others_saw_replaced_is_caught_at_rest(void **state)
{
    (void)state;
    struct figures figures = {.seeds = 0};
    struct story story = trial_story("partition");
    story.ttl_ms = UINT64_C(600000); /* what is about to expire may be stale */
    trial_run_until(MUTANT_BLIND, story, INVARIANT_RESURRECTED, &figures);
    assert_int_not_equal(figures.broken_by[INVARIANT_RESURRECTED], 0);
    figures_fini(&figures);
}

static void a_write_that_everybody_loses_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("steady");
    story.ttl_ms = UINT64_C(600000);
    trial_assert_caught_with(MUTANT_FORGETFUL, story, INVARIANT_LOST, ALSO(SERVED));
}

/* What is held by fewer than was said, and what others saw replaced, follow. */
static void a_write_that_does_not_arrive_is_caught(void **state)
{
    (void)state;
    trial_assert_caught_with(MUTANT_PICKY, trial_story("steady"), INVARIANT_LOST,
                             ALSO(HELD) | ALSO(RESURRECTED) | ALSO(COST));
}

static void contents_that_never_meet_are_caught(void **state)
{
    (void)state;
    struct story story = trial_story("partition");
    story.ttl_ms = UINT64_C(1200000); /* or they would by expiring */
    trial_assert_caught(MUTANT_IDLE, story, INVARIANT_DIGESTS);
}

/* Hardly anything is overwritten, so the comparison of contents finds the fault. Lost writes follow
 * from it, and stale ones of the few keys written twice. */
static void unequal_content_under_equal_digests_is_caught(void **state)
{
    (void)state;
    struct story story = trial_story("partition");
    story.key_count = 50000;
    story.ttl_ms = UINT64_C(60000);
    trial_assert_caught_with(MUTANT_BLIND, story, INVARIANT_CONTENT,
                             ALSO(LOST) | ALSO(RESURRECTED));
}

static void memory_that_is_not_kept_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_OVERWEIGHT, trial_story("steady"), INVARIANT_MEMORY);
    trial_assert_caught(MUTANT_GREEDY, trial_full(), INVARIANT_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_taken_for_their_twins_are_caught),
        cmocka_unit_test(lives_counted_from_stamps_that_run_ahead_are_caught),
        cmocka_unit_test(a_stamp_that_is_taken_for_the_time_of_writing_is_caught),
        cmocka_unit_test(reads_past_the_expiry_are_caught),
        cmocka_unit_test(a_life_that_is_too_long_is_caught),
        cmocka_unit_test(bytes_that_nobody_wrote_are_caught),
        cmocka_unit_test(an_end_that_nobody_wrote_is_caught),
        cmocka_unit_test(what_another_enclave_wrote_is_caught),
        cmocka_unit_test(a_version_that_goes_back_is_caught),
        cmocka_unit_test(entries_that_are_not_served_to_their_end_are_caught),
        cmocka_unit_test(listings_that_are_not_what_is_shown_are_caught),
        cmocka_unit_test(watchers_who_are_told_something_else_are_caught),
        cmocka_unit_test(an_end_that_a_later_version_brings_about_and_is_not_told_is_caught),
        cmocka_unit_test(a_value_that_comes_back_by_reconciliation_is_caught),
        cmocka_unit_test(what_others_saw_replaced_is_caught_at_rest),
        cmocka_unit_test(a_write_that_everybody_loses_is_caught),
        cmocka_unit_test(a_write_that_does_not_arrive_is_caught),
        cmocka_unit_test(contents_that_never_meet_are_caught),
        cmocka_unit_test(unequal_content_under_equal_digests_is_caught),
        cmocka_unit_test(memory_that_is_not_kept_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
