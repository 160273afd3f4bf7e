/*
 * uri: percent-decoding and query parameters (RFC 3986; URL Standard, section 5.1).
 *
 * Nothing is normalised: what stands between the delimiters is the client's bytes, so '/', '.' and
 * '..' mean themselves. A '+' means itself in a path, and a space in a query, because whoever
 * builds queries by form encoding (URLSearchParams, urlencode, --data-urlencode) writes spaces so.
 */
#ifndef NET_API_URI_H
#define NET_API_URI_H

#include "core/base/rc.h"
#include "net/http/http.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes `text`, a piece of a path, into at most `size` bytes at `ret_bytes` and their number into
 * *ret_len. RC_MALFORMED for a '%' without two hex digits, RC_TOO_LONG when it does not fit; what
 * is at ret_bytes is then unspecified. A decoded NUL is the caller's to judge.
 */
MUST_USE enum rc uri_decode(struct http_text text, uint8_t *ret_bytes, size_t size,
                            size_t *ret_len);

/* The same for a name or a value of a query, where '+' is a space and "%2B" a plus. */
MUST_USE enum rc uri_decode_query(struct http_text text, uint8_t *ret_bytes, size_t size,
                                  size_t *ret_len);

/*
 * How often the query has a parameter of that name (at most 32 bytes, compared after decoding). The
 * value of the first, still encoded (uri_decode_query()) and borrowed from the query, goes to
 * *ret_value; it is empty when the parameter has no '='.
 */
size_t uri_query(struct http_text query, const char *name, struct http_text *ret_value);

#endif
