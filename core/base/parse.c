#include "core/base/parse.h"

#include "core/base/units.h"

#include <string.h>

enum rc parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (len == 0) {
        return RC_MALFORMED;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return RC_MALFORMED;
        }
    }
    for (size_t i = 0; i < len; i++) {
        const uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > max || value > (max - digit) / 10) {
            return RC_RANGE;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return RC_OK;
}

enum rc parse_hex_u64(const char *text, size_t len, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (len == 0 || len > 16) {
        return RC_MALFORMED;
    }
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        uint64_t digit = 0;
        if (c >= '0' && c <= '9') {
            digit = (uint64_t)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (uint64_t)((c | 0x20) - 'a') + 10;
        } else {
            return RC_MALFORMED;
        }
        value = value << 4 | digit;
    }
    *ret_value = value;
    return RC_OK;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* Splits digits from suffix and multiplies by the suffix's factor. */
static enum rc parse_scaled(const char *text, size_t len, const struct unit *units,
                            size_t unit_count, uint64_t max, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < len && text[digits] >= '0' && text[digits] <= '9') {
        digits++;
    }
    for (size_t i = 0; i < unit_count; i++) {
        const size_t suffix_len = strlen(units[i].suffix);
        if (suffix_len != len - digits || memcmp(text + digits, units[i].suffix, suffix_len) != 0) {
            continue;
        }
        uint64_t value = 0;
        const enum rc rc = parse_u64(text, digits, max / units[i].factor, &value);
        if (rc == RC_OK) {
            *ret_value = value * units[i].factor;
        }
        return rc;
    }
    return RC_MALFORMED;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum rc parse_duration_s(const char *text, size_t len, uint64_t *ret_seconds)
{
    static const struct unit units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", DAY_S}};
    return parse_scaled(text, len, units, COUNT_OF(units), UINT32_MAX, ret_seconds);
}

enum rc parse_duration_ms(const char *text, size_t len, uint64_t *ret_ms)
{
    static const struct unit units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                        {"m", 60000}, {"h", 3600000}, {"d", DAY_MS}};
    return parse_scaled(text, len, units, COUNT_OF(units), UINT32_MAX * UINT64_C(1000), ret_ms);
}

enum rc parse_size(const char *text, size_t len, uint64_t *ret_bytes)
{
    enum { KIB = 1 << 10, MIB = 1 << 20, GIB = 1 << 30 };
    static const struct unit units[] = {{"", 1},      {"B", 1},    {"K", KIB},  {"KB", KIB},
                                        {"KiB", KIB}, {"M", MIB},  {"MB", MIB}, {"MiB", MIB},
                                        {"G", GIB},   {"GB", GIB}, {"GiB", GIB}};
    return parse_scaled(text, len, units, COUNT_OF(units), UINT64_C(1) << 53, ret_bytes);
}
