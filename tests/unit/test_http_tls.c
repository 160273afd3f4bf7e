#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_tls_rig.h"
#include "net/crypto/psk.h"
#include "net/crypto/seal_openssl.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/rings.h"

#include <errno.h>
#include <sys/socket.h>

/* So many calls of the next find nothing, as when the loop wakes for what is not there. */
static int deaf_calls;

/* So long each of them takes. */
static uint64_t recv_ms;

ssize_t __real_recv(int fd, void *room, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *room, size_t size, int flags);

ssize_t __wrap_recv(int fd, void *room, size_t size, int flags)
{
    own_clock_pass_ms(recv_ms);
    if (deaf_calls > 0) {
        deaf_calls--;
        errno = EAGAIN;
        return -1;
    }
    return __real_recv(fd, room, size, flags);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    *state = &rig;
    return rig_secure(&rig);
}

static int teardown(void **state)
{
    rig_fini(*state);
    rig_secure_fini();
    return 0;
}

/* A client that has sent the first byte of a handshake and no more. */
static struct client begun(struct rig *rig)
{
    rig->secure = NULL;
    struct client c = client_open(rig);
    rig->secure = client_handshakes;
    assert_int_equal(send(c.fd, "\x16", 1, MSG_NOSIGNAL), 1);
    rig_turn(rig);
    return c;
}

static struct client plain(struct rig *rig)
{
    rig->secure = NULL;
    struct client c = client_open(rig);
    rig->secure = client_handshakes;
    return c;
}

static uint64_t handshakes(const struct rig *rig, enum tls_kind kind, enum http_handshake result)
{
    return http_server_stats(rig->server).handshakes[kind][result];
}

static void the_first_byte_tells_tls_from_http(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/hello")));
    assert_true(client_hears(rig, &c, "hello"));
    assert_int_equal(handshakes(rig, TLS_KIND_HTTPS, HTTP_HANDSHAKE_OK), 1);
    client_close(&c);
    c = plain(rig);
    assert_true(client_say(rig, &c, GET("/hello?probe")));
    assert_true(client_hears(rig, &c, "hello"));
    client_close(&c);
}

static void without_a_certificate_or_a_key_nothing_is_taken_for_tls(void **state)
{
    struct rig *rig = *state;
    struct tls_context *none = tls_context_new();
    rig->config.tls = none;
    rig_start(rig);
    struct client c = begun(rig);
    assert_true(client_say(rig, &c, "\r\n\r\n"));
    assert_true(client_hears(rig, &c, "HTTP/1.1 400 "));
    client_close(&c);
    http_server_free(rig->server);
    rig->server = NULL;
    tls_context_free(none);
}

static void plain_http_is_for_probes_and_keeps_its_connection(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = plain(rig);
    assert_true(client_say(rig, &c, GET("/hello") GET("/hello?probe")));
    assert_true(client_hears(rig, &c, "hello"));
    assert_non_null(strstr(c.input, "HTTP/1.1 403 "));
    assert_non_null(strstr(c.input, "tls_required"));
    assert_int_equal(rig->handled, 1);
    client_close(&c);
}

static void plain_http_is_refused_before_its_body(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = plain(rig);
    assert_true(client_say(rig, &c,
                           "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                           "Content-Length: 900000\r\n\r\n"));
    assert_true(client_hears(rig, &c, "tls_required"));
    assert_null(strstr(c.input, "100 Continue"));
    assert_int_equal(rig->handled, 0);
    client_close(&c);
}

static void a_turn_for_nothing_does_not_make_it_http(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    deaf_calls = 2; /* the look at its first byte, and the reading */
    struct client c = begun(rig);
    assert_int_equal(deaf_calls, 0);
    rig_turn(rig);
    rig_pass_ms(rig, HTTP_HANDSHAKE_MS + 1000);
    assert_true(rig_has_connections(rig, 0));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_TIMEOUT), 1);
    client_close(&c);
}

static void a_handshake_that_takes_too_long_is_ended(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = begun(rig);
    rig_pass_ms(rig, HTTP_HANDSHAKE_MS - 1000);
    assert_int_equal(http_server_stats(rig->server).connections, 1);
    rig_pass_ms(rig, 2000);
    assert_true(rig_has_connections(rig, 0));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_TIMEOUT), 1);
    client_close(&c);
}

static void no_more_than_so_many_are_unfinished(void **state)
{
    static struct client all[HTTP_HANDSHAKES_MAX];
    struct rig *rig = *state;
    rig->config.connections_max = 2 * HTTP_HANDSHAKES_MAX;
    rig_start(rig);
    for (int i = 0; i < HTTP_HANDSHAKES_MAX; i++) {
        all[i] = begun(rig);
    }
    assert_true(rig_has_connections(rig, HTTP_HANDSHAKES_MAX));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_LIMITED), 0);
    struct client c = client_open(rig); /* the oldest gives way, and it comes to its end */
    assert_true(client_say(rig, &c, GET("/hello")));
    assert_true(client_hears(rig, &c, "hello"));
    assert_true(client_hears_end(rig, &all[0]) || all[0].is_reset);
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_LIMITED), 1);
    client_close(&all[0]);
    all[0] = begun(rig); /* the place of the one that has finished */
    assert_true(client_hears_nothing(rig, &all[1]));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_LIMITED), 1);
    client_close(&c);
    for (int i = 0; i < HTTP_HANDSHAKES_MAX; i++) {
        client_close(&all[i]);
    }
}

/* ---- Who has a key ---- */

static struct {
    struct seal_openssl *seal;
    struct keyring ring;
    unsigned links; /* that have left the server */
} keys;

static void on_sealed_link(void *arg, struct stream *stream, uint16_t key_id,
                           const struct addr *from)
{
    (void)arg;
    (void)from;
    keys.links += key_id == keys.ring.keys[0].id;
    stream_close(stream);
}

static struct psk_config psk(void)
{
    return (struct psk_config){.ring = &keys.ring, .key_records_max = PSK_KEY_RECORDS_MAX};
}

static int keyed_setup(void **state)
{
    const int rc = setup(state);
    struct rig *rig = *state;
    const struct keyring_items items = rings_items("A");
    keys.links = 0;
    keys.seal = seal_openssl_new();
    assert_int_equal(keyring_init(&keys.ring, seal_openssl_ops(keys.seal), "net", &items), RC_OK);
    const struct psk_config links = psk();
    tls_context_take_links(http_tls_rig.context, &links);
    rig->config.sealed_link = on_sealed_link;
    rig->config.connections_max = 4 * HTTP_HANDSHAKES_MAX;
    return rc;
}

static int keyed_teardown(void **state)
{
    const int rc = teardown(state);
    keyring_fini(&keys.ring);
    seal_openssl_free(keys.seal);
    return rc;
}

/* A peer that has said what proves its key, and does not go on by itself. */
static struct client keyed(struct rig *rig)
{
    struct client c = plain(rig);
    SSL *ssl = SSL_new(http_tls_rig.client_ctx);
    const struct psk_config config = psk();
    bool is_writing = false;
    c.tls = mem_new(1, sizeof(*c.tls));
    *c.tls = stream_plain(c.fd);
    assert_int_equal(stream_secure(c.tls, ssl), RC_OK);
    assert_int_equal(psk_dial(ssl, &config, keys.ring.keys[0].id), RC_OK);
    assert_int_equal(stream_handshake(c.tls, &is_writing), RC_AGAIN);
    rig_turn(rig);
    return c;
}

/* It goes on, and is a link. */
static void finish(struct rig *rig, struct client *peer)
{
    const uint64_t until = patience_begins();
    bool is_writing = false;
    enum rc rc = RC_AGAIN;
    while ((rc = stream_handshake(peer->tls, &is_writing)) == RC_AGAIN && rig_waits(rig, until)) {
    }
    assert_int_equal(rc, RC_OK);
    assert_true(wait_for(rig, &keys.links, 1));
}

static void who_has_proved_a_key_gives_way_to_no_stranger(void **state)
{
    static struct client strangers[HTTP_HANDSHAKES_MAX + 1];
    struct rig *rig = *state;
    rig_start(rig);
    struct client peer = keyed(rig);
    for (int i = 0; i <= HTTP_HANDSHAKES_MAX; i++) {
        strangers[i] = begun(rig);
    }
    assert_true(rig_has_connections(rig, HTTP_HANDSHAKES_MAX + 1));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_LIMITED), 1);
    assert_int_equal(handshakes(rig, TLS_KIND_LINK, HTTP_HANDSHAKE_LIMITED), 0);
    finish(rig, &peer);
    client_close(&peer);
    for (int i = 0; i <= HTTP_HANDSHAKES_MAX; i++) {
        client_close(&strangers[i]);
    }
}

/* What proves a key may be a recording. */
static void those_who_have_proved_a_key_are_bounded_too(void **state)
{
    static struct client peers[HTTP_HANDSHAKES_MAX + 1];
    struct rig *rig = *state;
    rig_start(rig);
    for (int i = 0; i <= HTTP_HANDSHAKES_MAX; i++) {
        peers[i] = keyed(rig);
    }
    assert_true(rig_has_connections(rig, HTTP_HANDSHAKES_MAX));
    assert_int_equal(handshakes(rig, TLS_KIND_LINK, HTTP_HANDSHAKE_LIMITED), 1);
    for (int i = 0; i <= HTTP_HANDSHAKES_MAX; i++) {
        client_close(&peers[i]);
    }
}

/* So one recording, said again and again from one address, keeps no member of another out. */
static void who_has_proved_a_key_gives_way_to_no_other_address(void **state)
{
    static struct client copies[HTTP_HANDSHAKES_MAX];
    struct rig *rig = *state;
    rig_start(rig);
    rig->from = INADDR_LOOPBACK + 1;
    struct client peer = keyed(rig);
    rig->from = 0;
    for (int i = 0; i < HTTP_HANDSHAKES_MAX; i++) {
        copies[i] = keyed(rig);
    }
    assert_true(rig_has_connections(rig, HTTP_HANDSHAKES_MAX));
    assert_int_equal(handshakes(rig, TLS_KIND_LINK, HTTP_HANDSHAKE_LIMITED), 1);
    assert_true(client_hears_end(rig, &copies[0]) || copies[0].is_reset);
    finish(rig, &peer);
    client_close(&peer);
    for (int i = 0; i < HTTP_HANDSHAKES_MAX; i++) {
        client_close(&copies[i]);
    }
}

static void a_handshake_that_is_no_handshake_is_counted(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = begun(rig);
    assert_int_equal(send(c.fd, "\x03\x01\x00\x04no!!", 8, MSG_NOSIGNAL), 8);
    assert_true(rig_has_connections(rig, 0));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_FAILED), 1);
    client_close(&c);
}

static void a_connection_beyond_the_limit_hears_so_over_tls_too(void **state)
{
    struct rig *rig = *state;
    rig->config.connections_max = 1;
    rig_start(rig);
    struct client first = client_open(rig);
    struct client second = client_open(rig);
    assert_true(client_say(rig, &second, GET("/hello")));
    assert_true(client_hears(rig, &second, "overloaded"));
    assert_true(client_hears_end(rig, &second));
    client_close(&second);
    client_close(&first);
}

static void what_drains_waits_for_no_handshake(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = begun(rig);
    http_server_drain(rig->server);
    assert_true(rig_has_connections(rig, 0));
    assert_true(http_server_is_idle(rig->server));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_DRAINED), 1);
    client_close(&c);
}

static void an_upgrade_over_https_is_refused(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: test/1\r\n\r\n"));
    assert_true(client_hears(rig, &c, "HTTP/1.1 403 "));
    assert_null(rig->upgraded);
    client_close(&c);
}

/* More requests than the server reads at once, in records across that bound: what is left of one is
 * answered too, though the socket has nothing more. */
static void what_was_read_ahead_is_answered_too(void **state)
{
    enum { REQUESTS = 520, RECORD = 2000 };
    static char text[REQUESTS * sizeof(GET("/hello"))];
    struct rig *rig = *state;
    size_t len = 0, sent = 0;
    rig_start(rig);
    struct client c = client_open(rig);
    for (int i = 0; i < REQUESTS; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", GET("/hello"));
    }
    assert_true(len > HTTP_INPUT_MAX && len < HTTP_INPUT_MAX + RECORD);
    assert_int_equal(stream_write(c.tls, text, RECORD, &sent), RC_OK);
    assert_int_equal(stream_write(c.tls, text + sent, len - sent, &sent), RC_OK);
    assert_true(client_hears_times(rig, &c, "\r\n\r\nhello", REQUESTS));
    client_close(&c);
}

/* The end of what a client sends stands behind its request, in the same read. */
static void an_end_that_was_read_ahead_ends_a_stream_that_waits(void **state)
{
    static const char ask[] = GET("/wake");
    struct rig *rig = *state;
    size_t len = 0;
    rig_start(rig);
    struct client c = client_open(rig);
    /* The socket stays open. */
    assert_true(c.tls != NULL && stream_write(c.tls, ask, sizeof(ask) - 1, &len) == RC_OK &&
                SSL_shutdown(c.tls->ssl) == 0);
    assert_true(wait_for(rig, &rig->handled, 1));
    assert_true(wait_for(rig, &rig->done, 1));
    assert_true(rig_has_connections(rig, 0));
    client_close(&c);
}

static void without_memory_for_tls_a_connection_ends_and_the_next_is_served(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = plain(rig);
    assert_int_equal(send(c.fd, "\x16", 1, MSG_NOSIGNAL), 1);
    failing_alloc_arm(0, true);
    rig_turn(rig);
    failing_alloc_recover();
    assert_true(rig_has_connections(rig, 0));
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_FAILED), 1);
    client_close(&c);
    c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/hello")));
    assert_true(client_hears(rig, &c, "hello"));
    client_close(&c);
}

static void handshakes_of_one_turn_end_and_the_others_go_on_in_the_next(void **state)
{
    struct rig *rig = *state;
    enum { MANY = 5 };
    static const char junk[] = "\x16\x03\x01\x00\x05junk!";
    struct client all[MANY];
    rig_start(rig);
    for (int i = 0; i < MANY; i++) {
        all[i] = plain(rig);
        rig_turn(rig);
    }
    recv_ms = 10;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(send(all[i].fd, junk, sizeof(junk) - 1, MSG_NOSIGNAL), sizeof(junk) - 1);
    }
    rig_turn(rig);
    recv_ms = 0;
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_FAILED), 1);
    const uint64_t until = patience_begins();
    while (handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_FAILED) < MANY && rig_waits(rig, until)) {
    }
    assert_int_equal(handshakes(rig, TLS_KIND_OTHER, HTTP_HANDSHAKE_FAILED), MANY);
    for (int i = 0; i < MANY; i++) {
        client_close(&all[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_byte_tells_tls_from_http),
        TEST(without_a_certificate_or_a_key_nothing_is_taken_for_tls),
        TEST(plain_http_is_for_probes_and_keeps_its_connection),
        TEST(plain_http_is_refused_before_its_body),
        TEST(a_turn_for_nothing_does_not_make_it_http),
        TEST(a_handshake_that_takes_too_long_is_ended),
        TEST(no_more_than_so_many_are_unfinished),
        cmocka_unit_test_setup_teardown(who_has_proved_a_key_gives_way_to_no_stranger, keyed_setup,
                                        keyed_teardown),
        cmocka_unit_test_setup_teardown(those_who_have_proved_a_key_are_bounded_too, keyed_setup,
                                        keyed_teardown),
        cmocka_unit_test_setup_teardown(who_has_proved_a_key_gives_way_to_no_other_address,
                                        keyed_setup, keyed_teardown),
        TEST(a_handshake_that_is_no_handshake_is_counted),
        TEST(a_connection_beyond_the_limit_hears_so_over_tls_too),
        TEST(what_drains_waits_for_no_handshake),
        TEST(an_upgrade_over_https_is_refused),
        TEST(what_was_read_ahead_is_answered_too),
        TEST(an_end_that_was_read_ahead_ends_a_stream_that_waits),
        TEST(without_memory_for_tls_a_connection_ends_and_the_next_is_served),
        TEST(handshakes_of_one_turn_end_and_the_others_go_on_in_the_next),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
