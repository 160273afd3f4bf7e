#include "gossip/repair/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void epochs_come_out_latest_first(void **state)
{
    (void)state;
    struct scope s = {.rows = NULL};
    uint64_t epoch = 0;
    assert_false(scope_pop(&s, &epoch));
    assert_int_equal(scope_add(&s, 3, UINT64_C(1) << 63 | 1), RC_OK);
    assert_int_equal(scope_add(&s, 3, 2), RC_OK);
    assert_int_equal(scope_add(&s, 5, 0), RC_OK); /* nothing to add */
    assert_int_equal(scope_add(&s, 7, 4), RC_OK);
    assert_int_equal(scope_add(&s, 6, 4), RC_RANGE);
    assert_int_equal(scope_add(&s, UINT64_C(1) << 32, 4), RC_RANGE);
    const uint64_t expected[] = {450, 255, 193, 192};
    for (int i = 0; i < 4; i++) {
        assert_true(scope_pop(&s, &epoch));
        assert_int_equal(epoch, expected[i]);
    }
    assert_false(scope_pop(&s, &epoch));
    scope_fini(&s);
}

static void a_scope_is_bounded(void **state)
{
    (void)state;
    struct scope s = {.rows = NULL};
    for (uint64_t group = 0; group < SCOPE_ROWS_MAX; group++) {
        assert_int_equal(scope_add(&s, group, 1), RC_OK);
    }
    assert_int_equal(scope_add(&s, SCOPE_ROWS_MAX, 1), RC_FULL);
    scope_fini(&s);
}

static void merged_scopes_have_the_epochs_of_both(void **state)
{
    (void)state;
    struct scope a = {.rows = NULL}, b = {.rows = NULL};
    assert_int_equal(scope_add(&a, 1, 1), RC_OK);
    assert_int_equal(scope_add(&a, 4, 1), RC_OK);
    assert_int_equal(scope_add(&b, 2, 8), RC_OK);
    assert_int_equal(scope_add(&b, 4, 2), RC_OK);
    assert_int_equal(scope_merge(&a, &b), RC_OK);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.rows[1].group, 2);
    assert_int_equal(a.rows[2].epochs, 3);
    assert_int_equal(b.count, 2);
    scope_fini(&a);
    scope_fini(&b);
}

static void a_scope_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 2, 0, 0, 0, 1,    0, 0, 0, 0, 0, 0, 0,
                                       3, 0, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0, 0};
    uint8_t bytes[64];
    struct scope s = {.rows = NULL}, back = {.rows = NULL};
    assert_int_equal(scope_add(&s, 1, 3), RC_OK);
    assert_int_equal(scope_add(&s, 256, UINT64_C(1) << 63), RC_OK);
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    scope_write(&s, &c);
    assert_int_equal(c.pos, sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
    struct cursor r = cursor_reader(bytes, c.pos);
    assert_int_equal(scope_read(&back, &r), RC_OK);
    assert_int_equal(back.count, 2);
    assert_memory_equal(back.rows, s.rows, 2 * sizeof(*s.rows));
    scope_fini(&s);
    scope_fini(&back);
}

static void what_is_cut_empty_or_out_of_order_is_refused(void **state)
{
    (void)state;
    static const uint8_t good[] = {0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
                                   3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1};
    for (size_t len = 0; len < sizeof(good); len++) {
        struct scope s = {.rows = NULL};
        struct cursor c = cursor_reader(good, len);
        assert_int_equal(scope_read(&s, &c), RC_MALFORMED);
        scope_fini(&s);
    }
    const size_t changed[] = {17, 13}; /* the second group equal to the first; no epoch */
    const uint8_t to[] = {1, 0};
    for (int i = 0; i < 2; i++) {
        struct scope s = {.rows = NULL};
        uint8_t bytes[sizeof(good)];
        memcpy(bytes, good, sizeof(good));
        bytes[changed[i]] = to[i];
        struct cursor c = cursor_reader(bytes, sizeof(bytes));
        assert_int_equal(scope_read(&s, &c), RC_MALFORMED);
        scope_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_come_out_latest_first),
        cmocka_unit_test(a_scope_is_bounded),
        cmocka_unit_test(merged_scopes_have_the_epochs_of_both),
        cmocka_unit_test(a_scope_is_read_as_it_was_written),
        cmocka_unit_test(what_is_cut_empty_or_out_of_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
