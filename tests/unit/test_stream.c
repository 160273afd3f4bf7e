#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/crypto/psk.h"
#include "net/crypto/stream.h"
#include "tls_rig.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HEADER_BYTES = 5, ROOM_BYTES = 100000, MUCH = 400000, WRITE_AHEAD = 70000 };

struct rig {
    struct tls_paper paper;
    struct tls_context *context;
    struct tls_pair pair;
    uint8_t room[ROOM_BYTES];
};

static int set_up(void **state)
{
    static struct rig rig;
    struct tls_fault fault;
    memset(&rig, 0, sizeof(rig));
    tls_paper_make(&rig.paper, NULL, EVP_EC_gen("P-256"), -1, 1);
    rig.context = tls_context_new();
    const struct tls_pem pem = tls_pem_of(rig.paper.cert_text, rig.paper.key_text, NULL);
    assert_int_equal(tls_context_load(rig.context, &pem, &fault), RC_OK);
    tls_pair_open(&rig.pair, rig.context);
    *state = &rig;
    return tls_pair_shake(&rig.pair) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    tls_pair_free(&rig->pair);
    tls_context_free(rig->context);
    tls_paper_free(&rig->paper);
    return 0;
}

static void says(struct stream *s, const void *data, size_t len)
{
    size_t taken = 0;
    assert_int_equal(stream_write(s, data, len, &taken), RC_OK);
    assert_int_equal(taken, len);
}

static enum rc hears(struct rig *rig, struct stream *s, size_t *ret_len)
{
    *ret_len = 0;
    return stream_read(s, rig->room, sizeof(rig->room), ret_len);
}

/* ---- Plain ---- */

static void plain_is_the_socket_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    int fds[2];
    size_t len = 0;
    bool is_writing = true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct stream s = stream_plain(fds[0]);
    assert_int_equal(stream_handshake(&s, &is_writing), RC_OK);
    assert_int_equal(hears(rig, &s, &len), RC_AGAIN);
    says(&s, "abc", 3);
    assert_int_equal(read(fds[1], rig->room, sizeof(rig->room)), 3);
    assert_int_equal(write(fds[1], "defg", 4), 4);
    assert_int_equal(stream_read(&s, rig->room, 3, &len), RC_OK);
    assert_int_equal(len, 3);
    assert_false(s.has_more); /* the socket itself is readable */
    (void)shutdown(fds[1], SHUT_WR);
    assert_int_equal(hears(rig, &s, &len), RC_OK);
    assert_int_equal(hears(rig, &s, &len), RC_CLOSED);
    stream_finish(&s);
    assert_int_equal(read(fds[1], rig->room, sizeof(rig->room)), 0);
    struct stream moved = stream_take(&s);
    assert_int_equal(s.fd, -1);
    stream_close(&s); /* which is nothing */
    (void)close(fds[1]);
    assert_int_equal(stream_write(&moved, "h", 1, &len), RC_IO);
    assert_int_equal(errno, EPIPE);
    stream_close(&moved);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
}

/* ---- TLS ---- */

static void several_records_come_in_one_read(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    says(&rig->pair.there, "one", 3);
    says(&rig->pair.there, "two", 3);
    says(&rig->pair.there, "three", 5);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(len, 11);
    assert_memory_equal(rig->room, "onetwothree", 11);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_AGAIN);
}

static void updates_its_keys(struct stream *s, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(s->ssl), 1);
    }
}

static void key_updates_without_end_are_no_work_without_end(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    updates_its_keys(&rig->pair.there, STREAM_MESSAGES_MAX);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_AGAIN);
    updates_its_keys(&rig->pair.there, STREAM_MESSAGES_MAX);
    says(&rig->pair.there, "one", 3);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    updates_its_keys(&rig->pair.there, STREAM_MESSAGES_MAX + 1);
    says(&rig->pair.there, "two", 3);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_CLOSED);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_CLOSED);
}

static void what_was_read_ahead_is_told_as_no_event_will(void **state)
{
    struct rig *rig = *state;
    struct stream *s = &rig->pair.here;
    size_t len = 0;
    uint8_t byte = 0;
    says(&rig->pair.there, "one", 3);
    says(&rig->pair.there, "two", 3);
    assert_int_equal(stream_read(s, rig->room, 1, &len), RC_OK);
    assert_int_equal(recv(s->fd, &byte, 1, MSG_DONTWAIT), -1); /* nothing is left there */
    assert_true(s->has_more);
    assert_int_equal(hears(rig, s, &len), RC_OK);
    assert_int_equal(len, 5);
    assert_false(s->has_more);
}

/* What the client has written, as it is on the wire. */
static size_t wire_of(struct rig *rig, const char *text, uint8_t *wire, size_t size)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    BIO *bio = BIO_new_socket(fds[0], BIO_CLOSE);
    SSL_set0_wbio(rig->pair.there.ssl, bio);
    says(&rig->pair.there, text, strlen(text));
    const ssize_t len = read(fds[1], wire, size);
    assert_true(len > HEADER_BYTES);
    (void)close(fds[1]);
    return (size_t)len;
}

static void half_a_record_is_nothing_yet(void **state)
{
    struct rig *rig = *state;
    struct stream *s = &rig->pair.here;
    uint8_t wire[PSK_RECORD_BYTES];
    size_t len = 0;
    const size_t wire_len = wire_of(rig, "hello", wire, sizeof(wire));
    for (size_t i = 0; i < wire_len; i++) {
        assert_int_equal(hears(rig, s, &len), RC_AGAIN);
        assert_false(s->has_more); /* or the loop would turn for nothing */
        assert_int_equal(write(rig->pair.there.fd, wire + i, 1), 1);
    }
    assert_int_equal(hears(rig, s, &len), RC_OK);
    assert_int_equal(len, 5);
}

static void a_forged_byte_ends_it_and_leaves_no_error_behind(void **state)
{
    struct rig *rig = *state;
    uint8_t wire[PSK_RECORD_BYTES];
    size_t len = 0;
    const size_t wire_len = wire_of(rig, "hello", wire, sizeof(wire));
    wire[wire_len - 1] ^= 1;
    assert_int_equal(write(rig->pair.there.fd, wire, wire_len), wire_len);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_IO);
    assert_true(rig->pair.here.is_broken);
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_forged_record_behind_a_good_one_breaks_it_all_the_same(void **state)
{
    struct rig *rig = *state;
    uint8_t wire[PSK_RECORD_BYTES];
    size_t len = 0;
    size_t wire_len = wire_of(rig, "hello", wire, sizeof(wire));
    assert_int_equal(write(rig->pair.there.fd, wire, wire_len), wire_len);
    wire_len = wire_of(rig, "world", wire, sizeof(wire));
    wire[wire_len - 1] ^= 1;
    assert_int_equal(write(rig->pair.there.fd, wire, wire_len), wire_len);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(len, 5);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_IO);
}

static void an_error_that_another_left_behind_is_not_ours(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_AGAIN);
    says(&rig->pair.there, "still", 5);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_SIGNATURE);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    ERR_clear_error();
}

static unsigned records;

static void on_message(int is_written, int version, int type, const void *data, size_t len,
                       SSL *ssl, void *arg)
{
    (void)version;
    (void)data;
    (void)len;
    (void)ssl;
    (void)arg;
    records += is_written != 0 && type == SSL3_RT_HEADER;
}

static void small_pieces_leave_in_one_record(void **state)
{
    struct rig *rig = *state;
    struct evbuffer *out = evbuffer_new();
    size_t len = 0;
    records = 0;
    SSL_set_msg_callback(rig->pair.here.ssl, on_message);
    (void)evbuffer_add_reference(out, "head", 4, NULL, NULL);
    (void)evbuffer_add_reference(out, "body", 4, NULL, NULL);
    (void)evbuffer_add_reference(out, "tail", 4, NULL, NULL);
    assert_int_equal(stream_send(&rig->pair.here, out, SIZE_MAX), RC_OK);
    assert_int_equal(evbuffer_get_length(out), 0);
    assert_int_equal(records, 1);
    assert_int_equal(hears(rig, &rig->pair.there, &len), RC_OK);
    assert_memory_equal(rig->room, "headbodytail", 12);
    evbuffer_free(out);
}

/* Reads at one end what the other sends until all has come; whether it is what was sent. */
static bool passes(struct rig *rig, struct evbuffer *out, const uint8_t *wanted, size_t size)
{
    size_t came = 0;
    for (unsigned round = 0; came < size && round < size; round++) {
        size_t len = 0;
        if (stream_send(&rig->pair.here, out, WRITE_AHEAD) != RC_OK) {
            return false;
        }
        const enum rc rc = hears(rig, &rig->pair.there, &len);
        if ((rc != RC_OK && rc != RC_AGAIN) || memcmp(rig->room, wanted + came, len) != 0) {
            return false;
        }
        came += len;
    }
    return came == size && evbuffer_get_length(out) == 0;
}

static void a_full_socket_keeps_the_rest_and_nothing_is_lost(void **state)
{
    struct rig *rig = *state;
    static uint8_t much[MUCH];
    struct evbuffer *out = evbuffer_new();
    for (size_t i = 0; i < sizeof(much); i++) {
        much[i] = (uint8_t)(i * 7 / 5);
    }
    /* Small pieces, so that what is tried again stands at another address, then a large one. */
    size_t at = 0;
    for (; at < MUCH / 2; at += 1000) {
        (void)evbuffer_add_reference(out, much + at, 1000, NULL, NULL);
    }
    for (unsigned i = 0; i < MUCH && evbuffer_get_length(out) > 0; i++) {
        const size_t before = evbuffer_get_length(out);
        assert_int_equal(stream_send(&rig->pair.here, out, SIZE_MAX), RC_OK);
        if (before == evbuffer_get_length(out)) {
            break; /* the socket is full */
        }
    }
    (void)evbuffer_add_reference(out, much + at, MUCH - at, NULL, NULL);
    assert_true(passes(rig, out, much, MUCH));
    evbuffer_free(out);
}

static void a_full_socket_takes_again_from_the_same_byte(void **state)
{
    struct rig *rig = *state;
    static uint8_t much[MUCH], copy[MUCH];
    size_t sent = 0, came = 0, len = 0;
    bool was_full = false;
    for (size_t i = 0; i < sizeof(much); i++) {
        much[i] = (uint8_t)(i * 11 / 3);
    }
    for (unsigned round = 0; came < MUCH && round < MUCH; round++) {
        memcpy(copy, much, MUCH); /* it has moved */
        const uint8_t *from = round % 2 == 0 ? much : copy;
        const enum rc rc =
            sent == MUCH ? RC_AGAIN : stream_write(&rig->pair.here, from + sent, MUCH - sent, &len);
        sent += rc == RC_OK ? len : 0;
        was_full |= rc == RC_AGAIN && sent < MUCH;
        assert_true(rc == RC_OK || rc == RC_AGAIN);
        if (rc == RC_AGAIN && hears(rig, &rig->pair.there, &len) == RC_OK) {
            assert_memory_equal(rig->room, much + came, len);
            came += len;
        }
    }
    assert_int_equal(came, MUCH);
    assert_true(was_full);
}

static void a_half_that_is_closed_leaves_the_other(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    says(&rig->pair.there, "last", 4);
    stream_finish(&rig->pair.there);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_CLOSED);
    says(&rig->pair.here, "answer", 6);
    assert_int_equal(hears(rig, &rig->pair.there, &len), RC_OK);
    assert_int_equal(len, 6);
    stream_close(&rig->pair.here);
    assert_int_equal(hears(rig, &rig->pair.there, &len), RC_CLOSED);
    assert_int_equal(SSL_get_shutdown(rig->pair.there.ssl),
                     SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

static void an_end_without_a_word_is_an_end_too(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    assert_int_equal(hears(rig, &rig->pair.there, &len), RC_AGAIN); /* its tickets have come */
    says(&rig->pair.there, "last", 4);
    stream_reset(&rig->pair.there); /* no close_notify */
    stream_close(&rig->pair.there);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_CLOSED);
}

/* A key update that asks for one in return is answered with the next write, and until then reading
 * waits for nothing. */
static void a_key_update_is_answered_with_the_next_write(void **state)
{
    struct rig *rig = *state;
    struct stream *s = &rig->pair.here;
    static uint8_t much[MUCH];
    size_t len = 0, came = 0;
    while (stream_write(s, much, sizeof(much), &len) == RC_OK) {
        came -= len;
    }
    assert_int_equal(SSL_key_update(rig->pair.there.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    says(&rig->pair.there, "new", 3);
    assert_int_equal(hears(rig, s, &len), RC_OK);
    assert_memory_equal(rig->room, "new", 3);
    while (hears(rig, &rig->pair.there, &len) == RC_OK) {
        came += len;
    }
    assert_int_equal(stream_write(s, much, sizeof(much), &len), RC_OK);
    came -= len;
    while (hears(rig, &rig->pair.there, &len) == RC_OK) {
        came += len;
    }
    assert_int_equal(came, 0);
    assert_int_equal(SSL_get_key_update_type(s->ssl), SSL_KEY_UPDATE_NONE);
}

static void a_handshake_that_fails_says_how(void **state)
{
    struct rig *rig = *state;
    bool is_writing = true;
    struct tls_pair *p = &rig->pair;
    tls_pair_close(p);
    tls_pair_open(p, rig->context);
    assert_int_equal(stream_handshake(&p->here, &is_writing), RC_AGAIN);
    assert_false(is_writing);
    static const char junk[] = "\x16\x03\x01\x00\x05junk!";
    assert_int_equal(send(p->there.fd, junk, sizeof(junk) - 1, 0), sizeof(junk) - 1);
    assert_int_equal(stream_handshake(&p->here, &is_writing), RC_REFUSED);
    assert_int_equal(recv(p->there.fd, rig->room, sizeof(rig->room), 0), 7);
    assert_int_equal(rig->room[0], SSL3_RT_ALERT);
    tls_pair_close(p);
    tls_pair_open(p, rig->context);
    stream_close(&p->there);
    assert_int_equal(stream_handshake(&p->here, &is_writing), RC_CLOSED);
    assert_int_equal(ERR_peek_error(), 0);
}

/* The beginning of a ClientHello of 100,000 bytes, a byte a record, with empty records before each:
 * all of it is well-formed, and none of it is ever enough. */
static size_t crumbs(uint8_t *to, size_t size)
{
    static const uint8_t hello[] = {1, 1, 0x86, 0xa0};
    enum { EMPTY = 30 };
    size_t len = 0;
    for (size_t i = 0; len + (size_t)(EMPTY + 1) * (HEADER_BYTES + 1) <= size; i++) {
        for (int n = 0; n <= EMPTY; n++) {
            const uint8_t head[] = {SSL3_RT_HANDSHAKE, 3, 1, 0, n == EMPTY};
            memcpy(to + len, head, sizeof(head));
            len += sizeof(head);
        }
        to[len++] = i < sizeof(hello) ? hello[i] : 0;
    }
    return len;
}

static size_t left_in(const struct stream *s)
{
    int len = 0;
    assert_int_equal(ioctl(s->fd, FIONREAD, &len), 0);
    return (size_t)len;
}

static void a_handshake_in_crumbs_is_taken_in_parts_and_not_for_ever(void **state)
{
    struct rig *rig = *state;
    struct tls_pair *p = &rig->pair;
    bool is_writing = true;
    size_t taken = 0, calls = 0;
    enum rc rc = RC_AGAIN;
    tls_pair_close(p);
    tls_pair_open(p, rig->context);
    const size_t len = crumbs(rig->room, sizeof(rig->room));
    assert_true(len > STREAM_HANDSHAKE_MAX + 2 * SSL3_RT_MAX_PLAIN_LENGTH);
    assert_int_equal(send(p->there.fd, rig->room, len, 0), len);
    while (rc == RC_AGAIN) {
        const size_t before = left_in(&p->here);
        rc = stream_handshake(&p->here, &is_writing);
        assert_false(rc == RC_AGAIN && is_writing);
        assert_true(before - left_in(&p->here) < UINT64_C(3) * SSL3_RT_MAX_PLAIN_LENGTH);
        taken += before - left_in(&p->here);
        calls++;
    }
    assert_int_equal(rc, RC_REFUSED);
    assert_true(taken >= STREAM_HANDSHAKE_MAX);
    assert_true(taken < STREAM_HANDSHAKE_MAX + 2 * SSL3_RT_MAX_PLAIN_LENGTH);
    assert_true(calls > 2);
    assert_int_equal(ERR_peek_error(), 0);
}

static void of_tiny_records_one_read_takes_so_many(void **state)
{
    struct rig *rig = *state;
    size_t len = 0;
    for (int i = 0; i < 2 * STREAM_RECORDS_MAX + 1; i++) {
        says(&rig->pair.there, "x", 1);
    }
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(len, STREAM_RECORDS_MAX);
    assert_true(rig->pair.here.has_more);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(len, STREAM_RECORDS_MAX);
    assert_int_equal(hears(rig, &rig->pair.here, &len), RC_OK);
    assert_int_equal(len, 1);
    assert_false(rig->pair.here.has_more);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(plain_is_the_socket_and_nothing_else),
        TEST(several_records_come_in_one_read),
        TEST(key_updates_without_end_are_no_work_without_end),
        TEST(what_was_read_ahead_is_told_as_no_event_will),
        TEST(half_a_record_is_nothing_yet),
        TEST(a_forged_byte_ends_it_and_leaves_no_error_behind),
        TEST(a_forged_record_behind_a_good_one_breaks_it_all_the_same),
        TEST(an_error_that_another_left_behind_is_not_ours),
        TEST(small_pieces_leave_in_one_record),
        TEST(a_full_socket_keeps_the_rest_and_nothing_is_lost),
        TEST(a_full_socket_takes_again_from_the_same_byte),
        TEST(a_half_that_is_closed_leaves_the_other),
        TEST(an_end_without_a_word_is_an_end_too),
        TEST(a_key_update_is_answered_with_the_next_write),
        TEST(a_handshake_that_fails_says_how),
        TEST(a_handshake_in_crumbs_is_taken_in_parts_and_not_for_ever),
        TEST(of_tiny_records_one_read_takes_so_many),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
