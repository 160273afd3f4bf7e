/* The engine as it is, told the stories of the broken ones: nothing is broken. */
#include "tests/sim/mutants/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_engine_as_it_is_breaks_nothing(void **state)
{
    (void)state;
    static const char *const scenarios[] = {"steady",  "partition", "crash", "clock", "blind",
                                            "hostile", "half-open", "watch", "memory"};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        trial_assert_well(trial_story(scenarios[i]));
    }
}

static void stamps_that_run_ahead_break_nothing(void **state)
{
    (void)state;
    mutant_set_ahead(true);
    trial_assert_well(trial_story("steady"));
    mutant_set_ahead(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_as_it_is_breaks_nothing),
        cmocka_unit_test(stamps_that_run_ahead_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
