/*
 * parse: the one strict reader of numbers from text, and of percent-encoding.
 *
 * Numbers have no sign, no leading or trailing space, no partial match; what does not fit is
 * refused, never wrapped or cut.
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

/* Digits (seconds), or runs of digits with d, h, m, s in that order, each at most once: `1h30m`.
 * Any number may stand before a unit. RC_MALFORMED, RC_RANGE above UINT32_MAX seconds. */
MUST_USE enum rc parse_duration_s(const char *text, size_t len, uint64_t *ret_seconds);

/* The same with "ms" behind them: milliseconds; bare digits are seconds. */
MUST_USE enum rc parse_duration_ms(const char *text, size_t len, uint64_t *ret_ms);

/* What the two take, in the words of every refusal. */
#define PARSE_DURATION_S_TAKES "seconds, or a duration such as 1h30m"
#define PARSE_DURATION_MS_TAKES "seconds, or a duration such as 1m30s or 500ms"

/* Digits, or digits followed by B, KiB, MiB, GiB (KB, MB, GB and K, M, G mean the same powers of
 * 1024): bytes. RC_MALFORMED, RC_RANGE above 2^53. */
MUST_USE enum rc parse_size(const char *text, size_t len, uint64_t *ret_bytes);

/* Decodes percent-encoded text into at most `size` bytes; `plus` is what a '+' stands for. Nothing
 * else is changed (RFC 3986 section 2.1). RC_MALFORMED for a '%' without two hexadecimal digits,
 * RC_TOO_LONG when it does not fit; what is at ret_bytes is then unspecified. */
MUST_USE enum rc parse_percent(const char *text, size_t len, uint8_t plus, uint8_t *ret_bytes,
                               size_t size, size_t *ret_len);

#endif
