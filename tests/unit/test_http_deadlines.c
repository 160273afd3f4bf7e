#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"
#include "net/http/http_state.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HELLO "\r\n\r\nhello"

/* How long a connection may take over what: by the rig's clock. */

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static void test_an_idle_connection_is_closed_silently(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client fresh = client_open(rig);
    struct client used = client_open(rig);
    assert_true(rig_has_connections(rig, 2));
    assert_true(client_say(rig, &used, GET("/hello")));
    assert_true(client_hears(rig, &used, HELLO));
    rig_pass_ms(rig, rig->config.idle_timeout_ms / 2);
    assert_true(client_hears_nothing(rig, &fresh));
    rig_pass_ms(rig, rig->config.idle_timeout_ms / 2 + 1);
    assert_true(client_hears_end(rig, &fresh));
    assert_int_equal(fresh.len, 0);
    assert_true(client_hears_end(rig, &used));
    assert_int_equal(count_of(used.input, "HTTP/1.1"), 1);
    client_close(&fresh);
    client_close(&used);
}

/* Refused, and with more to send: the connection stays until the client has stopped, but not for
 * longer than LINGER. */
static void test_a_refused_client_is_let_go_when_it_stops_or_its_time_is_over(void **state)
{
    struct rig *rig = *state;
    rig->body_max = 1000;
    rig_start(rig);
    for (int stops = 0; stops <= 1; stops++) {
        struct client c = client_open(rig);
        assert_true(client_say(rig, &c,
                               "PUT /echo HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 1048576\r\n\r\nmore"));
        assert_true(client_hears_end(rig, &c));
        assert_non_null(strstr(c.input, "HTTP/1.1 413 "));
        assert_int_equal(http_server_stats(rig->server).connections, 1);
        const uint64_t before_us = own_clock_us;
        if (stops != 0) {
            client_finish(&c);
        } else {
            rig_pass_ms(rig, HTTP_LINGER_MS / 2);
            assert_int_equal(http_server_stats(rig->server).connections, 1);
        }
        assert_true(rig_has_connections(rig, 0));
        assert_int_equal(own_clock_us - before_us < HTTP_LINGER_MS * UINT64_C(1000) / 2, stops);
        client_close(&c);
    }
}

static void test_a_refused_client_that_sends_on_and_on_is_let_go(void **state)
{
    enum { PIECE = 1 << 20 };
    static const uint8_t piece[PIECE];
    struct rig *rig = *state;
    rig->body_max = 1000;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "PUT /echo HTTP/1.1\r\nHost: a\r\n"
                           "Content-Length: 104857600\r\n\r\nmore"));
    assert_true(client_hears_end(rig, &c));
    const uint64_t before_us = own_clock_us;
    for (size_t sent = PIECE; sent < HTTP_LINGER_BYTES; sent += PIECE) {
        assert_true(client_send(rig, &c, piece, PIECE));
    }
    assert_int_equal(http_server_stats(rig->server).connections, 1);
    (void)client_send(rig, &c, piece, PIECE);
    assert_true(rig_has_connections(rig, 0));
    assert_true(own_clock_us - before_us < HTTP_LINGER_MS * UINT64_C(1000));
    client_close(&c);
}

static void test_headers_that_take_too_long_are_408(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, "GET /hello HTTP/1.1\r\n"));
    for (int i = 0; i < 9; i++) { /* a byte now and then does not help */
        rig_pass_ms(rig, rig->config.request_timeout_ms / 10);
        assert_true(client_say(rig, &c, "X"));
        assert_true(client_hears_nothing(rig, &c));
    }
    rig_pass_ms(rig, rig->config.request_timeout_ms / 10 + 1);
    assert_true(client_hears_end(rig, &c) || c.is_reset);
    assert_non_null(strstr(c.input, "HTTP/1.1 408 Request Timeout\r\n"));
    assert_int_equal(http_server_stats(rig->server).timeouts, 1);
    client_close(&c);
}

static void test_a_body_that_stops_is_408_and_one_that_flows_is_not(void **state)
{
    enum { LEN = 100000, PIECES = 5 };
    struct rig *rig = *state;
    rig_start(rig);
    struct client stuck = client_open(rig);
    struct client slow = client_open(rig);
    static const char put[] = "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    assert_true(client_say(rig, &stuck, put));
    assert_true(client_say(rig, &stuck, "abc"));
    assert_true(client_say(rig, &slow, put));
    static const char piece[LEN / PIECES];
    /* No less than is wanted in the time of a request, and in all twice as long. */
    assert_true(sizeof(piece) >= HTTP_RATE_MIN * rig->config.request_timeout_ms / 1000 / 2);
    for (int i = 0; i < PIECES; i++) {
        assert_true(client_send(rig, &slow, piece, sizeof(piece)));
        assert_true(rig_took_all(rig));
        rig_pass_ms(rig, rig->config.request_timeout_ms / 2);
    }
    assert_true(client_hears(rig, &slow, "HTTP/1.1 200"));
    assert_true(client_hears(rig, &stuck, "HTTP/1.1 408"));
    assert_true(client_hears_end(rig, &stuck));
    client_close(&stuck);
    client_close(&slow);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_idle_connection_is_closed_silently),
        TEST(test_a_refused_client_is_let_go_when_it_stops_or_its_time_is_over),
        TEST(test_a_refused_client_that_sends_on_and_on_is_let_go),
        TEST(test_headers_that_take_too_long_are_408),
        TEST(test_a_body_that_stops_is_408_and_one_that_flows_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
