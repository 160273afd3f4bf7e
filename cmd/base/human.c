#include "cmd/base/human.h"

#include "core/base/units.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

const char *human_duration(uint64_t seconds, unsigned unit_count, char ret_text[static HUMAN_SIZE])
{
    static const struct {
        uint64_t seconds;
        char letter;
    } units[] = {{DAY_MS / 1000, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t len = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && unit_count > 0; i++) {
        const uint64_t count = seconds / units[i].seconds;
        if (count > 0) {
            len += (size_t)snprintf(ret_text + len, HUMAN_SIZE - len, "%" PRIu64 "%c", count,
                                    units[i].letter);
        }
        seconds %= units[i].seconds;
        /* 1h0m5s would be three units for two: what stands between counts. */
        unit_count -= len > 0 ? 1 : 0;
    }
    if (len == 0) {
        (void)snprintf(ret_text, HUMAN_SIZE, "0s");
    }
    return ret_text;
}

const char *human_bytes(uint64_t bytes, char ret_text[static HUMAN_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes / 1024;
    size_t unit = 0;
    if (bytes < 1024) {
        (void)snprintf(ret_text, HUMAN_SIZE, "%" PRIu64 " B", bytes);
        return ret_text;
    }
    /* What would be rounded to 1024.0 is one of the next unit. */
    for (; amount >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) {
        amount /= 1024;
    }
    (void)snprintf(ret_text, HUMAN_SIZE, "%.1f %s", amount, units[unit]);
    return ret_text;
}
