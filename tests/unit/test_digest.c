#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/crypto/digest.h"

#include <string.h>

/* FIPS 180-4's examples, and the empty text. */
static void hashes_are_those_of_the_standard_one_after_another(void **state)
{
    static const struct {
        const char *text;
        uint8_t first[4];
    } known[] = {
        {"abc", {0xba, 0x78, 0x16, 0xbf}},
        {"", {0xe3, 0xb0, 0xc4, 0x42}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", {0x24, 0x8d, 0x6a, 0x61}},
        {"abc", {0xba, 0x78, 0x16, 0xbf}}};
    uint8_t hash[DIGEST_SIZE];
    struct digest *d = digest_new();
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_true(digest_sha256(d, known[i].text, strlen(known[i].text), hash));
        assert_memory_equal(hash, known[i].first, sizeof(known[i].first));
        memset(hash, 0, sizeof(hash));
        assert_true(digest_once(known[i].text, strlen(known[i].text), hash));
        assert_memory_equal(hash, known[i].first, sizeof(known[i].first));
    }
    digest_free(d);
    digest_free(NULL);
}

static void two_are_equal_when_every_byte_is(void **state)
{
    uint8_t a[DIGEST_SIZE] = {0};
    uint8_t b[DIGEST_SIZE] = {0};
    (void)state;
    assert_true(digest_is_equal(a, b));
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        b[i] = 1;
        assert_false(digest_is_equal(a, b));
        b[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_standard_one_after_another),
        cmocka_unit_test(two_are_equal_when_every_byte_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
