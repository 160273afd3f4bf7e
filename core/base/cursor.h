/*
 * cursor: the only way bytes of the wire are read or written. Fixed width, big-endian.
 *
 * The error is sticky: after the first read or write that does not fit, everything else reads
 * zeroes or writes nothing. `cursor_ok()` says so once, at the end. So a parser is a straight line
 * of reads and one check. The cursor borrows the bytes; it owns nothing.
 */
#ifndef CORE_BASE_CURSOR_H
#define CORE_BASE_CURSOR_H

#include "core/base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *in; /* NULL when writing */
    uint8_t *out;      /* NULL when reading */
    size_t size;
    size_t pos;
    bool is_failed;
};

/* Reads from `len` bytes at `data`, borrowed as long as the cursor is used. */
struct cursor cursor_reader(const void *data, size_t len);

/* Writes into `size` bytes at `data`, borrowed as long as the cursor is used. */
struct cursor cursor_writer(void *data, size_t size);

bool cursor_ok(const struct cursor *c);
size_t cursor_left(const struct cursor *c);

/* Marks the cursor failed: for a value that was read but is not allowed. */
void cursor_fail(struct cursor *c);

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u48(struct cursor *c); /* 6 bytes */
uint64_t cursor_u64(struct cursor *c);
struct uuid cursor_uuid(struct cursor *c);

/* `len` bytes as a pointer into the borrowed data, or NULL (and failed) when fewer are left. */
const uint8_t *cursor_bytes(struct cursor *c, size_t len);

void cursor_put_u8(struct cursor *c, uint8_t value);
void cursor_put_u16(struct cursor *c, uint16_t value);
void cursor_put_u32(struct cursor *c, uint32_t value);
void cursor_put_u48(struct cursor *c, uint64_t value); /* of a larger one the low 48 bits */
void cursor_put_u64(struct cursor *c, uint64_t value);
void cursor_put_uuid(struct cursor *c, const struct uuid *uuid);
void cursor_put_bytes(struct cursor *c, const void *data, size_t len);

/*
 * A number in as few bytes as it needs, 7 bits in each, the low ones first, the high bit set in all
 * but the last (LEB128). Reading fails on what does not fit 64 bits and on a longer form than
 * needed. Signed ones are folded first, so that small negative numbers are short too.
 */
uint64_t cursor_varint(struct cursor *c);
int64_t cursor_signed(struct cursor *c);
void cursor_put_varint(struct cursor *c, uint64_t value);
void cursor_put_signed(struct cursor *c, int64_t value);

enum { VARINT_BYTES_MAX = 10 };

/* A string with a one-byte length: written from NUL-terminated text of at most 255 bytes. */
void cursor_put_text(struct cursor *c, const char *text);

/* The same read into `ret_text` of `size` bytes and terminated; fails when longer than size - 1 or
 * holding a NUL. */
void cursor_text(struct cursor *c, char *ret_text, size_t size);

#endif
