#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/api/uri.h"

#include <string.h>

static struct http_text text_of(const char *text)
{
    return (struct http_text){.data = text, .len = strlen(text)};
}

static void assert_decodes(const char *text, const char *wanted, size_t wanted_len)
{
    uint8_t decoded[64];
    size_t len = 0;
    assert_int_equal(uri_decode(text_of(text), decoded, sizeof(decoded), &len), RC_OK);
    assert_int_equal(len, wanted_len);
    assert_memory_equal(decoded, wanted, wanted_len);
}

static enum rc decode(const char *text, size_t size)
{
    uint8_t decoded[64];
    size_t len = 0;
    return uri_decode(text_of(text), decoded, size, &len);
}

static void decoding_leaves_slashes_dots_and_plus_as_they_are(void **state)
{
    (void)state;
    assert_decodes("a/../b//c+d;e=f", "a/../b//c+d;e=f", 15);
    assert_decodes("%2f%2E%20%2B", "/. +", 4);
    assert_decodes("%00%ff%C3%a9", "\0\xff\xc3\xa9", 4);
    assert_decodes("%2541", "%41", 3);
    assert_decodes("", "", 0);
}

static void in_a_query_a_plus_is_a_space(void **state)
{
    (void)state;
    static const char encoded[] = "+a+b%2Bc%2bd%20e+";
    uint8_t decoded[64];
    size_t len = 0;
    assert_int_equal(uri_decode_query(text_of(encoded), decoded, sizeof(decoded), &len), RC_OK);
    assert_int_equal(len, 11);
    assert_memory_equal(decoded, " a b+c+d e ", 11);
    assert_int_equal(uri_decode_query(text_of("a+b"), decoded, 3, &len), RC_OK);
    assert_int_equal(uri_decode_query(text_of("a+b"), decoded, 2, &len), RC_TOO_LONG);
    assert_int_equal(uri_decode_query(text_of("%+1"), decoded, sizeof(decoded), &len),
                     RC_MALFORMED);
}

static void a_percent_sign_without_two_hex_digits_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"%",   "a%",   "%4",   "a%4", "%4g",
                                        "%g4", "%%41", "% 41", "%+1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(decode(wrong[i], 64), RC_MALFORMED);
    }
}

static void decoding_fits_exactly_or_is_too_long(void **state)
{
    (void)state;
    assert_int_equal(decode("abc%64", 4), RC_OK);
    assert_int_equal(decode("abc%64", 3), RC_TOO_LONG);
    assert_int_equal(decode("", 0), RC_OK);
}

static size_t find(const char *query, const char *name, const char *wanted)
{
    struct http_text value = text_of("untouched");
    const size_t count = uri_query(text_of(query), name, &value);
    assert_int_equal(value.len, strlen(wanted));
    assert_memory_equal(value.data, wanted, value.len);
    return count;
}

static void a_parameter_is_found_by_its_decoded_name(void **state)
{
    (void)state;
    assert_int_equal(find("ttl=5m", "ttl", "5m"), 1);
    assert_int_equal(find("a=1&ttl=5m&b=2", "ttl", "5m"), 1);
    assert_int_equal(find("%74tl=5%6d", "ttl", "5%6d"), 1);
    assert_int_equal(find("t+l=a+b", "t l", "a+b"), 1);
    assert_int_equal(find("ttl", "ttl", ""), 1);
    assert_int_equal(find("ttl=", "ttl", ""), 1);
    assert_int_equal(find("ttl=a=b", "ttl", "a=b"), 1);
    assert_int_equal(find("&&ttl=1&&", "ttl", "1"), 1);
}

static void a_parameter_that_is_not_there_leaves_the_value_alone(void **state)
{
    (void)state;
    assert_int_equal(find("", "ttl", "untouched"), 0);
    assert_int_equal(find("xttl=1&ttlx=2&TTL=3&%ttl=4", "ttl", "untouched"), 0);
    assert_int_equal(find("averyveryveryveryverylongparametername=1", "ttl", "untouched"), 0);
}

static void parameters_are_counted_and_the_first_one_told(void **state)
{
    (void)state;
    assert_int_equal(find("ttl=1&ttl=2&t%74l=3", "ttl", "1"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_leaves_slashes_dots_and_plus_as_they_are),
        cmocka_unit_test(in_a_query_a_plus_is_a_space),
        cmocka_unit_test(a_percent_sign_without_two_hex_digits_is_refused),
        cmocka_unit_test(decoding_fits_exactly_or_is_too_long),
        cmocka_unit_test(a_parameter_is_found_by_its_decoded_name),
        cmocka_unit_test(a_parameter_that_is_not_there_leaves_the_value_alone),
        cmocka_unit_test(parameters_are_counted_and_the_first_one_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
