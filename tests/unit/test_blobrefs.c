#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/blobrefs.h"

#include <string.h>

static struct blob *blob_of(size_t len)
{
    static uint8_t data[200000];
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 7 >> 3);
    }
    struct blob *blob = blob_new(NULL, len);
    assert_int_equal(blob_append(blob, data, len), RC_OK);
    return blob;
}

static void pieces_are_runs_of_the_blob_and_hold_it(void **state)
{
    (void)state;
    enum { LEN = 2 * BLOB_SEGMENT_BYTES + 100 };
    static struct blobrefs refs;
    struct blob *blob = blob_of(LEN);
    size_t done = 0;
    for (size_t n = 0; (n = blobrefs_add(&refs, 10 + done, blob, done, LEN)) > 0; done += n) {
    }
    assert_int_equal(done, LEN);
    assert_int_equal(refs.bytes, LEN);
    assert_int_equal(refs.count, 3);
    blob_release(blob);
    size_t at = 0;
    for (size_t i = 0; i < refs.count; at += refs.refs[i].len, i++) {
        assert_int_equal(refs.refs[i].at, 10 + at);
        assert_int_equal(refs.refs[i].offset, at);
        assert_int_equal(refs.refs[i].data[0], (uint8_t)(at * 7 >> 3));
    }
    blobrefs_clear(&refs);
    assert_int_equal(refs.count + refs.bytes, 0);
}

static void a_piece_is_no_longer_than_it_is_to_be(void **state)
{
    (void)state;
    static struct blobrefs refs;
    struct blob *blob = blob_of(1000);
    assert_int_equal(blobrefs_add(&refs, 0, blob, 990, 6), 6);
    assert_int_equal(blobrefs_add(&refs, 0, blob, 996, 6), 4);
    assert_int_equal(blobrefs_add(&refs, 0, blob, 1000, 6), 0);
    assert_int_equal(refs.count, 2);
    while (blobrefs_has_room(&refs)) {
        assert_int_equal(blobrefs_add(&refs, 0, blob, 0, 1), 1);
    }
    assert_int_equal(refs.count, BLOBREFS_MAX);
    blobrefs_clear(&refs);
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_runs_of_the_blob_and_hold_it),
        cmocka_unit_test(a_piece_is_no_longer_than_it_is_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
