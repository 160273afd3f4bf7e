#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/membership/eventq.h"

static void events_come_in_order_with_their_bytes(void **state)
{
    (void)state;
    struct eventq q;
    struct swim_event event = {.kind = SWIM_VITALS}, got;
    eventq_init(&q);
    assert_false(eventq_next(&q, &got));
    for (uint32_t i = 0; i < 100; i++) {
        const uint8_t data[2] = {(uint8_t)i, 1};
        event.rtt_us = i;
        event.kind = i % 2 == 0 ? SWIM_VITALS : SWIM_PACKET_BY_LINK;
        event.data = i % 2 == 0 ? NULL : data;
        event.len = i % 2 == 0 ? 0 : sizeof(data);
        assert_true(eventq_put(&q, &event));
    }
    for (uint32_t i = 0; i < 90; i++) {
        assert_true(eventq_next(&q, &got));
        assert_int_equal(got.rtt_us, i);
        assert_true(i % 2 == 0 ? got.data == NULL : got.data[0] == i && got.len == 2);
    }
    eventq_fini(&q);
}

static void packets_are_bounded_and_other_events_are_not_lost_to_them(void **state)
{
    (void)state;
    struct eventq q;
    const uint8_t data[1] = {0};
    const struct swim_event packet = {.kind = SWIM_PACKET_BY_LINK, .data = data, .len = 1};
    const struct swim_event other = {.kind = SWIM_REFUTED};
    struct swim_event got;
    eventq_init(&q);
    for (uint32_t i = 0; i < EVENTQ_PACKETS_MAX; i++) {
        assert_true(eventq_put(&q, &packet));
    }
    assert_false(eventq_put(&q, &packet));
    assert_true(eventq_put(&q, &other));
    assert_true(eventq_next(&q, &got));
    assert_true(eventq_put(&q, &packet));
    eventq_fini(&q);
}

static void events_of_a_forgotten_member_are_gone(void **state)
{
    (void)state;
    struct eventq q;
    struct member a = {.slot = 1}, b = {.slot = 2};
    const uint8_t data[1] = {0};
    struct swim_event event = {.kind = SWIM_PACKET_BY_LINK, .data = data, .len = 1}, got;
    eventq_init(&q);
    for (int i = 0; i < 10; i++) {
        event.member = i % 2 == 0 ? &a : &b;
        assert_true(eventq_put(&q, &event));
    }
    eventq_forget(&q, &a);
    for (int i = 0; i < 5; i++) {
        assert_true(eventq_next(&q, &got));
        assert_ptr_equal(got.member, &b);
    }
    assert_false(eventq_next(&q, &got));
    eventq_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_in_order_with_their_bytes),
        cmocka_unit_test(packets_are_bounded_and_other_events_are_not_lost_to_them),
        cmocka_unit_test(events_of_a_forgotten_member_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
