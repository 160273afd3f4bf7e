#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/settings/acl_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/repram-acl-XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_file_becomes_rules_or_a_sentence_that_names_it_and_the_line(void **state)
{
    char why[ACL_FILE_WHY_SIZE];
    char wanted[128];
    (void)state;
    write_file("user *\nallow read\n");
    struct acl *acl = acl_file_read(path, why);
    assert_non_null(acl);
    assert_int_equal(acl_rule_count(acl), 1);
    acl_free(acl);
    write_file("user *\nallow fly\n");
    assert_null(acl_file_read(path, why));
    (void)snprintf(wanted, sizeof(wanted), "%s line 2: 'fly' is no verb", path);
    assert_int_equal(strncmp(why, wanted, strlen(wanted)), 0);
    write_file("");
    acl = acl_file_read(path, why);
    assert_non_null(acl);
    acl_free(acl);
}

/* It is read by each node, and again by each HUP. */
static void what_is_not_there_or_can_be_read_only_once_is_refused(void **state)
{
    char why[ACL_FILE_WHY_SIZE];
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_null(acl_file_read(path, why));
    assert_non_null(strstr(why, "cannot be read: No such file or directory"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(acl_file_read(path, why));
    assert_non_null(strstr(why, "it is a pipe"));
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_becomes_rules_or_a_sentence_that_names_it_and_the_line),
        cmocka_unit_test(what_is_not_there_or_can_be_read_only_once_is_refused),
    };
    const int fd = mkstemp(path);
    if (fd < 0) {
        return 1;
    }
    (void)close(fd);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
