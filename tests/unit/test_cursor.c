#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cursor.h"

#include <string.h>

static void numbers_are_big_endian_and_read_back(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct cursor w = cursor_writer(bytes, sizeof(bytes));
    const struct uuid uuid = {{1, 2, 3}};
    cursor_put_u8(&w, 0xfe);
    cursor_put_u16(&w, 0x0102);
    cursor_put_u32(&w, 0x03040506);
    cursor_put_u64(&w, UINT64_C(0x0708090a0b0c0d0e));
    cursor_put_uuid(&w, &uuid);
    cursor_put_text(&w, "name");
    cursor_put_text(&w, "");
    cursor_put_u48(&w, UINT64_C(0xffff010203040506));
    assert_true(cursor_ok(&w));
    assert_int_equal(w.pos, 1 + 2 + 4 + 8 + 16 + 5 + 1 + 6);
    assert_memory_equal(bytes, "\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 15);
    struct cursor r = cursor_reader(bytes, w.pos);
    char text[8];
    assert_int_equal(cursor_u8(&r), 0xfe);
    assert_int_equal(cursor_u16(&r), 0x0102);
    assert_int_equal(cursor_u32(&r), 0x03040506);
    assert_true(cursor_u64(&r) == UINT64_C(0x0708090a0b0c0d0e));
    const struct uuid back = cursor_uuid(&r);
    assert_true(uuid_equal(&back, &uuid));
    cursor_text(&r, text, sizeof(text));
    assert_string_equal(text, "name");
    cursor_text(&r, text, sizeof(text));
    assert_string_equal(text, "");
    assert_true(cursor_u48(&r) == UINT64_C(0x010203040506));
    assert_int_equal(cursor_left(&r), 0);
    assert_true(cursor_ok(&r));
}

static void the_first_read_that_does_not_fit_fails_all_that_follow(void **state)
{
    (void)state;
    const uint8_t bytes[3] = {1, 2, 3};
    struct cursor c = cursor_reader(bytes, sizeof(bytes));
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_u32(&c), 0);
    assert_false(cursor_ok(&c));
    assert_int_equal(cursor_u8(&c), 0);
    assert_int_equal(cursor_left(&c), 0);
    assert_null(cursor_bytes(&c, 0));
    const struct uuid uuid = cursor_uuid(&c);
    assert_true(uuid_is_nil(&uuid));
}

static void a_write_that_does_not_fit_writes_nothing(void **state)
{
    (void)state;
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct cursor c = cursor_writer(bytes, 3);
    cursor_put_u16(&c, 0x0101);
    cursor_put_u16(&c, 0x0202);
    cursor_put_u8(&c, 3);
    assert_false(cursor_ok(&c));
    assert_memory_equal(bytes, "\x01\x01\x09\x09", 4);
}

static void a_length_near_the_largest_number_is_refused(void **state)
{
    (void)state;
    const uint8_t bytes[2] = {1, 2};
    struct cursor c = cursor_reader(bytes, sizeof(bytes));
    assert_int_equal(cursor_u8(&c), 1);
    assert_null(cursor_bytes(&c, SIZE_MAX));
    assert_false(cursor_ok(&c));
}

static void a_text_that_is_too_long_cut_or_holds_a_nul_is_refused(void **state)
{
    (void)state;
    char text[4];
    struct cursor c = cursor_reader("\x03"
                                    "abc",
                                    4);
    cursor_text(&c, text, sizeof(text));
    assert_true(cursor_ok(&c));
    assert_string_equal(text, "abc");
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"\x04"
                "abcd",
                5},
               {"\x03"
                "ab",
                3},
               {"\x02"
                "a\0",
                3},
               {"", 0}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        c = cursor_reader(bad[i].bytes, bad[i].len);
        cursor_text(&c, text, sizeof(text));
        assert_false(cursor_ok(&c));
        assert_string_equal(text, "");
    }
}

/* Seven bits a byte, the lowest first. A number has one spelling, the shortest. */
static void a_varint_has_one_spelling_of_at_most_ten_bytes(void **state)
{
    (void)state;
    const struct {
        uint8_t len, bytes[11];
        uint64_t value;
    } good[] = {
        {1, {0}, 0},
        {1, {0x7f}, 127},
        {2, {0x80, 1}, 128},
        {2, {0xff, 0x7f}, 16383},
        {3, {0x80, 0x80, 1}, 16384},
        {10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct cursor c = cursor_reader(good[i].bytes, sizeof(good[i].bytes));
        assert_true(cursor_varint(&c) == good[i].value);
        assert_true(cursor_ok(&c) && c.pos == good[i].len);
        c = cursor_reader(good[i].bytes, good[i].len - 1U);
        assert_true(cursor_varint(&c) == 0);
        assert_false(cursor_ok(&c));
    }
    const uint8_t bad[][11] = {
        {0x80, 0},                                                 /* longer than it need be */
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, /* past 64 bits */
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cursor c = cursor_reader(bad[i], sizeof(bad[i]));
        assert_true(cursor_varint(&c) == 0);
        assert_false(cursor_ok(&c));
    }
}

static void nothing_can_be_read_and_written(void **state)
{
    (void)state;
    struct cursor r = cursor_reader(NULL, 0);
    assert_non_null(cursor_bytes(&r, 0));
    assert_true(cursor_ok(&r));
    struct cursor w = cursor_writer(NULL, 0);
    cursor_put_bytes(&w, "", 0);
    assert_true(cursor_ok(&w));
    cursor_fail(&w);
    assert_false(cursor_ok(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_big_endian_and_read_back),
        cmocka_unit_test(the_first_read_that_does_not_fit_fails_all_that_follow),
        cmocka_unit_test(a_write_that_does_not_fit_writes_nothing),
        cmocka_unit_test(a_length_near_the_largest_number_is_refused),
        cmocka_unit_test(a_text_that_is_too_long_cut_or_holds_a_nul_is_refused),
        cmocka_unit_test(a_varint_has_one_spelling_of_at_most_ten_bytes),
        cmocka_unit_test(nothing_can_be_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
