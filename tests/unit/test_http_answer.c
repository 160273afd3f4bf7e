#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/http_answer.h"

#include <event2/buffer.h>
#include <string.h>

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const char *text_of(struct evbuffer *out)
{
    static char text[4096];
    const size_t len = evbuffer_get_length(out);
    assert_true(len < sizeof(text));
    assert_int_equal(evbuffer_remove(out, text, len), len);
    text[len] = '\0';
    return text;
}

static void test_a_date_is_that_of_rfc_9110(void **state)
{
    (void)state;
    struct http_date date = {0};
    assert_string_equal(http_answer_date_line(&date, 784111777), DATE);
    assert_string_equal(http_answer_date_line(&date, 0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    assert_string_equal(http_answer_date_line(&date, 951782400),
                        "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n");
}

static const char *answer_to(const struct http_answer *a, int status, const char *body)
{
    struct evbuffer *out = evbuffer_new();
    struct http_response rs;
    http_response_init(&rs);
    http_set_body(&rs, status, "text/plain", body, strlen(body));
    assert_int_equal(http_answer_write(out, a, &rs, DATE), RC_OK);
    const char *text = text_of(out);
    http_response_fini(&rs);
    evbuffer_free(out);
    return text;
}

static void test_framing_is_what_the_answer_says(void **state)
{
    (void)state;
    const struct http_answer known = {.length = HTTP_LENGTH_KNOWN, .body_len = 2};
    assert_string_equal(answer_to(&known, 200, "hi"),
                        "HTTP/1.1 200 OK\r\n" DATE
                        "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    const struct http_answer head = {
        .length = HTTP_LENGTH_KNOWN, .body_len = 2, .is_bodiless = true, .is_close = true};
    assert_string_equal(answer_to(&head, 404, "hi"),
                        "HTTP/1.1 404 Not Found\r\n" DATE "Content-Type: text/plain\r\n"
                        "Connection: close\r\nContent-Length: 2\r\n\r\n");
    const struct http_answer none = {.length = HTTP_LENGTH_NONE, .is_keep_alive_named = true};
    assert_string_equal(answer_to(&none, 204, ""),
                        "HTTP/1.1 204 No Content\r\n" DATE "Content-Type: text/plain\r\n"
                        "Connection: keep-alive\r\n\r\n");
}

/* Beside its head, behind it, or as another owner's memory, by its length. */
static void test_bytes_of_every_length_come_whole(void **state)
{
    (void)state;
    enum { TOGETHER_MAX = 2048, COPIED_MAX = 16 * 1024, LARGE = 100000 };
    static const size_t lens[] = {
        0, 1, TOGETHER_MAX, TOGETHER_MAX + 1, COPIED_MAX, COPIED_MAX + 1, LARGE};
    static uint8_t body[LARGE];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct evbuffer *out = evbuffer_new();
        struct http_response rs;
        http_response_init(&rs);
        http_set_body(&rs, 200, "text/plain", body, lens[i]);
        const struct http_answer a = {.length = HTTP_LENGTH_KNOWN, .body_len = lens[i]};
        assert_int_equal(http_answer_write(out, &a, &rs, DATE), RC_OK);
        assert_int_equal(rs.bytes.base == NULL, lens[i] == 0 || lens[i] > COPIED_MAX);
        http_response_fini(&rs);
        const struct evbuffer_ptr end = evbuffer_search(out, "\r\n\r\n", 4, NULL);
        assert_int_equal(evbuffer_get_length(out) - (size_t)end.pos - 4, lens[i]);
        assert_int_equal(evbuffer_drain(out, (size_t)end.pos + 4), 0);
        if (lens[i] > 0) {
            assert_memory_equal(evbuffer_pullup(out, -1), body, lens[i]);
        }
        evbuffer_free(out);
    }
}

struct producer {
    const char *pieces[4]; /* "" has nothing for now; NULL ends it */
    size_t at;
    int done;
};

static bool produce(void *arg, struct buf *out)
{
    struct producer *p = arg;
    const char *piece = p->pieces[p->at++];
    if (buf_append(out, piece, strlen(piece)) != RC_OK) {
        return false;
    }
    return p->pieces[p->at] != NULL;
}

static void on_done(void *arg)
{
    ((struct producer *)arg)->done++;
}

static void test_a_stream_is_framed_in_chunks_and_done_once(void **state)
{
    (void)state;
    struct producer p = {.pieces = {"hello", "", "worlds", NULL}};
    struct http_response rs;
    http_response_init(&rs);
    rs.kind = HTTP_BODY_STREAM;
    rs.produce = produce;
    rs.done = on_done;
    rs.arg = &p;
    struct http_source source;
    http_answer_source_take(&source, &rs, true);
    http_response_fini(&rs);
    assert_int_equal(p.done, 0);
    struct evbuffer *out = evbuffer_new();
    struct buf piece;
    buf_init(&piece, HTTP_PIECE_MAX);
    assert_int_equal(http_answer_source_fill(&source, out, &piece), RC_AGAIN);
    assert_string_equal(text_of(out), "5\r\nhello\r\n");
    assert_true(http_answer_source_is_active(&source));
    assert_int_equal(http_answer_source_fill(&source, out, &piece), RC_OK);
    assert_string_equal(text_of(out), "6\r\nworlds\r\n0\r\n\r\n");
    assert_false(http_answer_source_is_active(&source));
    http_answer_source_drop(&source);
    assert_int_equal(p.done, 1);
    buf_fini(&piece);
    evbuffer_free(out);
}

static bool produce_much(void *arg, struct buf *out)
{
    static const uint8_t block[10000];
    size_t *calls = arg;
    ++*calls;
    return buf_append(out, block, sizeof(block)) == RC_OK;
}

static void test_a_stream_is_asked_only_under_the_low_mark(void **state)
{
    (void)state;
    size_t calls = 0;
    struct http_source source = {.produce = produce_much, .arg = &calls};
    struct evbuffer *out = evbuffer_new();
    struct buf piece;
    buf_init(&piece, HTTP_PIECE_MAX);
    assert_int_equal(http_answer_source_fill(&source, out, &piece), RC_OK);
    assert_int_equal(calls, 4); /* the fourth crosses 32 KiB */
    assert_int_equal(http_answer_source_fill(&source, out, &piece), RC_OK);
    assert_int_equal(calls, 4);
    assert_int_equal(evbuffer_drain(out, 10000), 0);
    assert_int_equal(http_answer_source_fill(&source, out, &piece), RC_OK);
    assert_int_equal(calls, 5);
    http_answer_source_drop(&source);
    buf_fini(&piece);
    evbuffer_free(out);
}

static void test_a_blob_is_lent_slice_by_slice_and_let_go(void **state)
{
    (void)state;
    enum { LEN = HTTP_OUTPUT_BLOB + BLOB_SEGMENT_BYTES - 1 };
    static uint8_t data[LEN];
    struct blob *blob = blob_new(NULL, 2 * (size_t)LEN);
    memset(data, 'a', HTTP_OUTPUT_BLOB);
    memset(data + HTTP_OUTPUT_BLOB, 'c', LEN - HTTP_OUTPUT_BLOB);
    assert_int_equal(blob_append(blob, data, LEN), RC_OK);
    struct http_source source = {.blob = blob_hold(blob)};
    struct evbuffer *out = evbuffer_new();
    assert_int_equal(http_answer_source_fill(&source, out, NULL), RC_OK);
    assert_int_equal(evbuffer_get_length(out), HTTP_OUTPUT_BLOB);
    assert_true(http_answer_source_is_active(&source));
    assert_int_equal(evbuffer_drain(out, HTTP_OUTPUT_BLOB), 0);
    assert_int_equal(http_answer_source_fill(&source, out, NULL), RC_OK);
    assert_false(http_answer_source_is_active(&source)); /* with its last slice */
    assert_int_equal(evbuffer_get_length(out), BLOB_SEGMENT_BYTES - 1);
    assert_int_equal(evbuffer_pullup(out, 1)[0], 'c');
    evbuffer_free(out);
    assert_int_equal(blob_append(blob, "x", 1), RC_OK); /* asserts that it is held once */
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_date_is_that_of_rfc_9110),
        cmocka_unit_test(test_framing_is_what_the_answer_says),
        cmocka_unit_test(test_bytes_of_every_length_come_whole),
        cmocka_unit_test(test_a_stream_is_framed_in_chunks_and_done_once),
        cmocka_unit_test(test_a_stream_is_asked_only_under_the_low_mark),
        cmocka_unit_test(test_a_blob_is_lent_slice_by_slice_and_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
