#include "cmd/settings/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define A_KEY "rk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8wUrl"

static struct report errors, warnings;

static int setup(void **state)
{
    (void)state;
    memset(&errors, 0, sizeof(errors));
    memset(&warnings, 0, sizeof(warnings));
    return 0;
}

/* Reads a file of these bytes and this mode as the cluster's secret. */
static char *read_file(const char *bytes, size_t len, mode_t mode)
{
    static char path[32];
    (void)snprintf(path, sizeof(path), "/tmp/repram-test-XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
    char *text = secret_read("REPRAM_CLUSTER_SECRET", "here", path, false, &errors, &warnings);
    (void)unlink(path);
    return text;
}

static void the_line_ends_behind_a_secret_are_not_of_it(void **state)
{
    (void)state;
    char *text = read_file(A_KEY "\r\n\n", sizeof(A_KEY) + 2, 0600);
    assert_string_equal(text, A_KEY);
    assert_int_equal(errors.count + warnings.count, 0);
    free(text);
}

/* A file that an editor has just emptied must not open a cluster. */
static void an_empty_file_is_no_secret(void **state)
{
    (void)state;
    assert_null(read_file("", 0, 0600));
    assert_non_null(strstr(errors.text, "item 1 is empty"));
    assert_null(read_file("\n", 1, 0600));
    assert_int_equal(errors.count, 2);
}

static void a_zero_byte_hides_nothing(void **state)
{
    (void)state;
    assert_null(read_file(A_KEY "\0,open", sizeof(A_KEY) + 5, 0600));
    assert_int_equal(errors.count, 1);
}

static void a_file_that_every_user_reads_is_warned_of(void **state)
{
    (void)state;
    char *text = read_file(A_KEY, sizeof(A_KEY) - 1, 0640);
    assert_non_null(text);
    free(text);
    assert_int_equal(warnings.count, 0);
    text = read_file(A_KEY, sizeof(A_KEY) - 1, 0604);
    assert_non_null(text);
    free(text);
    assert_int_equal(warnings.count, 1);
    assert_non_null(
        strstr(warnings.text, "holds REPRAM_CLUSTER_SECRET, can be read by every user"));
    assert_null(strstr(warnings.text, A_KEY));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_line_ends_behind_a_secret_are_not_of_it),
        TEST(an_empty_file_is_no_secret),
        TEST(a_zero_byte_hides_nothing),
        TEST(a_file_that_every_user_reads_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
