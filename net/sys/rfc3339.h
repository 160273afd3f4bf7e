/*
 * rfc3339: instants as text, in UTC and with milliseconds: 2026-11-20T08:30:00.123Z.
 */
#ifndef NET_SYS_RFC3339_H
#define NET_SYS_RFC3339_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

enum { RFC3339_TEXT_SIZE = 40 };

/* `ms` since the Unix epoch, below 2^48; returns `ret_text`. */
const char *rfc3339_format(uint64_t ms, char ret_text[static RFC3339_TEXT_SIZE]);

/* Reads what rfc3339_format() writes, of years up to 9999; the fraction may be missing. Other forms
 * of RFC 3339 are refused: RC_MALFORMED. */
MUST_USE enum rc rfc3339_parse(const char *text, uint64_t *ret_ms);

#endif
