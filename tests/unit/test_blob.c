#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/blob.h"
#include "core/store/pagepool.h"

#include <stdlib.h>
#include <string.h>

static void assert_content(const struct blob *blob, size_t len)
{
    assert_int_equal(blob_len(blob), len);
    size_t done = 0;
    const uint8_t *run = NULL;
    for (size_t n = 0; (n = blob_run(blob, done, &run)) > 0; done += n) {
        assert_true(n <= BLOB_SEGMENT_BYTES);
        for (size_t i = 0; i < n; i++) {
            if (run[i] != (uint8_t)((done + i) * 31 >> 3)) {
                fail_msg("byte %zu differs", done + i);
            }
        }
    }
    assert_int_equal(done, len);
}

static struct blob *filled(size_t len, size_t chunk)
{
    struct blob *blob = blob_new(NULL, len);
    uint8_t *bytes = malloc(chunk);
    assert_non_null(bytes);
    for (size_t done = 0; done < len;) {
        const size_t n = chunk < len - done ? chunk : len - done;
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)((done + i) * 31 >> 3);
        }
        assert_int_equal(blob_append(blob, bytes, n), RC_OK);
        done += n;
    }
    free(bytes);
    return blob;
}

static void content_is_the_same_however_it_was_appended(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 4096, 4097, 65535, 65536, 65537, 131072, 200001};
    static const size_t chunks[] = {7, 1000, 4096, 65536, 300000};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t j = 0; j < sizeof(chunks) / sizeof(chunks[0]); j++) {
            struct blob *blob = filled(lens[i], chunks[j]);
            assert_content(blob, lens[i]);
            blob_release(blob);
        }
    }
}

static void more_than_the_maximum_is_refused_whole(void **state)
{
    (void)state;
    struct blob *blob = blob_new(NULL, 5);
    assert_int_equal(blob_append(blob, "abc", 3), RC_OK);
    assert_int_equal(blob_append(blob, "def", 3), RC_FULL);
    assert_int_equal(blob_append(blob, "", SIZE_MAX), RC_FULL);
    assert_int_equal(blob_len(blob), 3);
    assert_int_equal(blob_append(blob, "de", 2), RC_OK);
    assert_int_equal(blob_append(blob, NULL, 0), RC_OK);
    const uint8_t *run = NULL;
    assert_int_equal(blob_run(blob, 1, &run), 4);
    assert_memory_equal(run, "bcde", 4);
    assert_int_equal(blob_run(blob, 5, &run), 0);
    blob_release(blob);
}

static void a_run_in_the_middle_ends_with_its_segment(void **state)
{
    (void)state;
    struct blob *blob = filled(BLOB_SEGMENT_BYTES + 100, 5000);
    const uint8_t *run = NULL;
    assert_int_equal(blob_run(blob, BLOB_SEGMENT_BYTES - 3, &run), 3);
    assert_int_equal(blob_run(blob, BLOB_SEGMENT_BYTES, &run), 100);
    blob_release(blob);
}

/* Whatever its size, and however it came. */
static void memory_is_the_content_and_a_kibibyte(void **state)
{
    (void)state;
    static const size_t lens[] = {2049,  3000,  10240, 16500, 16 << 10, 40000,  65535,
                                  65536, 65537, 66000, 99999, 100001,   131073, 1000000};
    static const size_t chunks[] = {700, 16000, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t j = 0; j < sizeof(chunks) / sizeof(chunks[0]); j++) {
            struct blob *blob = filled(lens[i], chunks[j]);
            assert_in_range(blob_memory(blob), lens[i], lens[i] + 1024);
            blob_release(blob);
        }
    }
}

/* The length is not known before the end, as of a chunked body. */
static void what_a_value_has_left_goes_back_when_nothing_more_comes(void **state)
{
    (void)state;
    static const size_t lens[] = {2049, 10241, 16500, 33000, 65537, 99999, 131072, 140000};
    static uint8_t data[140000];
    memset(data, 'x', sizeof(data));
    for (size_t i = 0; i < 2 * sizeof(lens) / sizeof(lens[0]); i++) {
        const size_t len = lens[i / 2];
        struct pagepool *pool = i % 2 == 0 ? pagepool_new() : NULL;
        struct blob *blob = blob_new(pool, 10 << 20);
        struct blob_room rooms[BLOB_ROOMS_MAX];
        assert_int_equal(blob_append(blob, data, len), RC_OK);
        assert_true(blob_rooms(blob, 1 << 20, rooms) > 0);
        assert_true(blob_memory(blob) > len + 1024);
        blob_trim(blob);
        assert_in_range(blob_memory(blob), len, len + 1024);
        blob_trim(blob);
        assert_int_equal(blob_len(blob), len);
        const uint8_t *run = NULL;
        for (size_t at = 0, n = 0; (n = blob_run(blob, at, &run)) > 0; at += n) {
            assert_memory_equal(run, data, n);
        }
        blob_release(blob);
        if (pool != NULL) {
            pagepool_check(pool);
            assert_true(pagepool_has_idle(pool)); /* and nothing is in use */
        }
        pagepool_free(pool);
    }
}

/* As the kernel does. */
static void fill_rooms(struct blob *blob, const uint8_t *data, size_t wanted)
{
    struct blob_room rooms[BLOB_ROOMS_MAX];
    const size_t count = blob_rooms(blob, wanted, rooms);
    for (size_t i = 0; i < count; i++) {
        memcpy(rooms[i].at, data + blob_len(blob), rooms[i].len);
        assert_int_equal(blob_take(blob, rooms[i].at, rooms[i].len), RC_OK);
    }
}

static void what_lies_in_its_room_is_taken_as_it_lies(void **state)
{
    (void)state;
    enum { LEN = 1000003 };
    static uint8_t data[LEN];
    for (size_t i = 0; i < LEN; i++) {
        data[i] = (uint8_t)(i * 31 >> 3);
    }
    struct pagepool *pool = pagepool_new();
    struct blob *blob = blob_new(pool, LEN);
    struct blob_room rooms[BLOB_ROOMS_MAX];
    assert_int_equal(blob_take(blob, data, 1000), RC_OK);
    int calls = 0;
    for (; blob_len(blob) < LEN; calls++) {
        const size_t before = blob_len(blob);
        fill_rooms(blob, data, 256 << 10);
        assert_true(blob_len(blob) <= before + (256 << 10));
    }
    assert_in_range(calls, 4, 6);
    assert_content(blob, LEN);
    assert_int_equal(blob_rooms(blob, 1, rooms), 0);
    assert_in_range(blob_memory(blob), LEN, LEN + 1024);
    blob_release(blob);
    pagepool_check(pool);
    pagepool_free(pool);
}

static void a_room_that_is_filled_in_part_is_offered_again(void **state)
{
    (void)state;
    struct blob *blob = blob_new(NULL, 5000);
    struct blob_room rooms[BLOB_ROOMS_MAX];
    assert_int_equal(blob_rooms(blob, 100, rooms), 1);
    assert_int_equal(rooms[0].len, 100);
    uint8_t *at = rooms[0].at;
    memcpy(at, "abc", 3);
    assert_int_equal(blob_take(blob, at, 3), RC_OK);
    assert_int_equal(blob_take(blob, "de", 2), RC_OK); /* from elsewhere */
    assert_int_equal(blob_rooms(blob, 100, rooms), 1);
    assert_ptr_equal(rooms[0].at, at + 5);
    assert_int_equal(blob_take(blob, at, 4996), RC_FULL);
    const uint8_t *run = NULL;
    assert_int_equal(blob_run(blob, 0, &run), 5);
    assert_memory_equal(run, "abcde", 5);
    blob_release(blob);
}

static void the_last_holder_frees_it(void **state)
{
    (void)state;
    struct blob *blob = filled(10, 10);
    assert_ptr_equal(blob_hold(blob), blob);
    blob_release(blob);
    assert_content(blob, 10);
    blob_release(blob);
    blob_release(NULL);
}

static void segments_of_a_pool_go_back_to_it_wiped(void **state)
{
    (void)state;
    enum { LEN = 3 * BLOB_SEGMENT_BYTES + 100 };
    static uint8_t data[LEN];
    memset(data, 'x', LEN);
    struct pagepool *pool = pagepool_new();
    struct blob *blob = blob_new(pool, LEN);
    const uint8_t *run = NULL;
    assert_int_equal(blob_append(blob, data, LEN), RC_OK);
    assert_int_equal(blob_run(blob, 0, &run), BLOB_SEGMENT_BYTES);
    assert_memory_equal(run, data, BLOB_SEGMENT_BYTES);
    assert_false(pagepool_has_idle(pool));
    blob_release(blob);
    assert_true(pagepool_has_idle(pool));
    const uint8_t *page = pagepool_take(pool);
    assert_ptr_equal(page, run);
    for (size_t i = 0; i < BLOB_SEGMENT_BYTES; i++) {
        assert_int_equal(page[i], 0);
    }
    pagepool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_the_same_however_it_was_appended),
        cmocka_unit_test(more_than_the_maximum_is_refused_whole),
        cmocka_unit_test(a_run_in_the_middle_ends_with_its_segment),
        cmocka_unit_test(memory_is_the_content_and_a_kibibyte),
        cmocka_unit_test(what_a_value_has_left_goes_back_when_nothing_more_comes),
        cmocka_unit_test(what_lies_in_its_room_is_taken_as_it_lies),
        cmocka_unit_test(a_room_that_is_filled_in_part_is_offered_again),
        cmocka_unit_test(the_last_holder_frees_it),
        cmocka_unit_test(segments_of_a_pool_go_back_to_it_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
