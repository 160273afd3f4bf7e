#include "core/base/parse.h"

#include "core/base/units.h"

#include <stdbool.h>
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

static size_t leading_digits(const char *text, size_t len)
{
    size_t count = 0;
    while (count < len && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

/* The first of units[from..count) with that suffix, else `count`. */
static size_t find_unit(const struct unit *units, size_t from, size_t count, const char *suffix,
                        size_t len)
{
    while (from < count &&
           (strlen(units[from].suffix) != len || memcmp(units[from].suffix, suffix, len) != 0)) {
        from++;
    }
    return from;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct unit durations[] = {
    {"d", DAY_MS}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static const uint64_t DURATION_MAX_MS = UINT32_MAX * UINT64_C(1000);

/* Milliseconds by the first `unit_count` of the units, of which each may follow only greater ones:
 * `30m1h` and `5m5m` are slips of somebody's hand. A text that is malformed further on is not out
 * of range before. */
static enum rc parse_duration(const char *text, size_t len, size_t unit_count, uint64_t *ret_ms)
{
    uint64_t sum = 0;
    size_t unit = 0;
    bool is_in_range = true;
    for (size_t at = 0; at < len || at == 0;) {
        const size_t digits = leading_digits(text + at, len - at);
        size_t end = at + digits;
        while (end < len && (text[end] < '0' || text[end] > '9')) {
            end++;
        }
        unit = find_unit(durations, unit, unit_count, text + at + digits, end - at - digits);
        if (digits == 0 || unit == unit_count) {
            return RC_MALFORMED;
        }
        uint64_t value = 0;
        const uint64_t factor = durations[unit++].factor;
        is_in_range =
            parse_u64(text + at, digits, (DURATION_MAX_MS - sum) / factor, &value) == RC_OK &&
            is_in_range;
        sum += value * factor;
        at = end;
    }
    if (is_in_range) {
        *ret_ms = sum;
    }
    return is_in_range ? RC_OK : RC_RANGE;
}

enum rc parse_duration_s(const char *text, size_t len, uint64_t *ret_seconds)
{
    uint64_t ms = 0;
    if (len > 0 && leading_digits(text, len) == len) {
        return parse_u64(text, len, UINT32_MAX, ret_seconds);
    }
    const enum rc rc = parse_duration(text, len, COUNT_OF(durations) - 1, &ms);
    if (rc == RC_OK) {
        *ret_seconds = ms / 1000;
    }
    return rc;
}

enum rc parse_duration_ms(const char *text, size_t len, uint64_t *ret_ms)
{
    uint64_t seconds = 0;
    if (len == 0 || leading_digits(text, len) < len) {
        return parse_duration(text, len, COUNT_OF(durations), ret_ms);
    }
    const enum rc rc = parse_u64(text, len, UINT32_MAX, &seconds);
    if (rc == RC_OK) {
        *ret_ms = seconds * 1000;
    }
    return rc;
}

enum rc parse_size(const char *text, size_t len, uint64_t *ret_bytes)
{
    enum { KIB = 1 << 10, MIB = 1 << 20, GIB = 1 << 30 };
    static const struct unit units[] = {{"", 1},      {"B", 1},    {"K", KIB},  {"KB", KIB},
                                        {"KiB", KIB}, {"M", MIB},  {"MB", MIB}, {"MiB", MIB},
                                        {"G", GIB},   {"GB", GIB}, {"GiB", GIB}};
    const size_t digits = leading_digits(text, len);
    const size_t unit = find_unit(units, 0, COUNT_OF(units), text + digits, len - digits);
    uint64_t value = 0;
    if (unit == COUNT_OF(units)) {
        return RC_MALFORMED;
    }
    const uint64_t factor = units[unit].factor;
    const enum rc rc = parse_u64(text, digits, (UINT64_C(1) << 53) / factor, &value);
    if (rc == RC_OK) {
        *ret_bytes = value * factor;
    }
    return rc;
}

enum rc parse_percent(const char *text, size_t len, uint8_t plus, uint8_t *ret_bytes, size_t size,
                      size_t *ret_len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        uint64_t byte = (uint8_t)text[i];
        if (text[i] == '%') {
            if (len - i < 3 || parse_hex_u64(text + i + 1, 2, &byte) != RC_OK) {
                return RC_MALFORMED;
            }
            i += 2;
        } else if (text[i] == '+') {
            byte = plus;
        }
        if (used == size) {
            return RC_TOO_LONG;
        }
        ret_bytes[used++] = (uint8_t)byte;
    }
    *ret_len = used;
    return RC_OK;
}
