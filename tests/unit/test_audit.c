#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log_lines.h"
#include "net/access/audit.h"

static void ten_refusals_a_second_are_logged_and_the_others_counted(void **state)
{
    struct log_lines lines;
    log_lines_init(&lines);
    struct audit audit = {.hooks = &lines.hooks};
    (void)state;
    for (int i = 0; i < AUDIT_REFUSALS_MAX; i++) {
        audit_refused(&audit, 5000 + (uint64_t)i, "%s", "somebody");
    }
    assert_int_equal(lines.count, AUDIT_REFUSALS_MAX);
    audit_refused(&audit, 5998, "%s", "one more");
    audit_refused(&audit, 5999, "%s", "one more");
    audit_tick(&audit, 5999);
    assert_int_equal(lines.count, AUDIT_REFUSALS_MAX);
    log_lines_clear(&lines);
    audit_tick(&audit, 6000);
    audit_tick(&audit, 6001);
    assert_string_equal(lines.text, "warn acl 2 more refusals were not logged\n");
    audit_refused(&audit, 6500, "%s", "again");
    assert_int_equal(lines.count, 2);
    assert_non_null(strstr(lines.text, "warn acl refused: again\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_refusals_a_second_are_logged_and_the_others_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
