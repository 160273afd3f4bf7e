/* Links of which only the end that dials is ours. (How they end: test_peer_link_finish.c. Sealed
 * ones: test_sealed_link.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer_link_rig.h"
#include "tests/unit/failing_alloc.h"

static void dial_that_is_upgraded_comes_up(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    assert_int_equal(s->ups, 1);
    assert_int_equal(s->downs, 0);
    assert_true(peer_link_is_up(s->link));
    take_request(s);
}

/* The link's own socket: the one that is connected to the scene's port. */
static int socket_of(const struct scene *s)
{
    for (int fd = 0; fd < 1024; fd++) {
        struct addr peer;
        if (sockaddr_peer(fd, &peer) == RC_OK && peer.port == s->claim.port) {
            return fd;
        }
    }
    fail_msg("the link has no socket");
    return -1;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void a_link_sends_at_once_and_the_kernel_notices_who_is_silently_gone(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    const int fd = socket_of(s);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    const int idle_s = option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE);
    const int probes = option_of(fd, IPPROTO_TCP, TCP_KEEPCNT);
    assert_int_equal(idle_s + probes * option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 90);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 10000);
}

static void bytes_after_the_answer_are_input(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED "frames";
    s->is_stopped_by_input = true;
    dial(s);
    assert_int_equal(s->ups, 1);
    while (s->input_len < 6 && turn(s, UINT64_MAX)) {
    }
    assert_int_equal(s->input_len, 6);
    assert_memory_equal(s->input, "frames", 6);
}

static void dial_to_nobody_is_refused(void **state)
{
    struct scene *s = *state;
    const int deaf = hold_deaf_port(&s->at.port);
    assert_true(deaf >= 0);
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_REFUSED);
    close(deaf);
}

static void why_a_dial_fails_is_told_by_its_error(void **state)
{
    struct scene *s = *state;
    static const struct {
        int error;
        enum link_end why;
    } rows[] = {
        {ECONNREFUSED, LINK_END_REFUSED}, {ECONNRESET, LINK_END_RESET},
        {ETIMEDOUT, LINK_END_TIMEOUT},    {EHOSTUNREACH, LINK_END_NO_HOST},
        {ENETUNREACH, LINK_END_NO_NET},   {EACCES, LINK_END_DENIED},
        {EPERM, LINK_END_DENIED},         {EMFILE, LINK_END_NO_FD},
        {ENFILE, LINK_END_NO_FD},         {EINVAL, LINK_END_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        connect_error = rows[i].error;
        s->downs = 0;
        dial(s);
        assert_int_equal(s->downs, 1);
        assert_int_equal(s->why, rows[i].why);
    }
    connect_error = 0;
}

/* The kernel may do this to a dial into the range of its ephemeral ports. */
static void dial_that_reaches_itself_is_told_apart(void **state)
{
    struct scene *s = *state;
    is_next_connected_to_itself = true;
    dial(s);
    assert_false(is_next_connected_to_itself);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_SELF);
    assert_int_equal(s->ups, 0);
}

/* The full queue of a listener swallows connection requests, like a firewall. */
static void dial_that_nobody_answers_times_out(void **state)
{
    struct scene *s = *state;
    struct sockaddr_storage sa;
    const socklen_t sa_len = sockaddr_from(&s->at, AF_INET, &sa);
    int fillers[3];
    event_del(s->accepting);
    assert_int_equal(listen(s->claim.tcp_fd, 0), 0);
    for (size_t i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (const struct sockaddr *)&sa, sa_len);
    }
    s->link = peer_link_dial(s->base, 7, &s->at, &s->key, &hooks, s);
    (void)turn(s, UINT64_MAX);
    assert_int_equal(s->downs, 0);
    own_clock_pass_ms(DIAL_MS);
    run(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_TIMEOUT);
    for (size_t i = 0; i < 3; i++) {
        close(fillers[i]);
    }
}

static void dial_answered_by_another_program_is_rejected(void **state)
{
    struct scene *s = *state;
    s->answer = "SSH-2.0-x\r\n";
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_REJECTED);
    assert_int_equal(s->ups, 0);
}

static void dial_answered_by_another_status_is_rejected(void **state)
{
    struct scene *s = *state;
    s->answer = "HTTP/1.1 404 Not Found\r\n\r\n";
    dial(s);
    assert_int_equal(s->why, LINK_END_REJECTED);
}

static void dial_that_is_hung_up_on_ends(void **state)
{
    struct scene *s = *state;
    s->is_closing = true;
    dial(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_EOF);
}

static void link_whose_peer_closes_ends_in_eof(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    (void)shutdown(s->other, SHUT_WR);
    run(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_EOF);
}

static void link_whose_peer_crashes_ends_in_a_reset(void **state)
{
    struct scene *s = *state;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    s->answer = ACCEPTED;
    dial(s);
    (void)setsockopt(s->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(s->other);
    s->other = -1;
    run(s);
    assert_int_equal(s->downs, 1);
    assert_int_equal(s->why, LINK_END_RESET);
}

/* Reads at the other end, and waits, until the link has this little left to write. */
static void read_until_pending(struct scene *s, size_t bytes)
{
    static char room[65536];
    const uint64_t until = patience_begins();
    while (peer_link_pending(s->link) > bytes && turn(s, until)) {
        (void)recv(s->other, room, sizeof(room), 0);
    }
    assert_true(peer_link_pending(s->link) <= bytes);
}

static void drained_is_told_once_when_asked(void **state)
{
    struct scene *s = *state;
    static const uint8_t bytes[PEER_LINK_LOW_BYTES];
    s->answer = ACCEPTED;
    dial(s);
    kernel_room = 0;
    assert_int_equal(peer_link_write(s->link, bytes, sizeof(bytes), NULL), RC_OK);
    assert_int_equal(peer_link_pending(s->link), sizeof(bytes));
    peer_link_ask_drained(s->link);
    assert_int_equal(s->drains, 0);
    read_until_pending(s, PEER_LINK_LOW_BYTES / 2);
    assert_int_equal(s->drains, 1);
    assert_int_equal(peer_link_write(s->link, bytes, 10, NULL), RC_OK);
    read_until_pending(s, 0);
    assert_int_equal(s->drains, 1);
}

/* Bytes, a piece of a blob, more bytes: as one stream, whatever the kernel takes at once. */
static void pieces_of_blobs_are_sent_where_they_lie_between_the_bytes(void **state)
{
    struct scene *s = *state;
    enum { LARGE = 3 * BLOB_SEGMENT_BYTES, ALL = 4 + LARGE };
    static uint8_t data[LARGE];
    static char got[ALL + 1];
    memset(data, 'b', sizeof(data));
    s->answer = ACCEPTED;
    dial(s);
    take_request(s);
    for (int is_full = 0; is_full < 2; is_full++) {
        static struct blobrefs refs;
        struct blob *blob = blob_new(NULL, LARGE);
        assert_int_equal(blob_append(blob, data, LARGE), RC_OK);
        for (size_t at = 0; at < LARGE;) {
            at += blobrefs_add(&refs, 2, blob, at, LARGE);
        }
        blob_release(blob);
        kernel_room = is_full ? 1 : SIZE_MAX;
        if (is_full) {
            assert_int_equal(peer_link_write(s->link, "xx", 2, NULL), RC_OK);
        }
        assert_int_equal(peer_link_write(s->link, "<<>>", 4, &refs), RC_OK);
        blobrefs_clear(&refs); /* what is queued holds the blob by itself */
        kernel_room = SIZE_MAX;
        size_t len = 0;
        const size_t wanted = is_full ? ALL + 2 : ALL;
        const uint64_t until = patience_begins();
        while (len < wanted && turn(s, until)) {
            char *to = got + (is_full && len >= 2 ? len - 2 : len);
            const size_t most = is_full && len < 2 ? 2 - len : wanted - len;
            const ssize_t n = syscall(SYS_recvfrom, s->other, to, most, 0, NULL, NULL);
            len += n > 0 ? (size_t)n : 0;
        }
        assert_int_equal(len, wanted);
        assert_memory_equal(got, "<<", 2);
        assert_memory_equal(got + 2, data, LARGE);
        assert_memory_equal(got + 2 + LARGE, ">>", 2);
    }
}

/* Ten bytes for two places, of 3 and 5. */
static void hear_with_places(struct scene *s, uint8_t places[2][8])
{
    s->answer = ACCEPTED;
    dial(s);
    take_request(s);
    s->rooms[0] = (struct blob_room){places[0], 3};
    s->rooms[1] = (struct blob_room){places[1], 5};
    s->room_count = 2;
    assert_int_equal(send(s->other, "abcdefghij", 10, 0), 10);
    run(s);
    assert_int_equal(s->input_len, 10);
    assert_memory_equal(s->input, "abcdefghij", 10);
    assert_memory_equal(places[0], "abc", 3);
}

static void what_has_a_place_is_read_into_it_and_the_rest_follows(void **state)
{
    static uint8_t places[2][8];
    hear_with_places(*state, places);
    assert_memory_equal(places[1], "defgh", 5);
}

static void of_many_places_one_is_filled_in_a_turn_that_has_no_time_left(void **state)
{
    struct scene *s = *state;
    static uint8_t places[2][8];
    s->is_late = true;
    hear_with_places(s, places);
    assert_int_equal(places[1][0], 0);
}

static void adopted_link_delivers_what_was_read_before(void **state)
{
    struct scene *s = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    struct bufferevent *bev = bufferevent_socket_new(s->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    bufferevent_enable(bev, EV_READ);
    assert_int_equal(send(ends[1], "early", 5, 0), 5);
    event_base_loop(s->base, EVLOOP_ONCE);
    s->other = ends[1];
    s->link = peer_link_adopt(s->base, 9, bev, &hooks, s);
    assert_int_equal(peer_link_id(s->link), 9);
    peer_link_read(s->link);
    assert_int_equal(s->input_len, 5);
    assert_int_equal(send(ends[1], "late", 4, 0), 4);
    run(s);
    assert_memory_equal(s->input, "earlylate", 9);
}

static void a_link_reads_little_in_a_turn_that_has_no_time_left_and_the_rest_later(void **state)
{
    enum { LEN = 60000, FEW = 4096 };
    struct scene *s = *state;
    s->answer = ACCEPTED;
    dial(s);
    assert_true(peer_link_is_up(s->link));
    take_request(s);
    assert_int_equal(send(s->other, "!", 1, 0), 1);
    kernel_input = LEN;
    s->is_late = true;
    run(s);
    assert_int_equal(s->input_len, FEW);
    s->is_late = false;
    run(s);
    assert_int_equal(s->input_len, LEN);
}

/* The link comes up, or its end is told, once. */
static void dial_once(void *arg)
{
    struct scene *s = arg;
    s->ups = 0;
    s->downs = 0;
    event_add(s->accepting, NULL);
    dial(s);
    assert_int_equal(s->ups + s->downs, 1);
    assert_true(s->ups == 1 || failing_alloc_has_failed());
    failing_alloc_recover();
    peer_link_free(s->link);
    s->link = NULL;
    const uint64_t until = patience_begins();
    while (turn(s, until) && s->other < 0) {
    }
    close(s->other);
    s->other = -1;
    (void)turn(s, until); /* what was freed goes */
}

static void a_dial_without_memory_ends(void **state)
{
    struct scene *s = *state;
    s->answer = ACCEPTED;
    assert_true(failing_alloc_each(dial_once, s) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dial_that_is_upgraded_comes_up, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_link_sends_at_once_and_the_kernel_notices_who_is_silently_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_after_the_answer_are_input, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_to_nobody_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(why_a_dial_fails_is_told_by_its_error, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_that_reaches_itself_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_that_nobody_answers_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(dial_answered_by_another_program_is_rejected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dial_answered_by_another_status_is_rejected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dial_that_is_hung_up_on_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(link_whose_peer_closes_ends_in_eof, setup, teardown),
        cmocka_unit_test_setup_teardown(link_whose_peer_crashes_ends_in_a_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(drained_is_told_once_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces_of_blobs_are_sent_where_they_lie_between_the_bytes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_a_place_is_read_into_it_and_the_rest_follows,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            of_many_places_one_is_filled_in_a_turn_that_has_no_time_left, setup, teardown),
        cmocka_unit_test_setup_teardown(adopted_link_delivers_what_was_read_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_link_reads_little_in_a_turn_that_has_no_time_left_and_the_rest_later, setup,
            teardown),
        cmocka_unit_test_setup_teardown(a_dial_without_memory_ends, setup, teardown),
    };
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
