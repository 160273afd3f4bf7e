#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/buf.h"

#include <string.h>

static void bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100000);
    uint8_t in = 0;
    uint8_t out = 0;
    for (int round = 0; round < 2000; round++) {
        uint8_t chunk[97];
        const size_t len = (size_t)(round * 31) % sizeof(chunk);
        for (size_t i = 0; i < len; i++) {
            chunk[i] = in++;
        }
        assert_int_equal(buf_append(&buf, chunk, len), RC_OK);
        const size_t take = round % 3 == 0 ? buf.len / 2 : buf.len / 5;
        for (size_t i = 0; i < take; i++) {
            assert_int_equal(buf_data(&buf)[i], out);
            out++;
        }
        buf_consume(&buf, take);
        assert_true(buf.start + buf.len <= buf.size);
    }
    assert_true(buf.size <= 4096);
    buf_fini(&buf);
}

static void more_than_the_maximum_is_refused_whole(void **state)
{
    (void)state;
    struct buf buf;
    uint8_t *room = NULL;
    buf_init(&buf, 10);
    assert_int_equal(buf_append(&buf, "12345678", 8), RC_OK);
    assert_int_equal(buf_append(&buf, "abc", 3), RC_FULL);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX, &room), RC_FULL);
    assert_int_equal(buf.len, 8);
    assert_int_equal(buf_append(&buf, "ab", 2), RC_OK);
    assert_memory_equal(buf_data(&buf), "12345678ab", 10);
    buf_consume(&buf, 4);
    assert_int_equal(buf_append(&buf, "wxyz", 4), RC_OK);
    assert_memory_equal(buf_data(&buf), "5678abwxyz", 10);
    buf_fini(&buf);
}

static void reserved_room_counts_only_once_committed(void **state)
{
    (void)state;
    struct buf buf;
    uint8_t *room = NULL;
    buf_init(&buf, 1000);
    assert_int_equal(buf_reserve(&buf, 500, &room), RC_OK);
    memset(room, 'x', 500);
    assert_int_equal(buf.len, 0);
    buf_commit(&buf, 2);
    assert_int_equal(buf.len, 2);
    assert_memory_equal(buf_data(&buf), "xx", 2);
    buf_fini(&buf);
}

static void an_empty_buffer_has_data_to_point_to(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_non_null(buf_data(&buf));
    assert_int_equal(buf_append(&buf, NULL, 0), RC_OK);
    assert_int_equal(buf_append(&buf, "abc", 3), RC_OK);
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_true(buf.size >= 3);
    buf_fini(&buf);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.max, 10);
    buf_fini(&buf);
}

static void what_stands_before_the_content_goes_into_the_room_that_was_left(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 400);
    for (size_t left = 0; left < 6; left++) {
        buf_clear_behind(&buf, left); /* of no memory the first time */
        assert_int_equal(buf_append(&buf, "content", 7), RC_OK);
        const uint8_t *at = buf_data(&buf);
        assert_int_equal(buf_prepend(&buf, "head", 4), RC_OK);
        assert_int_equal(buf.len, 11);
        assert_memory_equal(buf_data(&buf), "headcontent", 11);
        assert_true(left < 4 || buf_data(&buf) + 4 == at);
    }
    buf_clear_behind(&buf, 1000);
    assert_int_equal(buf_append(&buf, "x", 1), RC_OK);
    assert_int_equal(buf_prepend(&buf, "", 0), RC_OK);
    assert_memory_equal(buf_data(&buf), "x", 1);
    static const char much[400];
    assert_int_equal(buf_prepend(&buf, much, 400), RC_FULL);
    assert_int_equal(buf.len, 1);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(more_than_the_maximum_is_refused_whole),
        cmocka_unit_test(reserved_room_counts_only_once_committed),
        cmocka_unit_test(what_stands_before_the_content_goes_into_the_room_that_was_left),
        cmocka_unit_test(an_empty_buffer_has_data_to_point_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
