#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/keyhash.h"
#include "tests/unit/twins.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void equal_seeds_give_equal_hashes_and_others_do_not(void **state)
{
    (void)state;
    struct keyhash a;
    struct keyhash b;
    struct keyhash c;
    keyhash_init(&a, 1);
    keyhash_init(&b, 1);
    keyhash_init(&c, 2);
    static const size_t lens[] = {1, 3, 8, 16, 17, 128, 129, 240, 241, 1024};
    uint8_t key[1024];
    memset(key, 'x', sizeof(key));
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        const uint32_t hash = keyhash_of(&a, key, lens[i]);
        assert_int_equal(keyhash_of(&b, key, lens[i]), hash);
        assert_int_not_equal(keyhash_of(&c, key, lens[i]), hash);
        key[lens[i] - 1] ^= 1;
        assert_int_not_equal(keyhash_of(&a, key, lens[i]), hash);
    }
}

/* No bit of it is known without the seed, and none comes twice. */
static void the_whole_secret_is_drawn(void **state)
{
    (void)state;
    struct keyhash h;
    struct rng rng;
    rng_init(&rng, 77);
    keyhash_init(&h, 77);
    for (size_t i = 0; i < KEYHASH_SECRET_BYTES; i += 8) {
        uint64_t word = 0;
        for (size_t j = 8; j-- > 0;) {
            word = word << 8 | h.secret[i + j];
        }
        assert_int_equal(word, rng_next(&rng));
    }
}

static void two_keys_of_one_digest_under_a_public_seed_have_two_hashes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        uint8_t one[TWIN_KEY_LEN];
        uint8_t other[TWIN_KEY_LEN];
        struct keyhash h;
        keyhash_init(&h, seed);
        twin_key(seed, false, one);
        twin_key(seed, true, other);
        assert_int_not_equal(memcmp(one, other, sizeof(one)), 0);
        assert_null(memchr(one, 0, sizeof(one)));
        assert_true(XXH128_isEqual(XXH3_128bits_withSeed(one, sizeof(one), seed),
                                   XXH3_128bits_withSeed(other, sizeof(other), seed)));
        assert_int_not_equal(keyhash_of(&h, one, sizeof(one)),
                             keyhash_of(&h, other, sizeof(other)));
    }
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Anybody who knows the secret can write any number of keys of one hash. Under another secret their
 * hashes differ like any keys'. */
static void keys_that_meet_under_one_secret_do_not_under_another(void **state)
{
    (void)state;
    static uint32_t hashes[CROWD_KEYS];
    struct keyhash known;
    struct keyhash other;
    uint8_t key[TWIN_KEY_LEN];
    keyhash_init(&known, 1);
    keyhash_init(&other, 2);
    crowd_key(&known, 0, key);
    const uint32_t hash = keyhash_of(&known, key, sizeof(key));
    for (uint32_t i = 0; i < CROWD_KEYS; i++) {
        crowd_key(&known, i, key);
        assert_null(memchr(key, 0, sizeof(key)));
        assert_int_equal(keyhash_of(&known, key, sizeof(key)), hash);
        hashes[i] = keyhash_of(&other, key, sizeof(key));
    }
    qsort(hashes, CROWD_KEYS, sizeof(hashes[0]), compare);
    uint32_t equal = 0;
    for (uint32_t i = 1; i < CROWD_KEYS; i++) {
        equal += hashes[i] == hashes[i - 1];
    }
    /* Among that many random numbers, half an equal pair is expected. */
    assert_in_range(equal, 0, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_seeds_give_equal_hashes_and_others_do_not),
        cmocka_unit_test(the_whole_secret_is_drawn),
        cmocka_unit_test(two_keys_of_one_digest_under_a_public_seed_have_two_hashes),
        cmocka_unit_test(keys_that_meet_under_one_secret_do_not_under_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
