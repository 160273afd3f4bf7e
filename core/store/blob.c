#include "core/store/blob.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/store/pagepool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct blob {
    struct pagepool *pool; /* borrowed; NULL: segments are from the allocator */
    size_t len;
    size_t bytes_max;
    size_t holders;
    size_t segment_count;
    size_t segment_slots;
    size_t memory;
    uint8_t **segments;
    size_t last_size; /* allocated bytes of the last segment; all before it are full */
};

enum { SEGMENT_SIZE_MIN = 4096 };

_Static_assert((int)BLOB_SEGMENT_BYTES == (int)PAGEPOOL_PAGE_BYTES, "a full segment is a page");

struct blob *blob_new(struct pagepool *pool, size_t bytes_max)
{
    struct blob *blob = calloc(1, sizeof(*blob));
    if (blob != NULL) {
        blob->pool = pool;
        blob->bytes_max = bytes_max;
        blob->holders = 1;
        blob->memory = sizeof(*blob);
    }
    return blob;
}

/* Only full segments are pages of the pool; a first one that is smaller is from the allocator. */
static bool is_page(const struct blob *blob, size_t size)
{
    return blob->pool != NULL && size == BLOB_SEGMENT_BYTES;
}

static uint8_t *segment_new(struct blob *blob, size_t size)
{
    return is_page(blob, size) ? pagepool_take(blob->pool) : malloc(size);
}

static void segment_free(struct blob *blob, uint8_t *segment, size_t size)
{
    mem_wipe(segment, size);
    if (is_page(blob, size)) {
        pagepool_give(blob->pool, segment);
    } else {
        free(segment);
    }
}

/* The size of a segment that is to hold so much: small ones cost little, and grow by doubling. */
static size_t segment_size(size_t wanted)
{
    size_t size = SEGMENT_SIZE_MIN;
    while (size < wanted && size < BLOB_SEGMENT_BYTES) {
        size *= 2;
    }
    return size;
}

static enum rc add_segment(struct blob *blob, size_t wanted)
{
    if (blob->segment_count == blob->segment_slots) {
        const size_t slots = blob->segment_slots == 0 ? 4 : 2 * blob->segment_slots;
        uint8_t **segments = realloc(blob->segments, slots * sizeof(*segments));
        if (segments == NULL) {
            return RC_NO_MEMORY;
        }
        blob->memory += (slots - blob->segment_slots) * sizeof(*segments);
        blob->segments = segments;
        blob->segment_slots = slots;
    }
    /* A first segment no larger than what is asked for keeps a 3 KiB value from costing 64. */
    const size_t size = blob->segment_count > 0 ? BLOB_SEGMENT_BYTES : segment_size(wanted);
    uint8_t *segment = segment_new(blob, size);
    if (segment == NULL) {
        return RC_NO_MEMORY;
    }
    blob->segments[blob->segment_count++] = segment;
    blob->last_size = size;
    blob->memory += size;
    return RC_OK;
}

/* Only a first segment can be smaller than 64 KiB. It is widened by as much as has come, so that
 * bytes that come one by one take no more than twice their room, up to full size before a second
 * one is added. */
static enum rc widen_first_segment(struct blob *blob, size_t wanted)
{
    const size_t size = segment_size(blob->len + wanted);
    uint8_t *wide = segment_new(blob, size);
    if (wide == NULL) {
        return RC_NO_MEMORY;
    }
    memcpy(wide, blob->segments[0], blob->len);
    segment_free(blob, blob->segments[0], blob->last_size);
    blob->memory += size - blob->last_size;
    blob->segments[0] = wide;
    blob->last_size = size;
    return RC_OK;
}

static enum rc make_room(struct blob *blob, size_t wanted)
{
    if (blob->segment_count == 1 && blob->last_size < BLOB_SEGMENT_BYTES) {
        return widen_first_segment(blob, wanted);
    }
    return add_segment(blob, wanted);
}

enum rc blob_append(struct blob *blob, const void *data, size_t len)
{
    ASSERT(blob->holders == 1);
    if (len > blob->bytes_max - blob->len) {
        return RC_FULL;
    }
    const uint8_t *from = data;
    while (len > 0) {
        size_t used = blob->len;
        if (blob->segment_count > 0) {
            used -= (blob->segment_count - 1) * (size_t)BLOB_SEGMENT_BYTES;
        }
        if (blob->segment_count == 0 || used == blob->last_size) {
            const enum rc rc = make_room(blob, len);
            if (rc != RC_OK) {
                return rc;
            }
            continue;
        }
        const size_t room = blob->last_size - used;
        const size_t chunk = len < room ? len : room;
        memcpy(blob->segments[blob->segment_count - 1] + used, from, chunk);
        blob->len += chunk;
        from += chunk;
        len -= chunk;
    }
    return RC_OK;
}

struct blob *blob_hold(struct blob *blob)
{
    blob->holders++;
    return blob;
}

void blob_release(struct blob *blob)
{
    if (blob == NULL) {
        return;
    }
    ASSERT(blob->holders > 0);
    if (--blob->holders > 0) {
        return;
    }
    for (size_t i = 0; i < blob->segment_count; i++) {
        const bool is_last = i + 1 == blob->segment_count;
        segment_free(blob, blob->segments[i], is_last ? blob->last_size : BLOB_SEGMENT_BYTES);
    }
    free(blob->segments);
    free(blob);
}

size_t blob_len(const struct blob *blob)
{
    return blob->len;
}

size_t blob_memory(const struct blob *blob)
{
    return blob->memory;
}

size_t blob_memory_of(size_t len)
{
    const size_t full = len / BLOB_SEGMENT_BYTES * BLOB_SEGMENT_BYTES;
    if (len == 0 || len == full) {
        return full;
    }
    return full + (full > 0 ? BLOB_SEGMENT_BYTES : segment_size(len));
}

size_t blob_run(const struct blob *blob, size_t offset, const uint8_t **ret_data)
{
    if (offset >= blob->len) {
        return 0;
    }
    const size_t index = offset / BLOB_SEGMENT_BYTES;
    const size_t within = offset % BLOB_SEGMENT_BYTES;
    const size_t left = blob->len - offset;
    const size_t in_segment = BLOB_SEGMENT_BYTES - within;
    *ret_data = blob->segments[index] + within;
    return left < in_segment ? left : in_segment;
}
