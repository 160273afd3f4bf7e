#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/base64.h"

#include <string.h>

/* RFC 4648, section 10, and the two characters in which the alphabets differ. */
static const struct vector {
    const char *data;
    const char *standard;
    const char *url;
} VECTORS[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
};

static void both_forms_are_as_in_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        const struct vector *v = &VECTORS[i];
        const uint8_t *data = (const uint8_t *)v->data;
        const size_t len = strlen(v->data);
        char text[16];
        assert_int_equal(base64_encode(data, len, text), strlen(v->standard));
        assert_memory_equal(text, v->standard, strlen(v->standard));
        assert_int_equal(base64_url_encode(data, len, text), strlen(v->url));
        assert_memory_equal(text, v->url, strlen(v->url));
    }
}

static void what_was_encoded_is_decoded_to_the_same_bytes(void **state)
{
    (void)state;
    uint8_t data[256];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 0; len <= sizeof(data); len++) {
        char text[BASE64_TEXT_MAX(sizeof(data))];
        uint8_t back[sizeof(data)];
        size_t back_len = 0;
        const size_t text_len = base64_url_encode(data, len, text);
        assert_int_equal(base64_url_decode(text, text_len, back, len, &back_len), RC_OK);
        assert_int_equal(back_len, len);
        assert_memory_equal(back, data, len);
        const size_t padded_len = base64_encode(data, len, text);
        assert_int_equal(base64_decode(text, padded_len, back, len, &back_len), RC_OK);
        assert_int_equal(back_len, len);
        assert_memory_equal(back, data, len);
    }
}

static void text_that_no_encoder_writes_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"A",    "Zm9vA", "Zg==", "Zh",      "Zm9",
                                        "Z+8A", "Z/8A",  "Zm 9", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t data[16];
        size_t len = 0;
        assert_int_equal(base64_url_decode(wrong[i], strlen(wrong[i]), data, sizeof(data), &len),
                         RC_MALFORMED);
    }
    static const char *const wrong_padded[] = {
        "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9vZ===", "Zh==", "Z-8=", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof(wrong_padded) / sizeof(wrong_padded[0]); i++) {
        uint8_t data[16];
        size_t len = 0;
        assert_int_equal(
            base64_decode(wrong_padded[i], strlen(wrong_padded[i]), data, sizeof(data), &len),
            RC_MALFORMED);
    }
    uint8_t data[2];
    size_t len = 0;
    assert_int_equal(base64_url_decode("Zm9v\0A", 6, data, sizeof(data), &len), RC_TOO_LONG);
    assert_int_equal(base64_url_decode("\0Zm", 3, data, sizeof(data), &len), RC_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_are_as_in_the_rfc),
        cmocka_unit_test(what_was_encoded_is_decoded_to_the_same_bytes),
        cmocka_unit_test(text_that_no_encoder_writes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
