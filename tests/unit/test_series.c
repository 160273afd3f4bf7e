#include "core/base/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NUMBERS = 1000 };

static const uint8_t secret[SIPHASH_KEY_BYTES] = {1, 2, 3};
static const uint8_t other_secret[SIPHASH_KEY_BYTES] = {1, 2, 4};

static void the_same_secret_and_label_make_the_same_numbers(void **state)
{
    (void)state;
    struct series a, b;
    series_init(&a, secret, "label");
    series_init(&b, secret, "label");
    for (uint32_t i = 0; i < NUMBERS; i++) {
        const uint64_t number = series_next(&a);
        assert_int_equal(series_next(&b), number);
    }
}

static void another_secret_or_label_makes_others(void **state)
{
    (void)state;
    struct series all[4];
    series_init(&all[0], secret, "label");
    series_init(&all[1], secret, "labels");
    series_init(&all[2], secret, "");
    series_init(&all[3], other_secret, "label");
    for (uint32_t i = 0; i < NUMBERS; i++) {
        uint64_t numbers[4];
        for (uint32_t j = 0; j < 4; j++) {
            numbers[j] = series_next(&all[j]);
        }
        for (uint32_t j = 1; j < 4; j++) {
            assert_int_not_equal(numbers[0], numbers[j]);
        }
    }
}

static void no_number_comes_twice_or_lacks_bits(void **state)
{
    (void)state;
    uint64_t seen[NUMBERS];
    uint64_t set = 0, clear = 0;
    struct series s;
    series_init(&s, secret, "label");
    for (uint32_t i = 0; i < NUMBERS; i++) {
        seen[i] = series_next(&s);
        set |= seen[i];
        clear |= ~seen[i];
        for (uint32_t j = 0; j < i; j++) {
            assert_int_not_equal(seen[i], seen[j]);
        }
    }
    assert_int_equal(set & clear, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_secret_and_label_make_the_same_numbers),
        cmocka_unit_test(another_secret_or_label_makes_others),
        cmocka_unit_test(no_number_comes_twice_or_lacks_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
