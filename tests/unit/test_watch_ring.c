#include "net/watch/watch_ring.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct watch_event *event(uint64_t mark, size_t value_len)
{
    static uint8_t bytes[WATCH_VALUE_MAX];
    const struct record r = {.key = (const uint8_t *)"k",
                             .key_len = 1,
                             .value = bytes,
                             .value_len = value_len,
                             .expiry_ms = mark};
    return watch_event_new(WATCH_PUT, &r, true);
}

static void check(const struct watch_ring *ring)
{
    size_t bytes = 0;
    for (uint64_t number = ring->first; number < ring->next; number++) {
        assert_non_null(watch_ring_at(ring, number));
        bytes += watch_ring_at(ring, number)->size;
    }
    assert_int_equal(bytes, ring->bytes);
    assert_null(watch_ring_at(ring, ring->first - 1));
    assert_null(watch_ring_at(ring, ring->next));
}

static void events_are_numbered_in_order(void **state)
{
    (void)state;
    struct watch_ring ring;
    watch_ring_init(&ring);
    assert_true(watch_ring_holds_after(&ring, 0));
    for (uint64_t i = 1; i <= 100; i++) {
        watch_ring_add(&ring, event(i, 0));
    }
    assert_int_equal(watch_ring_at(&ring, 1)->expiry_ms, 1);
    assert_int_equal(watch_ring_at(&ring, 100)->expiry_ms, 100);
    check(&ring);
    assert_true(watch_ring_holds_after(&ring, 0));
    assert_true(watch_ring_holds_after(&ring, 100));
    assert_false(watch_ring_holds_after(&ring, 101));
    watch_ring_fini(&ring);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
    (void)state;
    struct watch_ring ring;
    watch_ring_init(&ring);
    for (uint64_t i = 1; i <= WATCH_RING_EVENTS_MAX + 10; i++) {
        watch_ring_add(&ring, event(i, 0));
    }
    assert_int_equal(ring.first, 11);
    assert_int_equal(watch_ring_at(&ring, 11)->expiry_ms, 11);
    assert_false(watch_ring_holds_after(&ring, 9));
    assert_true(watch_ring_holds_after(&ring, 10));
    check(&ring);
    watch_ring_fini(&ring);
}

static void the_oldest_go_when_they_are_too_large(void **state)
{
    (void)state;
    struct watch_ring ring;
    watch_ring_init(&ring);
    for (uint64_t i = 1; i <= 2000; i++) {
        watch_ring_add(&ring, event(i, WATCH_VALUE_MAX));
        assert_true(ring.bytes <= WATCH_RING_BYTES_MAX);
    }
    assert_true(ring.next - ring.first > 300);
    check(&ring);
    watch_ring_fini(&ring);
}

static void what_was_forgotten_cannot_be_resumed(void **state)
{
    (void)state;
    struct watch_ring ring;
    watch_ring_init(&ring);
    watch_ring_forget(&ring);
    assert_false(watch_ring_holds_after(&ring, 0));
    watch_ring_add(&ring, event(1, 0));
    const uint64_t last = ring.next - 1;
    assert_true(watch_ring_holds_after(&ring, last));
    watch_ring_forget(&ring);
    assert_false(watch_ring_holds_after(&ring, last));
    assert_int_equal(ring.bytes, 0);
    watch_ring_add(&ring, event(2, 0));
    assert_false(watch_ring_holds_after(&ring, last));
    check(&ring);
    watch_ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_numbered_in_order),
        cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
        cmocka_unit_test(the_oldest_go_when_they_are_too_large),
        cmocka_unit_test(what_was_forgotten_cannot_be_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
