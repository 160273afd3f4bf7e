#include "cmd/base/output.h"
#include "cmd/base/table.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct table *sample(void)
{
    static const char *const headings[] = {"NODE", "PORT"};
    static const char *const first[] = {"flux-node-1", "8081"};
    static const char *const second[] = {"x\ty\n", NULL};
    struct table *t = table_new(headings, 2);
    table_add(t, first);
    table_add(t, second);
    return t;
}

static void people_get_headings_and_aligned_columns(void **state)
{
    (void)state;
    struct table *t = sample();
    char *text = table_format(t, true);
    assert_string_equal(text, "NODE         PORT\nflux-node-1  8081\nx?y?\n");
    free(text);
    table_free(t);
}

static void scripts_get_tabs_and_no_headings(void **state)
{
    (void)state;
    struct table *t = sample();
    char *text = table_format(t, false);
    assert_string_equal(text, "flux-node-1\t8081\nx?y?\t\n");
    free(text);
    table_free(t);
}

static void a_row_of_nothing_is_an_empty_line(void **state)
{
    (void)state;
    static const char *const nothing[] = {"", ""};
    struct table *t = table_new(nothing, 2);
    table_add(t, nothing);
    char *text = table_format(t, true);
    assert_string_equal(text, "\n\n");
    free(text);
    table_free(t);
}

static void many_rows_fit(void **state)
{
    (void)state;
    static const char *const headings[] = {"A"};
    static const char *const cells[] = {"b"};
    struct table *t = table_new(headings, 1);
    for (int i = 0; i < 1000; i++) {
        table_add(t, cells);
    }
    char *text = table_format(t, false);
    assert_int_equal(strlen(text), 2000);
    free(text);
    table_free(t);
    table_free(NULL);
}

static void a_column_is_as_wide_as_its_characters_are_and_shows_none_that_is_obeyed(void **state)
{
    (void)state;
    static const char *const headings[] = {"A", "B"};
    static const char *const first[] = {"\xc3\xa9\xc3\xa9", "x"};
    static const char *const second[] = {"abc", "\xc2\x9b\xe2\x80\xae\xff"};
    struct table *t = table_new(headings, 2);
    table_add(t, first);
    table_add(t, second);
    char *text = table_format(t, true);
    assert_string_equal(text, "A    B\n\xc3\xa9\xc3\xa9   x\nabc  ???\n");
    free(text);
    table_free(t);
}

/* n-1, n and n+1 columns; then down to the least width. */
static void the_widest_columns_are_cut_until_it_fits(void **state)
{
    (void)state;
    static const char *const headings[] = {"NAME", "STATE"};
    static const char *const row[] = {"0123456789abcdef", "alive"};
    static const struct {
        size_t columns;
        const char *row;
    } cases[] = {{24, "\n0123456789abcdef  alive\n"}, {23, "\n0123456789abcdef  alive\n"},
                 {22, "\n0123456789ab...  alive\n"},  {15, "\n01234...  alive\n"},
                 {14, "\n01234...  alive\n"},         {0, "\n01234...  alive\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct table *t = table_new(headings, 2);
        table_add(t, row);
        table_fit(t, cases[i].columns);
        char *text = table_format(t, true);
        assert_non_null(strstr(text, cases[i].row));
        free(text);
        text = table_format(t, false); /* a script gets it whole */
        assert_string_equal(text, "0123456789abcdef\talive\n");
        free(text);
        table_free(t);
    }
}

/* Of 8 columns, 5 are left before the dots: two wide characters, and a blank. */
static void wide_characters_are_cut_to_the_column_and_filled_up(void **state)
{
    (void)state;
    static const char *const headings[] = {"NAME", "B"};
    static const char *const wide[] = {
        "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", "x"};
    static const char *const narrow[] = {"e\xcc\x81", "y"};
    struct table *t = table_new(headings, 2);
    table_add(t, wide);
    table_add(t, narrow);
    char *text = table_format(t, true);
    assert_string_equal(text, "NAME        B\n"
                              "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5  x\n"
                              "e\xcc\x81           y\n");
    free(text);
    table_fit(t, 11);
    text = table_format(t, true);
    assert_string_equal(text, "NAME      B\n\xe6\x97\xa5\xe6\x97\xa5...   x\n"
                              "e\xcc\x81         y\n");
    free(text);
    table_free(t);
}

/* As somebody asks for who pipes it into a pager. */
static void scripts_get_colours_that_are_asked_for(void **state)
{
    (void)state;
    static const char *const headings[] = {"NODE", "STATE"};
    static const char *const row[] = {"a", "alive"};
    struct table *t = table_new(headings, 2);
    table_add(t, row);
    assert_int_equal(output_set_color("always"), RC_OK);
    char *text = table_format(t, false);
    assert_int_equal(output_set_color("never"), RC_OK);
    assert_string_equal(text, "a\t\033[32malive\033[0m\n");
    free(text);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_get_headings_and_aligned_columns),
        cmocka_unit_test(scripts_get_tabs_and_no_headings),
        cmocka_unit_test(a_row_of_nothing_is_an_empty_line),
        cmocka_unit_test(many_rows_fit),
        cmocka_unit_test(a_column_is_as_wide_as_its_characters_are_and_shows_none_that_is_obeyed),
        cmocka_unit_test(the_widest_columns_are_cut_until_it_fits),
        cmocka_unit_test(wide_characters_are_cut_to_the_column_and_filled_up),
        cmocka_unit_test(scripts_get_colours_that_are_asked_for),
    };
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
