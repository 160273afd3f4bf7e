#include "net/watch/watch_event.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CLOCK_MS = 1000000 };

static struct record record(const char *key, size_t key_len, const char *value)
{
    return (struct record){.key = (const uint8_t *)key,
                           .key_len = key_len,
                           .value = (const uint8_t *)value,
                           .value_len = strlen(value),
                           .version = {.stamp = 0x1234},
                           .expiry_ms = CLOCK_MS + 60000};
}

/* The event's text, NUL behind it. */
static const char *text_of(enum watch_kind kind, const struct record *r, bool is_recorded,
                           bool has_value, uint64_t clock_ms)
{
    static char text[WATCH_EVENT_TEXT_MAX + 1];
    struct buf out;
    struct watch_event *e = watch_event_new(kind, r, is_recorded);
    assert_non_null(e);
    buf_init(&out, WATCH_EVENT_TEXT_MAX);
    assert_int_equal(watch_event_write(e, clock_ms, has_value, &out), RC_OK);
    memcpy(text, buf_data(&out), out.len);
    text[out.len] = '\0';
    buf_fini(&out);
    free(e);
    return text;
}

#define ETAG "000000000000123400000000000000000000000000000000"

static void a_put_tells_key_time_size_and_version(void **state)
{
    (void)state;
    const struct record r = record("a", 1, "hello");
    assert_string_equal(
        text_of(WATCH_PUT, &r, false, false, CLOCK_MS),
        "event: put\ndata: {\"key\":\"a\",\"ttl_ms\":60000,\"size\":5,\"etag\":\"" ETAG "\"}\n\n");
    assert_string_equal(
        text_of(WATCH_PUT, &r, true, true, CLOCK_MS + 10),
        "event: put\ndata: {\"key\":\"a\",\"ttl_ms\":59990,\"size\":5,\"etag\":\"" ETAG
        "\",\"value\":\"aGVsbG8=\"}\n\n");
    /* Recorded for somebody else. */
    assert_null(strstr(text_of(WATCH_PUT, &r, true, false, CLOCK_MS), "value"));
}

static void what_is_told_late_has_no_time_left_and_an_expiry_has_none(void **state)
{
    (void)state;
    const struct record r = record("a", 1, "");
    assert_non_null(strstr(text_of(WATCH_PUT, &r, true, true, CLOCK_MS + 70000), "\"ttl_ms\":0,"));
    assert_string_equal(
        text_of(WATCH_EXPIRE, &r, true, true, CLOCK_MS),
        "event: expire\ndata: {\"key\":\"a\",\"ttl_ms\":0,\"size\":0,\"etag\":\"" ETAG "\"}\n\n");
}

/* To the millisecond, as a GET. */
static void no_value_is_told_after_its_time(void **state)
{
    (void)state;
    const struct record r = record("a", 1, "hello");
    const char *text = text_of(WATCH_PUT, &r, true, true, CLOCK_MS + 59999);
    assert_non_null(strstr(text, "\"ttl_ms\":1,"));
    assert_non_null(strstr(text, "\"value\":\"aGVsbG8=\"}"));
    assert_string_equal(text_of(WATCH_PUT, &r, true, true, CLOCK_MS + 60000),
                        "event: put\ndata: {\"key\":\"a\",\"ttl_ms\":0,\"size\":5,\"etag\":\"" ETAG
                        "\",\"value_omitted\":true}\n\n");
    assert_null(strstr(text_of(WATCH_PUT, &r, true, false, CLOCK_MS + 60000), "value"));
}

static void an_empty_value_is_an_empty_text(void **state)
{
    (void)state;
    const struct record r = record("a", 1, "");
    assert_non_null(strstr(text_of(WATCH_PUT, &r, true, true, CLOCK_MS), "\"value\":\"\"}"));
}

static void a_key_is_escaped_and_in_base64_when_it_is_no_text(void **state)
{
    (void)state;
    const struct record lines = record("a\n\"\r", 4, "");
    assert_non_null(
        strstr(text_of(WATCH_PUT, &lines, false, false, 0), "\"key\":\"a\\u000a\\\"\\u000d\""));
    const struct record bytes = record("a\xff", 2, "");
    assert_non_null(
        strstr(text_of(WATCH_PUT, &bytes, false, false, 0), "{\"key_base64\":\"Yf8=\""));
}

static void the_longest_event_fits_and_a_larger_value_is_left_out(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX];
    memset(key, 1, sizeof(key)); /* six characters each */
    char *value = mem_new(WATCH_VALUE_MAX + 2, 1);
    memset(value, 'v', WATCH_VALUE_MAX);
    const struct record largest = record(key, sizeof(key), value);
    const char *text = text_of(WATCH_PUT, &largest, true, true, 0);
    assert_true(strlen(text) > WATCH_VALUE_MAX / 3 * 4 + 6 * KEY_BYTES_MAX);
    assert_non_null(strstr(text, "\"value\":\"dnZ2"));
    value[WATCH_VALUE_MAX] = 'v';
    const struct record larger = record(key, sizeof(key), value);
    assert_non_null(strstr(text_of(WATCH_PUT, &larger, true, true, 0), ",\"value_omitted\":true}"));
    free(value);
}

static void a_value_in_segments_is_told_whole(void **state)
{
    (void)state;
    struct record r = record("a", 1, "");
    char bytes[3000];
    memset(bytes, 'v', sizeof(bytes));
    r.blob = blob_new(NULL, sizeof(bytes));
    assert_int_equal(blob_append(r.blob, bytes, sizeof(bytes)), RC_OK);
    r.value = NULL;
    r.value_len = sizeof(bytes);
    const char *text = text_of(WATCH_PUT, &r, true, true, 0);
    assert_int_equal(strspn(strstr(text, "dnZ2"), "dnZ2"), sizeof(bytes) / 3 * 4);
    blob_release(r.blob);
}

static void what_has_no_room_is_not_begun(void **state)
{
    (void)state;
    const struct record r = record("a", 1, "hello");
    struct watch_event *e = watch_event_new(WATCH_PUT, &r, false);
    struct buf out;
    buf_init(&out, 50);
    assert_int_equal(watch_event_write(e, 0, false, &out), RC_FULL);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_tells_key_time_size_and_version),
        cmocka_unit_test(what_is_told_late_has_no_time_left_and_an_expiry_has_none),
        cmocka_unit_test(no_value_is_told_after_its_time),
        cmocka_unit_test(an_empty_value_is_an_empty_text),
        cmocka_unit_test(a_key_is_escaped_and_in_base64_when_it_is_no_text),
        cmocka_unit_test(the_longest_event_fits_and_a_larger_value_is_left_out),
        cmocka_unit_test(a_value_in_segments_is_told_whole),
        cmocka_unit_test(what_has_no_room_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
