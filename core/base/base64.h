/*
 * base64: values in the standard alphabet with padding, cursors in the URL alphabet without (RFC
 * 4648).
 */
#ifndef CORE_BASE_BASE64_H
#define CORE_BASE_BASE64_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

/* Characters that `len` bytes become at most, padding included. */
#define BASE64_TEXT_MAX(len) (((len) + 2) / 3 * 4)

/* Writes the standard form, padded, not terminated; returns its length. `ret_text` has
 * BASE64_TEXT_MAX(len) bytes. */
size_t base64_encode(const uint8_t *data, size_t len, char *ret_text);

/* The same in the URL alphabet, without padding. */
size_t base64_url_encode(const uint8_t *data, size_t len, char *ret_text);

/* Reads the standard form with its padding, likewise. */
MUST_USE enum rc base64_decode(const char *text, size_t len, uint8_t *ret_data, size_t size,
                               size_t *ret_len);

/* Reads the URL form without padding. RC_MALFORMED for anything that base64_url_encode() would not
 * have written, RC_TOO_LONG beyond `size` bytes. */
MUST_USE enum rc base64_url_decode(const char *text, size_t len, uint8_t *ret_data, size_t size,
                                   size_t *ret_len);

#endif
