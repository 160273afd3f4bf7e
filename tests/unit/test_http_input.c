#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/crypto/stream.h"
#include "net/http/http_input.h"

#include <event2/buffer.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig {
    int fds[2];
    struct stream stream;
    struct http_input input;
    uint8_t room[8];
};

static int set_up(void **state)
{
    static struct rig rig;
    memset(&rig, 0, sizeof(rig));
    rig.input.kept = evbuffer_new();
    *state = &rig;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, rig.fds) != 0) {
        return -1;
    }
    rig.stream = stream_plain(rig.fds[0]);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    evbuffer_free(rig->input.kept);
    (void)close(rig->fds[0]);
    (void)close(rig->fds[1]);
    return 0;
}

static void sent(struct rig *rig, const char *text)
{
    assert_int_equal(write(rig->fds[1], text, strlen(text)), strlen(text));
}

static enum rc read_once(struct rig *rig)
{
    size_t len = 0;
    const enum rc rc = stream_read(&rig->stream, rig->room, sizeof(rig->room), &len);
    if (rc == RC_OK) {
        http_input_take(&rig->input, rig->room, len);
    }
    return rc;
}

static void nothing_is_there_before_something_was_read(void **state)
{
    struct rig *rig = *state;
    const uint8_t *run = NULL;
    assert_int_equal(read_once(rig), RC_AGAIN);
    assert_int_equal(http_input_run(&rig->input, &run), 0);
    assert_int_equal(http_input_len(&rig->input), 0);
}

static void what_is_used_at_once_is_never_copied(void **state)
{
    struct rig *rig = *state;
    const uint8_t *run = NULL;
    sent(rig, "abcde");
    assert_int_equal(read_once(rig), RC_OK);
    assert_int_equal(http_input_run(&rig->input, &run), 5);
    assert_ptr_equal(run, rig->room);
    http_input_drop(&rig->input, 3);
    assert_int_equal(http_input_run(&rig->input, &run), 2);
    assert_ptr_equal(run, rig->room + 3);
    http_input_drop(&rig->input, 2);
    assert_int_equal(http_input_keep(&rig->input), RC_OK);
    assert_int_equal(evbuffer_get_length(rig->input.kept), 0);
}

static void what_is_left_is_kept_and_comes_before_what_follows(void **state)
{
    struct rig *rig = *state;
    const uint8_t *run = NULL;
    uint8_t first[4] = {0};
    sent(rig, "abcdefghij");
    assert_int_equal(read_once(rig), RC_OK);
    assert_int_equal(http_input_len(&rig->input), 8);
    http_input_drop(&rig->input, 7);
    assert_int_equal(http_input_keep(&rig->input), RC_OK);
    memset(rig->room, 'x', sizeof(rig->room)); /* somebody else's now */
    assert_int_equal(read_once(rig), RC_OK);
    assert_int_equal(http_input_len(&rig->input), 3);
    assert_int_equal(http_input_copy(&rig->input, first, 2), 2);
    assert_memory_equal(first, "hi", 2);
    assert_int_equal(http_input_copy(&rig->input, first, 4), 3);
    assert_memory_equal(first, "hij", 3);
    assert_int_equal(http_input_run(&rig->input, &run), 1);
    assert_int_equal(run[0], 'h');
    http_input_drop(&rig->input, 2);
    assert_int_equal(http_input_run(&rig->input, &run), 1);
    assert_int_equal(run[0], 'j');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_there_before_something_was_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_used_at_once_is_never_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_is_kept_and_comes_before_what_follows, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
