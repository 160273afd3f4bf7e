#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/out/dns_message.h"

#include <stdio.h>
#include <string.h>

enum {
    SEEN_MAX = 8,
    MESSAGE_SIZE = 2048,
    TYPE_CNAME = 5,
    TYPE_TXT = 16,
    TYPE_OPT = 41,
    SELF = 0xc00c
};

/* A message being written, and what was read of it. */
static uint8_t bytes[MESSAGE_SIZE];
static struct cursor c;
static struct dns_record seen[SEEN_MAX];
static size_t seen_count;

static void on_record(void *arg, const struct dns_record *record)
{
    (void)arg;
    if (seen_count < SEEN_MAX) {
        seen[seen_count] = *record;
    }
    seen_count++;
}

static void put_name(const char *name)
{
    while (*name != '\0') {
        const size_t len = strcspn(name, ".");
        cursor_put_u8(&c, (uint8_t)len);
        cursor_put_bytes(&c, name, len);
        name += len + (name[len] == '.');
    }
    cursor_put_u8(&c, 0);
}

/* The header, and the question for "a.test", whose name is at 12 (SELF). */
static void begin(uint16_t answers, uint16_t authorities, uint16_t additional)
{
    c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u32(&c, 0x12348180);
    cursor_put_u16(&c, 1);
    cursor_put_u16(&c, answers);
    cursor_put_u16(&c, authorities);
    cursor_put_u16(&c, additional);
    put_name("a.test");
    cursor_put_u32(&c, (uint32_t)DNS_TYPE_A << 16 | 1);
}

/* All of a record between its name and its data. */
static void put_rest(uint16_t type, uint32_t ttl_s, uint16_t len)
{
    cursor_put_u16(&c, type);
    cursor_put_u16(&c, 1);
    cursor_put_u32(&c, ttl_s);
    cursor_put_u16(&c, len);
}

static void put_a(uint32_t ttl_s)
{
    cursor_put_u16(&c, SELF);
    put_rest(DNS_TYPE_A, ttl_s, 4);
    cursor_put_u32(&c, 0xc0000207);
}

static void put_srv(uint16_t port, const char *target)
{
    cursor_put_u16(&c, SELF);
    put_rest(DNS_TYPE_SRV, 60, (uint16_t)(6 + strlen(target) + 2));
    cursor_put_u16(&c, 1);
    cursor_put_u16(&c, 2);
    cursor_put_u16(&c, port);
    put_name(target);
}

static enum rc read_first(size_t len)
{
    seen_count = 0;
    return dns_message_read(bytes, len, on_record, NULL);
}

static enum rc read_all(void)
{
    assert_true(cursor_ok(&c));
    return read_first(c.pos);
}

static void addresses_of_both_families_are_told(void **state)
{
    (void)state;
    char text[ADDR_TEXT_SIZE];
    begin(2, 0, 0);
    put_a(60);
    put_name("B.Test");
    put_rest(DNS_TYPE_AAAA, 0x80000000, 16);
    cursor_put_u64(&c, 0x20010db800000000);
    cursor_put_u64(&c, 7);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0].type, DNS_TYPE_A);
    assert_false(seen[0].is_additional);
    assert_int_equal(seen[0].ttl_s, 60);
    assert_string_equal(seen[0].name, "a.test");
    assert_string_equal(addr_format(&seen[0].addr, text), "192.0.2.7:0");
    assert_int_equal(seen[1].type, DNS_TYPE_AAAA);
    assert_string_equal(seen[1].name, "B.Test");
    assert_string_equal(addr_format_ip(&seen[1].addr, text), "2001:db8::7");
    assert_int_equal(seen[1].ttl_s, 0); /* RFC 2181 section 8 */
}

static void a_service_is_told_with_the_addresses_of_its_target(void **state)
{
    (void)state;
    begin(1, 1, 2);
    put_srv(8081, "node.test");
    cursor_put_u16(&c, SELF); /* of the authorities: not told */
    put_rest(DNS_TYPE_A, 60, 4);
    cursor_put_u32(&c, 0);
    put_name("node.test");
    put_rest(DNS_TYPE_A, 60, 4);
    cursor_put_u32(&c, 0xc0000207);
    cursor_put_u8(&c, 0); /* EDNS */
    put_rest(TYPE_OPT, 0, 3);
    cursor_put_bytes(&c, "abc", 3);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0].type, DNS_TYPE_SRV);
    assert_int_equal(seen[0].priority, 1);
    assert_int_equal(seen[0].weight, 2);
    assert_int_equal(seen[0].port, 8081);
    assert_string_equal(seen[0].target, "node.test");
    assert_true(seen[1].is_additional);
    assert_string_equal(seen[1].name, "node.test");
}

static void no_target_is_an_empty_name(void **state)
{
    (void)state;
    begin(1, 0, 0);
    cursor_put_u16(&c, SELF);
    put_rest(DNS_TYPE_SRV, 60, 7);
    cursor_put_u16(&c, 0);
    cursor_put_u32(&c, 0);
    cursor_put_u8(&c, 0);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].target, "");
}

static void an_answer_lives_no_longer_than_the_alias_that_led_to_it(void **state)
{
    (void)state;
    begin(3, 0, 0);
    put_a(100);
    cursor_put_u16(&c, SELF);
    put_rest(TYPE_CNAME, 5, 2);
    cursor_put_u16(&c, SELF);
    put_a(100);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0].ttl_s, 100);
    assert_int_equal(seen[1].ttl_s, 5);
}

static void records_of_another_class_are_passed_over(void **state)
{
    (void)state;
    begin(1, 0, 0);
    cursor_put_u16(&c, SELF);
    cursor_put_u16(&c, DNS_TYPE_A);
    cursor_put_u16(&c, 3); /* CHAOS */
    cursor_put_u32(&c, 60);
    cursor_put_u16(&c, 4);
    cursor_put_u32(&c, 0);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 0);
}

static void a_message_that_ends_early_is_malformed(void **state)
{
    (void)state;
    begin(2, 0, 1);
    put_srv(8081, "node.test");
    put_a(60);
    put_a(60);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 3);
    for (size_t len = 0; len < c.pos; len++) {
        assert_int_equal(read_first(len), RC_MALFORMED);
        assert_true(seen_count < 3);
    }
}

static void data_of_another_length_than_it_says_is_malformed(void **state)
{
    (void)state;
    static const struct {
        uint16_t type, len;
    } cases[] = {{DNS_TYPE_A, 3}, {DNS_TYPE_A, 5}, {DNS_TYPE_AAAA, 4}, {DNS_TYPE_SRV, 6}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(1, 0, 0);
        cursor_put_u16(&c, SELF);
        put_rest(cases[i].type, 60, cases[i].len);
        for (int j = 0; j < 32; j++) {
            cursor_put_u8(&c, 0);
        }
        assert_int_equal(read_all(), RC_MALFORMED);
        assert_int_equal(seen_count, 0);
    }
}

/* To itself, forwards, to a pointer that comes back, and beyond the end. */
static void pointers_lead_backwards_only(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        begin(1, 0, 0);
        const uint16_t here = (uint16_t)c.pos;
        const uint16_t to[] = {here, (uint16_t)(here + 2), (uint16_t)(here + 1), 0x3fff};
        if (i == 2) {
            cursor_put_u8(&c, 1);
            cursor_put_u8(&c, 'x'); /* a label, and behind it a pointer to before it */
            cursor_put_u16(&c, (uint16_t)(0xc000 | here));
        } else {
            cursor_put_u16(&c, (uint16_t)(0xc000 | to[i]));
        }
        put_rest(DNS_TYPE_A, 60, 4);
        cursor_put_u32(&c, 0);
        assert_int_equal(read_all(), RC_MALFORMED);
        assert_int_equal(seen_count, 0);
    }
}

static void a_pointer_may_lead_into_a_name_that_ends_with_one(void **state)
{
    (void)state;
    begin(1, 0, 1);
    const uint16_t record = (uint16_t)(c.pos + 2 + 10 + 6);
    cursor_put_u16(&c, SELF);
    put_rest(DNS_TYPE_SRV, 60, 6 + 2 + 2);
    cursor_put_u32(&c, 0);
    cursor_put_u16(&c, 8081);
    cursor_put_bytes(&c, "\1n", 2);
    cursor_put_u16(&c, SELF);
    cursor_put_u16(&c, (uint16_t)(0xc000 | record)); /* "n.a.test" again */
    put_rest(DNS_TYPE_A, 60, 4);
    cursor_put_u32(&c, 0);
    assert_int_equal(read_all(), RC_OK);
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[0].target, "n.a.test");
    assert_string_equal(seen[1].name, "n.a.test");
}

/* Else names that all begin at the end of one long row would hold the reader up for seconds. */
static void a_name_has_so_many_pointers_at_most(void **state)
{
    (void)state;
    for (uint16_t count = 125; count <= 127; count++) {
        uint16_t last = SELF;
        begin(2, 0, 0);
        cursor_put_u16(&c, SELF);
        put_rest(TYPE_TXT, 60, (uint16_t)(2 * (count - 1)));
        for (uint16_t i = 1; i < count; i++) {
            const uint16_t here = (uint16_t)(0xc000 | c.pos);
            cursor_put_u16(&c, last);
            last = here;
        }
        cursor_put_u16(&c, last);
        put_rest(DNS_TYPE_A, 60, 4);
        cursor_put_u32(&c, 0);
        assert_int_equal(read_all(), count <= 126 ? RC_OK : RC_MALFORMED);
        assert_int_equal(seen_count, count <= 126 ? 1 : 0);
        assert_string_equal(seen[0].name, "a.test");
    }
}

/* 255 bytes on the wire, lengths included (RFC 1035 section 2.3.4), and labels of 63. */
static void a_name_has_so_many_bytes_at_most(void **state)
{
    (void)state;
    for (size_t len = 252; len <= 254; len++) {
        char name[256];
        memset(name, 'a', len);
        name[63] = name[127] = name[191] = '.';
        name[len] = '\0';
        begin(1, 0, 0);
        put_name(name);
        put_rest(DNS_TYPE_A, 60, 4);
        cursor_put_u32(&c, 0);
        assert_int_equal(read_all(), len <= 253 ? RC_OK : RC_MALFORMED);
        assert_int_equal(seen_count, len <= 253 ? 1 : 0);
        assert_int_equal(strlen(seen[0].name), len <= 253 ? len : 253);
    }
}

static void a_label_of_a_reserved_kind_is_malformed(void **state)
{
    (void)state;
    for (uint8_t length = 0x40; length <= 0x80; length = (uint8_t)(length + 0x40)) {
        begin(1, 0, 0);
        cursor_put_u8(&c, length);
        cursor_put_u8(&c, 0);
        put_rest(DNS_TYPE_A, 60, 4);
        cursor_put_u32(&c, 0);
        assert_int_equal(read_all(), RC_MALFORMED);
    }
}

/* A dot, a blank or a NUL within a label would make another name of the text. */
static void names_that_no_text_can_say_are_left_out(void **state)
{
    (void)state;
    static const char odd[] = {'.', ' ', '\0', '\\', '\n', 0x7f, (char)0xc3};
    for (size_t i = 0; i < sizeof(odd); i++) {
        begin(2, 0, 0);
        cursor_put_u8(&c, 1);
        cursor_put_bytes(&c, &odd[i], 1);
        cursor_put_u8(&c, 0);
        put_rest(DNS_TYPE_A, 60, 4);
        cursor_put_u32(&c, 0);
        put_a(60);
        assert_int_equal(read_all(), RC_OK);
        assert_int_equal(seen_count, 1);
        assert_string_equal(seen[0].name, "a.test");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_families_are_told),
        cmocka_unit_test(a_service_is_told_with_the_addresses_of_its_target),
        cmocka_unit_test(no_target_is_an_empty_name),
        cmocka_unit_test(an_answer_lives_no_longer_than_the_alias_that_led_to_it),
        cmocka_unit_test(records_of_another_class_are_passed_over),
        cmocka_unit_test(a_message_that_ends_early_is_malformed),
        cmocka_unit_test(data_of_another_length_than_it_says_is_malformed),
        cmocka_unit_test(pointers_lead_backwards_only),
        cmocka_unit_test(a_pointer_may_lead_into_a_name_that_ends_with_one),
        cmocka_unit_test(a_name_has_so_many_pointers_at_most),
        cmocka_unit_test(a_name_has_so_many_bytes_at_most),
        cmocka_unit_test(a_label_of_a_reserved_kind_is_malformed),
        cmocka_unit_test(names_that_no_text_can_say_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
