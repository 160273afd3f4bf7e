/*
 * blobrefs: pieces of blobs that stand between the bytes of a buffer, without a copy of them.
 *
 * Who makes a stream out of small things and large values appends the small ones to a buffer and
 * notes the large ones here, with their place. Who sends it takes both in turn. Each piece holds
 * its blob until blobrefs_clear().
 */
#ifndef CORE_STORE_BLOBREFS_H
#define CORE_STORE_BLOBREFS_H

#include "core/store/blob.h"

#include <stdbool.h>

enum { BLOBREFS_MAX = 64 };

struct blobref {
    size_t at; /* bytes of the buffer that come before it */
    struct blob *blob;
    size_t offset;
    const uint8_t *data; /* of the blob at `offset`, contiguous */
    size_t len;
};

struct blobrefs {
    struct blobref refs[BLOBREFS_MAX];
    size_t count;
    size_t bytes; /* of all of them */
};

/* Whether there is room for one more. */
bool blobrefs_has_room(const struct blobrefs *refs);

/* Notes the run of `blob` at `offset`, `len` bytes of it at most, behind `at` bytes of the buffer.
 * Returns its length; 0 past the blob's end. There is room. */
size_t blobrefs_add(struct blobrefs *refs, size_t at, struct blob *blob, size_t offset, size_t len);

/* Lets go of all. */
void blobrefs_clear(struct blobrefs *refs);

#endif
