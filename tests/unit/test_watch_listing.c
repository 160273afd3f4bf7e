#include "watch_rig.h"

#include "net/watch/watch_listing.h"

#include <string.h>

static struct watch_listing listing_behind(const char *key)
{
    struct watch_listing l = {.last_len = strlen(key)};
    memcpy(l.last, key, l.last_len);
    return l;
}

static bool is_ahead(const char *last, const char *key)
{
    const struct watch_listing l = listing_behind(last);
    return watch_listing_is_ahead(&l, (const uint8_t *)key, strlen(key));
}

static void what_lies_ahead_is_what_comes_later_in_the_order_of_bytes(void **state)
{
    (void)state;
    assert_true(is_ahead("", "a"));
    assert_true(is_ahead("a", "b"));
    assert_true(is_ahead("a", "aa"));
    assert_true(is_ahead("a", "\xff"));
    assert_false(is_ahead("a", "a"));
    assert_false(is_ahead("aa", "a"));
    assert_false(is_ahead("b", "a"));
    assert_false(is_ahead("b", "aaa"));
}

/* One piece into a buffer of that size. */
static enum rc list(const struct rig *rig, struct watch_listing *l, size_t size, struct buf *piece,
                    bool *ret_is_over)
{
    const struct prefix_tree_entry prefix = {.bytes = (const uint8_t *)"k", .len = 1};
    buf_init(piece, size);
    return watch_listing_write(l, &rig->engine, &prefix, false, rig->now_us, piece, ret_is_over);
}

/* Until the listing is over, or its buffers are too small for one entry. Returns how many keys were
 * told, each of which stands behind the one before. */
static size_t list_all(const struct rig *rig, uint64_t from_ms, size_t size, size_t *ret_pieces)
{
    struct watch_listing l = {.from_ms = from_ms};
    size_t told = 0;
    bool is_over = false;
    for (*ret_pieces = 0; !is_over; ++*ret_pieces) {
        const struct watch_listing before = l;
        struct buf piece;
        const enum rc rc = list(rig, &l, size, &piece, &is_over);
        assert_true(rc == RC_OK || rc == RC_FULL);
        assert_int_equal(buf_append(&piece, "", piece.len < size), RC_OK);
        told += piece.len == 0 ? 0 : count_of((const char *)buf_data(&piece), "event: put\n");
        assert_true(is_over || watch_listing_is_ahead(&before, l.last, l.last_len));
        buf_fini(&piece);
    }
    return told;
}

static void every_entry_is_told_once_whatever_a_piece_has_room_for(void **state)
{
    enum { KEYS = 2 * WATCH_LISTING_KEYS };
    struct rig *rig = *state;
    char key[16];
    size_t pieces = 0;
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof(key), "k%04d", i);
        put(rig, key, "x");
    }
    put(rig, "other", "x");
    assert_int_equal(list_all(rig, 0, PIECE_MAX, &pieces), KEYS);
    assert_true(pieces > 2); /* of WATCH_PIECE_BYTES each */
    const size_t large = pieces;
    assert_int_equal(list_all(rig, 0, 1000, &pieces), KEYS);
    assert_true(pieces > large);
}

static void what_was_over_when_it_began_is_not_told_and_what_ends_meanwhile_is(void **state)
{
    struct rig *rig = *state;
    const uint64_t clock_ms = engine_clock_ms(&rig->engine, rig->now_us);
    const struct put write = {.key = (const uint8_t *)"k", .key_len = 1, .ttl_ms = 1000};
    size_t pieces = 0;
    assert_int_equal(engine_put(&rig->engine, &write, rig->now_us), RC_OK);
    rig->now_us += 2 * S;
    assert_int_equal(list_all(rig, clock_ms + 1000, PIECE_MAX, &pieces), 0);
    assert_int_equal(list_all(rig, clock_ms + 999, PIECE_MAX, &pieces), 1);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(what_lies_ahead_is_what_comes_later_in_the_order_of_bytes),
        RIG(every_entry_is_told_once_whatever_a_piece_has_room_for),
        RIG(what_was_over_when_it_began_is_not_told_and_what_ends_meanwhile_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
