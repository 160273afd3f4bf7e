#include "gossip/wire/frame.h"

#include "gossip/replication/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct record sample(void)
{
    return (struct record){
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .value = (const uint8_t *)"val",
        .value_len = 3,
        .version = {.stamp = UINT64_C(1000) << 16 | 7, .origin = {{1, 2, 3}}},
        .expiry_ms = 61000,
    };
}

static void a_record_has_the_agreed_bytes(void **state)
{
    (void)state;
    static const uint8_t golden[] = {
        8,                                  /* kind: counted */
        0, 0, 0,   0,   3,   0xe8, 0,    7, /* stamp: 1000 ms, counter 7 */
        1, 2, 3,   0,   0,   0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, /* origin */
        0, 0, 0,   0,   0,   0,    0xee, 0x48,                         /* expiry: 61000 */
        0, 3, 'k', 'e', 'y',                                           /* key */
    };
    uint8_t bytes[64];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct record r = sample();
    frame_record_write(&c, &r, RECORD_IS_COUNTED, false);
    assert_true(cursor_ok(&c));
    assert_int_equal(c.pos, sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
}

static void a_record_whose_stamp_ran_ahead_says_so_in_two_bytes_and_a_guard_does_not(void **state)
{
    (void)state;
    static const uint8_t golden[] = {
        64,                                  /* kind: has ahead */
        0,  0, 0,   0,   3,   0xe8, 0,    7, /* stamp: 1000 ms, counter 7 */
        1,  2, 3,   0,   0,   0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, /* origin */
        0,  0, 0,   0,   0,   0,    0xee, 0x48,                         /* expiry: 61000 */
        1,  2,                                                          /* ahead: 258 ms */
        0,  3, 'k', 'e', 'y',                                           /* key */
    };
    uint8_t bytes[64];
    struct frame_record back;
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    struct record r = sample();
    r.ahead_ms = 258;
    frame_record_write(&c, &r, 0, false);
    assert_true(cursor_ok(&c));
    assert_int_equal(c.pos, sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
    struct cursor in = cursor_reader(bytes, c.pos);
    frame_record_read(&in, false, &back);
    assert_true(cursor_ok(&in));
    assert_int_equal(back.record.ahead_ms, 258);
    assert_int_equal(record_written_ms(&back.record), 1000 - 258);
    c = cursor_writer(bytes, sizeof(bytes));
    frame_record_write(&c, &r, RECORD_IS_GUARD, false);
    assert_int_equal(c.pos, sizeof(golden) - 2);
    assert_int_equal(bytes[0], RECORD_IS_GUARD);
}

static void a_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    struct record r = sample();
    struct frame_record back;
    r.guard_ms = 99000;
    frame_record_write(&c, &r, 0, false);
    cursor_put_bytes(&c, r.value, r.value_len);
    struct cursor in = cursor_reader(bytes, c.pos);
    frame_record_read(&in, false, &back);
    assert_true(cursor_ok(&in));
    assert_int_equal(back.kind, RECORD_HAS_GUARD);
    assert_int_equal(back.record.guard_ms, 99000);
    assert_int_equal(back.record.value_len, 3);
    assert_memory_equal(back.record.value, "val", 3);
    assert_memory_equal(back.record.key, "key", 3);
    assert_int_equal(version_compare(&back.record.version, &r.version), 0);
}

static void a_record_cut_short_anywhere_before_its_value_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct record r = sample();
    frame_record_write(&c, &r, 0, false);
    for (size_t len = 0; len < c.pos; len++) {
        struct frame_record back;
        struct cursor in = cursor_reader(bytes, len);
        frame_record_read(&in, false, &back);
        assert_false(cursor_ok(&in));
    }
}

static void a_record_that_lives_too_long_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    struct record r = sample();
    struct frame_record back;
    r.expiry_ms = 1001 + RECORD_LIFETIME_MAX_MS;
    frame_record_write(&c, &r, 0, false);
    struct cursor in = cursor_reader(bytes, c.pos);
    frame_record_read(&in, false, &back);
    assert_false(cursor_ok(&in));
}

static void a_shadow_and_a_guard_with_a_value_are_refused(void **state)
{
    (void)state;
    for (int is_shadow = 0; is_shadow < 2; is_shadow++) {
        for (size_t len = 0; len < 2; len++) {
            uint8_t bytes[128];
            struct cursor c = cursor_writer(bytes, sizeof(bytes));
            struct record r = sample();
            struct frame_record back;
            r.is_shadow = is_shadow != 0;
            r.value = NULL;
            r.value_len = 0;
            frame_record_write(&c, &r, is_shadow != 0 ? 0 : RECORD_IS_GUARD, false);
            cursor_put_bytes(&c, (const uint8_t *)"v", len);
            struct cursor in = cursor_reader(bytes, c.pos);
            frame_record_read(&in, false, &back);
            assert_int_equal(cursor_ok(&in), len == 0);
        }
    }
}

static struct frame_hello sample_hello(void)
{
    static const uint8_t ip[4] = {10, 0, 0, 1};
    return (struct frame_hello){
        .cluster = 42,
        .version_min = PROTOCOL_VERSION_MIN - 1,
        .version_max = PROTOCOL_VERSION_MAX + 1,
        .token = UINT64_C(0x0102030405060708),
        .flags = MEMBER_IS_CAUGHT_UP,
        .value_max = 10 << 20,
        .ttl_min_ms = 300000,
        .ttl_max_ms = 86400000,
        .seen_as = addr_v4(ip, 8081),
        .card = {.uuid = {{9}}, .incarnation = 1, .name = "n", .enclave = "e"},
    };
}

static void a_hello_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct frame_hello hello = sample_hello();
    struct frame_hello back;
    frame_hello_write(&c, &hello);
    struct cursor in = cursor_reader(bytes, c.pos);
    frame_hello_read(&in, &back);
    assert_true(cursor_ok(&in));
    assert_int_equal(cursor_left(&in), 0);
    assert_int_equal(back.cluster, 42);
    assert_int_equal(back.version_max, PROTOCOL_VERSION_MAX + 1);
    assert_int_equal(back.token, UINT64_C(0x0102030405060708));
    assert_int_equal(bytes[10], 1); /* behind what every version has */
    assert_int_equal(bytes[17], 8);
    assert_int_equal(back.ttl_max_ms, 86400000);
    assert_true(addr_equal(&back.seen_as, &hello.seen_as));
    assert_string_equal(back.card.enclave, "e");
}

static void a_hello_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct frame_hello hello = sample_hello();
    frame_hello_write(&c, &hello);
    for (size_t len = 0; len < c.pos; len++) {
        struct frame_hello back;
        struct cursor in = cursor_reader(bytes, len);
        frame_hello_read(&in, &back);
        assert_false(cursor_ok(&in));
    }
}

static void of_a_hello_of_another_version_only_cluster_and_versions_are_read(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 42, 1, PROTOCOL_VERSION_MIN - 1, 7};
    struct cursor in = cursor_reader(bytes, sizeof(bytes));
    struct frame_hello back;
    frame_hello_read(&in, &back);
    assert_true(cursor_ok(&in));
    assert_int_equal(cursor_left(&in), 1);
    assert_int_equal(back.cluster, 42);
    assert_false(frame_hello_is_ours(&back));
}

static void a_hello_with_an_empty_version_range_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    struct frame_hello hello = sample_hello();
    struct frame_hello back;
    hello.version_min = 4;
    frame_hello_write(&c, &hello);
    struct cursor in = cursor_reader(bytes, c.pos);
    frame_hello_read(&in, &back);
    assert_false(cursor_ok(&in));
}

static void a_role_has_the_agreed_bytes(void **state)
{
    (void)state;
    static const uint8_t golden[] = {3, 0x80, 0, 1, 2};
    uint8_t bytes[8];
    struct frame_role back;
    const struct frame_role role = {.flags = ROLE_KEEPS | ROLE_IS_LARGE, .rings = 0x80000102};
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    frame_role_write(&c, &role);
    assert_int_equal(c.pos, sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
    struct cursor in = cursor_reader(golden, sizeof(golden));
    frame_role_read(&in, &back);
    assert_true(cursor_ok(&in) && back.flags == role.flags && back.rings == role.rings);
    in = cursor_reader(golden, sizeof(golden) - 1);
    frame_role_read(&in, &back);
    assert_false(cursor_ok(&in));
}

static void an_announcement_has_the_agreed_bytes(void **state)
{
    (void)state;
    static const uint8_t golden[TREE_ENTRY_BYTES] = {1, 7, 0, 1, 2, 3, 4, 5, 6, 7};
    uint8_t bytes[16];
    struct frame_tree back;
    const struct frame_tree entry = {.kind = TREE_LARGE, .tree = 7, .id = 0x0001020304050607};
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    frame_tree_write(&c, &entry);
    assert_int_equal(c.pos, sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
    struct cursor in = cursor_reader(golden, sizeof(golden));
    frame_tree_read(&in, &back);
    assert_true(cursor_ok(&in));
    assert_int_equal(back.id, entry.id);
}

static void an_announcement_of_an_unknown_kind_or_tree_is_refused(void **state)
{
    (void)state;
    static const uint8_t kind[TREE_ENTRY_BYTES] = {TREE_GONE + 1, 0};
    static const uint8_t tree[TREE_ENTRY_BYTES] = {TREE_SMALL, TREE_COUNT};
    const uint8_t *const wrong[] = {kind, tree};
    for (size_t i = 0; i < 2; i++) {
        struct frame_tree back;
        struct cursor in = cursor_reader(wrong[i], TREE_ENTRY_BYTES);
        frame_tree_read(&in, &back);
        assert_false(cursor_ok(&in));
    }
}

/* What of a HELLO every version has: the cluster and two versions. */
static void a_hello_of_any_version_fits_from_ten_bytes_on(void **state)
{
    static const uint8_t payload[10];
    (void)state;
    assert_true(frame_fits(FRAME_HELLO, payload, sizeof(payload)));
    assert_false(frame_fits(FRAME_HELLO, payload, sizeof(payload) - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_has_the_agreed_bytes),
        cmocka_unit_test(an_announcement_has_the_agreed_bytes),
        cmocka_unit_test(an_announcement_of_an_unknown_kind_or_tree_is_refused),
        cmocka_unit_test(a_record_has_the_agreed_bytes),
        cmocka_unit_test(a_record_whose_stamp_ran_ahead_says_so_in_two_bytes_and_a_guard_does_not),
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(a_record_cut_short_anywhere_before_its_value_is_refused),
        cmocka_unit_test(a_record_that_lives_too_long_is_refused),
        cmocka_unit_test(a_hello_is_read_as_it_was_written),
        cmocka_unit_test(a_hello_cut_short_anywhere_is_refused),
        cmocka_unit_test(of_a_hello_of_another_version_only_cluster_and_versions_are_read),
        cmocka_unit_test(a_hello_with_an_empty_version_range_is_refused),
        cmocka_unit_test(a_shadow_and_a_guard_with_a_value_are_refused),
        cmocka_unit_test(a_hello_of_any_version_fits_from_ten_bytes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
