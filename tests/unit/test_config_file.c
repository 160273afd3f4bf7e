#include "cmd/settings/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct config_file file;

/* In front of the C library's: whether time passes without an event, and how long was waited for.
 */
static bool is_silent;
static int waited_ms;

#pragma GCC visibility push(default)
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    waited_ms = timeout_ms;
    return is_silent ? 0 : (int)syscall(SYS_poll, fds, count, timeout_ms);
}
#pragma GCC visibility pop

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

/* A name in a folder of its own, for a FIFO. */
static void make_fifo(char *folder, char *ret_name, size_t size)
{
    assert_non_null(mkdtemp(folder));
    (void)snprintf(ret_name, size, "%s/secret", folder);
    assert_int_equal(mkfifo(ret_name, 0600), 0);
}

static void a_fifo_is_read_until_its_writer_has_gone(void **state)
{
    (void)state;
    char folder[] = "/tmp/repram-fifo-XXXXXX";
    char name[64];
    char *text = NULL;
    size_t len = 0;
    make_fifo(folder, name, sizeof(name));
    const pid_t writer = fork();
    if (writer == 0) {
        const int fd = open(name, O_WRONLY); /* waits for the reader */
        const bool is_written = write(fd, "sec", 3) == 3 && write(fd, "ret\n", 4) == 4;
        _exit(is_written ? 0 : 1);
    }
    assert_int_equal(config_file_read(name, 7, &text, &len), RC_OK);
    assert_int_equal(len, 7);
    assert_string_equal(text, "secret\n");
    free(text);
    int status = 1;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    (void)unlink(name);
    (void)rmdir(folder);
}

static void a_fifo_that_nobody_writes_to_is_waited_for_so_long(void **state)
{
    (void)state;
    char folder[] = "/tmp/repram-fifo-XXXXXX";
    char name[64];
    char *text = NULL;
    size_t len = 0;
    make_fifo(folder, name, sizeof(name));
    is_silent = true;
    const enum rc rc = config_file_read(name, 7, &text, &len);
    is_silent = false;
    assert_int_equal(rc, RC_TIMEOUT);
    assert_int_equal(waited_ms, CONFIG_FILE_WAIT_MS);
    assert_string_equal(config_file_why(rc), "nobody has written to it for 5 s");
    (void)unlink(name);
    (void)rmdir(folder);
}

/* Its second reader would wait for a writer, and get nothing. */
static void a_fifo_is_no_file_to_be_read_again(void **state)
{
    (void)state;
    char folder[] = "/tmp/repram-fifo-XXXXXX";
    char name[64];
    char *text = NULL;
    size_t len = 1;
    make_fifo(folder, name, sizeof(name));
    waited_ms = 0;
    const enum rc rc = config_file_read_again(name, 7, &text, &len);
    assert_int_equal(rc, RC_REFUSED);
    assert_int_equal(waited_ms, 0);
    assert_non_null(strstr(config_file_why(rc), "it is a pipe"));
    (void)unlink(name);
    assert_int_equal(config_file_read_again(name, 7, &text, &len), RC_NOT_FOUND);
    assert_int_equal(config_file_read_again("/dev/null", 7, &text, &len), RC_OK);
    assert_int_equal(len, 0);
    free(text);
    /* A device that says nothing just now. */
    is_silent = true;
    waited_ms = 1;
    assert_int_equal(config_file_read_again("/dev/null", 7, &text, &len), RC_REFUSED);
    is_silent = false;
    assert_int_equal(waited_ms, 0);
    (void)rmdir(folder);
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
        cmocka_unit_test(a_fifo_is_read_until_its_writer_has_gone),
        cmocka_unit_test(a_fifo_is_no_file_to_be_read_again),
        cmocka_unit_test(a_fifo_that_nobody_writes_to_is_waited_for_so_long),
        cmocka_unit_test(the_end_of_a_file_is_no_interruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
