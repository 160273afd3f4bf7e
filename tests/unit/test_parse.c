#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/parse.h"

#include <string.h>

typedef enum rc parser(const char *text, size_t len, uint64_t *ret_value);

struct example {
    const char *text;
    enum rc rc;
    uint64_t value;
};

static void check(parser *parse, const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 4711;
        const char *text = examples[i].text;
        assert_int_equal(parse(text, strlen(text), &value), examples[i].rc);
        assert_true(value == (examples[i].rc == RC_OK ? examples[i].value : 4711));
    }
}

#define CHECK(parse, examples) check(parse, examples, sizeof(examples) / sizeof((examples)[0]))

static enum rc parse_any(const char *text, size_t len, uint64_t *ret_value)
{
    return parse_u64(text, len, UINT64_MAX, ret_value);
}

static enum rc parse_to_255(const char *text, size_t len, uint64_t *ret_value)
{
    return parse_u64(text, len, 255, ret_value);
}

static void decimal_takes_digits_and_nothing_else(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"0", RC_OK, 0},
        {"007", RC_OK, 7},
        {"18446744073709551615", RC_OK, UINT64_MAX},
        {"18446744073709551616", RC_RANGE, 0},
        {"99999999999999999999999", RC_RANGE, 0},
        {"", RC_MALFORMED, 0},
        {"+1", RC_MALFORMED, 0},
        {"-1", RC_MALFORMED, 0},
        {" 1", RC_MALFORMED, 0},
        {"1 ", RC_MALFORMED, 0},
        {"1x", RC_MALFORMED, 0},
        {"0x10", RC_MALFORMED, 0},
        {"99999999999999999999999x", RC_MALFORMED, 0},
    };
    CHECK(parse_any, examples);
}

static void a_maximum_is_kept_to_the_unit(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"255", RC_OK, 255}, {"256", RC_RANGE, 0}, {"300", RC_RANGE, 0}, {"9", RC_OK, 9}};
    CHECK(parse_to_255, examples);
    uint64_t value = 1;
    assert_int_equal(parse_u64("5", 1, 3, &value), RC_RANGE);
    assert_int_equal(parse_u64("0", 1, 0, &value), RC_OK);
    assert_true(value == 0);
}

static void only_the_bytes_given_are_read(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_int_equal(parse_any("123456", 3, &value), RC_OK);
    assert_true(value == 123);
    assert_int_equal(parse_any("12\0", 3, &value), RC_MALFORMED);
}

static void hex_takes_up_to_16_digits_of_either_case(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"ffffffffffffffff", RC_OK, UINT64_MAX},
        {"0aB", RC_OK, 0xab},
        {"", RC_MALFORMED, 0},
        {"00000000000000000", RC_MALFORMED, 0},
        {"0x1", RC_MALFORMED, 0},
        {"g", RC_MALFORMED, 0},
        {"@", RC_MALFORMED, 0},
        {"`", RC_MALFORMED, 0},
    };
    CHECK(parse_hex_u64, examples);
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct example seconds[] = {
        {"90", RC_OK, 90},
        {"90s", RC_OK, 90},
        {"2m", RC_OK, 120},
        {"3h", RC_OK, 10800},
        {"30d", RC_OK, 2592000},
        {"0", RC_OK, 0},
        {"5ms", RC_MALFORMED, 0},
        {"s", RC_MALFORMED, 0},
        {"1 s", RC_MALFORMED, 0},
        {"1S", RC_MALFORMED, 0},
        {"1hour", RC_MALFORMED, 0},
        {"-1s", RC_MALFORMED, 0},
        {"4294967295", RC_OK, UINT32_MAX},
        {"4294967296", RC_RANGE, 0},
        {"49711d", RC_RANGE, 0},
        {"1.5h", RC_MALFORMED, 0},
        {"", RC_MALFORMED, 0},
        {"1h30m", RC_OK, 5400},
        {"1d2h3m4s", RC_OK, 93784},
        {"1d4s", RC_OK, 86404},
        {"90m90s", RC_OK, 5490},
        {"0h0s", RC_OK, 0},
        {"49710d6h28m15s", RC_OK, UINT32_MAX},
        {"49710d6h28m16s", RC_RANGE, 0},
        {"49710d4294967296s", RC_RANGE, 0},
        {"49711d0s", RC_RANGE, 0},
        {"99999999999999999999h1m", RC_RANGE, 0},
        {"1s99999999999999999999h", RC_MALFORMED, 0},
        {"99999999999999999999h5x", RC_MALFORMED, 0},
        {"30m1h", RC_MALFORMED, 0},
        {"5m5m", RC_MALFORMED, 0},
        {"1h30", RC_MALFORMED, 0},
        {"1hm", RC_MALFORMED, 0},
        {"1h 30m", RC_MALFORMED, 0},
        {"1h-30m", RC_MALFORMED, 0},
        {"h1", RC_MALFORMED, 0},
        {"1s5ms", RC_MALFORMED, 0},
    };
    static const struct example millis[] = {
        {"90", RC_OK, 90000},
        {"90ms", RC_OK, 90},
        {"2m", RC_OK, 120000},
        {"1d", RC_OK, 86400000},
        {"1m s", RC_MALFORMED, 0},
        {"4294967296s", RC_RANGE, 0},
        {"1m30s500ms", RC_OK, 90500},
        {"0", RC_OK, 0},
        {"5ms1s", RC_MALFORMED, 0},
        {"", RC_MALFORMED, 0},
        {"4294967295", RC_OK, UINT64_C(4294967295000)},
        {"4294967296", RC_RANGE, 0},
        {"4294967294s1000ms", RC_OK, UINT64_C(4294967295000)},
        {"4294967294s1001ms", RC_RANGE, 0},
    };
    CHECK(parse_duration_s, seconds);
    CHECK(parse_duration_ms, millis);
}

static void sizes_are_powers_of_1024(void **state)
{
    (void)state;
    static const struct example sizes[] = {
        {"10", RC_OK, 10},
        {"10B", RC_OK, 10},
        {"10MiB", RC_OK, 10485760},
        {"1K", RC_OK, 1024},
        {"1KB", RC_OK, 1024},
        {"1G", RC_OK, 1073741824},
        {"9007199254740992", RC_OK, UINT64_C(1) << 53},
        {"9007199254740993", RC_RANGE, 0},
        {"8388608GiB", RC_OK, UINT64_C(1) << 53},
        {"8388609G", RC_RANGE, 0},
        {"1mib", RC_MALFORMED, 0},
        {"1T", RC_MALFORMED, 0},
        {"MiB", RC_MALFORMED, 0},
    };
    CHECK(parse_size, sizes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_takes_digits_and_nothing_else),
        cmocka_unit_test(a_maximum_is_kept_to_the_unit),
        cmocka_unit_test(only_the_bytes_given_are_read),
        cmocka_unit_test(hex_takes_up_to_16_digits_of_either_case),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(sizes_are_powers_of_1024),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
