/*
 * batch: many small records in one frame, for joining and reconciliation.
 *
 * A record in a frame of its own costs 41 bytes beside key and value; here it costs about 10.
 * Writers' ids stand once, in a table before the records. Versions and lifetimes are differences to
 * the record before, as records that were written together are sent together.
 *
 *   origins 1 | origin 16 * | record *
 *
 *   record: kind 1 | number of its origin 1 | ms signed | counter varint | lifetime signed |
 *           [guard varint] | [ahead varint] | key length varint | key | value length varint | value
 *
 * ms is the version's milliseconds and lifetime what the expiry is after that, both less those of
 * the record before (0 before the first); guard is what it is after the expiry, ahead by how many
 * ms the stamp ran ahead of its origin's clock. Numbers as in core/base/cursor.h.
 *
 * Left out: large values, which go in pieces (gossip/replication/link).
 */
#ifndef GOSSIP_WIRE_BATCH_H
#define GOSSIP_WIRE_BATCH_H

#include "gossip/wire/frame.h"

enum {
    BATCH_ORIGINS_MAX = 255,
    /* A frame is sent when it holds this much. A receiver works it off in half a millisecond. */
    BATCH_BYTES = 32 << 10,
    BATCH_RECORD_OVERHEAD_MAX = 2 + 7 * VARINT_BYTES_MAX,
    BATCH_RECORD_MAX = BATCH_RECORD_OVERHEAD_MAX + KEY_BYTES_MAX + VALUE_INLINE_MAX,
    BATCH_TABLE_MAX = FRAME_HEADER_BYTES + 1 + BATCH_ORIGINS_MAX * UUID_BYTES,
};

_Static_assert(BATCH_TABLE_MAX - FRAME_HEADER_BYTES + BATCH_BYTES + BATCH_RECORD_MAX <=
                   FRAME_PAYLOAD_MAX,
               "a batch fits a frame");

/* The record before, to which differences are taken. */
struct batch_base {
    uint64_t ms, lifetime_ms;
};

struct batch {
    uint8_t origin_count, origin_last; /* the one looked at first */
    uint32_t count;
    struct batch_base base;
    size_t len; /* of the records */
    struct uuid origins[BATCH_ORIGINS_MAX];
    uint8_t bytes[BATCH_TABLE_MAX + BATCH_BYTES + BATCH_RECORD_MAX]; /* records after the table */
};

/* Drops what is in it; a new one is zeroed memory. */
void batch_clear(struct batch *b);

/* Adds a record with an inline value. RC_FULL: not to this one any more. */
MUST_USE enum rc batch_add(struct batch *b, const struct record *r);

/* The whole frame, header included, valid until the next change: its length, 0 when it is empty. */
size_t batch_frame(struct batch *b, const uint8_t **ret_frame);

struct batch_reader {
    struct cursor c;
    const uint8_t *origins;
    uint8_t origin_count;
    struct batch_base base;
};

/* Reads a payload, borrowed until the last record was read. RC_MALFORMED. */
MUST_USE enum rc batch_read(struct batch_reader *r, const struct cursor *payload);

/* The next record, held to record_check(). RC_NOT_FOUND at the end, RC_MALFORMED. */
MUST_USE enum rc batch_next(struct batch_reader *r, struct frame_record *ret_record);

#endif
