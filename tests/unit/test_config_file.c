#include "cmd/settings/config_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct config_file file;

static enum rc parse(const char *text, unsigned *ret_line)
{
    return config_file_parse(&file, text, strlen(text), ret_line);
}

static void lines_are_keys_and_values_without_their_spaces_and_quotes(void **state)
{
    (void)state;
    unsigned line = 0;
    assert_int_equal(
        parse("# comment\n\nA=1\r\n  B_2 =  two words \nC=\"x y\"\nD='q'\nE=\nF=a=b", &line),
        RC_OK);
    static const struct {
        const char *key, *value;
        unsigned number;
    } expected[] = {{"A", "1", 3}, {"B_2", "two words", 4}, {"C", "x y", 5}, {"D", "q", 6},
                    {"E", "", 7},  {"F", "a=b", 8}};
    assert_int_equal(file.line_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(file.lines[i].key, expected[i].key);
        assert_string_equal(file.lines[i].value, expected[i].value);
        assert_int_equal(file.lines[i].number, expected[i].number);
    }
    config_file_fini(&file);
}

static void an_empty_file_has_no_lines(void **state)
{
    (void)state;
    unsigned line = 0;
    assert_int_equal(parse("", &line), RC_OK);
    assert_int_equal(file.line_count, 0);
    config_file_fini(&file);
}

static void what_is_no_setting_is_malformed_and_its_line_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"A=1\nBASE_PORT 8081\n", "A=1\n=x\n", "A=1\nA B=1",
                                      "A=1\nÄ=1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unsigned line = 0;
        assert_int_equal(parse(bad[i], &line), RC_MALFORMED);
        assert_int_equal(line, 2);
    }
    unsigned line = 0;
    assert_int_equal(config_file_parse(&file, "A=1\0B", 5, &line), RC_MALFORMED);
    assert_int_equal(line, 1);
}

static void too_many_lines_or_bytes_are_too_long(void **state)
{
    (void)state;
    enum { LINES = CONFIG_FILE_LINES_MAX + 1 };
    static char many[LINES * 4 + 1];
    unsigned line = 0;
    for (size_t i = 0; i < LINES; i++) {
        (void)snprintf(many + i * 4, sizeof(many) - i * 4, "A=1\n");
    }
    assert_int_equal(config_file_parse(&file, many, strlen(many), &line), RC_TOO_LONG);
    assert_int_equal(line, LINES);
    static char large[CONFIG_FILE_BYTES_MAX + 1];
    assert_int_equal(config_file_parse(&file, large, sizeof(large), &line), RC_TOO_LONG);
}

static void a_file_is_read_up_to_its_limit(void **state)
{
    (void)state;
    char name[] = "/tmp/repram-test-XXXXXX";
    const int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "secret\n", 7), 7);
    (void)close(fd);
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(config_file_read(name, 7, &text, &len), RC_OK);
    assert_int_equal(len, 7);
    assert_string_equal(text, "secret\n");
    free(text);
    assert_int_equal(config_file_read(name, 6, &text, &len), RC_TOO_LONG);
    (void)unlink(name);
    assert_int_equal(config_file_read(name, 7, &text, &len), RC_NOT_FOUND);
    assert_int_equal(config_file_read("/", 7, &text, &len), RC_IO);
}

/* The kernel leaves what was wrong with another call where it was. */
static void the_end_of_a_file_is_no_interruption(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 1;
    errno = EINTR;
    assert_int_equal(config_file_read("/dev/null", 7, &text, &len), RC_OK);
    assert_int_equal(len, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_keys_and_values_without_their_spaces_and_quotes),
        cmocka_unit_test(an_empty_file_has_no_lines),
        cmocka_unit_test(what_is_no_setting_is_malformed_and_its_line_told),
        cmocka_unit_test(too_many_lines_or_bytes_are_too_long),
        cmocka_unit_test(a_file_is_read_up_to_its_limit),
        cmocka_unit_test(the_end_of_a_file_is_no_interruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
