#include "net/sys/hangup.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void it_is_readable_once_the_reader_of_a_pipe_has_gone(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const int hangup = hangup_open(ends[1]);
    assert_true(hangup >= 0);
    assert_false(is_readable(hangup));
    assert_int_equal(write(ends[1], "x", 1), 1); /* nor by what is written */
    assert_false(is_readable(hangup));
    (void)close(ends[0]);
    assert_true(is_readable(hangup));
    (void)close(hangup);
    (void)close(ends[1]);
}

static void a_file_has_no_other_end(void **state)
{
    (void)state;
    const int file = memfd_create("file", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(hangup_open(file), -1);
    (void)close(file);
    assert_int_equal(hangup_open(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_readable_once_the_reader_of_a_pipe_has_gone),
        cmocka_unit_test(a_file_has_no_other_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
