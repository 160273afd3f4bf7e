#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/out/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOUND_SIZE = 256, LINES_MAX = 65536 };

static void on_found(void *arg, const struct addr *addr)
{
    char *found = arg;
    char text[ADDR_TEXT_SIZE];
    const size_t len = strlen(found);
    (void)snprintf(found + len, FOUND_SIZE - len, "%s ", addr_format_ip(addr, text));
}

static int setup(void **state)
{
    char *path = strdup("/tmp/repram-test-hosts-XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fputs("# a comment\n"
                "192.0.2.1\tone.example one # two\n"
                "2001:db8::1 one\r\n"
                "\n"
                "not-an-address one\n"
                "192.0.2.2 a b c d twice\n"
                "192.0.2.3 twice",
                file);
    (void)fclose(file);
    *state = path;
    return 0;
}

static int teardown(void **state)
{
    (void)unlink(*state);
    free(*state);
    return 0;
}

static void assert_found(const char *path, const char *name, const char *wanted)
{
    char found[FOUND_SIZE] = "";
    hosts_find(path, name, on_found, found);
    assert_string_equal(found, wanted);
}

static void every_line_with_the_name_counts_and_case_does_not(void **state)
{
    assert_found(*state, "ONE", "192.0.2.1 2001:db8::1 ");
    assert_found(*state, "one.example", "192.0.2.1 ");
    assert_found(*state, "twice", "192.0.2.2 192.0.2.3 ");
}

static void comments_and_other_names_are_nobodys(void **state)
{
    assert_found(*state, "two", "");
    assert_found(*state, "on", "");
    assert_found(*state, "192.0.2.1", "");
}

static void without_a_file_there_is_nobody(void **state)
{
    (void)state;
    assert_found("/nowhere/hosts", "one", "");
}

/* So that a file without an end does not hold up its reader. */
static void only_so_many_lines_are_read(void **state)
{
    FILE *file = fopen(*state, "we");
    assert_non_null(file);
    for (int i = 1; i < LINES_MAX; i++) {
        (void)fputs("\n", file);
    }
    (void)fputs("192.0.2.4 last\n"
                "192.0.2.5 last beyond\n",
                file);
    (void)fclose(file);
    assert_found(*state, "last", "192.0.2.4 ");
    assert_found(*state, "beyond", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_line_with_the_name_counts_and_case_does_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(comments_and_other_names_are_nobodys, setup, teardown),
        cmocka_unit_test(without_a_file_there_is_nobody),
        cmocka_unit_test_setup_teardown(only_so_many_lines_are_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
