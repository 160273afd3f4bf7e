#include "gossip/sealing/keyring.h"

#include "net/crypto/seal_openssl.h"
#include "tests/unit/rings.h"
#include "tests/unit/seal_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct seal_openssl *openssl;

static int setup(void **state)
{
    (void)state;
    openssl = seal_openssl_new();
    return openssl != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    seal_openssl_free(openssl);
    return 0;
}

static struct uuid uuid_of(const uint8_t *bytes)
{
    struct uuid uuid;
    memcpy(uuid.bytes, bytes, UUID_BYTES);
    return uuid;
}

/* K is the golden secret. */
static struct keyring_items items_of(const char *letters)
{
    struct keyring_items items = rings_items(letters);
    for (uint32_t i = 0; i < items.count && i < KEYRING_KEYS_MAX; i++) {
        if (letters[i] == 'K') {
            memcpy(items.items[i].key, golden_secret, SEAL_KEY_BYTES);
        }
    }
    return items;
}

static enum rc init(struct keyring *ring, const char *network, const char *letters)
{
    const struct keyring_items items = items_of(letters);
    return keyring_init(ring, seal_openssl_ops(openssl), network, &items);
}

static uint16_t id_of(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void every_label_gives_what_the_second_implementation_gives(void **state)
{
    (void)state;
    const struct uuid a = uuid_of(golden_uuid_a), b = uuid_of(golden_uuid_b);
    uint8_t key[SEAL_KEY_BYTES], link[SEAL_LINK_BYTES];
    struct keyring ring;
    assert_int_equal(init(&ring, golden_network, "K"), RC_OK);
    assert_int_equal(ring.keys[0].id, id_of(golden_key_id));
    assert_true(keyring_intro_key(&ring, &ring.keys[0], &a, key));
    assert_memory_equal(key, golden_intro_a, sizeof(key));
    assert_true(keyring_pair_key(&ring, &ring.keys[0], &a, &b, key));
    assert_memory_equal(key, golden_pair_ab, sizeof(key));
    assert_true(keyring_pair_key(&ring, &ring.keys[0], &b, &a, key));
    assert_memory_equal(key, golden_pair_ba, sizeof(key));
    assert_int_equal(keyring_link_psk(&ring, ring.keys[0].id, link), RC_OK);
    assert_memory_equal(link, golden_link, sizeof(link));
    keyring_fini(&ring);
}

static void the_networks_name_is_part_of_every_key(void **state)
{
    (void)state;
    struct keyring ring;
    assert_int_equal(init(&ring, "other", "K"), RC_OK);
    assert_int_equal(ring.keys[0].id, id_of(golden_key_id_of_other_network));
    uint8_t link[SEAL_LINK_BYTES];
    assert_int_equal(keyring_link_psk(&ring, ring.keys[0].id, link), RC_OK);
    assert_memory_not_equal(link, golden_link, sizeof(link));
    keyring_fini(&ring);
}

static void two_items_of_one_id_are_refused(void **state)
{
    (void)state;
    struct keyring ring;
    assert_int_equal(init(&ring, golden_network, "KK"), RC_EXISTS);
    assert_int_equal(init(&ring, golden_network, "AKBK"), RC_EXISTS);
    assert_int_equal(init(&ring, golden_network, "OKO"), RC_EXISTS);
}

static void a_ring_has_four_items_at_most(void **state)
{
    (void)state;
    struct keyring ring;
    assert_int_equal(init(&ring, golden_network, "ABC"), RC_OK);
    keyring_fini(&ring);
    assert_int_equal(init(&ring, golden_network, "ABCD"), RC_OK);
    assert_int_equal(ring.count, 4);
    keyring_fini(&ring);
    assert_int_equal(init(&ring, golden_network, "ABCDE"), RC_FULL);
}

static void the_state_says_whether_open_is_among_the_keys(void **state)
{
    (void)state;
    static const struct {
        const char *letters;
        enum keyring_state state;
        const char *name;
    } cases[] = {
        {"", SEALING_OPEN, "open"},      {"O", SEALING_OPEN, "open"},
        {"OK", SEALING_MIXED, "mixed"},  {"KO", SEALING_MIXED, "mixed"},
        {"K", SEALING_SEALED, "sealed"}, {"KA", SEALING_SEALED, "sealed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct keyring ring;
        assert_int_equal(init(&ring, golden_network, cases[i].letters), RC_OK);
        assert_int_equal(keyring_state(&ring), cases[i].state);
        assert_string_equal(keyring_state_name(keyring_state(&ring)), cases[i].name);
        keyring_fini(&ring);
    }
}

static void keys_are_named_by_four_digits_and_the_one_that_is_none_by_its_word(void **state)
{
    (void)state;
    char text[KEYRING_ID_TEXT_SIZE];
    assert_string_equal(keyring_id_text(KEYRING_ID_OPEN, text), "open");
    assert_string_equal(keyring_id_text(1, text), "0001");
    assert_string_equal(keyring_id_text(0xfa2e, text), "fa2e");
}

static void an_open_ring_needs_no_cryptography(void **state)
{
    (void)state;
    const struct keyring_items none = {.count = 0}, open = items_of("O");
    struct keyring ring;
    assert_int_equal(keyring_init(&ring, NULL, golden_network, &none), RC_OK);
    assert_int_equal(ring.keys[0].id, KEYRING_ID_OPEN);
    keyring_fini(&ring);
    assert_int_equal(keyring_init(&ring, NULL, golden_network, &open), RC_OK);
    assert_int_equal(ring.count, 1);
    keyring_fini(&ring);
}

static void links_have_no_key_of_open_nor_of_an_id_that_is_not_there(void **state)
{
    (void)state;
    struct keyring ring;
    uint8_t link[SEAL_LINK_BYTES];
    assert_int_equal(init(&ring, golden_network, "OK"), RC_OK);
    assert_int_equal(keyring_link_psk(&ring, KEYRING_ID_OPEN, link), RC_NOT_FOUND);
    const uint16_t other = (uint16_t)(ring.keys[1].id + 1);
    assert_int_equal(keyring_link_psk(&ring, other, link), RC_NOT_FOUND);
    assert_null(keyring_find(&ring, other));
    assert_int_equal(keyring_link_psk(&ring, ring.keys[1].id, link), RC_OK);
    keyring_fini(&ring);
}

/* HMAC whose n-th call finds no memory, or finds what the test wants. */
struct scarce {
    const struct seal_ops *ops;
    uint32_t calls, fails_at;
    uint32_t macs; /* that live */
    bool is_zero;
};

static struct seal_mac *scarce_new(void *arg, const uint8_t *key, size_t len)
{
    struct scarce *s = arg;
    struct seal_mac *mac =
        ++s->calls == s->fails_at ? NULL : s->ops->mac_new(s->ops->arg, key, len);
    s->macs += mac != NULL;
    return mac;
}

static void scarce_free(void *arg, struct seal_mac *mac)
{
    struct scarce *s = arg;
    s->macs -= mac != NULL;
    s->ops->mac_free(s->ops->arg, mac);
}

static bool scarce_mac(void *arg, struct seal_mac *mac, const uint8_t *data, size_t len,
                       uint8_t ret_hash[static SEAL_HASH_BYTES])
{
    struct scarce *s = arg;
    if (++s->calls == s->fails_at || !s->ops->mac(s->ops->arg, mac, data, len, ret_hash)) {
        return false;
    }
    if (s->is_zero) {
        memset(ret_hash, 0, SEAL_HASH_BYTES);
    }
    return true;
}

static void a_ring_without_memory_is_none_and_nothing_is_left(void **state)
{
    (void)state;
    const struct keyring_items items = items_of("KA");
    enum rc rc = RC_NO_MEMORY;
    uint32_t n = 0;
    while (rc != RC_OK) {
        struct scarce scarce = {.ops = seal_openssl_ops(openssl), .fails_at = ++n};
        const struct seal_ops ops = {&scarce, scarce_new, scarce_free, scarce_mac, NULL, NULL};
        struct keyring ring;
        rc = keyring_init(&ring, &ops, golden_network, &items);
        if (rc == RC_OK) {
            keyring_fini(&ring);
        } else {
            assert_int_equal(rc, RC_NO_MEMORY);
        }
        assert_int_equal(scarce.macs, 0);
    }
    assert_int_equal(n, 9); /* two keys of four calls each, and none of them failed */
}

static void a_key_made_without_memory_is_none(void **state)
{
    (void)state;
    const struct keyring_items items = items_of("K");
    struct scarce scarce = {.ops = seal_openssl_ops(openssl)};
    const struct seal_ops ops = {&scarce, scarce_new, scarce_free, scarce_mac, NULL, NULL};
    struct keyring ring;
    assert_int_equal(keyring_init(&ring, &ops, golden_network, &items), RC_OK);
    const struct uuid a = uuid_of(golden_uuid_a);
    uint8_t link[SEAL_LINK_BYTES];
    for (uint32_t block = 1; block <= 2; block++) {
        scarce.fails_at = scarce.calls + block;
        assert_int_equal(keyring_link_psk(&ring, ring.keys[0].id, link), RC_NO_MEMORY);
    }
    scarce.fails_at = scarce.calls + 1;
    assert_false(keyring_intro_key(&ring, &ring.keys[0], &a, link));
    keyring_fini(&ring);
}

static void an_id_is_never_that_of_open(void **state)
{
    (void)state;
    const struct keyring_items items = items_of("K");
    struct scarce scarce = {.ops = seal_openssl_ops(openssl), .is_zero = true};
    const struct seal_ops ops = {&scarce, scarce_new, scarce_free, scarce_mac, NULL, NULL};
    struct keyring ring;
    assert_int_equal(keyring_init(&ring, &ops, golden_network, &items), RC_OK);
    assert_int_equal(ring.keys[0].id, 1);
    assert_int_equal(keyring_state(&ring), SEALING_SEALED);
    keyring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_label_gives_what_the_second_implementation_gives),
        cmocka_unit_test(the_networks_name_is_part_of_every_key),
        cmocka_unit_test(two_items_of_one_id_are_refused),
        cmocka_unit_test(a_ring_has_four_items_at_most),
        cmocka_unit_test(the_state_says_whether_open_is_among_the_keys),
        cmocka_unit_test(an_open_ring_needs_no_cryptography),
        cmocka_unit_test(keys_are_named_by_four_digits_and_the_one_that_is_none_by_its_word),
        cmocka_unit_test(links_have_no_key_of_open_nor_of_an_id_that_is_not_there),
        cmocka_unit_test(a_ring_without_memory_is_none_and_nothing_is_left),
        cmocka_unit_test(a_key_made_without_memory_is_none),
        cmocka_unit_test(an_id_is_never_that_of_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
