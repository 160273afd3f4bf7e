#include "gossip/wire/batch.h"

#include "core/base/assert.h"

#include <string.h>

void batch_clear(struct batch *b)
{
    b->origin_count = 0;
    b->origin_last = 0;
    b->count = 0;
    b->base = (struct batch_base){.ms = 0};
    b->len = 0;
}

/* The origin's number; false when the table is full. */
static bool find_origin(struct batch *b, const struct uuid *origin, uint8_t *ret_number)
{
    if (b->origin_last < b->origin_count && uuid_equal(&b->origins[b->origin_last], origin)) {
        *ret_number = b->origin_last;
        return true;
    }
    for (uint8_t i = 0; i < b->origin_count; i++) {
        if (uuid_equal(&b->origins[i], origin)) {
            b->origin_last = i;
            *ret_number = i;
            return true;
        }
    }
    if (b->origin_count == BATCH_ORIGINS_MAX) {
        return false;
    }
    b->origins[b->origin_count] = *origin;
    b->origin_last = b->origin_count;
    *ret_number = b->origin_count++;
    return true;
}

enum rc batch_add(struct batch *b, const struct record *r)
{
    ASSERT(r->blob == NULL && r->value_len <= VALUE_INLINE_MAX);
    uint8_t origin = 0;
    if (b->len >= BATCH_BYTES || !find_origin(b, &r->version.origin, &origin)) {
        return RC_FULL;
    }
    const uint64_t ms = version_ms(&r->version);
    const uint64_t lifetime_ms = r->expiry_ms - ms;
    const bool has_guard = r->guard_ms > r->expiry_ms;
    struct cursor c = cursor_writer(b->bytes + BATCH_TABLE_MAX + b->len, BATCH_RECORD_MAX);
    cursor_put_u8(&c, (uint8_t)((has_guard ? RECORD_HAS_GUARD : 0) |
                                (r->ahead_ms > 0 ? RECORD_HAS_AHEAD : 0) |
                                (r->is_shadow ? RECORD_IS_SHADOW : 0)));
    cursor_put_u8(&c, origin);
    cursor_put_signed(&c, (int64_t)(ms - b->base.ms));
    cursor_put_varint(&c, r->version.stamp & ((1U << VERSION_COUNTER_BITS) - 1));
    cursor_put_signed(&c, (int64_t)(lifetime_ms - b->base.lifetime_ms));
    if (has_guard) {
        cursor_put_varint(&c, r->guard_ms - r->expiry_ms);
    }
    if (r->ahead_ms > 0) {
        cursor_put_varint(&c, r->ahead_ms);
    }
    cursor_put_varint(&c, r->key_len);
    cursor_put_bytes(&c, r->key, r->key_len);
    cursor_put_varint(&c, r->value_len);
    cursor_put_bytes(&c, r->value, r->value_len);
    ASSERT(cursor_ok(&c));
    b->base = (struct batch_base){.ms = ms, .lifetime_ms = lifetime_ms};
    b->len += c.pos;
    b->count++;
    return RC_OK;
}

size_t batch_frame(struct batch *b, const uint8_t **ret_frame)
{
    if (b->count == 0) {
        return 0;
    }
    const size_t table = 1 + (size_t)b->origin_count * UUID_BYTES;
    const size_t head = FRAME_HEADER_BYTES + table;
    uint8_t *frame = b->bytes + BATCH_TABLE_MAX - head;
    struct cursor c = cursor_writer(frame, head);
    frame_header_write(&c, FRAME_RECORDS, FRAME_CRITICAL, table + b->len);
    cursor_put_u8(&c, b->origin_count);
    for (uint8_t i = 0; i < b->origin_count; i++) {
        cursor_put_uuid(&c, &b->origins[i]);
    }
    ASSERT(cursor_ok(&c) && c.pos == head);
    *ret_frame = frame;
    return head + b->len;
}

enum rc batch_read(struct batch_reader *r, const struct cursor *payload)
{
    *r = (struct batch_reader){.c = *payload};
    r->origin_count = cursor_u8(&r->c);
    r->origins = cursor_bytes(&r->c, (size_t)r->origin_count * UUID_BYTES);
    return cursor_ok(&r->c) ? RC_OK : RC_MALFORMED;
}

/* Everything but origin, key and value. */
static void read_times(struct batch_reader *b, uint8_t kind, struct record *r)
{
    b->base.ms += (uint64_t)cursor_signed(&b->c);
    const uint64_t counter = cursor_varint(&b->c);
    b->base.lifetime_ms += (uint64_t)cursor_signed(&b->c);
    const uint64_t guard = (kind & RECORD_HAS_GUARD) != 0 ? cursor_varint(&b->c) : 0;
    const uint64_t ahead = (kind & RECORD_HAS_AHEAD) != 0 ? cursor_varint(&b->c) : 0;
    if (counter >> VERSION_COUNTER_BITS != 0 || b->base.ms >> (64 - VERSION_COUNTER_BITS) != 0 ||
        b->base.lifetime_ms > RECORD_LIFETIME_MAX_MS || guard > RECORD_LIFETIME_MAX_MS ||
        ahead > RECORD_AHEAD_MAX_MS) {
        cursor_fail(&b->c);
        return;
    }
    r->version.stamp = b->base.ms << VERSION_COUNTER_BITS | counter;
    r->expiry_ms = b->base.ms + b->base.lifetime_ms;
    r->guard_ms = guard > 0 ? r->expiry_ms + guard : 0;
    r->ahead_ms = (uint16_t)ahead;
}

enum rc batch_next(struct batch_reader *b, struct frame_record *ret_record)
{
    if (cursor_left(&b->c) == 0) {
        return RC_NOT_FOUND;
    }
    struct record r = {.key = NULL};
    const uint8_t kind = cursor_u8(&b->c);
    const uint8_t origin = cursor_u8(&b->c);
    if ((kind & ~(RECORD_HAS_GUARD | RECORD_HAS_AHEAD | RECORD_IS_SHADOW)) != 0 ||
        origin >= b->origin_count) {
        return RC_MALFORMED;
    }
    memcpy(r.version.origin.bytes, b->origins + (size_t)origin * UUID_BYTES, UUID_BYTES);
    read_times(b, kind, &r);
    r.is_shadow = (kind & RECORD_IS_SHADOW) != 0;
    r.key_len = (size_t)cursor_varint(&b->c);
    r.key = cursor_bytes(&b->c, r.key_len);
    r.value_len = (size_t)cursor_varint(&b->c);
    r.value = cursor_bytes(&b->c, r.value_len);
    if (!cursor_ok(&b->c) || r.value_len > VALUE_INLINE_MAX || record_check(&r) != RC_OK) {
        return RC_MALFORMED;
    }
    *ret_record = (struct frame_record){.record = r, .kind = kind};
    return RC_OK;
}
