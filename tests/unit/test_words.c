#include "core/base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void words_come_one_after_another_whatever_stands_between(void **state)
{
    (void)state;
    char text[] = " \t one two\t\tthree\r\n";
    char *rest = text;
    assert_string_equal(words_next(&rest, " \t\r\n"), "one");
    assert_string_equal(rest, "two\t\tthree\r\n");
    assert_string_equal(words_next(&rest, " \t\r\n"), "two");
    assert_string_equal(words_next(&rest, " \t\r\n"), "three");
    assert_null(words_next(&rest, " \t\r\n"));
    assert_null(words_next(&rest, " \t\r\n"));
}

static void a_line_is_a_word_where_only_its_end_is_blank(void **state)
{
    (void)state;
    char text[] = "one two\n\nthree";
    char *rest = text;
    assert_string_equal(words_next(&rest, "\n"), "one two");
    assert_string_equal(words_next(&rest, "\n"), "three");
    assert_string_equal(rest, "");
    assert_null(words_next(&rest, "\n"));
}

static void nothing_has_no_words(void **state)
{
    (void)state;
    char nothing[] = "";
    char blank[] = "  ";
    char *rest = nothing;
    assert_null(words_next(&rest, " "));
    rest = blank;
    assert_null(words_next(&rest, " "));
    assert_ptr_equal(rest, blank + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_one_after_another_whatever_stands_between),
        cmocka_unit_test(a_line_is_a_word_where_only_its_end_is_blank),
        cmocka_unit_test(nothing_has_no_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
