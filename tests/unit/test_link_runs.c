#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "net/link/link_runs.h"

#include <event2/buffer.h>
#include <string.h>

static void runs_are_bytes_and_pieces_in_turn_and_the_rest_of_them_is_queued(void **state)
{
    (void)state;
    enum { LEN = BLOB_SEGMENT_BYTES + 10, ALL = 4 + LEN };
    static uint8_t value[LEN];
    static uint8_t whole[ALL], got[ALL];
    static struct blobrefs refs;
    struct blob *blob = blob_new(NULL, LEN);
    memset(value, 'v', LEN);
    memcpy(whole, "ab", 2);
    memcpy(whole + 2, value, LEN);
    memcpy(whole + 2 + LEN, "cd", 2);
    assert_int_equal(blob_append(blob, value, LEN), RC_OK);
    for (size_t at = 0; at < LEN;) {
        at += blobrefs_add(&refs, 2, blob, at, LEN);
    }
    struct link_runs runs;
    link_runs_list(&runs, (const uint8_t *)"abcd", 4, &refs);
    assert_int_equal(runs.count, 4);
    assert_null(runs.blob[0]);
    assert_ptr_equal(runs.blob[1], blob);
    static const size_t takens[] = {0, 1, 2, 100, BLOB_SEGMENT_BYTES + 2, ALL - 1, ALL};
    for (size_t i = 0; i < sizeof(takens) / sizeof(takens[0]); i++) {
        struct evbuffer *out = evbuffer_new();
        assert_int_equal(link_runs_queue(&runs, takens[i], out), RC_OK);
        assert_int_equal(evbuffer_get_length(out), ALL - takens[i]);
        (void)evbuffer_remove(out, got, ALL);
        assert_memory_equal(got, whole + takens[i], ALL - takens[i]);
        evbuffer_free(out);
    }
    blobrefs_clear(&refs);
    blob_release(blob); /* the last holder, or the sanitizers complain */
}

static void bytes_alone_are_one_run_and_none_is_none(void **state)
{
    (void)state;
    struct link_runs runs;
    link_runs_list(&runs, (const uint8_t *)"abcd", 4, NULL);
    assert_int_equal(runs.count, 1);
    assert_int_equal(runs.run[0].iov_len, 4);
    link_runs_list(&runs, NULL, 0, NULL);
    assert_int_equal(runs.count, 0);
}

/* What is missing is told, and every piece is let go of in the end. */
static void queue_some(void *arg)
{
    static const uint8_t value[3000];
    struct blobrefs refs = {.count = 0};
    struct blob *blob = blob_new(NULL, sizeof(value));
    struct evbuffer *out = evbuffer_new();
    (void)arg;
    if (blob != NULL && out != NULL && blob_append(blob, value, sizeof(value)) == RC_OK) {
        struct link_runs runs;
        (void)blobrefs_add(&refs, 2, blob, 0, sizeof(value));
        link_runs_list(&runs, (const uint8_t *)"abcd", 4, &refs);
        const enum rc rc = link_runs_queue(&runs, 0, out);
        assert_int_equal(rc, failing_alloc_has_failed() ? RC_NO_MEMORY : RC_OK);
        assert_true(rc != RC_OK || evbuffer_get_length(out) == 4 + sizeof(value));
    }
    if (out != NULL) {
        evbuffer_free(out);
    }
    blobrefs_clear(&refs);
    blob_release(blob);
}

static void a_queue_without_memory_says_so_and_keeps_no_blob(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(queue_some, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_bytes_and_pieces_in_turn_and_the_rest_of_them_is_queued),
        cmocka_unit_test(bytes_alone_are_one_run_and_none_is_none),
        cmocka_unit_test(a_queue_without_memory_says_so_and_keeps_no_blob),
    };
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
