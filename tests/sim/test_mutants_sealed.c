/* Broken engines that give away what is sealed, or take what is not for them: each is caught. */
#include "tests/sim/faults.h"
#include "tests/sim/mutants/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { RUN_MS = 30000 };

static struct story sealed(const char *scenario)
{
    struct story story = trial_story(scenario);
    story.sealing = RINGS_SEALED;
    story.run_ms = RUN_MS;
    return story;
}

static void sealed_as_it_is_it_breaks_nothing(void **state)
{
    (void)state;
    static const char *const scenarios[] = {"hostile", "replay", "rotate"};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        trial_assert_well(sealed(scenarios[i]));
    }
}

static void what_comes_again_and_is_taken_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_AMNESIC, sealed("replay"), INVARIANT_TAKEN);
    trial_assert_caught(MUTANT_AMNESIC, sealed("hostile"), INVARIANT_TAKEN);
}

static void what_another_was_sent_and_is_taken_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_ADDRESSLESS, sealed("hostile"), INVARIANT_TAKEN);
}

static void what_is_open_and_is_taken_is_caught(void **state)
{
    (void)state;
    /* It answers in clear, too. */
    trial_assert_caught_with(MUTANT_CANDID, sealed("hostile"), INVARIANT_TAKEN, ALSO(SEALED));
}

static void what_is_sent_in_clear_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_BABBLING, sealed("steady"), INVARIANT_SEALED);
}

static void a_number_that_goes_back_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_REWOUND, sealed("steady"), INVARIANT_COUNTER);
}

static void an_old_key_that_is_kept_in_use_is_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_WISTFUL, sealed("rotate"), INVARIANT_FIRST);
}

static void links_that_outlive_their_key_are_caught(void **state)
{
    (void)state;
    trial_assert_caught(MUTANT_CLINGING, sealed("rotate"), INVARIANT_LINK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_as_it_is_it_breaks_nothing),
        cmocka_unit_test(what_comes_again_and_is_taken_is_caught),
        cmocka_unit_test(what_another_was_sent_and_is_taken_is_caught),
        cmocka_unit_test(what_is_open_and_is_taken_is_caught),
        cmocka_unit_test(what_is_sent_in_clear_is_caught),
        cmocka_unit_test(a_number_that_goes_back_is_caught),
        cmocka_unit_test(an_old_key_that_is_kept_in_use_is_caught),
        cmocka_unit_test(links_that_outlive_their_key_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
