#include "net/http/value_out.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *member(const struct record *r)
{
    static char text[VALUE_OUT_TEXT_MAX + 1];
    const size_t len = value_out_member(r, text);
    assert_true(len <= VALUE_OUT_TEXT_MAX);
    text[len] = '\0';
    return text;
}

static void a_value_is_told_in_base64(void **state)
{
    (void)state;
    const struct record hello = {.value = (const uint8_t *)"hello", .value_len = 5};
    assert_string_equal(member(&hello), ",\"value\":\"aGVsbG8=\"");
    const struct record empty = {.value_len = 0};
    assert_string_equal(member(&empty), ",\"value\":\"\"");
}

static void the_largest_is_told_and_a_larger_one_left_out(void **state)
{
    (void)state;
    uint8_t *bytes = mem_new(VALUE_OUT_BYTES_MAX + 1, 1);
    struct record r = {.value_len = VALUE_OUT_BYTES_MAX};
    r.blob = blob_new(NULL, VALUE_OUT_BYTES_MAX);
    assert_int_equal(blob_append(r.blob, bytes, VALUE_OUT_BYTES_MAX), RC_OK);
    assert_int_equal(strlen(member(&r)), 11 + BASE64_TEXT_MAX(VALUE_OUT_BYTES_MAX));
    r.value_len++;
    assert_string_equal(member(&r), ",\"value_omitted\":true");
    blob_release(r.blob);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_told_in_base64),
        cmocka_unit_test(the_largest_is_told_and_a_larger_one_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
