#include "cmd/help_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "usage: repram put KEY [options]\n"
                           "\n"
                           "Stores a value, --ttl or not.\n"
                           "\n"
                           "      --ttl TIME           lifetime: seconds,\n"
                           "                           or 1h30m\n"
                           "  -f, --file FILE          read the value from a file\n"
                           "  -s, --server HOST[:PORT] the node to ask\n"
                           "      --json               for scripts\n"
                           "  --file-like WORD   something else\n"
                           "\n"
                           "examples:\n"
                           "  repram put --last x\n";

static void assert_option(const char *name, bool has_value, const char *value, const char *words)
{
    const struct option_def def = {name, 0, has_value};
    struct help_option found;
    assert_true(help_lines_option(text, &def, &found));
    assert_string_equal(found.value, value);
    assert_string_equal(found.text, words);
}

static void an_option_has_its_value_and_its_words_of_all_lines(void **state)
{
    (void)state;
    assert_option("ttl", true, "TIME", "lifetime: seconds, or 1h30m");
    assert_option("file", true, "FILE", "read the value from a file");
    assert_option("server", true, "HOST[:PORT]", "the node to ask");
    assert_option("json", false, "", "for scripts");
    assert_option("file-like", true, "WORD", "something else");
}

static void what_only_stands_in_a_sentence_or_an_example_is_no_option(void **state)
{
    static const char *const names[] = {"last", "fil", "file-", "ttl-x", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct option_def def = {names[i], 0, false};
        struct help_option found;
        assert_false(help_lines_option(text, &def, &found));
    }
}

static void words_that_are_too_long_are_cut(void **state)
{
    char longer[2 * HELP_LINES_TEXT_SIZE] = "  --a ";
    const struct option_def def = {"a", 0, false};
    struct help_option found;
    (void)state;
    memset(longer + 6, 'x', sizeof(longer) - 7);
    assert_true(help_lines_option(longer, &def, &found));
    assert_int_equal(strlen(found.text), HELP_LINES_TEXT_SIZE - 1);
}

static void a_command_has_a_summary(void **state)
{
    static const char overview[] = "repram: x\n\n  put       store a value\n  putty  other\n";
    char summary[40];
    (void)state;
    assert_string_equal(help_lines_summary(overview, "put", summary, sizeof(summary)),
                        "store a value");
    assert_string_equal(help_lines_summary(overview, "putty", summary, sizeof(summary)), "other");
    assert_string_equal(help_lines_summary(overview, "pu", summary, sizeof(summary)), "");
    assert_string_equal(help_lines_summary("", "put", summary, sizeof(summary)), "");
}

static void lines_come_without_their_ends(void **state)
{
    const char *at = "a\n\nb", *line = NULL;
    size_t len = 0;
    (void)state;
    assert_true(help_lines_next(&at, &line, &len));
    assert_int_equal(len, 1);
    assert_true(help_lines_next(&at, &line, &len));
    assert_int_equal(len, 0);
    assert_true(help_lines_next(&at, &line, &len));
    assert_memory_equal(line, "b", 2);
    assert_false(help_lines_next(&at, &line, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_has_its_value_and_its_words_of_all_lines),
        cmocka_unit_test(what_only_stands_in_a_sentence_or_an_example_is_no_option),
        cmocka_unit_test(words_that_are_too_long_are_cut),
        cmocka_unit_test(a_command_has_a_summary),
        cmocka_unit_test(lines_come_without_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
