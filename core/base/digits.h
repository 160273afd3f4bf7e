/*
 * digits: numbers as text, without a format string. Each answer has half a dozen of them.
 */
#ifndef CORE_BASE_DIGITS_H
#define CORE_BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { DIGITS_U64_MAX = 20 };

/* Decimal, without leading zeroes or a terminator; returns how many there are. */
size_t digits_decimal(uint64_t value, char ret_text[static DIGITS_U64_MAX]);

/* The last `count` decimal digits, leading zeroes included, without a terminator. */
void digits_fixed(uint64_t value, size_t count, char *ret_text);

/* Two lower-case hexadecimal digits for each byte, without a terminator. */
void digits_hex(const uint8_t *bytes, size_t len, char *ret_text);

/* The 16 lower-case hexadecimal digits of a number. */
void digits_hex_u64(uint64_t value, char *ret_text);

#endif
