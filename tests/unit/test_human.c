#include "cmd/base/human.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_duration_has_its_largest_units(void **state)
{
    (void)state;
    static const struct {
        uint64_t seconds;
        unsigned unit_count;
        const char *text;
    } cases[] = {
        {0, 2, "0s"},       {59, 2, "59s"},         {60, 2, "1m"},
        {421, 2, "7m1s"},   {3599, 2, "59m59s"},    {3605, 2, "1h"},
        {3605, 4, "1h5s"},  {86400, 2, "1d"},       {86399, 1, "23h"},
        {90061, 2, "1d1h"}, {90061, 4, "1d1h1m1s"}, {UINT64_MAX, 4, "213503982334601d7h15s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[HUMAN_SIZE];
        assert_string_equal(human_duration(cases[i].seconds, cases[i].unit_count, text),
                            cases[i].text);
    }
}

static void bytes_stand_in_the_largest_unit_of_which_there_is_one(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {(1 << 20) - 1, "1.0 MiB"},
        {1 << 20, "1.0 MiB"},
        {4212129792, "3.9 GiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[HUMAN_SIZE];
        assert_string_equal(human_bytes(cases[i].bytes, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_has_its_largest_units),
        cmocka_unit_test(bytes_stand_in_the_largest_unit_of_which_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
