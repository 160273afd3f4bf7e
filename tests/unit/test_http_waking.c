/* What is sent of a stream that waits to be woken (net/http/http_output.c): how, and how much of
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

#include <sys/uio.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HELLO "\r\n\r\nhello"

/* How many more of the server's bytes the kernel will take. */
static size_t kernel_room = SIZE_MAX;
static unsigned write_calls;

/* The connection that the server accepted last. */
static int accepted_fd = -1;

/* These stand before the C library's, for the server and for libevent. */
#pragma GCC visibility push(default)
int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    const int accepted = (int)syscall(SYS_accept4, fd, from, len, flags);
    accepted_fd = accepted >= 0 ? accepted : accepted_fd;
    return accepted;
}

/* What the server has the kernel take, all at once while there is no end of room. */
static ssize_t play_kernel(int fd, const struct iovec *from, int count)
{
    struct iovec first = from[0];
    write_calls++;
    if (kernel_room == SIZE_MAX) {
        return syscall(SYS_writev, fd, from, count);
    }
    first.iov_len = first.iov_len < kernel_room ? first.iov_len : kernel_room;
    if (first.iov_len == 0) {
        errno = EAGAIN;
        return -1;
    }
    const ssize_t written = syscall(SYS_writev, fd, &first, 1);
    kernel_room -= written > 0 ? (size_t)written : 0;
    return written;
}

/* Only the server writes this way. */
ssize_t writev(int fd, const struct iovec *from, int count)
{
    return play_kernel(fd, from, count);
}

ssize_t send(int fd, const void *from, size_t len, int flags)
{
    const struct iovec one = {.iov_base = (void *)(uintptr_t)from, .iov_len = len};
    return fd == accepted_fd ? play_kernel(fd, &one, 1)
                             : (ssize_t)syscall(SYS_sendto, fd, from, len, flags, NULL, 0);
}
#pragma GCC visibility pop

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    kernel_room = SIZE_MAX;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

/* Many wait for the same: what each of them costs is the call. */
static void test_what_a_woken_stream_says_leaves_by_one_call(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->say = "a";
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/wake")));
    assert_true(client_hears(rig, &c, "1\r\na\r\n"));
    const unsigned before = write_calls;
    const uint64_t bytes = http_server_stats(rig->server).bytes_out;
    rig->say = "0123456789abcdef";
    http_server_wake(rig->server, rig->waking);
    assert_int_equal(write_calls, before + 1);
    assert_true(client_hears(rig, &c, "\r\n10\r\n0123456789abcdef\r\n"));
    assert_int_equal(http_server_stats(rig->server).bytes_out, bytes + 22);
    http_server_wake(rig->server, rig->waking); /* for nothing */
    assert_int_equal(write_calls, before + 1);
    client_close(&c);
}

static void test_what_the_kernel_does_not_take_of_a_woken_stream_follows(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    rig->say = "a";
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/wake") GET("/hello")));
    assert_true(client_hears(rig, &c, "1\r\na\r\n"));
    for (kernel_room = 0; kernel_room < 8;) {
        const size_t room = kernel_room;
        rig->say = "bcd";
        http_server_wake(rig->server, rig->waking);
        http_server_wake(rig->server, rig->waking); /* which waits for the socket now */
        kernel_room = SIZE_MAX;
        assert_true(client_hears_times(rig, &c, "\r\n3\r\nbcd\r\n", (unsigned)room + 1));
        kernel_room = room + 1;
    }
    kernel_room = 2;
    rig->say = "e";
    rig->is_said_out = true;
    http_server_wake(rig->server, rig->waking);
    kernel_room = SIZE_MAX;
    assert_true(client_hears(rig, &c, "1\r\ne\r\n0\r\n\r\n"));
    assert_true(client_hears(rig, &c, HELLO));
    assert_int_equal(rig->done, 1);
    client_close(&c);
}

static void test_what_waits_for_a_slow_reader_of_such_a_stream_is_bounded(void **state)
{
    enum { LEN = 16 * 1024, ROOM = 3 * LEN, WAKES = 1000 };
    struct rig *rig = *state;
    static char text[LEN + 1];
    memset(text, 'x', LEN);
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/wake")));
    assert_true(client_hears(rig, &c, "\r\n\r\n"));
    kernel_room = ROOM;
    size_t asked = 0;
    for (int i = 0; i < WAKES; i++) {
        rig->say = text;
        http_server_wake(rig->server, rig->waking);
        rig_turn(rig);
        asked += rig->say != text;
    }
    assert_int_equal(kernel_room, 0);
    assert_in_range(asked, 3, (ROOM + HTTP_OUTPUT_LOW) / LEN + 1);
    kernel_room = SIZE_MAX;
    client_reset(&c);
    assert_true(wait_for(rig, &rig->done, 1));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_a_woken_stream_says_leaves_by_one_call, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_what_the_kernel_does_not_take_of_a_woken_stream_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_what_waits_for_a_slow_reader_of_such_a_stream_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
