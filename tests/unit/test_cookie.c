#include "gossip/wire/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MINUTE_US = 60 * 1000 * 1000, NOW_US = 10 * MINUTE_US };

static const uint8_t secret[SIPHASH_KEY_BYTES] = {1, 2, 3};
static const uint8_t ip[4] = {192, 0, 2, 1};

static void it_holds_for_a_minute_or_two(void **state)
{
    (void)state;
    const struct addr addr = addr_v4(ip, 8081);
    const uint64_t cookie = cookie_of(secret, &addr, NOW_US);
    assert_true(cookie_is_of(secret, &addr, NOW_US, cookie));
    assert_true(cookie_is_of(secret, &addr, NOW_US + 2 * MINUTE_US - 1, cookie));
    assert_false(cookie_is_of(secret, &addr, NOW_US + 2 * MINUTE_US, cookie));
    assert_false(cookie_is_of(secret, &addr, NOW_US - 1, cookie));
    assert_true(cookie_is_of(secret, &addr, 0, cookie_of(secret, &addr, 0)));
}

static void another_address_port_or_process_has_another(void **state)
{
    (void)state;
    const uint8_t other_ip[4] = {192, 0, 2, 2};
    const uint8_t other_secret[SIPHASH_KEY_BYTES] = {1, 2, 4};
    const struct addr addr = addr_v4(ip, 8081);
    const struct addr elsewhere = addr_v4(other_ip, 8081);
    const struct addr next_port = addr_v4(ip, 8082);
    const uint64_t cookie = cookie_of(secret, &addr, NOW_US);
    assert_false(cookie_is_of(secret, &elsewhere, NOW_US, cookie));
    assert_false(cookie_is_of(secret, &next_port, NOW_US, cookie));
    assert_false(cookie_is_of(other_secret, &addr, NOW_US, cookie));
    assert_false(cookie_is_of(secret, &addr, NOW_US, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_for_a_minute_or_two),
        cmocka_unit_test(another_address_port_or_process_has_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
