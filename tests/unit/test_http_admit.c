/* What is refused before its body is read, and the lines that every answer has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

static unsigned judged;

/* What asks for "?refuse" may not; what asks for "?small" may send ten bytes. */
static bool admit(void *arg, struct http_request *rq, struct http_response *rs)
{
    (void)arg;
    judged++;
    if (rq->query.len == 5 && memcmp(rq->query.data, "small", 5) == 0) {
        rq->route.body_max = 10;
    }
    if (rq->query.len == 6 && memcmp(rq->query.data, "refuse", 6) == 0) {
        http_problem(rs, 403, "forbidden", "no");
        return false;
    }
    return true;
}

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    rig.config.admit = admit;
    judged = 0;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define PUT_TO(target, len) "PUT " target " HTTP/1.1\r\nHost: a\r\nContent-Length: " len "\r\n"

static void put_refused_before_body(void **state)
{
    struct rig *rig = *state;
    static char body[1 << 20];
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(
        client_say(rig, &c, PUT_TO("/echo?refuse", "1048576") "Expect: 100-continue\r\n\r\n"));
    assert_true(client_hears(rig, &c, "\"code\":\"forbidden\""));
    assert_null(strstr(c.input, "100 Continue"));
    assert_non_null(strstr(c.input, "HTTP/1.1 403"));
    assert_non_null(strstr(c.input, "Connection: close\r\n"));
    assert_non_null(strstr(c.input, "Access-Control-Allow-Origin: *\r\n"));
    client_close(&c);
    c = client_open(rig);
    assert_true(client_say(rig, &c, PUT_TO("/echo?refuse", "1048576") "\r\n"));
    assert_true(client_send(rig, &c, body, sizeof(body))); /* who sends it all the same hears why */
    assert_true(client_hears_end(rig, &c));
    assert_false(c.is_reset);
    assert_non_null(strstr(c.input, "\"code\":\"forbidden\""));
    client_close(&c);
    assert_int_equal(rig->handled, 0);
    assert_int_equal(judged, 2);
}

static void a_request_without_a_body_that_is_refused_leaves_the_connection_open(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/hello?refuse") GET("/hello")));
    assert_true(client_hears(rig, &c, "\r\n\r\nhello"));
    assert_non_null(strstr(c.input, "HTTP/1.1 403"));
    assert_int_equal(rig->handled, 1);
    assert_int_equal(judged, 2);
    client_close(&c);
}

static void a_lower_limit_ends_a_body_that_comes_in_chunks(void **state)
{
    static const char head[] =
        "PUT /echo?small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct rig *rig = *state;
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, head));
    assert_true(client_say(rig, &c, "a\r\n0123456789\r\n0\r\n\r\n"));
    assert_true(client_hears(rig, &c, "\r\n\r\n0123456789"));
    assert_true(client_say(rig, &c, head));
    assert_true(client_say(rig, &c, "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n"));
    assert_true(client_hears_end(rig, &c));
    assert_non_null(strstr(c.input, "HTTP/1.1 413"));
    assert_int_equal(rig->handled, 1);
    client_close(&c);
}

/* Also those that are made later, and those to what is no request. */
static void every_answer_has_the_lines_of_its_request(void **state)
{
    static const char own[] = "Access-Control-Allow-Origin: https://a.example\r\n";
    struct rig *rig = *state;
    struct http_response rs;
    rig->cors = own;
    rig->config.cors = "Vary: Origin\r\n";
    rig_start(rig);
    struct client c = client_open(rig);
    assert_true(client_say(rig, &c, GET("/hello") GET("/204") GET("/defer")));
    assert_true(client_hears(rig, &c, "204"));
    const uint64_t until = patience_begins();
    while (rig->deferred == 0 && rig_waits(rig, until)) {
    }
    http_response_init(&rs);
    http_set_body(&rs, 201, "text/plain", "later", 5);
    http_server_complete(rig->server, rig->deferred, &rs);
    http_response_fini(&rs);
    assert_true(client_say(rig, &c, GET("/stream")));
    assert_true(client_hears(rig, &c, "\r\n0\r\n\r\n"));
    assert_int_equal(count_of(c.input, own), 4);
    assert_int_equal(count_of(c.input, "Vary"), 0);
    assert_true(client_say(rig, &c, "NO REQUEST\r\n\r\n"));
    assert_true(client_hears_end(rig, &c));
    assert_int_equal(count_of(c.input, own), 4);
    assert_int_equal(count_of(c.input, "Vary: Origin\r\n"), 1);
    client_close(&c);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(put_refused_before_body),
        TEST(a_request_without_a_body_that_is_refused_leaves_the_connection_open),
        TEST(a_lower_limit_ends_a_body_that_comes_in_chunks),
        TEST(every_answer_has_the_lines_of_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
