#include "cmd/base/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct option_def defs[] = {
    {"ttl", 0, true}, {"file", 'f', true}, {"json", 'j', false}};

static struct options begin(int argc, const char *const *argv)
{
    return options_begin(argc, (char **)(uintptr_t)argv, defs, 3);
}

static void words_and_options_may_be_mixed(void **state)
{
    (void)state;
    static const char *const argv[] = {"put",    "k",       "--ttl", "10m", "-",
                                       "--json", "--ttl=5", "-f",    "x"};
    struct options o = begin(9, argv);
    const char *value = NULL;
    assert_int_equal(options_next(&o, &value), OPTIONS_WORD);
    assert_string_equal(value, "k");
    assert_int_equal(options_next(&o, &value), 0);
    assert_string_equal(value, "10m");
    assert_int_equal(options_next(&o, &value), OPTIONS_WORD);
    assert_string_equal(value, "-");
    assert_int_equal(options_next(&o, &value), 2);
    assert_null(value);
    assert_int_equal(options_next(&o, &value), 0);
    assert_string_equal(value, "5");
    assert_int_equal(options_next(&o, &value), 1);
    assert_string_equal(value, "x");
    assert_int_equal(options_next(&o, &value), OPTIONS_END);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    static const char *const argv[] = {"put", "--", "--json", "-f"};
    struct options o = begin(4, argv);
    const char *value = NULL;
    assert_int_equal(options_next(&o, &value), OPTIONS_WORD);
    assert_string_equal(value, "--json");
    assert_int_equal(options_next(&o, &value), OPTIONS_WORD);
    assert_string_equal(value, "-f");
    assert_int_equal(options_next(&o, &value), OPTIONS_END);
}

static void a_value_may_look_like_an_option(void **state)
{
    (void)state;
    static const char *const argv[] = {"put", "--ttl", "--json"};
    struct options o = begin(3, argv);
    const char *value = NULL;
    assert_int_equal(options_next(&o, &value), 0);
    assert_string_equal(value, "--json");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *word, *error;
    } cases[] = {{"--tt", "unknown option --tt; did you mean --ttl?"},
                 {"--ttls=4", "unknown option --ttls; did you mean --ttl?"},
                 {"--json=1", "--json takes no value"},
                 {"--ttl", "--ttl needs a value"},
                 {"-f", "-f needs a value"},
                 {"-x", "unknown option -x"},
                 {"-jf", "unknown option -jf"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *argv[] = {"put", cases[i].word};
        struct options o = begin(2, argv);
        const char *value = NULL;
        assert_int_equal(options_next(&o, &value), OPTIONS_BAD);
        assert_string_equal(o.error, cases[i].error);
    }
}

static void take_table(void *arg, const struct option_def *table, size_t count)
{
    assert_ptr_equal(table, defs);
    assert_int_equal(count, 3);
    ++*(int *)arg;
}

static void one_who_listens_has_the_table_and_no_word_is_read(void **state)
{
    (void)state;
    static const char *const argv[] = {"put", "--wrong"};
    int count = 0;
    struct options o = begin(2, argv);
    const char *value = "";
    options_listen(take_table, &count);
    assert_int_equal(options_next(&o, &value), OPTIONS_LISTED);
    options_listen(NULL, NULL);
    assert_int_equal(count, 1);
    assert_null(value);
    assert_int_equal(options_next(&o, &value), OPTIONS_BAD);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_options_may_be_mixed),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_value_may_look_like_an_option),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(one_who_listens_has_the_table_and_no_word_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
