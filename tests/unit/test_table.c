#include "cmd/base/table.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_get_headings_and_aligned_columns),
        cmocka_unit_test(scripts_get_tabs_and_no_headings),
        cmocka_unit_test(a_row_of_nothing_is_an_empty_line),
        cmocka_unit_test(many_rows_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
