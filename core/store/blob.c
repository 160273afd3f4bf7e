#include "core/store/blob.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/store/pagepool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* It ends where the next one begins, and the last one where the room does. */
struct piece {
    uint8_t *at;
    size_t begin; /* of the content */
};

struct blob {
    struct pagepool *pool; /* borrowed; NULL: pieces are from the allocator */
    size_t len;
    size_t room; /* what its pieces hold together; len at least */
    size_t bytes_max;
    size_t holders;
    size_t count, slots;
    struct piece *pieces;
};

enum { SEGMENT_SIZE_MIN = 4096, SLOTS_MIN = 2 };

_Static_assert((int)BLOB_SEGMENT_BYTES == (int)PAGEPOOL_PAGE_BYTES, "a full segment is a page");

struct blob *blob_new(struct pagepool *pool, size_t bytes_max)
{
    struct blob *blob = calloc(1, sizeof(*blob));
    if (blob != NULL) {
        blob->pool = pool;
        blob->bytes_max = bytes_max;
        blob->holders = 1;
    }
    return blob;
}

/* ---- Pieces ---- */

static size_t piece_size(const struct blob *blob, size_t index)
{
    const size_t end = index + 1 < blob->count ? blob->pieces[index + 1].begin : blob->room;
    return end - blob->pieces[index].begin;
}

/* A piece for the first of `wanted` bytes; it may be smaller, and *ret_size says how large. */
static uint8_t *piece_new(const struct blob *blob, size_t wanted, size_t *ret_size)
{
    const bool is_page = wanted >= BLOB_SEGMENT_BYTES;
    *ret_size = is_page ? BLOB_SEGMENT_BYTES : pagepool_part_size(wanted);
    if (blob->pool == NULL) {
        return malloc(*ret_size);
    }
    return is_page ? pagepool_take(blob->pool) : pagepool_take_part(blob->pool, wanted, ret_size);
}

/* The end of a piece of which `kept` bytes stay. */
static void piece_free(const struct blob *blob, size_t index, size_t kept)
{
    uint8_t *at = blob->pieces[index].at;
    const size_t size = piece_size(blob, index);
    mem_wipe(at + kept, size - kept);
    if (blob->pool == NULL) {
        if (kept == 0) {
            free(at);
        }
    } else if (size == BLOB_SEGMENT_BYTES && kept == 0) {
        pagepool_give(blob->pool, at);
    } else {
        pagepool_give_part(blob->pool, at + kept, size - kept);
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

static bool has_slot(struct blob *blob)
{
    if (blob->count < blob->slots) {
        return true;
    }
    const size_t slots = blob->slots == 0 ? SLOTS_MIN : 2 * blob->slots;
    struct piece *pieces = realloc(blob->pieces, slots * sizeof(*pieces));
    if (pieces == NULL) {
        return false;
    }
    blob->pieces = pieces;
    blob->slots = slots;
    return true;
}

/* Pieces are added as bytes come, so that what is only announced takes no memory: until the first
 * 64 KiB are full they double what there is, or are what is wanted; from then on they are segments.
 * None is larger than what may still come. */
static enum rc add_piece(struct blob *blob, size_t wanted)
{
    size_t size = BLOB_SEGMENT_BYTES;
    if (blob->room < BLOB_SEGMENT_BYTES) {
        const size_t most = BLOB_SEGMENT_BYTES - blob->room;
        size = segment_size(blob->room + (wanted < most ? wanted : most)) - blob->room;
    }
    const size_t left = blob->bytes_max - blob->len; /* some of which has its room */
    const size_t open = blob->room - blob->len;
    size = size < left - open ? size : left - open;
    uint8_t *at = has_slot(blob) ? piece_new(blob, size, &size) : NULL;
    if (at == NULL) {
        return RC_NO_MEMORY;
    }
    blob->pieces[blob->count++] = (struct piece){.at = at, .begin = blob->room};
    blob->room += size;
    return RC_OK;
}

/* The last piece that begins at or before `offset`, which some piece holds. */
static size_t piece_at(const struct blob *blob, size_t offset)
{
    size_t low = 0;
    size_t high = blob->count;
    while (high - low > 1) {
        const size_t mid = low + (high - low) / 2;
        if (blob->pieces[mid].begin <= offset) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

/* ---- Building ---- */

enum rc blob_append(struct blob *blob, const void *data, size_t len)
{
    ASSERT(blob->holders == 1);
    if (len > blob->bytes_max - blob->len) {
        return RC_FULL;
    }
    const uint8_t *from = data;
    while (len > 0) {
        if (blob->len == blob->room) {
            const enum rc rc = add_piece(blob, len);
            if (rc != RC_OK) {
                return rc;
            }
        }
        const size_t index = piece_at(blob, blob->len);
        const size_t within = blob->len - blob->pieces[index].begin;
        const size_t open = piece_size(blob, index) - within;
        const size_t chunk = len < open ? len : open;
        memcpy(blob->pieces[index].at + within, from, chunk);
        blob->len += chunk;
        from += chunk;
        len -= chunk;
    }
    return RC_OK;
}

size_t blob_rooms(struct blob *blob, size_t wanted, struct blob_room *ret_rooms)
{
    ASSERT(blob->holders == 1);
    const size_t left = blob->bytes_max - blob->len;
    const size_t most = blob->len + (wanted < left ? wanted : left);
    while (blob->room < most && add_piece(blob, most - blob->room) == RC_OK) {
    }
    const size_t last = blob->room < most ? blob->room : most;
    size_t count = 0;
    for (size_t at = blob->len; at < last && count < BLOB_ROOMS_MAX; count++) {
        const size_t index = piece_at(blob, at);
        const size_t within = at - blob->pieces[index].begin;
        const size_t size = piece_size(blob, index) - within;
        ret_rooms[count] = (struct blob_room){.at = blob->pieces[index].at + within,
                                              .len = size < last - at ? size : last - at};
        at += size;
    }
    return count;
}

enum rc blob_take(struct blob *blob, const void *data, size_t len)
{
    if (blob->len < blob->room && len <= blob->bytes_max - blob->len) {
        const size_t index = piece_at(blob, blob->len);
        const size_t within = blob->len - blob->pieces[index].begin;
        if (data == blob->pieces[index].at + within && len <= piece_size(blob, index) - within) {
            ASSERT(blob->holders == 1);
            blob->len += len;
            return RC_OK;
        }
    }
    return blob_append(blob, data, len);
}

/* The last piece keeps so many bytes. */
static void shorten_last(struct blob *blob, size_t kept)
{
    const size_t index = blob->count - 1;
    struct piece *last = &blob->pieces[index];
    if (blob->pool != NULL && piece_size(blob, index) == BLOB_SEGMENT_BYTES &&
        !pagepool_cut(blob->pool, last->at)) {
        return; /* it stays as large as it is */
    }
    piece_free(blob, index, kept);
    blob->room = last->begin + kept;
    if (blob->pool == NULL) {
        uint8_t *smaller = realloc(last->at, kept);
        last->at = smaller == NULL ? last->at : smaller;
    }
}

void blob_trim(struct blob *blob)
{
    ASSERT(blob->holders == 1);
    while (blob->count > 0 && blob->pieces[blob->count - 1].begin >= blob->len) {
        piece_free(blob, blob->count - 1, 0);
        blob->room = blob->pieces[--blob->count].begin;
    }
    if (blob->count > 0) {
        const size_t kept = pagepool_part_size(blob->len - blob->pieces[blob->count - 1].begin);
        if (kept < piece_size(blob, blob->count - 1)) {
            shorten_last(blob, kept);
        }
    }
    struct piece *fewer =
        blob->count == 0 ? NULL : realloc(blob->pieces, blob->count * sizeof(*fewer));
    if (fewer != NULL) {
        blob->pieces = fewer;
        blob->slots = blob->count;
    }
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
    for (size_t i = 0; i < blob->count; i++) {
        piece_free(blob, i, 0);
    }
    free(blob->pieces);
    free(blob);
}

/* ---- Reading ---- */

size_t blob_len(const struct blob *blob)
{
    return blob->len;
}

size_t blob_memory(const struct blob *blob)
{
    return sizeof(*blob) + blob->slots * sizeof(*blob->pieces) + blob->room;
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
    const size_t index = piece_at(blob, offset);
    const size_t within = offset - blob->pieces[index].begin;
    const size_t left = blob->len - offset;
    const size_t in_piece = piece_size(blob, index) - within;
    *ret_data = blob->pieces[index].at + within;
    return left < in_piece ? left : in_piece;
}
