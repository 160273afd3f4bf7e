/* The stand-in for cryptography has the failures of what it stands for. */
#include "tests/sim/seal_model.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD = 16, LEN = 77, COUNTER = 7 };

struct sealed {
    uint8_t key[SEAL_KEY_BYTES], clear[LEN], data[LEN + SEAL_TAG_BYTES];
};

static struct sealed seal_one(void)
{
    struct sealed s;
    const struct seal_ops *ops = seal_model_ops();
    memset(s.key, 3, sizeof(s.key));
    for (size_t i = 0; i < LEN; i++) {
        s.clear[i] = (uint8_t)i;
    }
    memcpy(s.data, s.clear, LEN);
    assert_true(ops->seal(ops->arg, s.key, COUNTER, s.data, HEAD, LEN));
    return s;
}

static bool opens(const struct sealed *s, uint64_t counter, size_t len)
{
    uint8_t plain[LEN];
    const struct seal_ops *ops = seal_model_ops();
    return ops->open(ops->arg, s->key, counter, s->data, HEAD, len, plain) &&
           memcmp(plain, s->clear + HEAD, LEN - HEAD) == 0;
}

static void what_is_sealed_opens_and_cannot_be_read(void **state)
{
    (void)state;
    const struct sealed s = seal_one();
    assert_true(opens(&s, COUNTER, sizeof(s.data)));
    assert_memory_equal(s.data, s.clear, HEAD);
    for (size_t i = HEAD; i + 4 <= LEN; i++) {
        assert_memory_not_equal(s.data + i, s.clear + i, 4);
    }
}

static void each_flipped_bit_another_key_number_or_length_fails(void **state)
{
    (void)state;
    struct sealed s = seal_one();
    for (size_t bit = 0; bit < sizeof(s.data) * 8; bit++) {
        s.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(opens(&s, COUNTER, sizeof(s.data)));
        s.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_false(opens(&s, COUNTER + 1, sizeof(s.data)));
    assert_false(opens(&s, COUNTER, sizeof(s.data) - 1));
    s.key[0] ^= 1;
    assert_false(opens(&s, COUNTER, sizeof(s.data)));
}

static void the_oracle_reads_along(void **state)
{
    (void)state;
    uint8_t plain[LEN];
    struct sealed s = seal_one();
    assert_true(seal_model_read(s.data, HEAD, sizeof(s.data), plain));
    assert_memory_equal(plain, s.clear + HEAD, LEN - HEAD);
    assert_false(seal_model_read(s.clear, HEAD, LEN, plain));
    assert_false(seal_model_read(s.data, HEAD, HEAD + SEAL_TAG_BYTES - 1, plain));
}

static void macs_differ_by_key_and_by_data(void **state)
{
    (void)state;
    uint8_t hashes[4][SEAL_HASH_BYTES];
    const struct seal_ops *ops = seal_model_ops();
    for (size_t i = 0; i < 4; i++) {
        const uint8_t key[2] = {(uint8_t)(i / 2), 1};
        const uint8_t data[2] = {(uint8_t)(i % 2), 1};
        struct seal_mac *mac = ops->mac_new(ops->arg, key, sizeof(key));
        assert_non_null(mac);
        assert_true(ops->mac(ops->arg, mac, data, sizeof(data), hashes[i]));
        ops->mac_free(ops->arg, mac);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(hashes[i], hashes[j], SEAL_HASH_BYTES);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_and_cannot_be_read),
        cmocka_unit_test(each_flipped_bit_another_key_number_or_length_fails),
        cmocka_unit_test(the_oracle_reads_along),
        cmocka_unit_test(macs_differ_by_key_and_by_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
