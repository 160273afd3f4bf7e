#include "api_fixture.h"
#include "core/base/base64.h"
#include "net/http/json_out.h"

#include <cjson/cJSON.h>

static void hold(struct fixture *f, const char *key, size_t len, uint64_t ttl_s)
{
    struct fake_entry *entry = fake_insert(&f->engine, (const uint8_t *)key, len);
    entry->expiry_ms = engine_clock_ms(&f->engine, f->now_us) + ttl_s * 1000;
}

static void hold_text(struct fixture *f, const char *key)
{
    hold(f, key, strlen(key), 300);
}

static void assert_listing(struct fixture *f, const char *target, const char *wanted)
{
    assert_int_equal(ask(f, HTTP_GET_, target), 200);
    assert_string_equal(body_text(f), wanted);
    assert_header(f, "Content-Type", "application/json");
    assert_header(f, "Access-Control-Allow-Origin", "*");
}

static void an_empty_node_lists_an_empty_array(void **state)
{
    struct fixture *f = *state;
    assert_listing(f, "/keys", "{\"keys\":[]}");
    assert_listing(f, "/v1/keys?limit=5", "{\"keys\":[]}");
    assert_listing(f, "/scan", "{\"keys\":[]}");
    assert_listing(f, "/v1/scan", "{\"keys\":[]}");
}

static void keys_come_in_byte_order_and_only_live_ones(void **state)
{
    struct fixture *f = *state;
    hold_text(f, "b");
    hold_text(f, "a/1");
    hold_text(f, "a");
    hold_text(f, "Z");
    hold_text(f, "\xc3\xa9");
    hold(f, "gone", 4, 0);
    assert_listing(f, "/keys", "{\"keys\":[\"Z\",\"a\",\"a/1\",\"b\",\"\xc3\xa9\"]}");
    assert_listing(f, "/scan?prefix=a", "{\"keys\":[\"Z\",\"a\",\"a/1\",\"b\",\"\xc3\xa9\"]}");
}

static void a_prefix_is_decoded_and_a_plus_in_it_is_a_space(void **state)
{
    struct fixture *f = *state;
    hold_text(f, "a b");
    hold_text(f, "a+b");
    hold_text(f, "a/b");
    assert_listing(f, "/keys?prefix=a%20", "{\"keys\":[\"a b\"]}");
    assert_listing(f, "/keys?prefix=a+", "{\"keys\":[\"a b\"]}");
    assert_listing(f, "/keys?prefix=a%2B", "{\"keys\":[\"a+b\"]}");
    assert_listing(f, "/scan?prefix=a+b", "{\"keys\":[\"a b\",\"a+b\",\"a/b\"]}");
    assert_listing(f, "/keys?prefix=a/&unknown=1&unknown=2", "{\"keys\":[\"a/b\"]}");
    assert_listing(f, "/keys?prefix=", "{\"keys\":[\"a b\",\"a+b\",\"a/b\"]}");
    assert_listing(f, "/keys?prefix=x", "{\"keys\":[]}");
}

static void keys_are_escaped_and_what_is_not_utf8_stands_in_base64(void **state)
{
    struct fixture *f = *state;
    hold(f, "\x01\"\\", 3, 300);
    hold(f, "\xff\xfe", 2, 300);
    hold(f, "a\x80", 2, 300);
    hold_text(f, "b");
    static const char wanted[] =
        "{\"keys\":[\"\\u0001\\\"\\\\\",\"b\"],\"keys_base64\":[\"YYA=\",\"//4=\"]}";
    assert_listing(f, "/keys", wanted);
    assert_listing(f, "/scan", wanted);
    assert_listing(f, "/keys?limit=10", wanted);
    assert_listing(f, "/keys?limit=2&prefix=a", "{\"keys\":[],\"keys_base64\":[\"YYA=\"]}");
}

static void pages_follow_one_another_by_their_cursor(void **state)
{
    struct fixture *f = *state;
    hold_text(f, "a");
    hold_text(f, "b");
    hold(f, "b\xff", 2, 300);
    hold_text(f, "c");
    hold_text(f, "d");
    assert_listing(f, "/keys?limit=2", "{\"keys\":[\"a\",\"b\"],\"next_cursor\":\"Yg\"}");
    assert_listing(f, "/keys?limit=2&cursor=Yg",
                   "{\"keys\":[\"c\"],\"keys_base64\":[\"Yv8=\"],\"next_cursor\":\"Yw\"}");
    assert_listing(f, "/keys?limit=2&cursor=Yw", "{\"keys\":[\"d\"]}");
    assert_listing(f, "/keys?cursor=Yg", "{\"keys\":[\"c\",\"d\"],\"keys_base64\":[\"Yv8=\"]}");
    assert_listing(f, "/keys?limit=4",
                   "{\"keys\":[\"a\",\"b\",\"c\"],\"keys_base64\":[\"Yv8=\"],"
                   "\"next_cursor\":\"Yw\"}");
    assert_listing(f, "/keys?limit=5",
                   "{\"keys\":[\"a\",\"b\",\"c\",\"d\"],\"keys_base64\":[\"Yv8=\"]}");
}

static void a_cursor_is_valid_although_its_key_is_not_held(void **state)
{
    struct fixture *f = *state;
    hold_text(f, "a");
    hold_text(f, "c");
    assert_listing(f, "/keys?limit=5&cursor=Yg", "{\"keys\":[\"c\"]}");
}

static void bad_parameters_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "/keys?limit=0",           "/keys?limit=10001",        "/keys?limit=",
        "/keys?limit=-1",          "/keys?limit=1&limit=1",    "/keys?limit=%31%",
        "/keys?cursor=",           "/keys?cursor=Zg==",        "/keys?cursor=Zh",
        "/keys?cursor=!",          "/keys?cursor=AA",          "/keys?cursor=Zg&cursor=Zg",
        "/keys?prefix=a&prefix=a", "/v1/keys?prefix=%zz",      "/keys?limit=99999999999999999999",
        "/keys?limit=1e3",         "/keys?limit=5&cursor=a%20"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ask(f, HTTP_GET_, wrong[i]), 400);
        assert_problem(f, "invalid_request");
    }
    assert_int_equal(ask(f, HTTP_GET_, "/keys?limit=10000"), 200);
}

/* `count` keys of `len` bytes each, alternating between text and not. */
static void hold_many(struct fixture *f, size_t count, size_t len)
{
    uint8_t key[KEY_BYTES_MAX];
    f->engine.entries = mem_resize(NULL, count, sizeof(*f->engine.entries));
    f->engine.entry_count = count;
    for (size_t i = 0; i < count; i++) {
        memset(key, i % 2 == 0 ? '\n' : 0xff, len);
        (void)snprintf((char *)key, sizeof(key), "%06zu", i);
        key[6] = key[7];
        f->engine.entries[i] =
            (struct fake_entry){.key_len = len, .expiry_ms = FAKE_CLOCK_MS + 3600000};
        memcpy(f->engine.entries[i].key, key, len);
    }
}

static size_t count_of(const char *text, char c)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == c;
    }
    return count;
}

static void a_long_listing_comes_in_bounded_pieces_and_complete(void **state)
{
    struct fixture *f = *state;
    hold_many(f, 400, KEY_BYTES_MAX);
    f->piece_max = 24000; /* a piece of 16 KiB, begun by a key of 6 KiB */
    assert_int_equal(ask(f, HTTP_GET_, "/scan"), 200);
    assert_true(f->pieces > 60);
    /* Two quotes for each key, and four around the names. */
    assert_int_equal(count_of(body_text(f), '"'), 2 * 400 + 4);
    assert_int_equal(count_of(body_text(f), ','), 200 - 1 + 200 - 1 + 1);
}

static void a_piece_without_room_is_continued_in_the_next(void **state)
{
    struct fixture *f = *state;
    hold_many(f, 40, KEY_BYTES_MAX);
    f->piece_max = JSON_OUT_QUOTED_MAX(KEY_BYTES_MAX) + 1;
    assert_int_equal(ask(f, HTTP_GET_, "/keys"), 200);
    assert_int_equal(count_of(body_text(f), '"'), 2 * 40 + 4);
}

/* Half of them are not UTF-8: far more than the listing can set aside. */
static void a_full_listing_beyond_the_side_buffer_has_every_key_once(void **state)
{
    struct fixture *f = *state;
    hold_many(f, 1000, 500);
    assert_int_equal(ask(f, HTTP_GET_, "/scan"), 200);
    cJSON *json = cJSON_Parse(body_text(f));
    assert_non_null(json);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "keys")), 500);
    const cJSON *list = cJSON_GetObjectItem(json, "keys_base64");
    assert_int_equal(cJSON_GetArraySize(list), 500);
    const cJSON *element = NULL;
    size_t i = 1;
    cJSON_ArrayForEach(element, list)
    {
        char wanted[BASE64_TEXT_MAX(500)];
        const size_t len = base64_encode(f->engine.entries[i].key, 500, wanted);
        assert_int_equal(strlen(element->valuestring), len);
        assert_memory_equal(element->valuestring, wanted, len);
        i += 2;
    }
    cJSON_Delete(json);
}

static void a_walk_over_keys_of_the_other_kind_keeps_the_stream_going(void **state)
{
    struct fixture *f = *state;
    hold_many(f, 2000, 8);
    for (size_t i = 0; i < 2000; i++) {
        f->engine.entries[i].key[6] = 0xff;
    }
    assert_int_equal(ask(f, HTTP_GET_, "/keys"),
                     200); /* the fixture asserts that each piece has bytes */
    assert_int_equal(count_of(body_text(f), '"'), 2 * 2000 + 4);
}

static void a_page_whose_side_buffer_is_full_is_short_and_goes_on(void **state)
{
    struct fixture *f = *state;
    hold_many(f, 200, KEY_BYTES_MAX);
    char target[64 + BASE64_TEXT_MAX(KEY_BYTES_MAX)] = "/keys?limit=10000";
    size_t quotes = 0;
    size_t pages = 0;
    for (bool is_more = true; is_more; pages++) {
        assert_int_equal(ask(f, HTTP_GET_, target), 200);
        const char *cursor = strstr(body_text(f), "\"next_cursor\":\"");
        quotes += count_of(body_text(f), '"') - (cursor != NULL ? 8 : 4);
        is_more = cursor != NULL;
        if (is_more) {
            (void)snprintf(target, sizeof(target), "/keys?limit=10000&cursor=%.*s",
                           (int)strcspn(cursor + 15, "\""), cursor + 15);
        }
    }
    assert_true(pages > 1);
    assert_int_equal(quotes, 2 * 200);
}

static void keys_that_expire_during_a_listing_are_left_out_from_then_on(void **state)
{
    struct fixture *f = *state;
    hold(f, "a", 1, 1);
    hold(f, "b", 1, 300);
    f->last_id++;
    fixture_reset(f);
    const struct http_request rq = fixture_request(f, HTTP_GET_, "/keys");
    api_handle(f->api, &rq, &f->rs, f->now_us, f->now_us, NULL, NULL);
    fixture_end(f, &rq);
    f->now_us += 1000000;
    fixture_read_body(f);
    assert_string_equal(body_text(f), "{\"keys\":[\"b\"]}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_node_lists_an_empty_array),
        TEST(keys_come_in_byte_order_and_only_live_ones),
        TEST(a_prefix_is_decoded_and_a_plus_in_it_is_a_space),
        TEST(keys_are_escaped_and_what_is_not_utf8_stands_in_base64),
        TEST(pages_follow_one_another_by_their_cursor),
        TEST(a_cursor_is_valid_although_its_key_is_not_held),
        TEST(bad_parameters_are_refused),
        TEST(a_long_listing_comes_in_bounded_pieces_and_complete),
        TEST(a_piece_without_room_is_continued_in_the_next),
        TEST(a_full_listing_beyond_the_side_buffer_has_every_key_once),
        TEST(a_walk_over_keys_of_the_other_kind_keeps_the_stream_going),
        TEST(a_page_whose_side_buffer_is_full_is_short_and_goes_on),
        TEST(keys_that_expire_during_a_listing_are_left_out_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
