#include "core/base/digits.h"

#include <string.h>

static const char HEX[] = "0123456789abcdef";

size_t digits_decimal(uint64_t value, char ret_text[static DIGITS_U64_MAX])
{
    char text[DIGITS_U64_MAX];
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(ret_text, text + at, sizeof(text) - at);
    return sizeof(text) - at;
}

void digits_fixed(uint64_t value, size_t count, char *ret_text)
{
    while (count > 0) {
        ret_text[--count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void digits_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = HEX[bytes[i] >> 4];
        ret_text[2 * i + 1] = HEX[bytes[i] & 15];
    }
}

void digits_hex_u64(uint64_t value, char *ret_text)
{
    for (size_t i = 0; i < 16; i++) {
        ret_text[i] = HEX[value >> (60 - 4 * i) & 15];
    }
}
