/* Who is gone, where another answers: shown to nobody, but only where that is proven. */
#include "engine_rig.h"

#include "gossip/membership/packet_out.h"
#include "gossip/membership/replaced.h"
#include "gossip/membership/view.h"

enum { HERE = 1, ELSEWHERE = 2 }; /* host tags; the rig's engines are here */

static const uint8_t loopback[] = {127, 0, 0, 1}, global[] = {192, 0, 2, 1};

struct scene {
    struct engine *e;
    struct member *old, *fresh;
};

/* A member whose card has one address, and that has answered. */
static struct member *member_at(struct engine *e, uint8_t id, uint64_t host_tag,
                                const struct member_addr *addr)
{
    struct member *m = NULL;
    struct member_card card = {.uuid = {{id}},
                               .host_tag = host_tag,
                               .incarnation = 1,
                               .version_min = PROTOCOL_VERSION_MIN,
                               .version_max = PROTOCOL_VERSION_MAX,
                               .name = "eco-3",
                               .enclave = "default",
                               .addr_count = 1,
                               .addrs = {*addr}};
    assert_int_equal(swim_meet(e->swim, &card, NULL, START_US, &m), RC_OK);
    return m;
}

static struct scene make(uint64_t old_tag, const struct member_addr *addr)
{
    struct scene s = {.e = make_as(1, 8 << 20)};
    s.old = member_at(s.e, 2, old_tag, addr);
    s.fresh = member_at(s.e, 3, HERE, addr);
    return s;
}

/* Both orders: the other is proven there before, and after, the old one is known to be gone. */
static bool is_replaced(uint64_t old_tag, const struct member_addr *addr)
{
    bool is_it[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        struct scene s = make(old_tag, addr);
        if (i == 0) {
            packet_out_proved(s.e->swim, s.fresh, &addr->addr);
            view_declare_dead(s.e->swim, s.old);
        } else {
            view_declare_dead(s.e->swim, s.old);
            assert_false(member_is_replaced(s.old));
            packet_out_proved(s.e->swim, s.fresh, &addr->addr);
        }
        is_it[i] = member_is_replaced(s.old);
        const struct swim_counts counts = swim_shown_counts(s.e->swim);
        assert_int_equal(counts.dead, is_it[i] ? 0 : 1);
        assert_int_equal(swim_counts(s.e->swim).dead, 1);
        assert_false(member_is_replaced(s.fresh));
        swim_check(s.e->swim);
        engine_free(s.e);
    }
    assert_int_equal(is_it[0], is_it[1]);
    return is_it[0];
}

static void an_answer_from_the_address_of_the_dead_replaces_it(void **state)
{
    (void)state;
    const struct member_addr near = {SCOPE_HOST, addr_v4(loopback, 8083)};
    const struct member_addr far = {SCOPE_GLOBAL, addr_v4(global, 8083)};
    assert_true(is_replaced(HERE, &near));
    assert_true(is_replaced(HERE, &far));
    assert_true(is_replaced(ELSEWHERE, &far));
    /* Another host's loopback is another place. */
    assert_false(is_replaced(ELSEWHERE, &near));
}

static void a_card_that_claims_the_address_makes_nobody_disappear(void **state)
{
    (void)state;
    const struct member_addr addr = {SCOPE_GLOBAL, addr_v4(global, 8083)};
    const struct addr other = addr_v4(global, 8084);
    struct scene s = make(HERE, &addr);
    view_declare_dead(s.e->swim, s.old);
    assert_false(member_is_replaced(s.old)); /* the card alone */
    packet_out_proved(s.e->swim, s.fresh, &other);
    assert_false(member_is_replaced(s.old)); /* it receives elsewhere */
    assert_int_equal(swim_shown_counts(s.e->swim).dead, 1);
    engine_free(s.e);
    s = make(HERE, &addr);
    packet_out_proved(s.e->swim, s.fresh, &other); /* the same the other way round */
    view_declare_dead(s.e->swim, s.old);
    assert_false(member_is_replaced(s.old));
    engine_free(s.e);
}

static void who_left_is_replaced_too_and_who_lives_is_not(void **state)
{
    (void)state;
    const struct member_addr addr = {SCOPE_GLOBAL, addr_v4(global, 8083)};
    struct scene s = make(HERE, &addr);
    packet_out_proved(s.e->swim, s.fresh, &addr.addr);
    s.old->is_replaced = true;
    assert_false(member_is_replaced(s.old));
    view_declare_left(s.e->swim, s.old);
    assert_int_equal(s.old->state, MEMBER_LEFT);
    assert_true(member_is_replaced(s.old));
    assert_int_equal(swim_shown_counts(s.e->swim).left, 0);
    engine_free(s.e);
}

/* Else twenty kills would come to light when the last one of them is not started again. */
static void it_stays_so_when_the_other_is_gone_too(void **state)
{
    (void)state;
    const struct member_addr addr = {SCOPE_GLOBAL, addr_v4(global, 8083)};
    struct scene s = make(HERE, &addr);
    packet_out_proved(s.e->swim, s.fresh, &addr.addr);
    view_declare_dead(s.e->swim, s.old);
    view_declare_dead(s.e->swim, s.fresh);
    assert_true(member_is_replaced(s.old));
    assert_false(member_is_replaced(s.fresh));
    assert_int_equal(swim_shown_counts(s.e->swim).dead, 1);
    engine_free(s.e);
}

static void the_node_itself_replaces_its_predecessor(void **state)
{
    (void)state;
    const struct member_addr own = {SCOPE_HOST, addr_v4(loopback, 8083)};
    struct engine_config config = {.uuid = {{1}},
                                   .host_tag = HERE,
                                   .seed = 2,
                                   .table_seed = 3,
                                   .wall_ms = WALL_MS,
                                   .name = "eco-3",
                                   .network = "net",
                                   .enclave = "default",
                                   .addr_count = 1,
                                   .addrs = {own},
                                   .replication_factor = 3,
                                   .bytes_max = 8 << 20};
    struct engine *e = engine_new(&config, START_US);
    struct member *near = member_at(e, 2, HERE, &own);
    struct member *far = member_at(e, 3, ELSEWHERE, &own);
    view_declare_dead(e->swim, near);
    view_declare_dead(e->swim, far);
    assert_true(member_is_replaced(near));
    assert_false(member_is_replaced(far));
    engine_free(e);
}

static void a_name_is_shared_with_those_that_are_shown(void **state)
{
    (void)state;
    const struct member_addr addr = {SCOPE_GLOBAL, addr_v4(global, 8083)};
    const struct uuid nobody = {{9}};
    struct scene s = make(HERE, &addr);
    assert_true(engine_shares_name(s.e, &s.old->uuid));
    assert_true(engine_shares_name(s.e, &s.fresh->uuid));
    assert_false(engine_shares_name(s.e, &s.e->config.uuid));
    assert_false(engine_shares_name(s.e, &nobody));
    packet_out_proved(s.e->swim, s.fresh, &addr.addr);
    view_declare_dead(s.e->swim, s.old);
    /* The line that it is dead must not read as if it were about the new one. */
    assert_true(engine_shares_name(s.e, &s.old->uuid));
    assert_false(engine_shares_name(s.e, &s.fresh->uuid));
    engine_free(s.e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_from_the_address_of_the_dead_replaces_it),
        cmocka_unit_test(a_card_that_claims_the_address_makes_nobody_disappear),
        cmocka_unit_test(who_left_is_replaced_too_and_who_lives_is_not),
        cmocka_unit_test(it_stays_so_when_the_other_is_gone_too),
        cmocka_unit_test(the_node_itself_replaces_its_predecessor),
        cmocka_unit_test(a_name_is_shared_with_those_that_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
