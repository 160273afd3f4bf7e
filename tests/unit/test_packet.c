#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/rng.h"
#include "gossip/wire/packet.h"

static const struct uuid sender = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const struct uuid subject = {{0xaa, 0xbb}};
enum { CLUSTER = 0x1234 };
static const uint8_t sums[] = {0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0, 0, 3};

static struct packet ping(void)
{
    struct packet p = {
        .version = 2,
        .knows_you = true,
        .tag = 0x11223344,
        .counter = 5,
        .kind = PACKET_PING,
        .seq = 7,
        .target_tag = 0x55667788,
        .vitals = {.flags = 5, .clock_us = 0x0102030405060708, .cut_s = 0xa1a2a3a4a5, .root = 9},
        .member_digest = 0xd1d2d3d4d5d6d7d8,
    };
    return p;
}

static struct packet lengthy(enum packet_kind kind)
{
    struct packet p = ping();
    p.is_long = true;
    p.kind = kind;
    p.tag = packet_tag(&sender, CLUSTER);
    p.cluster = CLUSTER;
    p.uuid = sender;
    p.boot = 3;
    p.target = subject;
    p.is_answered = true;
    p.first = 17;
    p.width = 5;
    p.count = kind == PACKET_PULL ? 3 : 0;
    p.sums = sums;
    p.cookie = kind == PACKET_COOKIE ? 0xc1c2c3c4c5c6c7c8 : 0;
    return p;
}

static size_t written(const struct packet *p, uint8_t data[static DATAGRAM_BYTES_MAX])
{
    struct cursor c = cursor_writer(data, DATAGRAM_BYTES_MAX);
    packet_write(&c, p);
    assert_true(cursor_ok(&c));
    return c.pos;
}

static size_t some_entries(uint8_t *bytes, size_t size, bool has_past)
{
    const uint8_t ip[4] = {192, 0, 2, 1};
    struct member_card card = {.uuid = subject,
                               .incarnation = 2,
                               .version_min = 2,
                               .version_max = 2,
                               .name = "n",
                               .enclave = "e",
                               .addr_count = 1};
    card.addrs[0] = (struct member_addr){SCOPE_GLOBAL, addr_v4(ip, 80)};
    uint8_t card_bytes[CARD_WIRE_MAX];
    struct cursor c = cursor_writer(card_bytes, sizeof(card_bytes));
    member_card_write(&c, &card);
    struct entry e = {
        .kind = ENTRY_ALIVE,
        .uuid = subject,
        .incarnation = 2,
        .by = sender,
        .state = MEMBER_LEFT,
        .age = 61,
        .card = card_bytes,
        .card_len = c.pos,
    };
    c = cursor_writer(bytes, size);
    for (int kind = ENTRY_ALIVE; kind <= (has_past ? ENTRY_PAST : ENTRY_LEFT); kind++) {
        e.kind = (enum entry_kind)kind;
        packet_entry_write(&c, &e);
    }
    assert_true(cursor_ok(&c));
    return c.pos;
}

static void a_steady_ping_is_55_bytes_and_these(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        2,    2,    0,    0,    0x11, 0x22, 0x33, 0x44, /* version, flags, key, tag */
        0,    0,    0,    0,    0,    0,    0,    5,    /* counter */
        1,    0,    0,    0,    7,                      /* kind, seq */
        0x55, 0x66, 0x77, 0x88, 5,                      /* target tag, flags */
        1,    2,    3,    4,    5,    6,    7,    8,    /* clock */
        0xa1, 0xa2, 0xa3, 0xa4, 0xa5,                   /* cut */
        0,    0,    0,    0,    0,    0,    0,    9,    /* root */
        0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, /* member digest */
    };
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct packet p = ping(), back;
    assert_int_equal(sizeof(expected), 55);
    assert_int_equal(written(&p, data), sizeof(expected));
    assert_memory_equal(data, expected, sizeof(expected));
    assert_int_equal(packet_read(data, sizeof(expected), &back), RC_OK);
    assert_int_equal(back.vitals.cut_s, p.vitals.cut_s);
    assert_int_equal(back.member_digest, p.member_digest);
    assert_int_equal(back.target_tag, p.target_tag);
    assert_false(back.is_long);
}

static void a_long_gossip_with_every_entry_has_these_bytes(void **state)
{
    (void)state;
    /* clang-format off */
    static const uint8_t expected[] = {
        2, 1, 0, 0, 0x52, 0xf2, 0x16, 0x82, 0, 0, 0, 0, 0, 0, 0, 5,
        0, 0, 0, 0, 0, 0, 0x12, 0x34,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        0, 0, 0, 0, 0, 0, 0, 3,
        6,                                                      /* GOSSIP */
        1, 0, 7, 4, 10, 0, 0, 1, 0x1f, 0x90,                    /* SEEN_AS */
        2, 0, 161,                                              /* ENTRIES */
        1, 0xaa, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* ALIVE */
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 0, 0,
        1, 'n', 1, 'e', 1, 1, 4, 192, 0, 2, 1, 0, 80,
        2, 0xaa, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* SUSPECT */
        0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        3, 0xaa, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* DEAD */
        0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        4, 0xaa, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* LEFT */
        0, 0, 0, 0, 0, 0, 0, 2,
    };
    /* clang-format on */
    uint8_t entries[DATAGRAM_BYTES_MAX], data[DATAGRAM_BYTES_MAX];
    const uint8_t ip[4] = {10, 0, 0, 1};
    struct packet p = lengthy(PACKET_GOSSIP), back;
    p.knows_you = false;
    p.has_seen_as = true;
    p.seen_as = addr_v4(ip, 8080);
    p.entries = entries;
    p.entries_len = some_entries(entries, sizeof(entries), false);
    const size_t len = written(&p, data);
    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(data, expected, sizeof(expected));
    assert_int_equal(packet_read(data, len, &back), RC_OK);
    assert_true(uuid_equal(&back.uuid, &sender) && back.has_seen_as);
    assert_true(addr_equal(&back.seen_as, &p.seen_as));
    assert_int_equal(back.entries_len, p.entries_len);
}

static void a_pull_has_these_bytes_and_reaches_once_round_at_most(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        7, 0, 0, 0, 42, 0, 0, 0, 17, 5, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0, 0, 3, /* PULL */
    };
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct packet p = lengthy(PACKET_PULL), back;
    p.seq = 42;
    const size_t len = written(&p, data);
    assert_int_equal(len, PACKET_LONG_BYTES + sizeof(expected));
    assert_memory_equal(data + PACKET_LONG_BYTES, expected, sizeof(expected));
    assert_int_equal(packet_read(data, len, &back), RC_OK);
    assert_int_equal(back.seq, 42);
    assert_int_equal(back.first, 17);
    assert_int_equal(back.width, 5);
    assert_int_equal(back.count, 3);
    p.width = 30;
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_OK);
    p.width = 31;
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
    p.count = 2; /* just once round */
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_OK);
    p.count = 3;
    p.width = 33;
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
    p.width = 5;
    p.count = 0;
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
    data[PACKET_LONG_BYTES + 6] = PULL_SUMS_MAX + 1;
    assert_int_equal(packet_read(data, DATAGRAM_BYTES_MAX, &back), RC_MALFORMED);
}

static void a_cookie_has_these_bytes_there_and_back(void **state)
{
    (void)state;
    static const uint8_t there[] = {
        9, 0, 0, 0, 7, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, /* COOKIE */
    };
    static const uint8_t back_again[] = {
        3, 0, 8, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, /* section */
    };
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct packet p = lengthy(PACKET_COOKIE), back;
    size_t len = written(&p, data);
    assert_int_equal(len, PACKET_LONG_BYTES + sizeof(there));
    assert_memory_equal(data + PACKET_LONG_BYTES, there, sizeof(there));
    assert_int_equal(packet_read(data, len, &back), RC_OK);
    assert_true(back.cookie == p.cookie && back.seq == 7);
    memset(data + len - COOKIE_BYTES, 0, COOKIE_BYTES);
    assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
    p = ping();
    p.cookie = 0xc1c2c3c4c5c6c7c8;
    len = written(&p, data);
    assert_int_equal(len, 55 + sizeof(back_again));
    assert_memory_equal(data + 55, back_again, sizeof(back_again));
    assert_int_equal(packet_read(data, len, &back), RC_OK);
    assert_true(back.cookie == p.cookie);
    /* Twice, too short, or where none belongs. */
    memcpy(data + len, back_again, sizeof(back_again));
    assert_int_equal(packet_read(data, len + sizeof(back_again), &back), RC_MALFORMED);
    data[57] = 7;
    assert_int_equal(packet_read(data, len - 1, &back), RC_MALFORMED);
    p = lengthy(PACKET_GOSSIP);
    len = written(&p, data);
    memcpy(data + len, back_again, sizeof(back_again));
    assert_int_equal(packet_read(data, len + sizeof(back_again), &back), RC_MALFORMED);
}

static void a_section_that_stands_twice_is_refused(void **state)
{
    (void)state;
    const struct {
        size_t len;
        uint8_t bytes[10];
    } sections[] = {
        {10, {1, 0, 7, 4, 10, 0, 0, 1, 0x1f, 0x90}}, /* SEEN_AS */
        {3, {2, 0, 0}},                              /* ENTRIES, none of them */
    };
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        uint8_t data[DATAGRAM_BYTES_MAX];
        struct packet p = lengthy(PACKET_GOSSIP), back;
        size_t len = written(&p, data);
        memcpy(data + len, sections[i].bytes, sections[i].len);
        len += sections[i].len;
        assert_int_equal(packet_read(data, len, &back), RC_OK);
        memcpy(data + len, sections[i].bytes, sections[i].len);
        assert_int_equal(packet_read(data, len + sections[i].len, &back), RC_MALFORMED);
    }
}

static void a_packet_is_padded_to_its_least_size_and_read_without(void **state)
{
    (void)state;
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct packet p = ping(), back;
    p.size_min = 57; /* no room for a section's head */
    assert_int_equal(written(&p, data), 55);
    for (p.size_min = 58; p.size_min <= PACKET_ACCUSE_BYTES; p.size_min++) {
        assert_int_equal(written(&p, data), p.size_min);
        assert_int_equal(packet_read(data, p.size_min, &back), RC_OK);
        assert_true(back.entries_len == 0 && back.seq == p.seq);
    }
}

static void every_kind_comes_back_as_it_was_written(void **state)
{
    (void)state;
    for (int kind = PACKET_PING; kind <= PACKET_COOKIE; kind++) {
        uint8_t entries[DATAGRAM_BYTES_MAX], data[DATAGRAM_BYTES_MAX];
        struct packet p = lengthy((enum packet_kind)kind), back;
        p.entries = entries;
        p.entries_len = some_entries(entries, sizeof(entries), kind == PACKET_CARDS);
        const size_t len = written(&p, data);
        assert_int_equal(packet_read(data, len, &back), RC_OK);
        assert_int_equal(back.kind, kind);
        uint8_t again[DATAGRAM_BYTES_MAX];
        assert_int_equal(written(&back, again), len);
        assert_memory_equal(again, data, len);
    }
}

static void a_packet_cut_at_any_length_is_malformed_or_a_shorter_one(void **state)
{
    (void)state;
    for (int kind = PACKET_PING; kind <= PACKET_COOKIE; kind++) {
        uint8_t entries[DATAGRAM_BYTES_MAX], data[DATAGRAM_BYTES_MAX], other[DATAGRAM_BYTES_MAX];
        struct packet p = lengthy((enum packet_kind)kind), back;
        const size_t bare = written(&p, other);
        p.entries = entries;
        p.entries_len = some_entries(entries, sizeof(entries), false);
        const size_t len = written(&p, data);
        for (size_t cut = 0; cut < len; cut++) {
            const enum rc expected = cut == bare ? RC_OK : RC_MALFORMED;
            assert_int_equal(packet_read(data, cut, &back), expected);
        }
    }
}

static void other_versions_flags_and_sections_are_refused(void **state)
{
    (void)state;
    uint8_t data[DATAGRAM_BYTES_MAX + 1] = {0};
    struct packet p = ping(), back;
    size_t len = written(&p, data);
    for (int version = 0; version <= UINT8_MAX; version++) {
        data[0] = (uint8_t)version;
        const bool is_spoken = version >= PROTOCOL_VERSION_MIN && version <= PROTOCOL_VERSION_MAX;
        assert_int_equal(packet_read(data, len, &back), is_spoken ? RC_OK : RC_VERSION);
        assert_int_equal(back.version, version);
    }
    (void)written(&p, data);
    data[1] = 4; /* an INTRO, which a ping is not */
    assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
    (void)written(&p, data);
    data[1] = 8;
    assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
    (void)written(&p, data);
    memset(data + 4, 0, 4); /* tag */
    assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
    (void)written(&p, data);
    data[16] = 99; /* kind */
    assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
    /* An unknown section is skipped, an unknown critical one is not. */
    len = written(&p, data);
    memcpy(data + len, (const uint8_t[]){100, 0, 2, 9, 9}, 5);
    assert_int_equal(packet_read(data, len + 5, &back), RC_OK);
    data[len] = 200;
    assert_int_equal(packet_read(data, len + 5, &back), RC_MALFORMED);
    assert_int_equal(packet_read(data, DATAGRAM_BYTES_MAX + 1, &back), RC_MALFORMED);
}

static void a_sender_whose_tag_is_not_its_own_is_refused(void **state)
{
    (void)state;
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct packet p = lengthy(PACKET_PING), back;
    p.tag++;
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
}

static void entries_that_are_not_right_spoil_the_packet(void **state)
{
    (void)state;
    uint8_t entries[DATAGRAM_BYTES_MAX], data[DATAGRAM_BYTES_MAX];
    struct packet p = ping(), back;
    p.entries = entries;
    p.entries_len = some_entries(entries, sizeof(entries), true);
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED); /* PAST */
    p.entries_len = some_entries(entries, sizeof(entries), false);
    entries[0] = 6; /* kind */
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
    p.entries_len = some_entries(entries, sizeof(entries), false);
    memset(entries + p.entries_len - 8 - UUID_BYTES, 0, UUID_BYTES);
    assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
}

/* What follows would do for an entry of any kind. */
static void an_entry_of_an_unknown_kind_is_refused_whatever_follows(void **state)
{
    (void)state;
    uint8_t bytes[DATAGRAM_BYTES_MAX];
    for (unsigned kind = 0; kind <= UINT8_MAX; kind++) {
        struct entry e;
        memset(bytes, MEMBER_DEAD, sizeof(bytes));
        bytes[0] = (uint8_t)kind;
        struct cursor c = cursor_reader(bytes, sizeof(bytes));
        packet_entry_read(&c, &e);
        if (kind != ENTRY_ALIVE) { /* whose card is tested with its own bytes */
            assert_int_equal(cursor_ok(&c), kind > ENTRY_ALIVE && kind <= ENTRY_PAST);
        }
    }
}

static void what_strangers_say_has_these_bytes_and_is_always_sealed(void **state)
{
    (void)state;
    static const uint8_t nonce[PACKET_NONCE_BYTES] = {0xd1, 0xd2};
    static const struct {
        enum packet_kind kind;
        uint8_t flags;
        size_t len;
        uint8_t body[29];
    } kinds[] = {
        {PACKET_INTRO, 1 | 4, 21, {10, 0, 0, 0, 7, 0xd1, 0xd2}},
        {PACKET_INTRO_ACK, 1, 29, {11, 0,    0,    0,    7,    0xd1, 0xd2, 0,    0,   0,
                                   0,  0,    0,    0,    0,    0,    0,    0,    0,   0,
                                   0,  0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8}},
        {PACKET_UNREAD, 1 | 4, 5, {12, 0, 0, 0, 7}},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint8_t data[DATAGRAM_BYTES_MAX];
        struct packet p = lengthy(kinds[i].kind), back;
        struct packet_head head;
        p.key_id = 0x1234;
        p.nonce = nonce;
        p.cookie = kinds[i].kind == PACKET_INTRO_ACK ? 0xc1c2c3c4c5c6c7c8 : 0;
        p.knows_you = false;
        const size_t len = written(&p, data);
        assert_int_equal(len, PACKET_LONG_BYTES + kinds[i].len);
        assert_memory_equal(data + PACKET_LONG_BYTES, kinds[i].body, kinds[i].len);
        assert_int_equal(data[1], kinds[i].flags);
        assert_int_equal(packet_read_head(data, len, &head), RC_OK);
        assert_true(head.is_long && head.key_id == 0x1234 && head.len == PACKET_LONG_BYTES);
        assert_int_equal(head.is_intro, packet_is_for_anybody(kinds[i].kind));
        assert_true(uuid_equal(&head.uuid, &p.uuid) && head.counter == p.counter);
        assert_int_equal(packet_read(data, len, &back), RC_OK);
        assert_true(back.kind == kinds[i].kind && back.seq == 7 && back.cookie == p.cookie);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(packet_read(data, cut, &back), RC_MALFORMED);
        }
        data[1] ^= 4; /* sealed for one receiver, or for anybody */
        assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
        data[1] ^= 4;
        data[2] = data[3] = 0; /* not sealed */
        assert_int_equal(packet_read(data, len, &back), RC_MALFORMED);
        p.is_long = false;
        assert_int_equal(packet_read(data, written(&p, data), &back), RC_MALFORMED);
    }
}

static void random_changes_of_a_packet_never_read_outside_it(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    uint8_t entries[DATAGRAM_BYTES_MAX], data[DATAGRAM_BYTES_MAX];
    for (int i = 0; i < 50000; i++) {
        struct packet p = lengthy((enum packet_kind)(PACKET_PING + i % 9)), back;
        p.entries = entries;
        p.entries_len = some_entries(entries, sizeof(entries), true);
        const size_t len = written(&p, data);
        for (int change = 0; change < 3; change++) {
            const uint64_t at = rng_below(&rng, len);
            data[at] = (uint8_t)rng_next(&rng);
        }
        if (packet_read(data, len, &back) == RC_OK && back.entries != NULL) {
            assert_true(back.entries >= data && back.entries + back.entries_len <= data + len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_ping_is_55_bytes_and_these),
        cmocka_unit_test(a_long_gossip_with_every_entry_has_these_bytes),
        cmocka_unit_test(a_pull_has_these_bytes_and_reaches_once_round_at_most),
        cmocka_unit_test(a_cookie_has_these_bytes_there_and_back),
        cmocka_unit_test(what_strangers_say_has_these_bytes_and_is_always_sealed),
        cmocka_unit_test(a_section_that_stands_twice_is_refused),
        cmocka_unit_test(a_packet_is_padded_to_its_least_size_and_read_without),
        cmocka_unit_test(every_kind_comes_back_as_it_was_written),
        cmocka_unit_test(a_packet_cut_at_any_length_is_malformed_or_a_shorter_one),
        cmocka_unit_test(other_versions_flags_and_sections_are_refused),
        cmocka_unit_test(a_sender_whose_tag_is_not_its_own_is_refused),
        cmocka_unit_test(entries_that_are_not_right_spoil_the_packet),
        cmocka_unit_test(random_changes_of_a_packet_never_read_outside_it),
        cmocka_unit_test(an_entry_of_an_unknown_kind_is_refused_whatever_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
