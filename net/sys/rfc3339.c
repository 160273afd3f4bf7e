#include "net/sys/rfc3339.h"

#include "core/base/digits.h"

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
