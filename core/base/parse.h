/*
 * parse: the one strict reader of numbers from text. No sign, no leading or trailing space, no
 * partial match; what does not fit is refused, never wrapped or cut.
 */
#ifndef CORE_BASE_PARSE_H
#define CORE_BASE_PARSE_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

/* Decimal digits only. RC_MALFORMED when empty or anything else; RC_RANGE above `max`. */
MUST_USE enum rc parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret_value);

/* Exactly `len` (at most 16) hexadecimal digits of either case. RC_MALFORMED. */
MUST_USE enum rc parse_hex_u64(const char *text, size_t len, uint64_t *ret_value);

/* Digits, or digits followed by one of s, m, h, d: seconds. RC_MALFORMED, RC_RANGE above UINT32_MAX
 * seconds. */
MUST_USE enum rc parse_duration_s(const char *text, size_t len, uint64_t *ret_seconds);

/* The same with "ms" allowed too: milliseconds; bare digits are seconds. */
MUST_USE enum rc parse_duration_ms(const char *text, size_t len, uint64_t *ret_ms);

/* Digits, or digits followed by B, KiB, MiB, GiB (KB, MB, GB and K, M, G mean the same powers of
 * 1024): bytes. RC_MALFORMED, RC_RANGE above 2^53. */
MUST_USE enum rc parse_size(const char *text, size_t len, uint64_t *ret_bytes);

#endif
