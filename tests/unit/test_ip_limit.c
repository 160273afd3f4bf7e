#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "net/sys/ip_limit.h"

static struct addr host(uint8_t n)
{
    const uint8_t ip[4] = {10, 0, 0, n};
    return addr_v4(ip, n);
}

static void test_an_address_has_its_share_and_no_more(void **state)
{
    (void)state;
    struct ip_limit *l = ip_limit_new(2, 10, 1);
    const struct addr a = host(1);
    const struct addr b = host(2);
    struct addr other_port = a;
    other_port.port = 99;
    assert_true(ip_limit_enter(l, &a));
    assert_true(ip_limit_enter(l, &other_port));
    assert_false(ip_limit_enter(l, &a));
    assert_true(ip_limit_enter(l, &b));
    ip_limit_leave(l, &a);
    assert_true(ip_limit_enter(l, &a));
    assert_false(ip_limit_enter(l, &a));
    ip_limit_free(l);
}

static void test_no_more_than_the_connections_are_counted(void **state)
{
    (void)state;
    struct ip_limit *l = ip_limit_new(100, 3, 1);
    for (uint8_t n = 0; n < 3; n++) {
        const struct addr a = host(n);
        assert_true(ip_limit_enter(l, &a));
    }
    const struct addr a = host(9);
    assert_false(ip_limit_enter(l, &a));
    ip_limit_free(l);
}

/* Against plain counters, with a table so small that addresses push each other from their places.
 */
static void test_coming_and_going_agrees_with_a_model(void **state)
{
    (void)state;
    enum { HOSTS = 40, PER_IP = 3, MOST = 24 };
    unsigned counts[HOSTS] = {0};
    unsigned total = 0;
    struct ip_limit *l = ip_limit_new(PER_IP, MOST, 42);
    struct rng rng;
    rng_init(&rng, 3);
    for (int i = 0; i < 100000; i++) {
        const uint8_t n = (uint8_t)rng_below(&rng, HOSTS);
        const struct addr a = host(n);
        if (rng_below(&rng, 2) == 0) {
            const bool is_allowed = counts[n] < PER_IP && total < MOST;
            assert_int_equal(ip_limit_enter(l, &a), is_allowed);
            counts[n] += is_allowed;
            total += is_allowed;
        } else if (counts[n] > 0) {
            ip_limit_leave(l, &a);
            counts[n]--;
            total--;
        }
    }
    ip_limit_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_has_its_share_and_no_more),
        cmocka_unit_test(test_no_more_than_the_connections_are_counted),
        cmocka_unit_test(test_coming_and_going_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
