/*
 * rfc3339: instants as text, in UTC and with milliseconds: 2026-11-20T08:30:00.123Z.
 */
#ifndef NET_SYS_RFC3339_H
#define NET_SYS_RFC3339_H

#include <stdint.h>

enum { RFC3339_TEXT_SIZE = 40 };

/* `ms` since the Unix epoch, below 2^48; returns `ret_text`. */
const char *rfc3339_format(uint64_t ms, char ret_text[static RFC3339_TEXT_SIZE]);

#endif
