#include "net/sys/rfc3339.h"

#include "core/base/digits.h"
#include "core/base/parse.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

const char *rfc3339_format(uint64_t ms, char ret_text[static RFC3339_TEXT_SIZE])
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    const uint64_t year = (uint64_t)tm.tm_year + 1900;
    const size_t len = year > 9999 ? 5 : 4;
    char *rest = ret_text + len;
    digits_fixed(year, len, ret_text);
    memcpy(rest, "-00-00T00:00:00.000Z", sizeof("-00-00T00:00:00.000Z"));
    digits_fixed((uint64_t)tm.tm_mon + 1, 2, rest + 1);
    digits_fixed((uint64_t)tm.tm_mday, 2, rest + 4);
    digits_fixed((uint64_t)tm.tm_hour, 2, rest + 7);
    digits_fixed((uint64_t)tm.tm_min, 2, rest + 10);
    digits_fixed((uint64_t)tm.tm_sec, 2, rest + 13);
    digits_fixed(ms % 1000, 3, rest + 16);
    return ret_text;
}

enum { MS_PER_S = 1000, YEAR_FIRST = 1970 };

/* Two to four digits at a place, up to `max`. */
static bool number_at(const char *text, size_t at, size_t len, uint64_t max, int *ret_number)
{
    uint64_t number = 0;
    if (parse_u64(text + at, len, max, &number) != RC_OK) {
        return false;
    }
    *ret_number = (int)number;
    return true;
}

static bool has_shape(const char *text, size_t len)
{
    static const char short_shape[] = "dddd-dd-ddTdd:dd:ddZ";
    static const char long_shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    const char *shape = len == sizeof(short_shape) - 1 ? short_shape : long_shape;
    if (len != strlen(shape)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (shape[i] != 'd' && text[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

/* Years and months as they are written. */
static bool read_fields(const char *text, struct tm *ret_tm)
{
    return number_at(text, 0, 4, 9999, &ret_tm->tm_year) &&
           number_at(text, 5, 2, 12, &ret_tm->tm_mon) &&
           number_at(text, 8, 2, 31, &ret_tm->tm_mday) &&
           number_at(text, 11, 2, 23, &ret_tm->tm_hour) &&
           number_at(text, 14, 2, 59, &ret_tm->tm_min) &&
           number_at(text, 17, 2, 59, &ret_tm->tm_sec);
}

enum rc rfc3339_parse(const char *text, uint64_t *ret_ms)
{
    const size_t len = strlen(text);
    struct tm tm = {0};
    int ms = 0;
    if (!has_shape(text, len) || !read_fields(text, &tm) ||
        (text[19] == '.' && !number_at(text, 20, 3, 999, &ms)) || tm.tm_year < YEAR_FIRST ||
        tm.tm_mon == 0 || tm.tm_mday == 0) {
        return RC_MALFORMED;
    }
    const int day = tm.tm_mday;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    const time_t seconds = timegm(&tm);
    if (tm.tm_mday != day) {
        return RC_MALFORMED; /* a day that the month does not have */
    }
    *ret_ms = (uint64_t)seconds * MS_PER_S + (uint64_t)ms;
    return RC_OK;
}
