#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/record.h"
#include "net/http/http_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 10000
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define HOST "Host: a\r\n"

/* Feeds everything in pieces of at most `step` bytes; returns how much was taken. */
static size_t feed(struct http_parse *p, const char *data, size_t len, size_t step)
{
    size_t at = 0;
    while (at < len) {
        if (http_parse_state(p) == HTTP_PARSE_HEADERS) {
            http_parse_accept(p, BODY_MAX);
        }
        if (http_parse_state(p) != HTTP_PARSE_HEAD && http_parse_state(p) != HTTP_PARSE_BODY) {
            break;
        }
        const size_t left = len - at;
        at += http_parse_feed(p, data + at, left < step ? left : step);
    }
    if (http_parse_state(p) == HTTP_PARSE_HEADERS) {
        http_parse_accept(p, BODY_MAX);
    }
    return at;
}

struct refused {
    const char *name;
    const char *raw;
    int status;
};

static const struct refused refused[] = {
    {"no version", "GET /\r\n", 400},
    {"no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400},
    {"HTTP/0.9 by name", "GET / HTTP/0.9\r\n" HOST "\r\n", 505},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"HTTP/3.1", "GET / HTTP/3.1\r\n" HOST "\r\n", 505},
    {"lower-case http", "GET / http/1.1\r\n" HOST "\r\n", 400},
    {"two-digit version", "GET / HTTP/1.10\r\n" HOST "\r\n", 400},
    {"space after the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"tab for a space", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"unknown method", "FOO / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"unknown method, unfinished line", "FOO /", 501},
    {"lower-case method", "get / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"method that is no token", "G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"TLS hello", "\x16\x03\x01\x02", 400},
    {"RTSP method over HTTP", "SETUP / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"RTSP", "SETUP / RTSP/1.0\r\n" HOST "\r\n", 400},
    {"OPTIONS over RTSP", "OPTIONS * RTSP/1.0\r\n" HOST "\r\n", 400},
    {"ICE method", "SOURCE / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"ICE", "SOURCE / ICE/1.0\r\n" HOST "\r\n", 400},
    {"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 501},
    {"authority form", "GET a:80 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"asterisk with GET", "GET * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"relative target", "GET data/x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"other scheme", "GET ftp://a/x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"absolute without host", "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"absolute with user", "GET http://u@a/x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"fragment", "GET /#a HTTP/1.1\r\n" HOST "\r\n", 400},
    {"raw byte in target", "GET /\x80 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"control byte in target", "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"DEL in target", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400},
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two Hosts", "GET / HTTP/1.1\r\n" HOST "host: b\r\n\r\n", 400},
    {"two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400},
    {"list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
    {"Host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"Host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"obs-fold", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
    {"obs-fold by tab", "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", 400},
    {"first header folded", "GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", 400},
    {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400},
    {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"bare LF after a header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
    {"bare LF at the end", "GET / HTTP/1.1\r\n" HOST "\n", 400},
    {"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400},
    {"bare CR after the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
    {"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"tab before the colon", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400},
    {"empty name", "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400},
    {"no colon", "GET / HTTP/1.1\r\n" HOST "xyz\r\n\r\n", 400},
    {"control byte in a name", "GET / HTTP/1.1\r\n" HOST "X\x01: a\r\n\r\n", 400},
    {"control byte in a value", "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
    {"DEL in a value", "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400},
    {"two lengths", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
     400},
    {"the same length twice",
     "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\ncontent-length: 1\r\n\r\n", 400},
    {"list of lengths", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400},
    {"signed length", "PUT / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400},
    {"negative length", "PUT / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", 400},
    {"hexadecimal length", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400},
    {"empty length", "PUT / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
    {"length in two words", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n\r\n", 400},
    {"length past 64 bits",
     "PUT / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n", 413},
    {"the longest length of 64 bits",
     "PUT / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n", 413},
    {"length over the limit", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 10001\r\n\r\n", 413},
    {"length, then coding",
     "PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"coding, then length",
     "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {"coding that is not chunked", "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
     400},
    {"coding like chunked", "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"identity", "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400},
    {"chunked not last", "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {"chunked after gzip", "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     501},
    {"chunked twice", "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {"two codings",
     "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"vertical tab before chunked",
     "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     400},
    {"chunked on HTTP/1.0", "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"other expectation", "PUT / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 417},
    {"two expectations",
     "PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 417},
};

static void test_malformed_heads_are_refused_whole_and_byte_by_byte(void **state)
{
    (void)state;
    struct http_parse *p = http_parse_new(NULL);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        for (size_t step = 1; step < 5000; step *= 7) {
            http_parse_reset(p);
            feed(p, refused[i].raw, strlen(refused[i].raw), step);
            const bool is_refused = http_parse_state(p) == HTTP_PARSE_REFUSED;
            if (!is_refused || http_parse_refusal(p)->status != refused[i].status) {
                fail_msg("%s in steps of %zu: state %d, status %d", refused[i].name, step,
                         http_parse_state(p), is_refused ? http_parse_refusal(p)->status : 0);
            }
        }
    }
    http_parse_free(p);
}

static void test_a_nul_in_the_head_is_refused(void **state)
{
    (void)state;
    static const char in_target[] = "GET /a\0b HTTP/1.1\r\n" HOST "\r\n";
    static const char in_value[] = "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
    static const char in_name[] = "GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n";
    struct http_parse *p = http_parse_new(NULL);
    feed(p, in_target, sizeof(in_target) - 1, 100);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_REFUSED);
    http_parse_reset(p);
    feed(p, in_value, sizeof(in_value) - 1, 100);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_REFUSED);
    http_parse_reset(p);
    feed(p, in_name, sizeof(in_name) - 1, 100);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_REFUSED);
    assert_int_equal(http_parse_refusal(p)->status, 400);
    http_parse_free(p);
}

#define CHUNKED "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct refused refused_bodies[] = {
    {"LF after the size", CHUNKED "3\nabc\r\n0\r\n\r\n", 400},
    {"LF after an extension", CHUNKED "3;a\nabc\r\n0\r\n\r\n", 400},
    {"LF after the data", CHUNKED "3\r\nabc\n0\r\n\r\n", 400},
    {"no CRLF after the data", CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 400},
    {"space after the size", CHUNKED "3 \r\nabc\r\n0\r\n\r\n", 400},
    {"no size", CHUNKED "\r\n", 400},
    {"signed size", CHUNKED "+3\r\nabc\r\n0\r\n\r\n", 400},
    {"0x size", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", 400},
    {"size past 64 bits", CHUNKED "fffffffffffffffff\r\n", 400},
    {"the longest size of 64 bits", CHUNKED "ffffffffffffffff\r\n", 413},
    {"size over the limit", CHUNKED "2711\r\n", 413},
    {"sizes over the limit", CHUNKED "3\r\nabc\r\n270e\r\n", 413},
    {"space before the size", CHUNKED " 3\r\nabc\r\n0\r\n\r\n", 400},
    {"space at the end of an extension", CHUNKED "3;a \r\nabc\r\n0\r\n\r\n", 400},
    {"an extension's name in two words", CHUNKED "3;a b\r\nabc\r\n0\r\n\r\n", 400},
    {"space after a later size", CHUNKED "3\r\nabc\r\n0 \r\n\r\n", 400},
    {"LF in a trailer", CHUNKED "0\r\nX: y\n\r\n", 400},
    {"LF at the end of the trailers", CHUNKED "0\r\nX: y\r\n\n", 400},
    {"folded trailer", CHUNKED "0\r\nX: y\r\n z\r\n\r\n", 400},
    {"nameless trailer", CHUNKED "0\r\n: y\r\n\r\n", 400},
};

static void test_malformed_chunks_are_refused_whole_and_byte_by_byte(void **state)
{
    (void)state;
    struct http_parse *p = http_parse_new(NULL);
    for (size_t i = 0; i < COUNT_OF(refused_bodies); i++) {
        const struct refused *row = &refused_bodies[i];
        for (size_t step = 1; step < 5000; step *= 7) {
            http_parse_reset(p);
            feed(p, row->raw, strlen(row->raw), step);
            if (http_parse_state(p) != HTTP_PARSE_REFUSED ||
                http_parse_refusal(p)->status != row->status) {
                fail_msg("%s in steps of %zu: state %d", row->name, step, http_parse_state(p));
            }
        }
    }
    http_parse_free(p);
}

/* Blanks around ';' and '=' are bad, and taken (RFC 9112 section 7.1.1). */
static void test_blanks_around_the_parts_of_chunk_extensions_are_taken(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "3 ; a = b ;c=d\r\nabc\r\n2\t;\tc\r\nde\r\n0 ;d\r\n\r\n",
        "3; a=\" b \\\" \" ;c\r\nabc\r\n2\r\nde\r\n0\r\nX: y z\r\n\r\n",
    };
    struct http_parse *p = http_parse_new(NULL);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        for (size_t step = 1; step < 5000; step *= 3) {
            char raw[400];
            const int len = snprintf(raw, sizeof(raw), "%s%sNEXT", CHUNKED, bodies[i]);
            http_parse_reset(p);
            assert_int_equal(feed(p, raw, (size_t)len, step), (size_t)len - strlen("NEXT"));
            assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
            assert_int_equal(http_parse_body_len(p), 5);
            assert_memory_equal(http_parse_request(p)->body, "abcde", 5);
        }
    }
    /* Longer than a piece that llhttp is given at once. */
    char raw[4000];
    (void)snprintf(raw, sizeof(raw), CHUNKED "3 ; a = %01500d\r\nabc\r\n0\r\n\r\n", 0);
    http_parse_reset(p);
    feed(p, raw, strlen(raw), 5000);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
    http_parse_free(p);
}

static void test_a_request_is_split_into_its_parts(void **state)
{
    (void)state;
    static const char raw[] =
        "GET /data/a%20b?ttl=5&x HTTP/1.1\r\nHost: h:80\r\nX-One: \t1 2 \t\r\n"
        "X-Empty:\r\nx-one: again\r\n\r\nNEXT";
    struct http_parse *p = http_parse_new(NULL);
    assert_int_equal(feed(p, raw, sizeof(raw) - 1, 5000), sizeof(raw) - 1 - 4);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
    const struct http_request *rq = http_parse_request(p);
    assert_int_equal(rq->method, HTTP_GET_);
    assert_memory_equal(rq->target.data, "/data/a%20b?ttl=5&x", rq->target.len);
    assert_int_equal(rq->path.len, strlen("/data/a%20b"));
    assert_int_equal(rq->query.len, strlen("ttl=5&x"));
    assert_memory_equal(rq->query.data, "ttl=5&x", rq->query.len);
    assert_int_equal(rq->header_count, 4);
    assert_int_equal(http_count(rq, "X-ONE"), 2);
    const struct http_header *one = http_find(rq, "x-one");
    assert_int_equal(one->value.len, 3);
    assert_memory_equal(one->value.data, "1 2", 3);
    assert_int_equal(http_find(rq, "X-Empty")->value.len, 0);
    assert_null(http_find(rq, "X"));
    assert_int_equal(rq->body_len, 0);
    assert_true(http_parse_is_keep_alive(p));
    assert_false(http_parse_is_http10(p));
    http_parse_free(p);
}

struct target {
    const char *line;
    const char *path, *query;
};

static void test_targets_are_brought_to_origin_form(void **state)
{
    (void)state;
    static const struct target table[] = {
        {"GET /a?b?c HTTP/1.1\r\n", "/a", "b?c"},
        {"GET //a//b HTTP/1.1\r\n", "//a//b", ""},
        {"GET /? HTTP/1.1\r\n", "/", ""},
        {"GET http://h/a?b HTTP/1.1\r\n", "/a", "b"},
        {"GET HTTP://h:80/a HTTP/1.1\r\n", "/a", ""},
        {"GET https://[::1]:8/a HTTP/1.1\r\n", "/a", ""},
        {"GET http://h HTTP/1.1\r\n", "/", ""},
        {"GET http://h?q HTTP/1.1\r\n", "/", "q"},
        {"OPTIONS * HTTP/1.1\r\n", "*", ""},
        {"OPTIONS http://h HTTP/1.1\r\n", "*", ""},
        {"TRACE / HTTP/1.1\r\n", "/", ""},
    };
    struct http_parse *p = http_parse_new(NULL);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char raw[200];
        const int len = snprintf(raw, sizeof(raw), "%s%s\r\n", table[i].line, HOST);
        http_parse_reset(p);
        feed(p, raw, (size_t)len, 3);
        assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
        const struct http_request *rq = http_parse_request(p);
        assert_int_equal(rq->path.len, strlen(table[i].path));
        assert_memory_equal(rq->path.data, table[i].path, rq->path.len);
        assert_int_equal(rq->query.len, strlen(table[i].query));
        assert_memory_equal(rq->query.data, table[i].query, rq->query.len);
    }
    http_parse_free(p);
}

static void test_later_minor_versions_are_taken_as_1_1_and_1_0_closes(void **state)
{
    (void)state;
    static const char later[] = "GET / HTTP/1.7\r\n" HOST "\r\n";
    static const char older[] = "GET / HTTP/1.0\r\n\r\n";
    static const char kept[] = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    static const char closed[] = "GET / HTTP/1.1\r\n" HOST "Connection: foo, close\r\n\r\n";
    struct http_parse *p = http_parse_new(NULL);
    feed(p, later, sizeof(later) - 1, 100);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
    assert_true(http_parse_is_keep_alive(p));
    assert_false(http_parse_is_http10(p));
    http_parse_reset(p);
    feed(p, older, sizeof(older) - 1, 100);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
    assert_true(http_parse_is_http10(p));
    assert_false(http_parse_is_keep_alive(p));
    http_parse_reset(p);
    feed(p, kept, sizeof(kept) - 1, 100);
    assert_true(http_parse_is_keep_alive(p));
    http_parse_reset(p);
    feed(p, closed, sizeof(closed) - 1, 100);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
    assert_false(http_parse_is_keep_alive(p));
    http_parse_free(p);
}

static void fill_pattern(uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
}

static void assert_body(const struct http_request *rq, const uint8_t *data, size_t len)
{
    assert_int_equal(rq->body_len, len);
    if (len <= VALUE_INLINE_MAX) {
        assert_null(rq->blob);
        assert_memory_equal(rq->body, data, len);
        return;
    }
    assert_null(rq->body);
    assert_int_equal(blob_len(rq->blob), len);
    for (size_t at = 0; at < len;) {
        const uint8_t *run = NULL;
        const size_t run_len = blob_run(rq->blob, at, &run);
        assert_memory_equal(run, data + at, run_len);
        at += run_len;
    }
}

static void test_a_body_is_inline_up_to_its_bound_and_a_blob_beyond(void **state)
{
    (void)state;
    static const size_t lens[] = {1, VALUE_INLINE_MAX - 1, VALUE_INLINE_MAX, VALUE_INLINE_MAX + 1,
                                  BODY_MAX};
    static uint8_t raw[BODY_MAX + 200];
    struct http_parse *p = http_parse_new(NULL);
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        for (size_t step = 1; step < 20000; step *= 130) {
            const int head =
                snprintf((char *)raw, sizeof(raw),
                         "PUT / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", lens[i]);
            fill_pattern(raw + head, lens[i]);
            http_parse_reset(p);
            const size_t len = (size_t)head + lens[i];
            assert_int_equal(feed(p, (const char *)raw, len + 9, step), len);
            assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
            assert_body(http_parse_request(p), raw + head, lens[i]);
        }
    }
    http_parse_free(p);
}

static void test_a_chunked_body_is_put_together(void **state)
{
    (void)state;
    static char raw[20000];
    static uint8_t data[6000];
    fill_pattern(data, sizeof(data));
    size_t len = (size_t)snprintf(raw, sizeof(raw), "%s", CHUNKED);
    for (size_t at = 0, n = 1; at < sizeof(data); at += n, n = n * 3 + 1) {
        n = n < sizeof(data) - at ? n : sizeof(data) - at;
        len += (size_t)snprintf(raw + len, sizeof(raw) - len, "%zX;ext=\"v\"\r\n", n);
        memcpy(raw + len, data + at, n);
        raw[len + n] = '\r';
        raw[len + n + 1] = '\n';
        len += n + 2;
    }
    len += (size_t)snprintf(raw + len, sizeof(raw) - len, "0\r\nX-Sum: 1\r\n\r\nGET");
    struct http_parse *p = http_parse_new(NULL);
    for (size_t step = 1; step < 20000; step = step * 5 + 2) {
        http_parse_reset(p);
        assert_int_equal(feed(p, raw, len, step), len - 3);
        assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
        assert_body(http_parse_request(p), data, sizeof(data));
        assert_int_equal(http_parse_request(p)->header_count, 2); /* the trailer is not one */
    }
    http_parse_free(p);
}

static void test_a_chunked_body_over_the_limit_is_refused_when_it_gets_there(void **state)
{
    (void)state;
    static char chunk[5000 + 8];
    memset(chunk, 'x', sizeof(chunk));
    static const char size[] = {'1', '3', '8', '8', '\r', '\n'};
    memcpy(chunk, size, sizeof(size));
    chunk[5006] = '\r';
    chunk[5007] = '\n';
    struct http_parse *p = http_parse_new(NULL);
    feed(p, CHUNKED, strlen(CHUNKED), 100);
    feed(p, chunk, sizeof(chunk), 9000);
    feed(p, chunk, sizeof(chunk), 9000);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_BODY);
    feed(p, chunk, sizeof(chunk), 9000);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_REFUSED);
    assert_int_equal(http_parse_refusal(p)->status, 413);
    http_parse_free(p);
}

/* Repeats `unit` after `head` until it is refused or `most` bytes were taken. */
static int refused_after(const char *head, const char *unit, size_t most, size_t *ret_taken)
{
    struct http_parse *p = http_parse_new(NULL);
    size_t taken = feed(p, head, strlen(head), 1000);
    while (taken < most && http_parse_state(p) != HTTP_PARSE_REFUSED) {
        taken += feed(p, unit, strlen(unit), 1000);
    }
    const int status =
        http_parse_state(p) == HTTP_PARSE_REFUSED ? http_parse_refusal(p)->status : 0;
    *ret_taken = taken;
    http_parse_free(p);
    return status;
}

static void test_what_has_no_end_is_refused_at_its_limit(void **state)
{
    (void)state;
    size_t taken = 0;
    assert_int_equal(refused_after("GET /", "a", 100000, &taken), 414);
    assert_int_equal(taken, HTTP_REQUEST_LINE_MAX + 2);
    assert_int_equal(refused_after("GET / HTTP/1.1\r\nX: ", "a", 100000, &taken), 431);
    assert_int_equal(taken, 16 + HTTP_HEADER_BYTES_MAX + 2);
    assert_int_equal(refused_after("GET / HTTP/1.1\r\nHost: a\r\n", "a", 100000, &taken), 431);
    assert_int_equal(refused_after(CHUNKED "3", ";aaaaaaaa", 100000, &taken), 400);
    assert_in_range(taken, 16000, 20000);
    assert_int_equal(refused_after(CHUNKED, "0", 100000, &taken), 400);
    assert_int_equal(refused_after(CHUNKED "0\r\n", "X: aaaaaaaa\r\n", 100000, &taken), 400);
    assert_in_range(taken, 16000, 20000);
}

/* 16 KiB, and 16 bytes for each byte of data. */
static void test_framing_is_allowed_by_how_much_data_there_is(void **state)
{
    (void)state;
    char head[256];
    const size_t head_len = (size_t)snprintf(head, sizeof(head), CHUNKED "64\r\n%0100d\r\n1;", 0);
    const size_t framing = head_len - strlen(CHUNKED) - 100;
    size_t taken = 0;
    assert_int_equal(refused_after(head, "a", 100000, &taken), 400);
    assert_int_equal(taken, head_len + 16384 + 1600 - framing + 1);
}

static int status_with(size_t target_len, size_t header_count, size_t value_len)
{
    static char raw[64 * 1024];
    size_t len = (size_t)snprintf(raw, sizeof(raw), "GET /");
    memset(raw + len, 'a', target_len - 1);
    len += target_len - 1;
    len += (size_t)snprintf(raw + len, sizeof(raw) - len, " HTTP/1.1\r\nHost: a\r\nV: ");
    memset(raw + len, 'v', value_len);
    len += value_len;
    len += (size_t)snprintf(raw + len, sizeof(raw) - len, "\r\n");
    for (size_t i = 2; i < header_count; i++) {
        len += (size_t)snprintf(raw + len, sizeof(raw) - len, "X: y\r\n");
    }
    len += (size_t)snprintf(raw + len, sizeof(raw) - len, "\r\n");
    struct http_parse *p = http_parse_new(NULL);
    feed(p, raw, len, 3000);
    const int status = http_parse_state(p) == HTTP_PARSE_REFUSED ? http_parse_refusal(p)->status
                       : http_parse_state(p) == HTTP_PARSE_DONE  ? 200
                                                                 : 0;
    http_parse_free(p);
    return status;
}

static void test_limits_hold_to_the_byte(void **state)
{
    (void)state;
    const size_t around_target = strlen("GET  HTTP/1.1");
    const size_t around_value = strlen("Host: a\r\nV: \r\n");
    assert_int_equal(status_with(HTTP_REQUEST_LINE_MAX - around_target, 2, 1), 200);
    assert_int_equal(status_with(HTTP_REQUEST_LINE_MAX - around_target + 1, 2, 1), 414);
    assert_int_equal(status_with(1, HTTP_HEADERS_MAX, 1), 200);
    assert_int_equal(status_with(1, HTTP_HEADERS_MAX + 1, 1), 431);
    assert_int_equal(status_with(1, 2, HTTP_HEADER_BYTES_MAX - around_value), 200);
    assert_int_equal(status_with(1, 2, HTTP_HEADER_BYTES_MAX - around_value + 1), 431);
}

static void test_upgrade_and_expectation_are_told(void **state)
{
    (void)state;
    static const char upgrade[] = "GET /gossip HTTP/1.1\r\n" HOST
                                  "Connection: keep-alive, Upgrade\r\nUpgrade: x/1\r\n\r\n\x01\x02";
    static const char expect[] =
        "PUT / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
    static const char old[] = "PUT / HTTP/1.0\r\nExpect: tea\r\nContent-Length: 5\r\n\r\n";
    struct http_parse *p = http_parse_new(NULL);
    assert_int_equal(feed(p, upgrade, sizeof(upgrade) - 1, 1000), sizeof(upgrade) - 3);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_DONE);
    assert_true(http_parse_is_upgrade(p));
    http_parse_reset(p);
    feed(p, expect, sizeof(expect) - 1, 1000);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_BODY);
    assert_true(http_parse_expects_continue(p));
    assert_false(http_parse_is_upgrade(p));
    http_parse_reset(p);
    feed(p, old, sizeof(old) - 1, 1000);
    assert_int_equal(http_parse_state(p), HTTP_PARSE_BODY); /* HTTP/1.0 knows no expectations */
    assert_false(http_parse_expects_continue(p));
    http_parse_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_heads_are_refused_whole_and_byte_by_byte),
        cmocka_unit_test(test_a_nul_in_the_head_is_refused),
        cmocka_unit_test(test_malformed_chunks_are_refused_whole_and_byte_by_byte),
        cmocka_unit_test(test_blanks_around_the_parts_of_chunk_extensions_are_taken),
        cmocka_unit_test(test_a_request_is_split_into_its_parts),
        cmocka_unit_test(test_targets_are_brought_to_origin_form),
        cmocka_unit_test(test_later_minor_versions_are_taken_as_1_1_and_1_0_closes),
        cmocka_unit_test(test_a_body_is_inline_up_to_its_bound_and_a_blob_beyond),
        cmocka_unit_test(test_a_chunked_body_is_put_together),
        cmocka_unit_test(test_a_chunked_body_over_the_limit_is_refused_when_it_gets_there),
        cmocka_unit_test(test_what_has_no_end_is_refused_at_its_limit),
        cmocka_unit_test(test_framing_is_allowed_by_how_much_data_there_is),
        cmocka_unit_test(test_limits_hold_to_the_byte),
        cmocka_unit_test(test_upgrade_and_expectation_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
