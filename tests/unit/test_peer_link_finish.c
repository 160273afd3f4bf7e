/* How links end that were finished: what was said last arrives, or is dropped in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer_link_rig.h"

#include <sys/uio.h>

static bool is_kernel_full; /* it takes nothing that waits */

/* For libevent, which writes what waits. */
#pragma GCC visibility push(default)
ssize_t writev(int fd, const struct iovec *runs, int count)
{
    if (is_kernel_full) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_writev, fd, runs, count);
}
#pragma GCC visibility pop

/* Finishes a link with much to send; the other end reads it all, sees the end, and closes. */
static void finish_and_read(struct scene *s)
{
    static const uint8_t bytes[1 << 20];
    static char room[65536];
    const uint64_t until = patience_begins();
    size_t got = 0;
    ssize_t n = -1;
    assert_int_equal(peer_link_write(s->link, bytes, sizeof(bytes), NULL), RC_OK);
    peer_link_finish(s->link);
    while (n != 0 && (n > 0 || patience_lasts(until))) {
        (void)event_base_loop(s->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        n = recv(s->other, room, sizeof(room), 0);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(n, 0);
    assert_int_equal(got, sizeof(bytes));
    assert_int_equal(s->finishes, 0);
    close(s->other);
    s->other = -1;
    run(s);
    assert_int_equal(s->finishes, 1);
    assert_int_equal(s->downs, 0);
}

static void finished_link_sends_what_it_had(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    take_request(s);
    finish_and_read(s);
}

static void finished_link_drops_what_still_comes_and_cuts_nothing_off(void **state)
{
    struct scene *s = *state;
    static const uint8_t unread[100000];
    s->answer = ACCEPTED;
    dial(s);
    take_request(s);
    assert_true(send(s->other, unread, sizeof(unread), 0) > 0); /* as much as the kernel takes */
    finish_and_read(s);
    assert_int_equal(s->input_len, 0);
}

/* So its key, if that is why it ends, is good for no longer than the engine says. */
static void finished_link_whose_peer_does_not_read_is_reset_in_time(void **state)
{
    struct scene *s = *state;
    char byte = 0;
    s->answer = ACCEPTED;
    dial(s);
    take_request(s);
    is_kernel_full = true;
    kernel_room = 0;
    assert_int_equal(peer_link_write(s->link, "last", 4, NULL), RC_OK);
    const uint64_t before_us = own_clock_us;
    peer_link_finish(s->link);
    own_clock_pass_ms(PEER_LINK_FINISH_MS - 1);
    (void)event_base_loop(s->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_int_equal(s->finishes, 0);
    own_clock_pass_ms(1);
    run(s);
    assert_int_equal(s->finishes, 1);
    assert_in_range(own_clock_us - before_us, 0,
                    (LINK_KEYLESS_MS - LINK_CLOSE_FLUSH_MS) * UINT64_C(1000));
    assert_int_equal(recv(s->other, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void finished_dial_ends_without_a_word(void **state)
{
    struct scene *s = *state;
    s->link = peer_link_dial(s->base, 7, &s->at, &s->key, &hooks, s);
    peer_link_finish(s->link);
    run(s);
    assert_int_equal(s->finishes, 1);
    assert_int_equal(s->downs + s->ups, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(finished_link_sends_what_it_had),
        TEST(finished_link_drops_what_still_comes_and_cuts_nothing_off),
        TEST(finished_link_whose_peer_does_not_read_is_reset_in_time),
        TEST(finished_dial_ends_without_a_word),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
