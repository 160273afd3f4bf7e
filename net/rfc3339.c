#include "net/rfc3339.h"

#include <stdio.h>
#include <time.h>

const char *rfc3339_format(uint64_t ms, char ret_text[static RFC3339_TEXT_SIZE])
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    const size_t len = strftime(ret_text, RFC3339_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(ret_text + len, RFC3339_TEXT_SIZE - len, ".%03uZ", (unsigned)(ms % 1000));
    return ret_text;
}
