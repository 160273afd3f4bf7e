#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/json_out.h"

#include <string.h>

static void assert_quoted(const char *data, size_t len, const char *wanted)
{
    char text[JSON_OUT_QUOTED_MAX(32)];
    assert_true(len <= 32);
    assert_int_equal(json_out_quote((const uint8_t *)data, len, text), strlen(wanted));
    assert_memory_equal(text, wanted, strlen(wanted));
}

static void commas_stand_between_values_and_nowhere_else(void **state)
{
    (void)state;
    struct buf buf;
    struct json_out o;
    buf_init(&buf, 4096);
    json_out_init(&o, &buf);
    json_out_begin(&o, NULL, '{');
    json_out_begin(&o, "empty", '[');
    json_out_end(&o, ']');
    json_out_begin(&o, "list", '[');
    json_out_u64(&o, NULL, UINT64_MAX);
    json_out_i64(&o, NULL, INT64_MIN);
    json_out_begin(&o, NULL, '{');
    json_out_bool(&o, "yes", true);
    json_out_bool(&o, "no", false);
    json_out_end(&o, '}');
    json_out_end(&o, ']');
    json_out_hex64(&o, "hex", 0xbeef);
    json_out_ms(&o, "ms", 1005);
    json_out_time(&o, "time", 1);
    json_out_text(&o, "text", "a\"b");
    json_out_end(&o, '}');
    static const char wanted[] =
        "{\"empty\":[],\"list\":[18446744073709551615,-9223372036854775808,"
        "{\"yes\":true,\"no\":false}],\"hex\":\"000000000000beef\",\"ms\":1.005,"
        "\"time\":\"1970-01-01T00:00:00.001Z\",\"text\":\"a\\\"b\"}";
    assert_true(json_out_ok(&o));
    assert_int_equal(buf.len, strlen(wanted));
    assert_memory_equal(buf_data(&buf), wanted, buf.len);
    buf_fini(&buf);
}

static void what_does_not_fit_fails_for_good(void **state)
{
    (void)state;
    struct buf buf;
    struct json_out o;
    buf_init(&buf, 8);
    json_out_init(&o, &buf);
    json_out_text(&o, NULL, "too long for it");
    json_out_u64(&o, NULL, 1);
    assert_false(json_out_ok(&o));
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void quotes_backslashes_and_controls_are_escaped(void **state)
{
    (void)state;
    assert_quoted("", 0, "\"\"");
    assert_quoted("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    assert_quoted("\0\n\x1f\x7f", 4, "\"\\u0000\\u000a\\u001f\x7f\"");
    assert_quoted("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void bytes_that_are_not_utf8_become_the_replacement_character(void **state)
{
    (void)state;
    assert_quoted("a\xff", 2, "\"a\\ufffd\"");
    assert_quoted("\xc3", 1, "\"\\ufffd\"");
    assert_quoted("\xe2\x82z", 3, "\"\\ufffd\\ufffdz\"");
}

/* RFC 3629, section 4. */
static void utf8_is_judged_as_strictly_as_the_rfc(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2z",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "ok\xfe"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(json_out_is_utf8((const uint8_t *)good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(json_out_is_utf8((const uint8_t *)bad[i], strlen(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_values_and_nowhere_else),
        cmocka_unit_test(what_does_not_fit_fails_for_good),
        cmocka_unit_test(quotes_backslashes_and_controls_are_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_become_the_replacement_character),
        cmocka_unit_test(utf8_is_judged_as_strictly_as_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
