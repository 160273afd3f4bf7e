#include "gossip/sealing/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW_US = 5000000 };

static struct addr v4(uint32_t net, uint8_t host)
{
    const uint8_t ip[4] = {10, (uint8_t)(net >> 8), (uint8_t)net, host};
    return addr_v4(ip, 9000);
}

/* An introduction that fails, where one may be opened at all. */
static bool spend(struct budget *b, const struct addr *from, bool is_near, uint64_t now_us)
{
    const bool has = budget_has(b, from, is_near, now_us);
    if (has) {
        budget_failed(b, from, is_near);
    }
    return has;
}

static void a_net_may_fail_so_often_in_a_second(void **state)
{
    (void)state;
    struct budget b;
    budget_init(&b, 1);
    for (uint32_t i = 0; i < BUDGET_NET_FAILED; i++) {
        const struct addr from = v4(1, (uint8_t)i); /* of one /24 */
        assert_true(spend(&b, &from, false, NOW_US));
    }
    const struct addr same = v4(1, 200), other = v4(2, 1);
    assert_false(spend(&b, &same, false, NOW_US));
    assert_true(spend(&b, &other, false, NOW_US));
    assert_false(spend(&b, &same, false, NOW_US + BUDGET_PERIOD_US - 1));
    assert_true(spend(&b, &same, false, NOW_US + BUDGET_PERIOD_US));
}

static void in_ipv6_a_net_is_a_64(void **state)
{
    (void)state;
    struct budget b;
    budget_init(&b, 1);
    struct addr from = {.ip = {0x20, 1, 0x0d, 0xb8}, .port = 1};
    for (uint32_t i = 0; i < BUDGET_NET_FAILED; i++) {
        from.ip[15] = (uint8_t)i;
        from.ip[8] = (uint8_t)i;
        assert_true(spend(&b, &from, false, NOW_US));
    }
    assert_false(spend(&b, &from, false, NOW_US));
    from.ip[7] = 1;
    assert_true(spend(&b, &from, false, NOW_US));
}

static void all_together_may_fail_so_often(void **state)
{
    (void)state;
    struct budget b;
    budget_init(&b, 1);
    uint32_t failed = 0;
    for (uint32_t net = 0; net < UINT16_MAX && b.failed < BUDGET_FAILED - 1; net++) {
        const struct addr from = v4(net, 1);
        failed += spend(&b, &from, false, NOW_US);
    }
    assert_int_equal(failed, BUDGET_FAILED - 1);
    const struct addr near = v4(7, 7);
    assert_true(spend(&b, &near, true, NOW_US));
    assert_false(spend(&b, &near, true, NOW_US)); /* this host's own addresses too */
    assert_true(spend(&b, &near, true, NOW_US + BUDGET_PERIOD_US));
}

static void this_hosts_own_addresses_count_only_in_all(void **state)
{
    (void)state;
    struct budget b;
    budget_init(&b, 1);
    const struct addr near = v4(7, 7);
    for (uint32_t i = 0; i < BUDGET_FAILED; i++) {
        assert_true(spend(&b, &near, true, NOW_US));
    }
    assert_false(spend(&b, &near, true, NOW_US));
}

/* An introduction that opens, where one may be opened at all. */
static bool take(struct budget *b, const struct addr *from, bool is_near, uint64_t now_us)
{
    const bool has = budget_has(b, from, is_near, now_us);
    if (has) {
        budget_opened(b, from, is_near);
    }
    return has;
}

static void those_that_open_are_free_up_to_a_limit(void **state)
{
    (void)state;
    struct budget b;
    budget_init(&b, 1);
    const struct addr near = v4(7, 7);
    for (uint32_t i = 0; i < BUDGET_OPENED; i++) {
        assert_true(take(&b, &near, true, NOW_US));
    }
    assert_false(take(&b, &near, true, NOW_US));
    assert_true(take(&b, &near, true, NOW_US + BUDGET_PERIOD_US));
}

static void a_net_that_floods_leaves_others_their_part(void **state)
{
    (void)state;
    struct budget b;
    budget_init(&b, 1);
    for (uint32_t i = 0; i < 2 * BUDGET_OPENED; i++) {
        const struct addr from = v4(7, (uint8_t)i);
        assert_int_equal(take(&b, &from, false, NOW_US), i < BUDGET_NET_OPENED);
    }
    const struct addr other = v4(8, 1);
    assert_true(take(&b, &other, false, NOW_US));
    const struct addr from = v4(7, 1);
    assert_true(take(&b, &from, false, NOW_US + BUDGET_PERIOD_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_net_may_fail_so_often_in_a_second),
        cmocka_unit_test(in_ipv6_a_net_is_a_64),
        cmocka_unit_test(all_together_may_fail_so_often),
        cmocka_unit_test(this_hosts_own_addresses_count_only_in_all),
        cmocka_unit_test(those_that_open_are_free_up_to_a_limit),
        cmocka_unit_test(a_net_that_floods_leaves_others_their_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
