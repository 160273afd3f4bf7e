#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http/rate_limit.h"

static struct addr host(uint32_t n)
{
    const uint8_t ip[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    return addr_v4(ip, 0);
}

static unsigned take_all(struct rate_limit *r, const struct addr *addr, uint64_t now_ms)
{
    unsigned taken = 0;
    while (taken < 1000 && rate_limit_take(r, addr, now_ms)) {
        taken++;
    }
    return taken;
}

static void test_a_burst_is_twice_the_rate_and_refills_evenly(void **state)
{
    (void)state;
    struct rate_limit *r = rate_limit_new(10, 1);
    const struct addr a = host(1);
    assert_int_equal(take_all(r, &a, 5000), 20);
    assert_int_equal(take_all(r, &a, 5099), 0);
    assert_int_equal(take_all(r, &a, 5100), 1);
    assert_int_equal(take_all(r, &a, 5600), 5);
    assert_int_equal(take_all(r, &a, 5600 + 3600000), 20);
    assert_int_equal(take_all(r, &a, 1000), 0); /* a clock behind adds nothing */
    rate_limit_free(r);
}

static void test_addresses_have_buckets_of_their_own(void **state)
{
    (void)state;
    struct rate_limit *r = rate_limit_new(3, 7);
    for (uint32_t n = 0; n < 100; n++) {
        const struct addr a = host(n);
        assert_int_equal(take_all(r, &a, 1), 6);
    }
    rate_limit_free(r);
}

static void test_a_flood_of_addresses_never_makes_the_limit_stricter(void **state)
{
    (void)state;
    struct rate_limit *r = rate_limit_new(5, 7);
    const struct addr kept = host(1);
    unsigned refused = 0;
    for (uint32_t n = 0; n < 4 * RATE_LIMIT_SETS * RATE_LIMIT_WAYS; n++) {
        const struct addr other = host(n + 2);
        const uint64_t now_ms = 1000 + n / 100;
        (void)rate_limit_take(r, &other, now_ms);
        if (n % 20000 == 0) { /* once in 200 ms, as it may */
            refused += !rate_limit_take(r, &kept, now_ms);
        }
    }
    assert_int_equal(refused, 0);
    rate_limit_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_is_twice_the_rate_and_refills_evenly),
        cmocka_unit_test(test_addresses_have_buckets_of_their_own),
        cmocka_unit_test(test_a_flood_of_addresses_never_makes_the_limit_stricter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
