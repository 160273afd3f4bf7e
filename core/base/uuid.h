/*
 * uuid: 128 random bits that name one run of one node. They are not of RFC 9562 and have no version
 * or variant bits. The order of two ids decides which of two links stays and whose clock leads, and
 * that should be fair.
 */
#ifndef CORE_BASE_UUID_H
#define CORE_BASE_UUID_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stdint.h>

enum { UUID_BYTES = 16, UUID_TEXT_SIZE = 33 };

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

/* <0, 0 or >0 as `a` is smaller than, equal to or greater than `b`, bytewise. */
int uuid_compare(const struct uuid *a, const struct uuid *b);

bool uuid_equal(const struct uuid *a, const struct uuid *b);

/* True for the all-zero id, which no node has and which stands for "whoever you are". */
bool uuid_is_nil(const struct uuid *uuid);

/* Writes 32 lower-case hex digits and a NUL; returns `ret_text`. */
const char *uuid_format(const struct uuid *uuid, char ret_text[static UUID_TEXT_SIZE]);

#endif
