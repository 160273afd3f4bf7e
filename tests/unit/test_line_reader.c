#include "cmd/client/line_reader.h"
#include "failing_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINE_MAX_BYTES = 300000 };

/* A file that nobody else sees, with these bytes. */
static int file_of(const void *data, size_t len)
{
    char path[] = "/tmp/repram-lines-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void assert_line(struct line_reader *r, const char *expected, bool is_cut)
{
    const char *text = NULL;
    size_t len = 0;
    assert_int_equal(line_reader_next(r, &text, &len), RC_OK);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
    assert_int_equal(r->is_cut, is_cut);
}

static void lines_come_one_by_one_with_their_numbers(void **state)
{
    static const char bytes[] = "one\n\nthree\r\nfour";
    struct line_reader r;
    const char *text = NULL;
    size_t len = 0;
    const int fd = file_of(bytes, sizeof(bytes) - 1);
    (void)state;
    line_reader_init(&r, fd, LINE_MAX_BYTES);
    assert_line(&r, "one", false);
    assert_line(&r, "", false);
    assert_line(&r, "three\r", false);
    assert_int_equal(r.number, 3);
    assert_line(&r, "four", true);
    assert_int_equal(r.number, 4);
    assert_int_equal(line_reader_next(&r, &text, &len), RC_NOT_FOUND);
    assert_int_equal(line_reader_next(&r, &text, &len), RC_NOT_FOUND);
    assert_int_equal(r.number, 4);
    assert_int_equal(r.bytes, sizeof(bytes) - 1);
    line_reader_fini(&r);
    (void)close(fd);
}

static void an_empty_file_has_no_line(void **state)
{
    struct line_reader r;
    const char *text = NULL;
    size_t len = 0;
    const int fd = file_of("", 0);
    (void)state;
    line_reader_init(&r, fd, LINE_MAX_BYTES);
    assert_int_equal(line_reader_next(&r, &text, &len), RC_NOT_FOUND);
    assert_int_equal(r.number, 0);
    line_reader_fini(&r);
    (void)close(fd);
}

static void a_line_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    char *bytes = calloc(1, LINE_MAX_BYTES + 2);
    (void)state;
    for (size_t len = LINE_MAX_BYTES - 1; len <= LINE_MAX_BYTES + 1; len++) {
        struct line_reader r;
        const char *text = NULL;
        size_t found = 0;
        memset(bytes, 'x', len);
        bytes[len] = '\n';
        const int fd = file_of(bytes, len + 1);
        line_reader_init(&r, fd, LINE_MAX_BYTES);
        assert_int_equal(line_reader_next(&r, &text, &found),
                         len > LINE_MAX_BYTES ? RC_TOO_LONG : RC_OK);
        assert_int_equal(r.number, 1);
        line_reader_fini(&r);
        (void)close(fd);
    }
    free(bytes);
}

static void what_cannot_be_read_is_said(void **state)
{
    struct line_reader r;
    const char *text = NULL;
    size_t len = 0;
    const int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)state;
    line_reader_init(&r, fd, LINE_MAX_BYTES);
    assert_int_equal(line_reader_next(&r, &text, &len), RC_IO);
    assert_int_equal(errno, EISDIR);
    line_reader_fini(&r);
    (void)close(fd);
}

static void a_line_is_waited_for_only_where_none_is_there(void **state)
{
    struct line_reader r;
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    line_reader_init(&r, fds[0], LINE_MAX_BYTES);
    assert_true(line_reader_would_wait(&r));
    assert_int_equal(write(fds[1], "a\nb\nc", 5), 5);
    assert_false(line_reader_would_wait(&r));
    assert_line(&r, "a", false);
    assert_false(line_reader_would_wait(&r));
    assert_line(&r, "b", false);
    assert_true(line_reader_would_wait(&r));
    (void)close(fds[1]);
    assert_false(line_reader_would_wait(&r));
    assert_line(&r, "c", true);
    assert_false(line_reader_would_wait(&r));
    line_reader_fini(&r);
    (void)close(fds[0]);
}

static void read_in_short(void *arg)
{
    struct line_reader r;
    const char *text = NULL;
    size_t len = 0;
    const int fd = *(const int *)arg;
    (void)lseek(fd, 0, SEEK_SET);
    line_reader_init(&r, fd, LINE_MAX_BYTES);
    const enum rc rc = line_reader_next(&r, &text, &len);
    assert_int_equal(rc, failing_alloc_has_failed() ? RC_NO_MEMORY : RC_OK);
    line_reader_fini(&r);
}

static void without_memory_a_line_is_not_read(void **state)
{
    int fd = file_of("line\n", 5);
    (void)state;
    assert_true(failing_alloc_each(read_in_short, &fd) > 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one_with_their_numbers),
        cmocka_unit_test(an_empty_file_has_no_line),
        cmocka_unit_test(a_line_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(a_line_is_waited_for_only_where_none_is_there),
        cmocka_unit_test(without_memory_a_line_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
