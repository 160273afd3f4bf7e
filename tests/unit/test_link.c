#include "gossip/replication/link.h"

#include "core/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1700000000000)

struct fixture {
    struct store *store;
    struct link link;
    struct buf out;
    bool has_replacement;
};

static bool replacement(void *arg, const struct queued_write *w, struct record *ret_record)
{
    struct fixture *f = arg;
    (void)w;
    return f->has_replacement &&
           store_get(f->store, (const uint8_t *)"key", 3, NOW_MS, ret_record) == RC_OK;
}

static int set_up(void **state)
{
    static struct fixture f;
    const struct store_config config = {.bytes_max = 64 << 20, .table_seed = 1, .digest_seed = 2};
    const struct addr addr = {.port = 1};
    f = (struct fixture){.store = store_new(&config)};
    link_init(&f.link, 1, 1, LINK_OPEN, true, &addr, 0);
    buf_init(&f.out, 16 << 20);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    link_fini(&f->link);
    buf_fini(&f->out);
    store_free(f->store);
    return 0;
}

static struct queued_write stored(struct fixture *f, const char *key, const char *value,
                                  uint64_t stamp_ms, size_t blob_len)
{
    enum merge_outcome outcome = MERGE_SAME;
    struct blob *blob = NULL;
    for (size_t i = 0; i < blob_len; i++) {
        blob = blob == NULL ? blob_new(NULL, blob_len) : blob;
        assert_int_equal(blob_append(blob, "b", 1), RC_OK);
    }
    const struct record r = {
        .key = (const uint8_t *)key,
        .key_len = strlen(key),
        .value = (const uint8_t *)value,
        .value_len = blob == NULL ? strlen(value) : blob_len,
        .blob = blob,
        .version = {.stamp = stamp_ms << 16, .origin = {{1}}},
        .expiry_ms = stamp_ms + 600000,
    };
    assert_int_equal(store_merge(f->store, &r, NOW_MS, &outcome), RC_OK);
    assert_int_equal(outcome, MERGE_APPLIED);
    blob_release(blob);
    return (struct queued_write){
        .handle = store_find(f->store, &r), .version = r.version, .kind = RECORD_IS_COUNTED};
}

static size_t fill(struct fixture *f, size_t len_max)
{
    const struct link_source source = {
        .store = f->store, .now_ms = NOW_MS, .arg = f, .replacement = replacement};
    return link_fill(&f->link, &source, &f->out, len_max);
}

/* How many frames of a type stand in the output; every byte must belong to a frame. */
static size_t count_frames(const struct fixture *f, enum frame_type type)
{
    struct cursor c = cursor_reader(buf_data(&f->out), f->out.len);
    size_t count = 0;
    while (cursor_left(&c) > 0) {
        count += cursor_u8(&c) == type;
        (void)cursor_u8(&c);
        (void)cursor_bytes(&c, cursor_u32(&c));
        assert_true(cursor_ok(&c));
    }
    return count;
}

static void a_queued_write_is_sent_once_and_acknowledged_by_number(void **state)
{
    struct fixture *f = *state;
    uint32_t waiter = 0;
    struct queued_write w = stored(f, "key", "value", NOW_MS, 0);
    w.waiter = 77;
    assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    assert_true(link_has_output(&f->link));
    assert_true(fill(f, 65536) > 0);
    assert_int_equal(count_frames(f, FRAME_RECORD), 1);
    assert_int_equal(fill(f, 65536), 0);
    assert_false(link_pop_acked(&f->link, 0, &waiter));
    assert_true(link_pop_acked(&f->link, 1, &waiter));
    assert_int_equal(waiter, 77);
    assert_false(link_pop_acked(&f->link, 1, &waiter));
}

/* Frames of that many bytes in all, one of them short. */
static void fill_up(struct fixture *f, bool is_bulk, size_t bytes)
{
    static const uint8_t payload[FRAME_PAYLOAD_MAX];
    while (bytes > 0) {
        const size_t most = FRAME_HEADER_BYTES + sizeof(payload);
        size_t len = (bytes < most ? bytes : most) - FRAME_HEADER_BYTES;
        /* What is left has room for a header. */
        len -= bytes > most && bytes - most < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : 0;
        assert_int_equal(is_bulk ? link_bulk(&f->link, FRAME_SYNC_LIST, payload, len)
                                 : link_control(&f->link, FRAME_ROLE, 0, payload, len),
                         RC_OK);
        bytes -= FRAME_HEADER_BYTES + len;
    }
}

static void what_waits_on_a_link_may_be_so_much_to_the_byte(void **state)
{
    struct fixture *f = *state;
    const uint8_t payload[8] = {0};
    fill_up(f, false, LINK_CONTROL_BYTES_MAX - FRAME_HEADER_BYTES - 7);
    assert_int_equal(link_control(&f->link, FRAME_ROLE, 0, payload, 8), RC_FULL);
    assert_int_equal(link_control(&f->link, FRAME_ROLE, 0, payload, 7), RC_OK);
    assert_int_equal(f->link.control.len, LINK_CONTROL_BYTES_MAX);
    assert_int_equal(link_control(&f->link, FRAME_ROLE, 0, payload, 0), RC_FULL);
    fill_up(f, true, LINK_BULK_BYTES_MAX - FRAME_HEADER_BYTES - 7);
    const uint64_t counted = f->link.bulk_frames_bytes;
    assert_int_equal(link_bulk(&f->link, FRAME_SYNC_LIST, payload, 8), RC_FULL);
    assert_int_equal(f->link.bulk_frames_bytes, counted);
    assert_int_equal(link_bulk(&f->link, FRAME_SYNC_LIST, payload, 7), RC_OK);
    assert_int_equal(f->link.bulk.len, LINK_BULK_BYTES_MAX);
    assert_int_equal(f->link.bulk_frames_bytes, LINK_BULK_BYTES_MAX);
    assert_int_equal(link_bulk(&f->link, FRAME_SYNC_LIST, payload, 0), RC_FULL);
}

static void bulk_is_made_while_there_is_little_of_it(void **state)
{
    struct fixture *f = *state;
    const uint8_t payload[1] = {0};
    fill_up(f, true, LINK_BULK_ROOM_BYTES - FRAME_HEADER_BYTES - 1);
    assert_true(link_bulk_has_room(&f->link));
    f->link.big.count = LINK_QUEUE_MAX / 2 - 1; /* large values, which only are counted here */
    assert_true(link_bulk_has_room(&f->link));
    f->link.big.count++;
    assert_false(link_bulk_has_room(&f->link));
    f->link.big.count = 0;
    assert_int_equal(link_bulk(&f->link, FRAME_SYNC_LIST, payload, sizeof(payload)), RC_OK);
    assert_false(link_bulk_has_room(&f->link));
}

static void a_replaced_write_nobody_waits_for_is_not_sent(void **state)
{
    struct fixture *f = *state;
    const struct queued_write w = stored(f, "key", "old", NOW_MS, 0);
    (void)stored(f, "key", "new", NOW_MS + 1, 0);
    assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    assert_int_equal(fill(f, 65536), 0);
}

static void a_replaced_write_somebody_waits_for_is_sent_as_its_successor(void **state)
{
    struct fixture *f = *state;
    uint32_t waiter = 0;
    struct queued_write w = stored(f, "key", "old", NOW_MS, 0);
    (void)stored(f, "key", "new", NOW_MS + 1, 0);
    w.waiter = 5;
    f->has_replacement = true;
    assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    assert_true(fill(f, 65536) > 0);
    assert_int_equal(count_frames(f, FRAME_RECORD), 1);
    assert_memory_equal(buf_data(&f->out) + f->out.len - 3, "new", 3);
    assert_true(link_pop_acked(&f->link, 1, &waiter));
    assert_int_equal(waiter, 5);
}

static void small_writes_pass_between_the_chunks_of_a_large_value(void **state)
{
    struct fixture *f = *state;
    enum { LARGE = 1 << 20 };
    char key[32];
    const struct queued_write big = stored(f, "big", "", NOW_MS, LARGE);
    assert_int_equal(link_enqueue(&f->link, &big, true), RC_OK);
    assert_true(fill(f, 65536) > 0);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof(key), "small-%d", i);
        const struct queued_write w = stored(f, key, "value", NOW_MS, 0);
        assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    }
    assert_true(fill(f, 65536) > 0);
    /* All small ones are out while most of the large one is still to come. */
    assert_int_equal(count_frames(f, FRAME_RECORD), 100);
    assert_true(count_frames(f, FRAME_LARGE_DATA) < LARGE / FRAME_LARGE_COPY_MAX);
    assert_int_equal(f->link.sent_count, 100);
    while (fill(f, 65536) > 0) {
    }
    assert_int_equal(count_frames(f, FRAME_LARGE_BEGIN), 1);
    assert_int_equal(count_frames(f, FRAME_LARGE_DATA), LARGE / FRAME_LARGE_COPY_MAX);
    assert_int_equal(f->link.sent_count, 101);
}

/* Appends what a stream of the two would be. */
static void join(struct buf *to, const struct buf *bytes, const struct blobrefs *refs)
{
    size_t done = 0;
    for (size_t i = 0; i < refs->count; i++) {
        const struct blobref *ref = &refs->refs[i];
        assert_int_equal(buf_append(to, buf_data(bytes) + done, ref->at - done), RC_OK);
        assert_int_equal(buf_append(to, ref->data, ref->len), RC_OK);
        done = ref->at;
    }
    assert_int_equal(buf_append(to, buf_data(bytes) + done, bytes->len - done), RC_OK);
}

static void a_large_value_goes_by_reference_with_small_writes_between(void **state)
{
    struct fixture *f = *state;
    enum { LARGE = 3 << 20, SMALL = 100 };
    static struct blobrefs refs;
    const struct link_source source = {
        .store = f->store, .now_ms = NOW_MS, .refs = &refs, .arg = f, .replacement = replacement};
    const struct queued_write big = stored(f, "big", "", NOW_MS, LARGE);
    struct buf bytes;
    buf_init(&bytes, 16 << 20);
    assert_int_equal(link_enqueue(&f->link, &big, true), RC_OK);
    const size_t first = link_fill(&f->link, &source, &bytes, 32768);
    assert_in_range(refs.bytes, LINK_REFS_BYTES, LINK_REFS_BYTES + FRAME_LARGE_DATA_MAX);
    assert_int_equal(first, bytes.len + refs.bytes);
    assert_true(bytes.len < 1000); /* none of it was copied */
    join(&f->out, &bytes, &refs);
    for (int i = 0; i < SMALL; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "small-%d", i);
        const struct queued_write w = stored(f, key, "value", NOW_MS, 0);
        assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    }
    do {
        buf_clear(&bytes);
        blobrefs_clear(&refs);
        assert_true(link_fill(&f->link, &source, &bytes, 32768) > 0);
        join(&f->out, &bytes, &refs);
        assert_int_equal(count_frames(f, FRAME_RECORD), SMALL); /* in the very next filling */
    } while (link_has_output(&f->link));
    assert_int_equal(count_frames(f, FRAME_LARGE_DATA), LARGE / FRAME_LARGE_DATA_MAX);
    assert_int_equal(f->link.sent_count, SMALL + 1);
    blobrefs_clear(&refs);
    buf_fini(&bytes);
}

static void a_turn_that_control_frames_fill_to_the_byte_has_nothing_else(void **state)
{
    struct fixture *f = *state;
    const uint8_t payload[10] = {0};
    enum { FILLED = FRAME_HEADER_BYTES + sizeof(payload) };
    const struct queued_write big = stored(f, "big", "", NOW_MS, VALUE_INLINE_MAX + 1);
    assert_int_equal(link_enqueue(&f->link, &big, true), RC_OK);
    assert_int_equal(link_control(&f->link, FRAME_ROLE, 0, payload, sizeof(payload)), RC_OK);
    assert_int_equal(fill(f, FILLED), FILLED);
    assert_int_equal(count_frames(f, FRAME_LARGE_BEGIN), 0);
    assert_true(fill(f, FILLED) > 0);
    assert_int_equal(count_frames(f, FRAME_LARGE_BEGIN), 1);
}

/* The collector of reconciled records stays for the next, and is nothing to send. */
static void a_link_whose_batch_is_out_has_no_output(void **state)
{
    struct fixture *f = *state;
    struct record r;
    (void)stored(f, "key", "value", NOW_MS, 0);
    assert_int_equal(store_get(f->store, (const uint8_t *)"key", 3, NOW_MS, &r), RC_OK);
    assert_int_equal(link_bulk_record(&f->link, &r, 0), RC_OK);
    assert_true(link_has_output(&f->link));
    while (fill(f, 65536) > 0) {
    }
    assert_int_equal(count_frames(f, FRAME_RECORDS), 1);
    assert_non_null(f->link.batch);
    assert_false(link_has_output(&f->link));
}

static void the_queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    const struct queued_write w = stored(f, "key", "value", NOW_MS, 0);
    for (int i = 0; i < LINK_QUEUE_MAX; i++) {
        assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    }
    assert_int_equal(link_enqueue(&f->link, &w, false), RC_FULL);
    link_clear_queue(&f->link, false);
    assert_false(link_has_output(&f->link));
}

static void a_refused_record_is_nobodys_acknowledgement(void **state)
{
    struct fixture *f = *state;
    uint32_t waiter = 0;
    struct queued_write w = stored(f, "key", "value", NOW_MS, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        w.waiter = i;
        assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    }
    assert_true(fill(f, 65536) > 0);
    assert_int_equal(link_take_refused(&f->link, 2), 2);
    assert_int_equal(link_take_refused(&f->link, 9), 0);
    assert_true(link_pop_acked(&f->link, 3, &waiter));
    assert_int_equal(waiter, 1);
    assert_true(link_pop_acked(&f->link, 3, &waiter));
    assert_int_equal(waiter, 3);
    assert_false(link_pop_acked(&f->link, 3, &waiter));
}

static void a_link_that_is_not_open_sends_only_control_frames(void **state)
{
    struct fixture *f = *state;
    const struct queued_write w = stored(f, "key", "value", NOW_MS, 0);
    f->link.state = LINK_CLOSING;
    assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
    assert_int_equal(link_control(&f->link, FRAME_CLOSE, FRAME_CRITICAL, "\1", 1), RC_OK);
    assert_true(fill(f, 65536) > 0);
    assert_int_equal(count_frames(f, FRAME_RECORD), 0);
    assert_int_equal(count_frames(f, FRAME_CLOSE), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void what_a_peer_never_acknowledges_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct queued_write w = stored(f, "key", "v", NOW_MS, 0);
    for (uint32_t i = 1; i <= LINK_UNACKED_MAX + 1000; i++) {
        w.waiter = i;
        assert_int_equal(link_enqueue(&f->link, &w, false), RC_OK);
        (void)fill(f, 1 << 20);
        buf_clear(&f->out);
    }
    uint32_t waiter = 0, count = 0;
    while (link_pop_acked(&f->link, UINT64_MAX, &waiter)) {
        count++;
    }
    assert_int_equal(count, LINK_UNACKED_MAX);
    assert_int_equal(waiter, LINK_UNACKED_MAX + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_queued_write_is_sent_once_and_acknowledged_by_number),
        TEST(what_waits_on_a_link_may_be_so_much_to_the_byte),
        TEST(bulk_is_made_while_there_is_little_of_it),
        TEST(a_replaced_write_nobody_waits_for_is_not_sent),
        TEST(a_replaced_write_somebody_waits_for_is_sent_as_its_successor),
        TEST(small_writes_pass_between_the_chunks_of_a_large_value),
        TEST(a_large_value_goes_by_reference_with_small_writes_between),
        TEST(a_turn_that_control_frames_fill_to_the_byte_has_nothing_else),
        TEST(a_link_whose_batch_is_out_has_no_output),
        TEST(the_queue_is_bounded),
        TEST(a_refused_record_is_nobodys_acknowledgement),
        TEST(a_link_that_is_not_open_sends_only_control_frames),
        cmocka_unit_test_setup_teardown(what_a_peer_never_acknowledges_is_bounded, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
