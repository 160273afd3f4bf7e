#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/rng.h"
#include "gossip/wire/member.h"

static struct member_card sample(void)
{
    const uint8_t loopback[4] = {127, 0, 0, 1}, global[4] = {192, 0, 2, 7};
    struct member_card card = {
        .uuid = {{1, 2, 3}},
        .boot = 0x030405060708,
        .host_tag = 9,
        .incarnation = 0x0102030405060703,
        .version_min = 2,
        .version_max = 3,
        .features = 0x0405,
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
    member_card_write(&c, card);
    assert_true(cursor_ok(&c));
    return c.pos;
}

static bool reads(const uint8_t *bytes, size_t len, struct member_card *card)
{
    struct cursor c = cursor_reader(bytes, len);
    member_card_read(&c, card);
    return cursor_ok(&c) && cursor_left(&c) == 0;
}

static void a_card_has_these_bytes(void **state)
{
    (void)state;
    /* clang-format off */
    static const uint8_t expected[] = {
        1, 2, 3, 0,   0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,   0,   /* uuid */
        3, 4, 5, 6,   7, 8, 0, 0, 0, 0, 0, 9,                       /* boot, host tag */
        1, 2, 3, 4,   5, 6, 7, 3, 2, 3, 4, 5,   1,   'a',           /* incarnation, versions, features, name */
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
    assert_true(back.incarnation == card.incarnation && back.boot == card.boot);
    assert_int_equal(back.version_max, 3);
    assert_int_equal(back.features, 0x0405);
    assert_string_equal(back.enclave, "default");
    assert_true(addr_equal(&back.addrs[1].addr, &card.addrs[1].addr));
}

static void a_card_names_the_keys_that_its_member_holds(void **state)
{
    (void)state;
    struct member_card card = sample(), back;
    uint8_t bytes[CARD_WIRE_MAX];
    uint16_t keys[MEMBER_KEYS_MAX];
    const size_t len = written(&card, bytes);
    const size_t counts_at = len - 17; /* and two addresses of 8 bytes */
    for (uint32_t count = 0; count <= MEMBER_KEYS_MAX; count++) {
        card.key_count = count;
        for (uint32_t i = 0; i < count; i++) {
            card.keys[i] = (uint16_t)(0x100 * i + 5);
        }
        assert_int_equal(written(&card, bytes), len + 2 * (size_t)count);
        assert_int_equal(bytes[counts_at], count << 4 | 2);
        assert_true(reads(bytes, len + 2 * (size_t)count, &back));
        assert_int_equal(back.key_count, count);
        assert_int_equal(back.addr_count, 2);
        struct member m = {.tag = 1};
        const uint8_t elsewhere[4] = {192, 0, 2, 99};
        const struct addr last = addr_v4(elsewhere, 7);
        member_set_card(&m, &back);
        member_set_last_addr(&m, &last); /* which packs all anew */
        assert_int_equal(member_keys(&m, keys), count);
        assert_memory_equal(keys, card.keys, count * sizeof(keys[0]));
        member_card(&m, &back);
        assert_memory_equal(back.keys, card.keys, count * sizeof(keys[0]));
        assert_string_equal(member_enclave(&m), "default");
        const struct addr shown = member_last_addr(&m);
        assert_true(addr_equal(&shown, &last));
        member_fini(&m);
    }
    bytes[counts_at] = (MEMBER_KEYS_MAX + 1) << 4; /* one more, and none of the addresses */
    assert_false(reads(bytes, counts_at + 11, &back));
    bytes[counts_at] = MEMBER_KEYS_MAX << 4;
    assert_true(reads(bytes, counts_at + 9, &back));
}

static void the_longest_card_fits_its_maximum(void **state)
{
    (void)state;
    struct member_card card = sample(), back;
    uint8_t bytes[CARD_WIRE_MAX];
    memset(card.name, 'n', NAME_SIZE - 1);
    memset(card.enclave, 'e', NAME_SIZE - 1);
    card.enclave[NAME_SIZE - 1] = '\0';
    card.key_count = MEMBER_KEYS_MAX;
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

/* The same as it looks to who only skips it. */
static bool skips(const uint8_t *bytes, size_t len)
{
    struct cursor c = cursor_reader(bytes, len);
    struct uuid uuid;
    uint64_t incarnation = 0;
    uint32_t addr_count = 0;
    member_card_skip(&c, &uuid, &incarnation, &addr_count);
    return cursor_ok(&c);
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
    card.name[0] = ' '; /* as in the settings */
    assert_false(reads(bytes, written(&card, bytes), &back));
    assert_false(skips(bytes, written(&card, bytes)));
    card = sample();
    card.enclave[0] = ' ';
    assert_false(reads(bytes, written(&card, bytes), &back));
    assert_false(skips(bytes, written(&card, bytes)));
    card = sample();
    assert_true(skips(bytes, written(&card, bytes)));
    card.enclave[1] = '\x7f';
    assert_false(reads(bytes, written(&card, bytes), &back));
    card = sample();
    card.version_min = 4;
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
    struct member_card card = sample();
    struct member m = {.slot = 0};
    member_set_card(&m, &card);
    struct addr addrs[MEMBER_USABLE_MAX];
    assert_int_equal(member_addrs(&m, 9, addrs), 2);
    assert_true(addr_equal(&addrs[0], &card.addrs[0].addr));
    assert_int_equal(member_addrs(&m, 8, addrs), 1);
    assert_true(addr_equal(&addrs[0], &card.addrs[1].addr));
    for (uint16_t port = 0; port < 2; port++) {
        struct member_card none = sample();
        none.addrs[1].addr.port = port; /* nobody can be reached at port 0 */
        member_set_card(&m, &none);
        assert_int_equal(member_addrs(&m, 8, addrs), port);
    }
    member_set_card(&m, &card);
    member_set_last_addr(&m, &card.addrs[1].addr);
    assert_int_equal(member_addrs(&m, 9, addrs), 2);
    assert_true(addr_equal(&addrs[0], &card.addrs[1].addr));
    card.addrs[0].scope = SCOPE_GLOBAL; /* loopback, whatever it claims */
    member_set_card(&m, &card);
    assert_int_equal(member_addrs(&m, 8, addrs), 1);
    member_fini(&m);
}

/* A member keeps its whole card, whatever texts and addresses it has. */
static void assert_kept(const struct member *m, const struct member_card *card)
{
    struct member_card back;
    uint8_t bytes[CARD_WIRE_MAX], again[CARD_WIRE_MAX];
    struct cursor c = cursor_writer(again, sizeof(again));
    member_card(m, &back);
    member_write_card(&c, m, CARD_SAME_HOST);
    const size_t len = written(card, bytes);
    assert_int_equal(c.pos, len);
    assert_memory_equal(again, bytes, len);
    assert_int_equal(written(&back, again), len);
    assert_memory_equal(again, bytes, len);
    assert_string_equal(member_name(m), card->name);
    assert_string_equal(member_enclave(m), card->enclave);
}

static void a_member_keeps_short_and_long_cards_and_where_it_answered(void **state)
{
    (void)state;
    struct member m = {.slot = 0};
    struct member_card card = {
        .uuid = {{1}}, .boot = 2, .host_tag = 3, .incarnation = 4, .name = "n", .enclave = "e"};
    member_set_card(&m, &card);
    assert_kept(&m, &card);
    assert_int_equal(member_last_addr(&m).port, 0);
    const struct addr elsewhere = addr_v4((const uint8_t[]){192, 0, 2, 1}, 9);
    member_set_last_addr(&m, &elsewhere);
    assert_false(m.is_far);
    memset(card.name, 'x', NAME_SIZE - 1);
    memset(card.enclave, 'y', NAME_SIZE - 1);
    for (uint32_t i = 0; i < MEMBER_ADDRS_MAX; i++) {
        card.addrs[i].scope = i % 2 == 0 ? SCOPE_HOST : SCOPE_GLOBAL;
        assert_int_equal(addr_parse_ip("2001:db8::7", (uint16_t)(i + 1), &card.addrs[i].addr), 0);
    }
    card.addr_count = MEMBER_ADDRS_MAX;
    card.incarnation = 5;
    member_set_card(&m, &card);
    assert_true(m.is_far);
    assert_kept(&m, &card);
    struct addr last = member_last_addr(&m);
    assert_true(addr_equal(&last, &elsewhere));
    member_set_last_addr(&m, &card.addrs[2].addr);
    assert_kept(&m, &card);
    last = member_last_addr(&m);
    assert_true(addr_equal(&last, &card.addrs[2].addr));
    card.version_max = 9;
    card.features = 0xffff;
    card.boot = card.host_tag = (UINT64_C(1) << 48) - 1;
    card.incarnation = UINT64_MAX;
    member_set_card(&m, &card);
    assert_kept(&m, &card);
    card = (struct member_card){.uuid = {{1}}, .incarnation = 6, .name = "n", .enclave = "e"};
    member_set_card(&m, &card);
    assert_kept(&m, &card);
    last = member_last_addr(&m); /* none of its own any more */
    assert_int_equal(last.port, 3);
    member_fini(&m);
}

/* Loopback would be taken for an address of the host whose log it stands in. */
static void of_a_member_that_never_answered_loopback_is_shown_last(void **state)
{
    (void)state;
    struct member m = {.slot = 0};
    struct member_card card = sample();
    assert_true(addr_is_loopback(&card.addrs[0].addr));
    member_set_card(&m, &card);
    struct addr shown = member_shown_addr(&m);
    assert_true(addr_equal(&shown, &card.addrs[1].addr));
    member_set_last_addr(&m, &card.addrs[0].addr);
    shown = member_shown_addr(&m);
    assert_true(addr_equal(&shown, &card.addrs[0].addr));
    member_fini(&m);
    for (uint32_t count = 0; count < 2; count++) {
        m = (struct member){.slot = 0};
        card.addr_count = count;
        member_set_card(&m, &card);
        shown = member_shown_addr(&m);
        assert_int_equal(shown.port, count == 0 ? 0 : card.addrs[0].addr.port);
        member_fini(&m);
    }
}

static void a_card_is_told_without_what_means_nothing_to_the_receiver(void **state)
{
    (void)state;
    const struct member_card card = sample();
    struct member m = {.slot = 0};
    struct member_card back;
    uint8_t bytes[CARD_WIRE_MAX];
    member_set_card(&m, &card);
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    member_write_card(&c, &m, CARD_OTHER_HOST);
    assert_true(reads(bytes, c.pos, &back));
    assert_int_equal(back.addr_count, 1);
    assert_int_equal(back.addrs[0].scope, SCOPE_GLOBAL);
    c = cursor_writer(bytes, sizeof(bytes));
    member_write_card(&c, &m, CARD_UNKNOWN_HOST);
    assert_true(reads(bytes, c.pos, &back));
    assert_int_equal(back.addr_count, 1);
    assert_false(addr_is_loopback(&back.addrs[0].addr));
    member_fini(&m);
}

/* member_card_skip() is the same parser without the result. */
static void skipping_a_card_refuses_what_reading_it_refuses(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    const struct member_card card = sample();
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[CARD_WIRE_MAX];
        struct member_card back;
        struct uuid uuid;
        uint64_t incarnation = 0;
        uint32_t addr_count = 0;
        size_t len = written(&card, bytes);
        const uint64_t at = rng_below(&rng, len);
        bytes[at] = (uint8_t)rng_next(&rng);
        len -= i % 4 == 0 ? rng_below(&rng, len) : 0;
        struct cursor read = cursor_reader(bytes, len);
        struct cursor skip = cursor_reader(bytes, len);
        member_card_read(&read, &back);
        member_card_skip(&skip, &uuid, &incarnation, &addr_count);
        assert_int_equal(cursor_ok(&skip), cursor_ok(&read));
        if (cursor_ok(&read)) {
            assert_int_equal(skip.pos, read.pos);
            assert_true(uuid_equal(&uuid, &back.uuid) && incarnation == back.incarnation);
            assert_int_equal(addr_count, back.addr_count);
        }
    }
}

static void a_member_is_written_to_in_the_highest_version_that_both_speak(void **state)
{
    (void)state;
    static const struct {
        uint8_t min, max, expected;
    } cases[] = {
        {PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MAX},
        {PROTOCOL_VERSION_MIN - 1, PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MIN},
        {PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MAX + 1, PROTOCOL_VERSION_MAX},
        {1, UINT8_MAX, PROTOCOL_VERSION_MAX},
        {0, 0, PROTOCOL_VERSION_MIN},                        /* nobody knows */
        {1, PROTOCOL_VERSION_MIN - 1, PROTOCOL_VERSION_MIN}, /* none in common */
        {PROTOCOL_VERSION_MAX + 1, UINT8_MAX, PROTOCOL_VERSION_MIN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct member_card card = sample();
        struct member m = {.slot = 0};
        card.version_min = cases[i].min;
        card.version_max = cases[i].max;
        member_set_card(&m, &card);
        assert_int_equal(member_version(&m), cases[i].expected);
        member_fini(&m);
    }
}

static void each_state_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(member_state_name(MEMBER_ALIVE), "alive");
    assert_string_equal(member_state_name(MEMBER_SUSPECT), "suspect");
    assert_string_equal(member_state_name(MEMBER_DEAD), "dead");
    assert_string_equal(member_state_name(MEMBER_LEFT), "left");
    assert_string_equal(member_state_name(MEMBER_NAMED), "named");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_has_these_bytes),
        cmocka_unit_test(a_card_names_the_keys_that_its_member_holds),
        cmocka_unit_test(the_longest_card_fits_its_maximum),
        cmocka_unit_test(a_truncated_card_fails_at_every_length),
        cmocka_unit_test(a_card_that_is_not_right_is_refused),
        cmocka_unit_test(addresses_are_used_by_who_can_reach_them_best_first),
        cmocka_unit_test(a_member_keeps_short_and_long_cards_and_where_it_answered),
        cmocka_unit_test(of_a_member_that_never_answered_loopback_is_shown_last),
        cmocka_unit_test(a_card_is_told_without_what_means_nothing_to_the_receiver),
        cmocka_unit_test(a_member_is_written_to_in_the_highest_version_that_both_speak),
        cmocka_unit_test(skipping_a_card_refuses_what_reading_it_refuses),
        cmocka_unit_test(each_state_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
