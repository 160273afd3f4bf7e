#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gossip/member.h"

static struct member_card sample(void)
{
    const uint8_t loopback[4] = {127, 0, 0, 1}, global[4] = {192, 0, 2, 7};
    struct member_card card = {
        .uuid = {{1, 2, 3}},
        .boot = 0x0102030405060708,
        .host_tag = 9,
        .incarnation = 3,
        .name = "a",
        .enclave = "default",
        .addr_count = 2,
        .addrs = {{SCOPE_HOST, addr_v4(loopback, 8081)}, {SCOPE_GLOBAL, addr_v4(global, 8081)}},
    };
    return card;
}

static size_t written(const struct member_card *card, uint8_t bytes[static CARD_WIRE_MAX])
{
    struct cursor c = cursor_writer(bytes, CARD_WIRE_MAX);
    card_write(&c, card);
    assert_true(cursor_ok(&c));
    return c.pos;
}

static bool reads(const uint8_t *bytes, size_t len, struct member_card *card)
{
    struct cursor c = cursor_reader(bytes, len);
    card_read(&c, card);
    return cursor_ok(&c) && cursor_left(&c) == 0;
}

static void a_card_has_these_bytes(void **state)
{
    (void)state;
    /* clang-format off */
    static const uint8_t expected[] = {
        1, 2, 3, 0,   0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,   0,   /* uuid */
        1, 2, 3, 4,   5, 6, 7, 8, 0, 0, 0, 0,   0,   0,   0,   9,   /* boot, host tag */
        0, 0, 0, 3,   1, 'a',                                       /* incarnation, name */
        7, 'd', 'e', 'f', 'a', 'u', 'l', 't',                       /* enclave */
        2, 0, 4, 127, 0, 0, 1, 0x1f, 0x91,                          /* host-scope address */
        1, 4, 192, 0, 2, 7, 0x1f, 0x91,                             /* global address */
    };
    /* clang-format on */
    uint8_t bytes[CARD_WIRE_MAX];
    const struct member_card card = sample();
    assert_int_equal(written(&card, bytes), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
    struct member_card back;
    assert_true(reads(bytes, sizeof(expected), &back));
    assert_int_equal(back.incarnation, 3);
    assert_string_equal(back.enclave, "default");
    assert_true(addr_equal(&back.addrs[1].addr, &card.addrs[1].addr));
}

static void the_longest_card_fits_its_maximum(void **state)
{
    (void)state;
    struct member_card card = sample(), back;
    uint8_t bytes[CARD_WIRE_MAX];
    memset(card.name, 'n', NAME_SIZE - 1);
    memset(card.enclave, 'e', NAME_SIZE - 1);
    card.enclave[NAME_SIZE - 1] = '\0';
    card.addr_count = MEMBER_ADDRS_MAX;
    for (uint32_t i = 0; i < MEMBER_ADDRS_MAX; i++) {
        assert_int_equal(addr_parse_ip("2001:db8::1", 8081, &card.addrs[i].addr), RC_OK);
    }
    const size_t len = written(&card, bytes);
    assert_true(reads(bytes, len, &back));
    assert_string_equal(back.name, card.name);
}

static void a_truncated_card_fails_at_every_length(void **state)
{
    (void)state;
    const struct member_card card = sample();
    struct member_card back;
    uint8_t bytes[CARD_WIRE_MAX];
    const size_t len = written(&card, bytes);
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(reads(bytes, cut, &back));
    }
}

static void a_card_that_is_not_right_is_refused(void **state)
{
    (void)state;
    struct member_card back, card = sample();
    uint8_t bytes[CARD_WIRE_MAX];
    card.uuid = (struct uuid){{0}};
    assert_false(reads(bytes, written(&card, bytes), &back));
    card = sample();
    card.name[0] = '\0';
    assert_false(reads(bytes, written(&card, bytes), &back));
    card = sample();
    card.name[0] = '\n';
    assert_false(reads(bytes, written(&card, bytes), &back));
    card = sample();
    card.enclave[1] = '\x7f';
    assert_false(reads(bytes, written(&card, bytes), &back));
    card = sample();
    card.incarnation = INCARNATION_MAX;
    assert_false(reads(bytes, written(&card, bytes), &back));
    card = sample();
    size_t len = written(&card, bytes);
    bytes[len - 8] = 2; /* scope */
    assert_false(reads(bytes, len, &back));
    len = written(&card, bytes);
    bytes[len - 17] = MEMBER_ADDRS_MAX + 1; /* count */
    assert_false(reads(bytes, len, &back));
    len = written(&card, bytes);
    bytes[len - 1] = bytes[len - 2] = 0; /* port */
    assert_false(reads(bytes, len, &back));
}

static void addresses_are_used_by_who_can_reach_them_best_first(void **state)
{
    (void)state;
    struct member m = {.card = sample()};
    struct addr addrs[MEMBER_USABLE_MAX];
    assert_int_equal(member_addrs(&m, 9, addrs), 2);
    assert_true(addr_equal(&addrs[0], &m.card.addrs[0].addr));
    assert_int_equal(member_addrs(&m, 8, addrs), 1);
    assert_true(addr_equal(&addrs[0], &m.card.addrs[1].addr));
    m.last_addr = m.card.addrs[1].addr;
    assert_int_equal(member_addrs(&m, 9, addrs), 2);
    assert_true(addr_equal(&addrs[0], &m.last_addr));
    m.card.addrs[0].scope = SCOPE_GLOBAL; /* loopback, whatever it claims */
    assert_int_equal(member_addrs(&m, 8, addrs), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_has_these_bytes),
        cmocka_unit_test(the_longest_card_fits_its_maximum),
        cmocka_unit_test(a_truncated_card_fails_at_every_length),
        cmocka_unit_test(a_card_that_is_not_right_is_refused),
        cmocka_unit_test(addresses_are_used_by_who_can_reach_them_best_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
