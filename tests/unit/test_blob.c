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

static void memory_is_near_the_content_for_small_and_large(void **state)
{
    (void)state;
    struct blob *small = filled(3000, 3000);
    struct blob *large = filled(1000000, 65536);
    assert_in_range(blob_memory(small), 3000, 4096 + 200);
    assert_in_range(blob_memory(large), 1000000, 1000000 + 65536 + 1000);
    blob_release(small);
    blob_release(large);
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
    /* The first segment starts small, outside of the pool, and is widened. */
    assert_int_equal(blob_append(blob, data, 100), RC_OK);
    assert_int_equal(pagepool_pages(pool), 0);
    assert_int_equal(blob_append(blob, data, LEN - 100), RC_OK);
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
        cmocka_unit_test(memory_is_near_the_content_for_small_and_large),
        cmocka_unit_test(the_last_holder_frees_it),
        cmocka_unit_test(segments_of_a_pool_go_back_to_it_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
