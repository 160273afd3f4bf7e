#include "cmd/base/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "captured.h"

static struct report report;
static struct captured said;

static int setup(void **state)
{
    (void)state;
    memset(&report, 0, sizeof(report));
    return 0;
}

static const char *printed(void)
{
    captured_begin(&said, STDERR_FILENO);
    report_print(&report, "repram: ");
    return captured_end(&said);
}

static void lines_are_printed_in_order_behind_the_prefix(void **state)
{
    (void)state;
    assert_string_equal(printed(), "");
    report_add(&report, "one %d", 1);
    report_add(&report, "two");
    assert_string_equal(report.text, "one 1\ntwo\n");
    assert_int_equal(report.len, strlen(report.text));
    assert_int_equal(report.count, 2);
    assert_string_equal(printed(), "repram: one 1\nrepram: two\n");
}

static void a_line_stays_a_line_whatever_is_in_it(void **state)
{
    (void)state;
    report_add(&report, "a\nb\x1b[31m\x7f\x1f ~\xc3\xa9 \xc2\x9b \xe2\x80\xae \xff");
    assert_string_equal(report.text, "a?b?[31m?? ~\xc3\xa9 ? ? ?\n");
}

/* Lines are cut at LINE_MAX bytes. The last one leaves room for its end and the text's. */
static void what_does_not_fit_is_left_out_whole_and_counted(void **state)
{
    (void)state;
    enum { LINE_MAX = 1023, WHOLE = REPORT_BYTES_MAX / (LINE_MAX + 1) - 1 };
    char line[LINE_MAX + 1];
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < WHOLE; i++) {
        report_add(&report, "%.*s", LINE_MAX, line);
    }
    report_add(&report, "%.*s", LINE_MAX, line);
    assert_int_equal(report.len, WHOLE * (LINE_MAX + 1));
    report_add(&report, "%.*s", LINE_MAX - 1, line);
    assert_int_equal(report.len, REPORT_BYTES_MAX - 1);
    assert_int_equal(strlen(report.text), report.len);
    report_add(&report, "y");
    assert_int_equal(report.count, WHOLE + 3);
    const char *text = printed();
    assert_non_null(strstr(text, "x\nrepram: and 2 more\n"));
    assert_null(strchr(text, 'y'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_are_printed_in_order_behind_the_prefix, setup),
        cmocka_unit_test_setup(a_line_stays_a_line_whatever_is_in_it, setup),
        cmocka_unit_test_setup(what_does_not_fit_is_left_out_whole_and_counted, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
