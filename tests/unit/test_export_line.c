#include "cmd/client/export_line.h"
#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads it, and returns what is wrong. */
static const char *wrong_with(const char *text, struct export_line *line)
{
    return export_line_read(text, strlen(text), line);
}

static void assert_wrong(const char *text, const char *expected)
{
    struct export_line line;
    const char *wrong = wrong_with(text, &line);
    assert_non_null(wrong);
    assert_string_equal(wrong, expected);
    export_line_fini(&line);
}

static void an_entry_is_read(void **state)
{
    struct export_line line;
    (void)state;
    assert_null(
        wrong_with("{\"key\":\"a/\\u00fc\",\"value\":\"aGVsbG8=\",\"expires\":1795161600123,"
                   "\"created\":1795161000007,\"later\":[1,{}]} \r",
                   &line));
    assert_false(line.is_head);
    assert_int_equal(line.key_len, 4);
    assert_memory_equal(line.key, "a/\xc3\xbc", 4);
    assert_int_equal(line.value_len, 5);
    assert_memory_equal(line.value, "hello", 5);
    assert_int_equal(line.expires_ms, UINT64_C(1795161600123));
    assert_int_equal(line.created_ms, UINT64_C(1795161000007));
    export_line_fini(&line);
    assert_null(wrong_with("{\"expires\":1,\"value\":\"\",\"key_base64\":\"/wE=\"}", &line));
    assert_int_equal(line.key_len, 2);
    assert_memory_equal(line.key, "\xff\x01", 2);
    assert_int_equal(line.value_len, 0);
    assert_int_equal(line.created_ms, 0);
    export_line_fini(&line);
}

static void a_head_is_told_from_an_entry(void **state)
{
    struct export_line line;
    (void)state;
    assert_null(wrong_with("{\"version\":1,\"exported_at\":\"x\",\"key\":\"\"}", &line));
    assert_true(line.is_head);
    export_line_fini(&line);
    assert_wrong("{\"version\":2,\"exported_at\":\"x\"}",
                 "its version is not 1, the only one known here");
    assert_wrong("{\"version\":\"1\",\"exported_at\":\"x\"}", "its version is no number");
    assert_wrong("{\"exported_at\":\"x\"}", "its version is no number");
}

static void what_makes_no_sense_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong;
    } lines[] = {
        {"", "it is no JSON object"},
        {"{", "it is no JSON object"},
        {"[]", "it is no JSON object"},
        {"{\"key\":\"a\",\"value\":\"\",\"expires\":1}x", "more follows its JSON object"},
        {"{\"value\":\"\",\"expires\":1}", "it has no key"},
        {"{\"key\":7,\"value\":\"\",\"expires\":1}", "it has no key"},
        {"{\"key\":\"a\",\"key_base64\":\"YQ==\"}", "it has both key and key_base64"},
        {"{\"key\":\"\",\"value\":\"\",\"expires\":1}", "its key is no text of 1 to 1024 bytes"},
        {"{\"key\":\"a\\u0000b\",\"value\":\"\",\"expires\":1}", "there is a NUL in it"},
        {"{\"key_base64\":\"\"}", "its key_base64 is no base64 of 1 to 1024 bytes without NUL"},
        {"{\"key_base64\":\"YQBi\"}", "its key_base64 is no base64 of 1 to 1024 bytes without NUL"},
        {"{\"key_base64\":\"YQ\"}", "its key_base64 is no base64 of 1 to 1024 bytes without NUL"},
        {"{\"key\":\"a\",\"expires\":1}", "it has no value"},
        {"{\"key\":\"a\",\"value\":\"a\",\"expires\":1}", "its value is no base64"},
        {"{\"key\":\"a\",\"value\":\"aGV*\",\"expires\":1}", "its value is no base64"},
        {"{\"key\":\"a\",\"value\":\"\"}", "its expires is no number of milliseconds"},
        {"{\"key\":\"a\",\"value\":\"\",\"expires\":\"1\"}",
         "its expires is no number of milliseconds"},
        {"{\"key\":\"a\",\"value\":\"\",\"expires\":-1}",
         "its expires is no number of milliseconds"},
        {"{\"key\":\"a\",\"value\":\"\",\"expires\":1.5}",
         "its expires is no number of milliseconds"},
        {"{\"key\":\"a\",\"value\":\"\",\"expires\":1e300}",
         "its expires is no number of milliseconds"},
        {"{\"key\":\"a\",\"value\":\"\",\"expires\":1,\"created\":null}",
         "its created is no number of milliseconds"},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_wrong(lines[i].text, lines[i].wrong);
    }
}

static void an_escaped_backslash_before_u0000_is_no_nul(void **state)
{
    struct export_line line;
    (void)state;
    assert_null(wrong_with("{\"key\":\"\\\\u0000\",\"value\":\"\",\"expires\":1}", &line));
    assert_memory_equal(line.key, "\\u0000", 6);
    export_line_fini(&line);
}

static void a_key_may_have_1024_bytes(void **state)
{
    (void)state;
    for (int len = KEY_BYTES_MAX - 1; len <= KEY_BYTES_MAX + 1; len++) {
        struct export_line line;
        char text[2 * KEY_BYTES_MAX], key[KEY_BYTES_MAX + 2];
        memset(key, 'k', sizeof(key));
        (void)snprintf(text, sizeof(text), "{\"key\":\"%.*s\",\"value\":\"\",\"expires\":1}", len,
                       key);
        const char *wrong = wrong_with(text, &line);
        assert_int_equal(wrong != NULL, len > KEY_BYTES_MAX);
        export_line_fini(&line);
    }
}

/* Every byte but NUL, as a key and as a value. */
static void what_is_written_is_read_back(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    for (unsigned c = 1; c < 256; c++) {
        struct export_line entry = {
            .key = {'k', (uint8_t)c, '"'}, .key_len = 3, .expires_ms = c, .created_ms = 7};
        struct export_line line;
        const uint8_t value[] = {(uint8_t)c, 0, (uint8_t)c};
        char base64[8];
        buf_clear(&out);
        base64[base64_encode(value, sizeof(value), base64)] = '\0';
        assert_int_equal(export_line_write(&out, &entry, base64), RC_OK);
        const char *text = (const char *)buf_data(&out);
        assert_ptr_equal(memchr(text, '\n', out.len), text + out.len - 1);
        assert_null(export_line_read(text, out.len - 1, &line));
        assert_int_equal(line.key_len, 3);
        assert_memory_equal(line.key, entry.key, 3);
        assert_int_equal(line.value_len, 3);
        assert_memory_equal(line.value, value, 3);
        assert_int_equal(line.expires_ms, c);
        assert_int_equal(line.created_ms, 7);
        export_line_fini(&line);
    }
    buf_fini(&out);
}

static void the_head_says_where_it_comes_from(void **state)
{
    struct buf out;
    struct export_line line;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(export_line_write_head(&out, 0, "net", "\"e\""), RC_OK);
    static const char head[] =
        "{\"version\":1,\"exported_at\":\"1970-01-01T00:00:00.000Z\",\"repram\":\"" REPRAM_VERSION
        "\",\"network\":\"net\",\"enclave\":\"\\\"e\\\"\"}\n";
    assert_int_equal(out.len, sizeof(head) - 1);
    assert_memory_equal(buf_data(&out), head, out.len);
    assert_null(export_line_read(head, sizeof(head) - 2, &line));
    assert_true(line.is_head);
    buf_fini(&out);
}

static void read_in_short(void *arg)
{
    struct export_line line;
    (void)arg;
    const char *wrong = wrong_with("{\"key\":\"a\",\"value\":\"aGVsbG8=\",\"expires\":1}", &line);
    assert_int_equal(wrong != NULL, failing_alloc_has_failed());
    export_line_fini(&line);
}

static void without_memory_a_line_is_wrong(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(read_in_short, NULL) > 5);
}

int main(void)
{
    failing_alloc_hook();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_read),
        cmocka_unit_test(a_head_is_told_from_an_entry),
        cmocka_unit_test(what_makes_no_sense_is_named),
        cmocka_unit_test(an_escaped_backslash_before_u0000_is_no_nul),
        cmocka_unit_test(a_key_may_have_1024_bytes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_head_says_where_it_comes_from),
        cmocka_unit_test(without_memory_a_line_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
