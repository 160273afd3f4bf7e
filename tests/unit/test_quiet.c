/* How much is sent to hosts where nobody has answered. */
#include "gossip/wire/quiet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW_US = 1000000 };

static struct addr at(uint8_t net, uint8_t host, uint16_t port)
{
    const uint8_t ip[4] = {net, 0, 0, host};
    return addr_v4(ip, port);
}

/* A host gets the same on all its ports together. */
static void a_host_gets_so_many_and_then_one_each_pace(void **state)
{
    (void)state;
    static const struct {
        bool (*may)(struct quiet *q, const struct addr *addr, uint64_t now_us);
        uint32_t most, pace_us;
    } rows[] = {{quiet_may_ping, QUIET_PINGS, QUIET_PING_US},
                {quiet_may_dial, QUIET_DIALS, QUIET_DIAL_US}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct quiet q;
        uint64_t now_us = NOW_US;
        quiet_init(&q, 7);
        for (uint16_t n = 0; n < rows[i].most; n++) {
            const struct addr there = at(10, 1, (uint16_t)(80 + n));
            assert_true(rows[i].may(&q, &there, now_us));
        }
        const struct addr there = at(10, 1, 80);
        for (uint32_t n = 0; n < 5; n++) {
            assert_false(rows[i].may(&q, &there, now_us + rows[i].pace_us - 1));
            now_us += rows[i].pace_us;
            assert_true(rows[i].may(&q, &there, now_us));
            assert_false(rows[i].may(&q, &there, now_us));
        }
        const struct addr other = at(10, 2, 80);
        assert_true(rows[i].may(&q, &other, now_us));
        now_us += UINT64_C(100) * rows[i].pace_us; /* no more is saved than at first */
        for (uint32_t n = 0; n < rows[i].most; n++) {
            assert_true(rows[i].may(&q, &there, now_us));
        }
        assert_false(rows[i].may(&q, &there, now_us));
    }
}

static void where_somebody_has_answered_and_on_this_host_there_is_no_limit(void **state)
{
    (void)state;
    const struct addr far = at(10, 1, 80), same = at(10, 1, 81), near = at(127, 1, 80);
    struct quiet q;
    quiet_init(&q, 7);
    quiet_answered(&q, &same);
    for (uint32_t n = 0; n < 10 * QUIET_PINGS; n++) {
        assert_true(quiet_may_ping(&q, &far, NOW_US));
        assert_true(quiet_may_dial(&q, &far, NOW_US));
        assert_true(quiet_may_ping(&q, &near, NOW_US));
        assert_true(quiet_may_dial(&q, &near, NOW_US));
    }
}

static void of_ipv6_a_net_counts_as_one_host(void **state)
{
    (void)state;
    struct addr one = {.ip = {0x20, 1, 0xd, 0xb8}, .port = 80};
    struct quiet q;
    quiet_init(&q, 7);
    for (uint8_t n = 0; n < QUIET_PINGS; n++) {
        one.ip[8] = n;
        assert_true(quiet_may_ping(&q, &one, NOW_US));
    }
    one.ip[15] = 1;
    assert_false(quiet_may_ping(&q, &one, NOW_US));
    one.ip[7] = 1;
    assert_true(quiet_may_ping(&q, &one, NOW_US));
}

/* Each has one place, and whom it displaces is new again. */
static void more_hosts_than_are_remembered_take_each_others_places(void **state)
{
    (void)state;
    struct quiet q;
    quiet_init(&q, 7);
    for (uint32_t n = 0; n < 8 * QUIET_HOSTS; n++) {
        const struct addr there = at((uint8_t)(11 + n / 250), (uint8_t)(1 + n % 250), 80);
        quiet_answered(&q, &there);
        assert_true(quiet_may_ping(&q, &there, NOW_US));
    }
    const struct addr first = at(11, 1, 80);
    for (uint32_t n = 0; n < QUIET_PINGS; n++) {
        assert_true(quiet_may_ping(&q, &first, NOW_US));
    }
    assert_false(quiet_may_ping(&q, &first, NOW_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_gets_so_many_and_then_one_each_pace),
        cmocka_unit_test(where_somebody_has_answered_and_on_this_host_there_is_no_limit),
        cmocka_unit_test(of_ipv6_a_net_counts_as_one_host),
        cmocka_unit_test(more_hosts_than_are_remembered_take_each_others_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
