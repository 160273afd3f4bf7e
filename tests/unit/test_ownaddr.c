#include "gossip/membership/ownaddr.h"

#include "gossip/membership/swim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { NOW_US = 1000000000, KEPT_US = 600000000 };

struct rig {
    struct swim *swim;
    struct outbox *outbox;
    struct engine_counters counters;
};

static void no_vitals(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals)
{
    (void)arg, (void)cut_s, (void)now_us;
    *ret_vitals = (struct vitals){.flags = 0};
}

static struct addr at(uint8_t net, uint8_t host)
{
    const uint8_t ip[4] = {net, 0, 0, host};
    return addr_v4(ip, 8081);
}

static const struct member somebody = {.host_tag = 5};

/* A node with so many addresses: loopback, and then those of a network. */
static void begin(struct rig *r, uint32_t count, enum addr_scope scope, uint8_t net)
{
    struct swim_config config = {
        .seed = 1,
        .counters = &r->counters,
        .vitals = no_vitals,
        .network = "net",
        .self = {.uuid = {{1}},
                 .boot = 1,
                 .incarnation = 1,
                 .host_tag = 7,
                 .version_min = PROTOCOL_VERSION_MIN,
                 .version_max = PROTOCOL_VERSION_MAX,
                 .name = "n",
                 .enclave = "e",
                 .addr_count = count},
    };
    config.self.addrs[0] = (struct member_addr){.scope = SCOPE_HOST, .addr = at(127, 1)};
    for (uint32_t i = 1; i < count; i++) {
        config.self.addrs[i] = (struct member_addr){.scope = scope, .addr = at(net, (uint8_t)i)};
    }
    r->outbox = outbox_new();
    r->swim = swim_new(&config, r->outbox, NOW_US);
}

static void end(struct rig *r)
{
    swim_free(r->swim);
    outbox_free(r->outbox);
}

static void see(struct rig *r, struct addr addr)
{
    ownaddr_seen(r->swim, &addr, &somebody);
}

static void see_at(struct rig *r, struct addr addr, uint64_t now_us)
{
    swim_seen_as(r->swim, &addr, &somebody, now_us);
}

static bool has(const struct rig *r, struct addr addr)
{
    return ownaddr_is(r->swim, &addr);
}

static void what_others_see_takes_the_place_of_interfaces_and_not_of_loopback(void **state)
{
    (void)state;
    struct rig r = {.swim = NULL};
    begin(&r, MEMBER_ADDRS_MAX, SCOPE_HOST, 192);
    see(&r, at(10, 1));
    assert_true(has(&r, at(10, 1)) && has(&r, at(127, 1)) && has(&r, at(192, 1)));
    assert_false(has(&r, at(192, 3)));
    assert_int_equal(swim_self(r.swim)->incarnation, 2);
    see(&r, at(10, 2));
    assert_true(has(&r, at(10, 1)) && has(&r, at(10, 2)) && has(&r, at(127, 1)));
    assert_int_equal(swim_self(r.swim)->addr_count, MEMBER_ADDRS_MAX);
    assert_int_equal(swim_self(r.swim)->incarnation, 3);
    end(&r);
}

static void two_are_learned_and_a_third_when_one_has_not_been_seen_for_long(void **state)
{
    (void)state;
    struct rig r = {.swim = NULL};
    begin(&r, MEMBER_ADDRS_MAX, SCOPE_HOST, 192);
    see(&r, at(10, 1));
    see(&r, at(10, 2));
    swim_tick(r.swim, NOW_US + 1000, 0);
    see(&r, at(10, 1));
    see(&r, at(10, 3));
    assert_false(has(&r, at(10, 3)));
    see_at(&r, at(10, 3), NOW_US + KEPT_US - 1);
    assert_false(has(&r, at(10, 3)));
    see_at(&r, at(10, 3), NOW_US + KEPT_US);
    assert_true(has(&r, at(10, 3)) && has(&r, at(10, 1)));
    assert_false(has(&r, at(10, 2)));
    end(&r);
}

static void nothing_is_learned_beside_an_address_that_is_configured(void **state)
{
    (void)state;
    struct rig r = {.swim = NULL};
    begin(&r, 2, SCOPE_GLOBAL, 192);
    see(&r, at(10, 1));
    assert_false(has(&r, at(10, 1)));
    assert_true(has(&r, at(192, 1)));
    assert_int_equal(swim_self(r.swim)->incarnation, 1);
    end(&r);
}

static void loopback_gives_no_way(void **state)
{
    (void)state;
    struct rig r = {.swim = NULL};
    begin(&r, MEMBER_ADDRS_MAX, SCOPE_HOST, 127);
    see(&r, at(10, 1));
    assert_false(has(&r, at(10, 1)));
    assert_true(has(&r, at(127, 3)));
    assert_int_equal(swim_self(r.swim)->incarnation, 1);
    end(&r);
}

static void what_is_no_address_for_others_is_not_learned(void **state)
{
    (void)state;
    struct rig r = {.swim = NULL};
    begin(&r, MEMBER_ADDRS_MAX, SCOPE_HOST, 192);
    struct addr no_port = at(10, 1);
    no_port.port = 0;
    see(&r, no_port);
    see(&r, at(127, 2));
    see(&r, at(0, 0));
    assert_int_equal(swim_self(r.swim)->incarnation, 1);
    assert_true(has(&r, at(192, 3)));
    swim_leave(r.swim, NOW_US);
    const uint64_t incarnation = swim_self(r.swim)->incarnation;
    see(&r, at(10, 1));
    assert_false(has(&r, at(10, 1)));
    assert_true(swim_self(r.swim)->incarnation == incarnation);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_see_takes_the_place_of_interfaces_and_not_of_loopback),
        cmocka_unit_test(two_are_learned_and_a_third_when_one_has_not_been_seen_for_long),
        cmocka_unit_test(nothing_is_learned_beside_an_address_that_is_configured),
        cmocka_unit_test(loopback_gives_no_way),
        cmocka_unit_test(what_is_no_address_for_others_is_not_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
