#include "cmd/base/reflow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *flowed(const char *text, size_t columns)
{
    static char shown[1024];
    FILE *out = fmemopen(shown, sizeof(shown), "w");
    assert_non_null(out);
    reflow_print(out, text, columns);
    assert_int_equal(fclose(out), 0);
    return shown;
}

static void a_paragraph_is_joined_and_cut_at_blanks(void **state)
{
    (void)state;
    assert_string_equal(flowed("one two\nthree four\n\nfive\n", 9),
                        "one two\nthree\nfour\n\nfive\n");
    assert_string_equal(flowed("one two\nthree four\n", 13), "one two three\nfour\n");
    assert_string_equal(flowed("one two\nthree four\n", 12), "one two\nthree four\n");
}

static void an_item_hangs_at_its_description(void **state)
{
    (void)state;
    static const char text[] = "  -n, --limit N  at most\n                 so many\n  -x  other\n";
    assert_string_equal(flowed(text, 24),
                        "  -n, --limit N  at most\n                 so many\n  -x  other\n");
    assert_string_equal(flowed(text, 40), "  -n, --limit N  at most so many\n  -x  other\n");
}

static void what_has_no_description_hangs_two_further_in(void **state)
{
    (void)state;
    assert_string_equal(flowed("examples:\n  repram get some-key\n", 16),
                        "examples:\n  repram get\n    some-key\n");
}

static void a_word_that_is_too_long_stays_whole(void **state)
{
    (void)state;
    assert_string_equal(flowed("a abcdefghij b\n", 5), "a\nabcdefghij\nb\n");
}

static void no_line_is_longer_than_one_can_read(void **state)
{
    (void)state;
    char text[3 * REFLOW_COLUMNS_MAX];
    memset(text, 'x', sizeof(text));
    for (size_t i = 1; i < sizeof(text); i += 2) {
        text[i] = ' ';
    }
    text[sizeof(text) - 2] = '\n';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(strcspn(flowed(text, 1000), "\n"), REFLOW_COLUMNS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paragraph_is_joined_and_cut_at_blanks),
        cmocka_unit_test(an_item_hangs_at_its_description),
        cmocka_unit_test(what_has_no_description_hangs_two_further_in),
        cmocka_unit_test(a_word_that_is_too_long_stays_whole),
        cmocka_unit_test(no_line_is_longer_than_one_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
