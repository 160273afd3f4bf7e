#include "core/base/base64.h"

#include <string.h>

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(const uint8_t *data, size_t len, const char *alphabet, char *ret_text)
{
    size_t written = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            ret_text[written++] = alphabet[bits >> bit_count & 63];
        }
    }
    if (bit_count > 0) {
        ret_text[written++] = alphabet[bits << (6 - bit_count) & 63];
    }
    return written;
}

size_t base64_encode(const uint8_t *data, size_t len, char *ret_text)
{
    size_t written = encode(data, len, STANDARD, ret_text);
    while (written % 4 != 0) {
        ret_text[written++] = '=';
    }
    return written;
}

size_t base64_url_encode(const uint8_t *data, size_t len, char *ret_text)
{
    return encode(data, len, URL, ret_text);
}

static enum rc decode(const char *text, size_t len, const char *alphabet, uint8_t *ret_data,
                      size_t size, size_t *ret_len)
{
    size_t written = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] == '\0' ? NULL : strchr(alphabet, text[i]);
        if (at == NULL) {
            return RC_MALFORMED;
        }
        bits = bits << 6 | (uint32_t)(at - alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            if (written == size) {
                return RC_TOO_LONG;
            }
            ret_data[written++] = (uint8_t)(bits >> bit_count);
            bits &= (UINT32_C(1) << bit_count) - 1;
        }
    }
    /* A lone last character, or bits left that the encoder would have set to zero. */
    if (bit_count == 6 || bits != 0) {
        return RC_MALFORMED;
    }
    *ret_len = written;
    return RC_OK;
}

enum rc base64_url_decode(const char *text, size_t len, uint8_t *ret_data, size_t size,
                          size_t *ret_len)
{
    return decode(text, len, URL, ret_data, size, ret_len);
}

enum rc base64_decode(const char *text, size_t len, uint8_t *ret_data, size_t size, size_t *ret_len)
{
    if (len % 4 != 0) {
        return RC_MALFORMED;
    }
    for (int padding = 0; padding < 2 && len > 0 && text[len - 1] == '='; padding++) {
        len--;
    }
    return decode(text, len, STANDARD, ret_data, size, ret_len);
}
