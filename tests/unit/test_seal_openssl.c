#include "net/crypto/seal_openssl.h"

#include "tests/unit/failing_alloc.h"
#include "tests/unit/seal_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD = sizeof(golden_head), SEALED = sizeof(golden_sealed), TEXT = sizeof(golden_text) };
#define COUNTER UINT64_C(0x0102030405060708)

static struct seal_openssl *openssl;
static const struct seal_ops *ops;

static int setup(void **state)
{
    (void)state;
    openssl = seal_openssl_new();
    if (openssl == NULL) {
        return -1;
    }
    ops = seal_openssl_ops(openssl);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    seal_openssl_free(openssl);
    return 0;
}

static bool open_with(const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                      const uint8_t *sealed)
{
    uint8_t plain[TEXT];
    return ops->open(ops->arg, key, counter, sealed, HEAD, SEALED, plain) &&
           memcmp(plain, golden_text, TEXT) == 0;
}

static void a_datagram_is_sealed_as_the_second_implementation_does(void **state)
{
    (void)state;
    uint8_t data[SEALED];
    /* Twice: nothing of the first use stays in the context. */
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(data, golden_head, HEAD);
        memcpy(data + HEAD, golden_text, TEXT);
        assert_true(ops->seal(ops->arg, golden_pair_ab, COUNTER, data, HEAD, HEAD + TEXT));
        assert_memory_equal(data, golden_sealed, SEALED);
        assert_true(open_with(golden_pair_ab, COUNTER, golden_sealed));
    }
}

static void each_flipped_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t data[SEALED];
    memcpy(data, golden_sealed, SEALED);
    for (size_t at = 0; at < SEALED; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1U << bit);
            assert_false(open_with(golden_pair_ab, COUNTER, data));
            data[at] ^= (uint8_t)(1U << bit);
        }
    }
    assert_true(open_with(golden_pair_ab, COUNTER, data));
}

static void another_key_or_counter_does_not_open(void **state)
{
    (void)state;
    assert_false(open_with(golden_pair_ba, COUNTER, golden_sealed));
    assert_false(open_with(golden_intro_a, COUNTER, golden_sealed));
    assert_false(open_with(golden_pair_ab, COUNTER + 1, golden_sealed));
}

static void nothing_but_a_head_can_be_sealed_too(void **state)
{
    (void)state;
    uint8_t data[HEAD + SEAL_TAG_BYTES], none[1];
    memcpy(data, golden_head, HEAD);
    assert_true(ops->seal(ops->arg, golden_pair_ab, 1, data, HEAD, HEAD));
    assert_true(ops->open(ops->arg, golden_pair_ab, 1, data, HEAD, sizeof(data), none));
    data[0] ^= 1;
    assert_false(ops->open(ops->arg, golden_pair_ab, 1, data, HEAD, sizeof(data), none));
}

static void story(void *arg)
{
    (void)arg;
    struct seal_openssl *made = seal_openssl_new();
    if (made == NULL) {
        assert_true(failing_alloc_has_failed());
        return;
    }
    const struct seal_ops *table = seal_openssl_ops(made);
    struct seal_mac *mac = table->mac_new(table->arg, golden_secret, SEAL_KEY_BYTES);
    if (mac == NULL) {
        assert_true(failing_alloc_has_failed());
    }
    table->mac_free(table->arg, mac);
    seal_openssl_free(made);
}

static void without_memory_there_is_no_table_and_no_key(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_each(story, NULL), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_is_sealed_as_the_second_implementation_does),
        cmocka_unit_test(each_flipped_bit_is_noticed),
        cmocka_unit_test(another_key_or_counter_does_not_open),
        cmocka_unit_test(nothing_but_a_head_can_be_sealed_too),
        cmocka_unit_test(without_memory_there_is_no_table_and_no_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
