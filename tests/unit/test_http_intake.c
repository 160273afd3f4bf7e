#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/blob.h"
#include "http_rig.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define PUT(length) "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n"

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

static void test_a_body_may_be_continued_when_it_is_wanted(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("3") "Expect: 100-continue\r\n\r\n"));
    assert_true(client_hears(rig, &c, "\r\n\r\n"));
    assert_string_equal(c.input, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_true(client_say(rig, &c, "abc"));
    assert_true(client_hears(rig, &c, "\r\n\r\nabc"));
    assert_int_equal(rig->handled, 1);
    client_close(&c);
}

static void test_no_continue_for_a_body_that_is_already_here_or_empty(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("3") "Expect: 100-continue\r\n\r\nabc"));
    assert_true(client_hears(rig, &c, "\r\n\r\nabc"));
    assert_true(client_say(rig, &c, PUT("0") "Expect: 100-continue\r\n\r\n"));
    assert_true(client_hears(rig, &c, "Content-Length: 0\r\n\r\n"));
    assert_int_equal(count_of(c.input, "100 Continue"), 0);
    client_close(&c);
}

static void test_a_body_over_the_limit_is_refused_unread(void **state)
{
    struct rig *rig = *state;
    rig->body_max = 10;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("11") "Expect: 100-continue\r\n\r\n"));
    assert_true(client_hears_end(rig, &c));
    assert_int_equal(strncmp(c.input, "HTTP/1.1 413 ", 13), 0);
    assert_null(strstr(c.input, "100 Continue"));
    client_close(&c);
    c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("10") "\r\n0123456789"));
    assert_true(client_hears(rig, &c, "\r\n\r\n0123456789"));
    client_close(&c);
}

static void test_a_chunked_body_over_the_limit_is_413_and_within_it_arrives(void **state)
{
    struct rig *rig = *state;
    rig->body_max = 5;
    rig_start(rig);
    static const char head[] =
        "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, head));
    assert_true(client_say(rig, &c, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    assert_true(client_hears(rig, &c, "\r\n\r\nabcde"));
    assert_true(client_say(rig, &c, head));
    assert_true(client_say(rig, &c, "3\r\nabc\r\n3\r\ndef\r\n"));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "HTTP/1.1 413 "));
    assert_int_equal(http_server_stats(rig->server).requests_malformed, 0);
    client_close(&c);
}

static void test_another_expectation_is_417(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("3") "Expect: coffee\r\n\r\nabc"));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "HTTP/1.1 417 Expectation Failed\r\n"));
    assert_int_equal(rig->handled, 0);
    client_close(&c);
}

static void test_large_bodies_arrive_whole(void **state)
{
    enum { LEN = 400000 };
    struct rig *rig = *state;
    static char body[LEN];
    for (size_t i = 0; i < LEN; i++) {
        body[i] = (char)('a' + i % 25);
    }
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("400000") "\r\n"));
    assert_true(client_send(rig, &c, body, LEN));
    assert_true(client_say(rig, &c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(client_hears(rig, &c, "\r\n\r\nhello"));
    assert_memory_equal(strstr(c.input, "\r\n\r\n") + 4, body, LEN);
    client_close(&c);
}

static void test_held_bodies_are_read_when_the_hold_ends(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client begun = client_open(rig);
    struct client waiting = client_open(rig);
    struct client other = client_open(rig);
    assert_true(client_say(rig, &begun, PUT("6") "\r\nabc"));
    assert_true(rig_took_all(rig));
    http_server_hold_bodies(rig->server, true);
    assert_true(client_say(rig, &begun, "def"));
    assert_true(client_say(rig, &waiting, PUT("3") "Expect: 100-continue\r\n\r\n"));
    assert_true(client_hears_nothing(rig, &begun));
    assert_true(client_hears_nothing(rig, &waiting));
    assert_true(client_say(rig, &other, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(client_hears(rig, &other, "hello"));
    assert_int_equal(rig->handled, 1);
    http_server_hold_bodies(rig->server, false);
    assert_true(client_hears(rig, &begun, "\r\n\r\nabcdef"));
    assert_true(client_hears(rig, &waiting, "100 Continue\r\n\r\n"));
    assert_true(client_say(rig, &waiting, "ghi"));
    assert_true(client_hears(rig, &waiting, "\r\n\r\nghi"));
    client_close(&begun);
    client_close(&waiting);
    client_close(&other);
}

static void test_a_body_that_is_held_too_long_is_503(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    http_server_hold_bodies(rig->server, true);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("3") "\r\nabc"));
    assert_true(client_hears_nothing(rig, &c));
    rig_pass_ms(rig, rig->config.request_timeout_ms + 1);
    assert_true(client_hears(rig, &c, "HTTP/1.1 503"));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "\"overloaded\""));
    assert_non_null(strstr(c.input, "Retry-After: "));
    assert_int_equal(rig->handled, 0);
    client_close(&c);
}

/* What 5,000 and 6,000 bytes take. */
#define SOME_ROOM ((uint64_t)8 * 1024)

static bool say_body(struct rig *rig, struct client *c, size_t len)
{
    static const char bytes[100000];
    return client_send(rig, c, bytes, len);
}

static void test_bodies_beyond_what_has_room_wait_for_their_turn(void **state)
{
    struct rig *rig = *state;
    rig->config.bodies_bytes_max = 10000;
    rig_start(rig);
    struct client first = client_open(rig), second = client_open(rig), third = client_open(rig);
    assert_true(client_say(rig, &first, PUT("20000") "\r\n"));
    assert_true(say_body(rig, &first, 19999));
    assert_true(rig_took_all(rig));
    assert_true(client_say(rig, &second, PUT("6000") "\r\n"));
    assert_true(say_body(rig, &second, 6000));
    assert_true(client_hears_nothing(rig, &second));
    assert_true(client_say(rig, &third, PUT("5") "\r\nsmall"));
    assert_true(client_hears(rig, &third, "\r\n\r\nsmall"));
    assert_true(say_body(rig, &first, 1));
    assert_true(client_hears(rig, &first, "Content-Length: 20000\r\n"));
    assert_true(client_hears(rig, &second, "Content-Length: 6000\r\n"));
    client_close(&first);
    client_close(&second);
    client_close(&third);
}

static void test_room_of_a_body_that_breaks_off_is_given_back(void **state)
{
    struct rig *rig = *state;
    rig->config.bodies_bytes_max = 10000;
    rig_start(rig);
    struct client gone = client_open(rig), waiting = client_open(rig);
    assert_true(client_say(rig, &gone, PUT("8000") "\r\n"));
    assert_true(say_body(rig, &gone, 3000));
    assert_true(rig_took_all(rig));
    assert_true(client_say(rig, &waiting, PUT("8000") "\r\n"));
    assert_true(say_body(rig, &waiting, 8000));
    assert_true(client_hears_nothing(rig, &waiting));
    client_reset(&gone);
    assert_true(client_hears(rig, &waiting, "Content-Length: 8000\r\n"));
    client_close(&gone);
    client_close(&waiting);
}

/* Eight clients declare much and send little; one in a hurry is not kept waiting by them. */
static void test_a_declared_length_keeps_nobody_waiting(void **state)
{
    struct rig *rig = *state;
    rig->config.bodies_bytes_max = 10000;
    rig_start(rig);
    struct client idle[8], c = client_open(rig);
    for (int i = 0; i < 8; i++) {
        idle[i] = client_open(rig);
        assert_true(client_say(rig, &idle[i], PUT("20000") "\r\nabc"));
    }
    assert_true(rig_took_all(rig));
    assert_true(client_say(rig, &c, PUT("6000") "\r\n"));
    assert_true(say_body(rig, &c, 6000));
    assert_true(client_hears(rig, &c, "Content-Length: 6000\r\n"));
    client_close(&c);
    for (int i = 0; i < 8; i++) {
        client_close(&idle[i]);
    }
}

/* What its memory takes, which grows by doubling. */
static void test_a_body_counts_as_much_as_it_takes(void **state)
{
    struct rig *rig = *state;
    rig->config.bodies_bytes_max = 3 * SOME_ROOM;
    rig_start(rig);
    struct client slow[3], c = client_open(rig);
    for (int i = 0; i < 3; i++) {
        slow[i] = client_open(rig);
        assert_true(client_say(rig, &slow[i], PUT("100000") "\r\n"));
        assert_true(say_body(rig, &slow[i], 5000));
    }
    assert_true(rig_took_all(rig));
    assert_true(client_say(rig, &c, PUT("6000") "\r\n"));
    assert_true(say_body(rig, &c, 6000));
    assert_true(client_hears_nothing(rig, &c));
    client_reset(&slow[1]);
    assert_true(client_hears(rig, &c, "Content-Length: 6000\r\n"));
    client_close(&c);
    for (int i = 0; i < 3; i++) {
        client_close(&slow[i]);
    }
}

/* Several that have come half do not hold each other for ever. */
static void test_bodies_that_fill_the_room_together_end_one_after_the_other(void **state)
{
    struct rig *rig = *state;
    struct client clients[6];
    rig->config.bodies_bytes_max = 30000;
    rig_start(rig);
    for (int i = 0; i < 6; i++) {
        clients[i] = client_open(rig);
        assert_true(client_say(rig, &clients[i], PUT("20000") "\r\n"));
        assert_true(say_body(rig, &clients[i], 3000));
    }
    for (int i = 0; i < 6; i++) {
        assert_true(say_body(rig, &clients[i], 17000));
    }
    for (int i = 0; i < 6; i++) {
        assert_true(client_hears(rig, &clients[i], "Content-Length: 20000\r\n"));
        client_close(&clients[i]);
    }
}

/* Waits until all that the client has sent is at the server's socket, and was read from there. */
static bool is_read(struct rig *rig, const struct client *c)
{
    const uint64_t until = patience_begins();
    int left = 0;
    while (ioctl(c->fd, SIOCOUTQ, &left) == 0 && left > 0 && rig_waits(rig, until)) {
    }
    rig_turn(rig);
    rig_turn(rig);
    return left == 0;
}

enum { PIPELINED_BYTES = 16600, PIPELINED_LEN = 100000 };

/* Of a body so much comes at once, because a request before it was still being answered. */
static void say_much_at_once(struct rig *rig, struct client *c)
{
    assert_true(client_say(rig, c, "GET /defer HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(rig_took_all(rig));
    assert_true(client_say(rig, c, PUT("100000") "\r\n"));
    assert_true(say_body(rig, c, PIPELINED_BYTES - 500));
    assert_true(is_read(rig, c));
    assert_true(say_body(rig, c, 500));
    assert_true(is_read(rig, c));
    rig_complete(rig, rig->deferred, "late");
    assert_true(client_hears(rig, c, "late"));
}

/* Of the room of two small bodies each of two clients has half; `large` needs more than both. */
static void fill_room(struct rig *rig, struct client *first, struct client *second,
                      struct client *large)
{
    rig->config.bodies_bytes_max = 2 * SOME_ROOM;
    rig_start(rig);
    *first = client_open(rig);
    *second = client_open(rig);
    *large = client_open(rig);
    assert_true(client_say(rig, first, PUT("6000") "\r\n"));
    assert_true(say_body(rig, first, 5000));
    assert_true(rig_took_all(rig));
    assert_true(client_say(rig, second, PUT("6000") "\r\n"));
    assert_true(say_body(rig, second, 5000));
    assert_true(rig_took_all(rig));
    say_much_at_once(rig, large);
}

static void test_a_held_body_that_fits_passes_one_that_does_not(void **state)
{
    struct rig *rig = *state;
    struct client first, second, large, small = {.fd = -1};
    fill_room(rig, &first, &second, &large);
    small = client_open(rig);
    assert_true(client_say(rig, &small, PUT("6000") "\r\n"));
    assert_true(say_body(rig, &small, 6000));
    assert_true(client_hears_nothing(rig, &small));
    client_reset(&second);
    assert_true(client_hears(rig, &small, "Content-Length: 6000\r\n"));
    client_close(&first);
    client_close(&second);
    client_close(&large);
    client_close(&small);
}

static void test_a_large_body_is_not_passed_for_ever(void **state)
{
    struct rig *rig = *state;
    struct client first, second, large, small[3];
    fill_room(rig, &first, &second, &large);
    assert_true(say_body(rig, &second, 1000));
    assert_true(client_hears(rig, &second, "Content-Length: 6000\r\n"));
    for (int i = 0; i < 3; i++) {
        small[i] = client_open(rig);
        assert_true(client_say(rig, &small[i], PUT("6000") "\r\n"));
        assert_true(say_body(rig, &small[i], 6000));
        assert_true(i < 2 ? client_hears(rig, &small[i], "Content-Length: 6000\r\n")
                          : client_hears_nothing(rig, &small[i]));
    }
    assert_true(client_hears_nothing(rig, &large));
    client_reset(&first);
    assert_true(say_body(rig, &large, PIPELINED_LEN - PIPELINED_BYTES));
    assert_true(client_hears(rig, &large, "Content-Length: 100000\r\n"));
    assert_true(client_hears(rig, &small[2], "Content-Length: 6000\r\n"));
    for (int i = 0; i < 3; i++) {
        client_close(&small[i]);
    }
    client_close(&first);
    client_close(&second);
    client_close(&large);
}

/* The first body ends and another one begins in one turn of the loop. */
static void test_the_body_that_waited_longest_is_the_next_first(void **state)
{
    struct rig *rig = *state;
    struct client first, second, large, fresh;
    static const char rest[1000], head[] = PUT("20000") "\r\n";
    fill_room(rig, &first, &second, &large);
    client_reset(&second);
    fresh = client_open(rig);
    assert_true(rig_has_connections(rig, 3));
    assert_int_equal(send(first.fd, rest, sizeof(rest), MSG_NOSIGNAL), sizeof(rest));
    assert_int_equal(send(fresh.fd, head, sizeof(head) - 1, MSG_NOSIGNAL), sizeof(head) - 1);
    assert_true(say_body(rig, &fresh, 5000));
    assert_true(client_hears(rig, &first, "Content-Length: 6000\r\n"));
    assert_true(say_body(rig, &large, PIPELINED_LEN - PIPELINED_BYTES));
    assert_true(client_hears(rig, &large, "Content-Length: 100000\r\n"));
    client_close(&first);
    client_close(&second);
    client_close(&large);
    client_close(&fresh);
}

static void test_the_client_is_who_a_trusted_proxy_says(void **state)
{
    struct rig *rig = *state;
    rig->config.trust_all = true;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           "GET /hello HTTP/1.1\r\nHost: a\r\n"
                           "X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n\r\n"));
    assert_true(client_hears(rig, &c, "hello"));
    struct addr wanted = {.port = 0};
    assert_int_equal(addr_parse_ip("192.0.2.7", 0, &wanted), RC_OK);
    assert_true(addr_same_ip(&rig->client, &wanted));
    client_close(&c);
}

#define HELLO_FROM(ip) "GET /hello HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " ip "\r\n\r\n"

static void test_too_many_requests_of_one_client_are_429_and_others_go_on(void **state)
{
    struct rig *rig = *state;
    rig->config.trust_all = true;
    rig->config.rate_limit = 1;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c,
                           HELLO_FROM("10.0.0.1") HELLO_FROM("10.0.0.1") HELLO_FROM("10.0.0.1")
                               HELLO_FROM("10.0.0.1") HELLO_FROM("10.0.0.2")));
    assert_true(client_hears_times(rig, &c, "\r\n\r\nhello", 3));
    assert_int_equal(count_of(c.input, "HTTP/1.1 429 Too Many Requests\r\n"), 2);
    assert_int_equal(count_of(c.input, "Retry-After: 1\r\n"), 2);
    assert_int_equal(count_of(c.input, "\"code\":\"rate_limited\""), 2);
    assert_true(client_say(rig, &c,
                           "GET /hello?probe HTTP/1.1\r\nHost: a\r\n"
                           "X-Forwarded-For: 10.0.0.1\r\n\r\n"));
    assert_true(client_hears_times(rig, &c, "\r\n\r\nhello", 4)); /* probes are exempt */
    assert_int_equal(http_server_stats(rig->server).rate_limited, 2);
    client_close(&c);
}

static void test_a_limited_request_for_events_gets_one_and_the_connection_goes_on(void **state)
{
    struct rig *rig = *state;
    rig->config.rate_limit = 1;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(
        rig, &c,
        HELLO_FROM("a")
            HELLO_FROM("a") "GET /hello?events HTTP/1.1\r\nHost: a\r\n\r\n"
                            "GET /hello?probe HTTP/1.1\r\nHost: a\r\n\r\n"
                            "GET /hello?events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb"));
    assert_true(client_hears_end(rig, &c)); /* what has a body is not read any further */
    assert_int_equal(rig->handled, 3);
    assert_int_equal(count_of(c.input, "\r\n\r\nhello"), 3);
    assert_int_equal(count_of(c.input, "HTTP/1.1 429"), 0);
    assert_int_equal(count_of(c.input, "Content-Type: text/event-stream\r\n"), 2);
    assert_int_equal(count_of(c.input, "event: end\ndata: {\"code\":\"rate_limited\""), 2);
    assert_int_equal(http_server_stats(rig->server).rate_limited, 2);
    client_close(&c);
}

static void test_a_limited_request_with_a_body_ends_the_connection(void **state)
{
    struct rig *rig = *state;
    rig->config.rate_limit = 1;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, PUT("1") "\r\na" PUT("1") "\r\nb" PUT("1") "\r\nc" PUT("1")));
    assert_true(client_hears_end(rig, &c));
    assert_int_equal(rig->handled, 2);
    assert_non_null(strstr(c.input, "HTTP/1.1 429"));
    client_close(&c);
}

static void test_empty_lines_before_a_request_are_skipped(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, "\r\n"));
    assert_true(client_say(rig, &c, "\r"));
    assert_true(client_hears_nothing(rig, &c));
    assert_true(http_server_is_idle(rig->server));
    assert_true(client_say(rig, &c, "\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(client_hears(rig, &c, "hello"));
    client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_body_may_be_continued_when_it_is_wanted),
        TEST(test_no_continue_for_a_body_that_is_already_here_or_empty),
        TEST(test_a_body_over_the_limit_is_refused_unread),
        TEST(test_a_chunked_body_over_the_limit_is_413_and_within_it_arrives),
        TEST(test_another_expectation_is_417),
        TEST(test_large_bodies_arrive_whole),
        TEST(test_held_bodies_are_read_when_the_hold_ends),
        TEST(test_a_body_that_is_held_too_long_is_503),
        TEST(test_bodies_beyond_what_has_room_wait_for_their_turn),
        TEST(test_a_declared_length_keeps_nobody_waiting),
        TEST(test_bodies_that_fill_the_room_together_end_one_after_the_other),
        TEST(test_a_body_counts_as_much_as_it_takes),
        TEST(test_room_of_a_body_that_breaks_off_is_given_back),
        TEST(test_a_held_body_that_fits_passes_one_that_does_not),
        TEST(test_a_large_body_is_not_passed_for_ever),
        TEST(test_the_body_that_waited_longest_is_the_next_first),
        TEST(test_the_client_is_who_a_trusted_proxy_says),
        TEST(test_too_many_requests_of_one_client_are_429_and_others_go_on),
        TEST(test_a_limited_request_for_events_gets_one_and_the_connection_goes_on),
        TEST(test_a_limited_request_with_a_body_ends_the_connection),
        TEST(test_empty_lines_before_a_request_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
