/*
 * uri: percent-decoding and query parameters (RFC 3986).
 *
 * Nothing is normalised: what stands between the delimiters is the client's bytes, so '/', '.',
 * '..' and '+' mean themselves, in a path and in a query. Form encoding (a '+' for a space) is left
 * out on purpose: keys may hold either, and one reading must hold everywhere.
 */
#ifndef NET_API_URI_H
#define NET_API_URI_H

#include "core/base/rc.h"
#include "net/http/http.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes `text` into at most `size` bytes at `ret_bytes` and their number into *ret_len.
 * RC_MALFORMED for a '%' without two hex digits, RC_TOO_LONG when it does not fit; what is at
 * ret_bytes is then unspecified. A decoded NUL is the caller's to judge.
 */
MUST_USE enum rc uri_decode(struct http_text text, uint8_t *ret_bytes, size_t size,
                            size_t *ret_len);

/*
 * How often the query has a parameter of that name (at most 32 bytes, compared after decoding). The
 * value of the first, still encoded and borrowed from the query, goes to *ret_value; it is empty
 * when the parameter has no '='.
 */
size_t uri_query(struct http_text query, const char *name, struct http_text *ret_value);

#endif
