/*
 * blob: the bytes of a large value, in pieces, built once and then shared by count.
 *
 * A piece is 64 KiB, or less at either end: the first ones grow with what has come, and the last
 * ones are as small as they need to be, so that a value takes less than 512 bytes more than it has.
 * Pieces spare a 10 MiB value one allocation or copy of 10 MiB (6 ms measured). They are what a
 * value is received into, kept in and sent from: blob_rooms() says where its next bytes go, so that
 * the kernel can put them there.
 *
 * The count lets a reply and a peer link go on sending a value that was replaced meanwhile. There
 * is one thread, so the count is plain. The bytes are wiped when the last holder lets go.
 */
#ifndef CORE_STORE_BLOB_H
#define CORE_STORE_BLOB_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

enum {
    BLOB_SEGMENT_BYTES = 64 * 1024, /* of the largest pieces */
    /* So many pieces at most are offered at once as room for what comes. */
    BLOB_ROOMS_MAX = 8,
};

/* A part of a blob that has no content yet. */
struct blob_room {
    uint8_t *at;
    size_t len;
};

struct blob;
struct pagepool;

/* An empty blob that takes up to `bytes_max`; the caller holds one count. Its pieces come from a
 * pool that outlives it; NULL: from the allocator. NULL when there is no memory. */
struct blob *blob_new(struct pagepool *pool, size_t bytes_max);

/* Copies `len` bytes to the end. Only before it is shared. RC_FULL beyond bytes_max: nothing was
 * taken. RC_NO_MEMORY: part of it may have been, and the blob is only good for blob_release(). */
MUST_USE enum rc blob_append(struct blob *blob, const void *data, size_t len);

/* Where the next bytes would lie, `wanted` at most, and no more than it takes. Sets up to
 * BLOB_ROOMS_MAX of ret_rooms and returns how many; 0 when it is full, or there is no memory. Good
 * until the next call that is not const. Only before it is shared. */
size_t blob_rooms(struct blob *blob, size_t wanted, struct blob_room *ret_rooms);

/* Takes `len` bytes that stand at `data`: as they lie where that is the next room, else as
 * blob_append(), whose errors these are. */
MUST_USE enum rc blob_take(struct blob *blob, const void *data, size_t len);

/* Nothing more comes: gives back the room that it has left. */
void blob_trim(struct blob *blob);

/* One more holder; returns `blob`. */
struct blob *blob_hold(struct blob *blob);

/* One holder less; NULL is ignored. */
void blob_release(struct blob *blob);

/* Bytes of content. */
size_t blob_len(const struct blob *blob);

/* Bytes of memory that it takes, bookkeeping included. */
size_t blob_memory(const struct blob *blob);

/* The most memory that so many bytes take while others may follow, bookkeeping and what
 * blob_rooms() offers left out: some KiB or, past 32 KiB, whole segments. */
size_t blob_memory_of(size_t len);

/* The longest contiguous run at `offset`: its address in *ret_data, its length returned; 0 at or
 * past the end. */
size_t blob_run(const struct blob *blob, size_t offset, const uint8_t **ret_data);

#endif
