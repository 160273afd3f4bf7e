#include "net/api/mget_request.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mget_request request;
static bool is_key;

static const char *read_bytes(const char *text, size_t len)
{
    mget_request_fini(&request);
    return mget_request_read(text, len, &request, &is_key);
}

static const char *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static int teardown(void **state)
{
    (void)state;
    mget_request_fini(&request);
    return 0;
}

static void assert_key(size_t i, const char *bytes, size_t len, bool is_text)
{
    assert_true(i < request.count);
    assert_int_equal(request.keys[i].len, len);
    assert_memory_equal(request.bytes + request.keys[i].at, bytes, len);
    assert_int_equal(request.keys[i].is_text, is_text);
}

static void keys_are_read_in_order(void **state)
{
    (void)state;
    assert_null(read_text(" {\"keys_base64\":[\"/w==\"], \"keys\":[\"b\",\"a\",\"b\"] }\n"));
    assert_int_equal(request.count, 4);
    assert_key(0, "b", 1, true);
    assert_key(1, "a", 1, true);
    assert_key(2, "b", 1, true);
    assert_key(3, "\xff", 1, false);
    assert_null(read_text("{\"keys\":[]}"));
    assert_int_equal(request.count, 0);
    assert_null(read_text("{\"keys\":[\"\\u00e9\\n\\\"\\\\\\u0001,[]{}\"]}"));
    assert_key(0, "\xc3\xa9\n\"\\\x01,[]{}", 11, true);
}

static void what_is_no_such_object_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        " ",
        "null",
        "[]",
        "\"keys\"",
        "{}",
        "{\"keys\":[\"a\"]",
        "{\"keys\":[\"a\"}}",
        "{\"keys\":[\"a\"]}x",
        "{\"keys\":[\"a\"]}{}",
        "{\"keys\":\"a\"}",
        "{\"keys\":{}}",
        "{\"keys\":[[]]}",
        "{\"keys\":[{}]}",
        "{\"keys\":[1]}",
        "{\"keys\":[null]}",
        "{\"keys\":[\"a\",]}",
        "{\"Keys\":[\"a\"]}",
        "{\"keys\":[],\"other\":1}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[\"a\nb\"]}",
        "{\"keys\":[\"a\\u0000b\"]}",
        "{\"keys\":[\"\\ud800\"]}",
        "{\"keys\":[\"\\x\"]}",
        "{\"keys\":[\"a]}",
        "{\"keys\":[\"\\",
        "]",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (read_text(wrong[i]) == NULL) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_false(is_key);
    }
    assert_non_null(read_bytes("{\"keys\":[]}\0", 12));
    assert_non_null(read_bytes("{\"keys\":[\"a\0b\"]}", 16));
}

static void a_wrong_key_is_said_to_be_one(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"keys\":[\"\"]}",          "{\"keys\":[\"\xff\"]}",
        "{\"keys_base64\":[\"\"]}",   "{\"keys_base64\":[\"AA==\"]}",
        "{\"keys_base64\":[\"Zg\"]}", "{\"keys_base64\":[\"_w==\"]}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (read_text(wrong[i]) == NULL || !is_key) {
            fail_msg("not said: %s", wrong[i]);
        }
    }
    char text[1200];
    for (int len = 1024; len <= 1025; len++) {
        (void)snprintf(text, sizeof(text), "{\"keys\":[\"%0*d\"]}", len, 0);
        assert_int_equal(read_text(text) == NULL, len == 1024);
    }
}

static void too_many_keys_are_refused(void **state)
{
    (void)state;
    char *text = mem_new(MGET_BODY_MAX + 1, 1);
    for (int count = MGET_KEYS_MAX - 1; count <= MGET_KEYS_MAX + 3; count++) {
        size_t len = (size_t)sprintf(text, "{\"keys\":[\"k\"");
        for (int i = 1; i < count; i++) {
            len += (size_t)sprintf(text + len, ",\"k\"");
        }
        (void)sprintf(text + len, "]}");
        assert_int_equal(read_text(text) == NULL, count <= MGET_KEYS_MAX);
    }
    size_t len = (size_t)sprintf(text, "{\"keys\":[\"k\"],\"keys_base64\":[\"aw==\"");
    for (int i = 1; i < MGET_KEYS_MAX; i++) {
        len += (size_t)sprintf(text + len, ",\"aw==\"");
    }
    (void)sprintf(text + len, "]}");
    assert_non_null(read_text(text));
    memset(text, '[', MGET_BODY_MAX);
    assert_non_null(read_bytes(text, MGET_BODY_MAX));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(keys_are_read_in_order, teardown),
        cmocka_unit_test_teardown(what_is_no_such_object_is_refused, teardown),
        cmocka_unit_test_teardown(a_wrong_key_is_said_to_be_one, teardown),
        cmocka_unit_test_teardown(too_many_keys_are_refused, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
