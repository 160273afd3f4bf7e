/*
 * blob: the bytes of a large value, in segments of 64 KiB, built once and then shared by count.
 *
 * Segments spare a 10 MiB value one allocation or copy of 10 MiB (6 ms measured). The count lets a
 * reply and a peer link go on sending a value that was replaced meanwhile. There is one thread, so
 * the count is plain. The bytes are wiped when the last holder lets go.
 */
#ifndef CORE_STORE_BLOB_H
#define CORE_STORE_BLOB_H

#include "core/base/rc.h"

#include <stddef.h>
#include <stdint.h>

enum { BLOB_SEGMENT_BYTES = 64 * 1024 };

struct blob;
struct pagepool;

/* An empty blob that takes up to `bytes_max`; the caller holds one count. Its segments come from a
 * pool that outlives it; NULL: from the allocator. NULL when there is no memory. */
struct blob *blob_new(struct pagepool *pool, size_t bytes_max);

/* Copies `len` bytes to the end. Only before it is shared. RC_FULL beyond bytes_max: nothing was
 * taken. RC_NO_MEMORY: part of it may have been, and the blob is only good for blob_release(). */
MUST_USE enum rc blob_append(struct blob *blob, const void *data, size_t len);

/* One more holder; returns `blob`. */
struct blob *blob_hold(struct blob *blob);

/* One holder less; NULL is ignored. */
void blob_release(struct blob *blob);

/* Bytes of content. */
size_t blob_len(const struct blob *blob);

/* Bytes of memory that it takes, bookkeeping included. */
size_t blob_memory(const struct blob *blob);

/* The most memory that so many bytes take, bookkeeping left out: some KiB or, past 32 KiB, whole
 * segments. */
size_t blob_memory_of(size_t len);

/* The longest contiguous run at `offset`: its address in *ret_data, its length returned; 0 at or
 * past the end. */
size_t blob_run(const struct blob *blob, size_t offset, const uint8_t **ret_data);

#endif
