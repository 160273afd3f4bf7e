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

/* Whether one may go, which it does then. */
static bool ping(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    const bool may = quiet_may_ping(q, addr, now_us);
    if (may) {
        quiet_pinged(q, addr, now_us);
    }
    return may;
}

static bool dial(struct quiet *q, const struct addr *addr, uint64_t now_us)
{
    const bool may = quiet_may_dial(q, addr, now_us);
    if (may) {
        quiet_dialed(q, addr, now_us);
    }
    return may;
}

/* A host gets the same on all its ports together. */
static void a_host_gets_so_many_and_then_one_each_pace(void **state)
{
    (void)state;
    static const struct {
        bool (*go)(struct quiet *q, const struct addr *addr, uint64_t now_us);
        uint32_t most, pace_us;
    } rows[] = {{ping, QUIET_PINGS, QUIET_PING_US}, {dial, QUIET_DIALS, QUIET_DIAL_US}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct quiet q;
        uint64_t now_us = NOW_US;
        quiet_init(&q, 7);
        for (uint16_t n = 0; n < rows[i].most; n++) {
            const struct addr there = at(10, 1, (uint16_t)(80 + n));
            assert_true(rows[i].go(&q, &there, now_us));
        }
        const struct addr there = at(10, 1, 80);
        for (uint32_t n = 0; n < 5; n++) {
            assert_false(rows[i].go(&q, &there, now_us + rows[i].pace_us - 1));
            now_us += rows[i].pace_us;
            assert_true(rows[i].go(&q, &there, now_us));
            assert_false(rows[i].go(&q, &there, now_us));
        }
        const struct addr other = at(10, 2, 80);
        assert_true(rows[i].go(&q, &other, now_us));
        now_us += UINT64_C(100) * rows[i].pace_us; /* no more is saved than at first */
        for (uint32_t n = 0; n < rows[i].most; n++) {
            assert_true(rows[i].go(&q, &there, now_us));
        }
        assert_false(rows[i].go(&q, &there, now_us));
    }
}

static void where_somebody_has_answered_and_on_loopback_there_is_no_limit(void **state)
{
    (void)state;
    const struct addr far = at(10, 1, 80), same = at(10, 1, 81), near = at(127, 1, 80);
    struct quiet q;
    quiet_init(&q, 7);
    quiet_answered(&q, &same);
    for (uint32_t n = 0; n < 10 * QUIET_PINGS; n++) {
        assert_true(ping(&q, &far, NOW_US));
        assert_true(dial(&q, &far, NOW_US));
        assert_true(ping(&q, &near, NOW_US));
        assert_true(dial(&q, &near, NOW_US));
    }
}

static void of_ipv6_a_net_counts_as_one_host(void **state)
{
    (void)state;
    struct addr one = {.ip = {0x20, 1, 0xd, 0xb8}, .port = 80};
    struct quiet q;
    quiet_init(&q, 7);
    for (uint32_t n = 0; n < QUIET_PINGS; n++) {
        one.ip[8] = (uint8_t)n;
        assert_true(ping(&q, &one, NOW_US));
    }
    one.ip[15] = 1;
    assert_false(ping(&q, &one, NOW_US));
    one.ip[7] = 1;
    assert_true(ping(&q, &one, NOW_US));
}

/* What was asked and not sent costs nothing. */
static void to_ask_uses_nothing_up(void **state)
{
    (void)state;
    const struct addr there = at(10, 1, 80);
    struct quiet q;
    quiet_init(&q, 7);
    for (uint32_t n = 0; n < 10 * QUIET_PINGS; n++) {
        assert_true(quiet_may_ping(&q, &there, NOW_US));
        assert_true(quiet_may_dial(&q, &there, NOW_US));
    }
}

/* Each has one place, and whom it displaces is asked anew whether anybody is there. */
static void more_hosts_than_are_remembered_take_each_others_places(void **state)
{
    (void)state;
    uint32_t answering = 0;
    struct quiet q;
    quiet_init(&q, 7);
    for (uint32_t n = 0; n < 8 * QUIET_HOSTS; n++) {
        const struct addr there = at((uint8_t)(11 + n / 250), (uint8_t)(1 + n % 250), 80);
        quiet_answered(&q, &there);
        assert_true(ping(&q, &there, NOW_US));
    }
    for (uint32_t n = 0; n < QUIET_HOSTS; n++) {
        answering += q.hosts[n].has_answered;
        assert_int_equal(q.hosts[n].pings_us, 0);
    }
    assert_in_range(answering, QUIET_HOSTS - 10, QUIET_HOSTS);
}

/* Cards may name thousands of other hosts, so that one after another is in the victim's place. */
static void hosts_in_its_place_let_no_more_go_to_a_host(void **state)
{
    (void)state;
    enum { DECOYS = 2 * QUIET_HOSTS, SECONDS = 10 };
    const struct addr victim = at(10, 1, 80);
    struct quiet q;
    uint32_t pings = 0, dials = 0;
    quiet_init(&q, 7);
    for (uint32_t tenths = 0; tenths < 10 * SECONDS; tenths++) {
        const uint64_t now_us = NOW_US + UINT64_C(100000) * tenths;
        for (uint32_t n = 0; n < DECOYS; n++) {
            const struct addr decoy = at((uint8_t)(11 + n / 250), (uint8_t)(1 + n % 250), 80);
            (void)ping(&q, &decoy, now_us);
            (void)dial(&q, &decoy, now_us);
            if (n % 7 == 0) {
                quiet_answered(&q, &decoy);
            }
            if (n % 64 == 0) {
                pings += ping(&q, &victim, now_us);
                dials += dial(&q, &victim, now_us);
            }
        }
    }
    assert_in_range(pings, 1, QUIET_PINGS + SECONDS * 1000000 / QUIET_PING_US);
    assert_in_range(dials, 1, QUIET_DIALS + SECONDS * 1000000 / QUIET_DIAL_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_gets_so_many_and_then_one_each_pace),
        cmocka_unit_test(where_somebody_has_answered_and_on_loopback_there_is_no_limit),
        cmocka_unit_test(of_ipv6_a_net_counts_as_one_host),
        cmocka_unit_test(to_ask_uses_nothing_up),
        cmocka_unit_test(hosts_in_its_place_let_no_more_go_to_a_host),
        cmocka_unit_test(more_hosts_than_are_remembered_take_each_others_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
