/*
 * json_out: writes JSON (RFC 8259) into a buffer, member by member.
 *
 * The front door's answers are large (a listing) or hold 64-bit numbers (counters), and a tree of
 * doubles serves neither. The error is sticky: after the first write that does not fit nothing more
 * is written, and json_out_ok() says so once, at the end. It puts the commas; the caller balances
 * begin and end calls.
 *
 * `name` is the member's name in an object, NULL in an array. Names are the caller's literals and
 * not escaped; texts are.
 */
#ifndef NET_HTTP_JSON_OUT_H
#define NET_HTTP_JSON_OUT_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_out {
    struct buf *buf; /* borrowed */
    bool is_failed;
    bool needs_comma;
};

void json_out_init(struct json_out *o, struct buf *buf);
bool json_out_ok(const struct json_out *o);

/* `bracket` is '{' or '[', respectively '}' or ']'. */
void json_out_begin(struct json_out *o, const char *name, char bracket);
void json_out_end(struct json_out *o, char bracket);

/* Bytes that are not UTF-8 become U+FFFD. */
void json_out_text(struct json_out *o, const char *name, const char *text);
void json_out_bool(struct json_out *o, const char *name, bool value);
void json_out_u64(struct json_out *o, const char *name, uint64_t value);
void json_out_i64(struct json_out *o, const char *name, int64_t value);

/* A string of 16 hex digits, for what is no number to calculate with. */
void json_out_hex64(struct json_out *o, const char *name, uint64_t value);

/* Microseconds as a number of milliseconds with three decimals. */
void json_out_ms(struct json_out *o, const char *name, uint64_t us);

/* Milliseconds since the epoch as an RFC 3339 string. */
void json_out_time(struct json_out *o, const char *name, uint64_t ms);

/* The length of the well-formed UTF-8 sequence at `data`, of which there is a byte at least; 0 when
 * there is none (RFC 3629, section 4). */
size_t json_out_utf8_size(const uint8_t *data, size_t len);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: shortest forms, no surrogates, up to
 * U+10FFFF). */
bool json_out_is_utf8(const uint8_t *data, size_t len);

/* The most bytes that json_out_quote() makes of `len`: six for each, and the quotes. */
#define JSON_OUT_QUOTED_MAX(len) (6 * (len) + 2)

/* Writes the bytes as a JSON string with its quotes to ret_text, which has
 * JSON_OUT_QUOTED_MAX(len) bytes; returns its length. */
size_t json_out_quote(const uint8_t *data, size_t len, char *ret_text);

#endif
