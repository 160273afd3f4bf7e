#include "gossip/wire/frame.h"

#include "core/store/epoch.h"

void frame_header_write(struct cursor *c, enum frame_type type, uint8_t flags, size_t payload_len)
{
    cursor_put_u8(c, (uint8_t)type);
    cursor_put_u8(c, flags);
    cursor_put_u32(c, (uint32_t)payload_len);
}

/* `head` bytes, and any number of entries. */
static bool is_list(size_t len, size_t head, size_t entry)
{
    return len >= head && (len - head) % entry == 0;
}

/* What says yes or no says it as 1 or 0. */
static bool take_bool(struct cursor *c)
{
    const uint8_t value = cursor_u8(c);
    if (value > 1) {
        cursor_fail(c);
    }
    return value == 1;
}

/* last | (group | whole | epochs | (sum | count)*)* */
static void skip_epochs(struct cursor *c)
{
    (void)take_bool(c);
    while (cursor_left(c) > 0) {
        (void)cursor_u32(c);
        const bool is_whole = take_bool(c);
        const uint64_t epochs = cursor_u64(c);
        for (uint32_t i = 0; i < EPOCHS_PER_GROUP && !is_whole; i++) {
            if ((epochs >> i & 1) != 0) {
                (void)cursor_u32(c);
                (void)cursor_varint(c);
            }
        }
    }
}

/* slice bits | slice | first | (id | check | count)* */
static void skip_cells(struct cursor *c)
{
    (void)cursor_bytes(c, 1 + 4 + 4);
    while (cursor_left(c) > 0) {
        (void)cursor_bytes(c, 8 + 4);
        (void)cursor_signed(c);
    }
}

/* cells | share | two scopes: each the number of its rows, and (group | epochs)* */
static void skip_scopes(struct cursor *c)
{
    (void)cursor_bytes(c, 4 + 1);
    for (int i = 0; i < 2; i++) {
        const size_t rows = cursor_u16(c);
        (void)cursor_bytes(c, rows * (4 + 8));
    }
}

/* Those of reconciliation whose contents say where they end, all behind a session's number. */
static bool ends_as_told(uint8_t type, const uint8_t *payload, size_t len)
{
    struct cursor c = cursor_reader(payload, len);
    (void)cursor_u8(&c);
    if (type == FRAME_SYNC_EPOCHS) {
        skip_epochs(&c);
    } else if (type == FRAME_SYNC_CELLS) {
        skip_cells(&c);
    } else {
        skip_scopes(&c);
    }
    return cursor_ok(&c) && cursor_left(&c) == 0;
}

bool frame_fits(uint8_t type, const uint8_t *payload, size_t len)
{
    switch ((enum frame_type)type) {
    case FRAME_HELLO:
        return len >= 8 + 1 + 1; /* what every version has of it */
    case FRAME_CLOSE:
    case FRAME_LARGE_DATA:
        return len >= 1;
    case FRAME_STATE:
        return len == 1;
    case FRAME_JOIN:
        return len == 2;
    case FRAME_ROLE:
    case FRAME_SYNC_DONE:
        return len == 5;
    case FRAME_ACK:
    case FRAME_CLOCK:
        return len == 8;
    case FRAME_NACK:
        return len == 9;
    case FRAME_JOIN_DONE:
    case FRAME_SYNC_MORE:
        return len == 10;
    case FRAME_SYNC_ROOT:
    case FRAME_TREE_HELD:
        return len == 16;
    case FRAME_SYNC_GROUPS:
        return is_list(len, 17, 8);
    case FRAME_SYNC_LIST:
        return is_list(len, 2, 8) && payload[1] <= 1;
    case FRAME_SYNC_WANT:
        return is_list(len, 6, 8);
    case FRAME_TREE_HAVE:
    case FRAME_TREE_GRAFT:
        return is_list(len, 0, TREE_ENTRY_BYTES);
    case FRAME_SYNC_EPOCHS:
    case FRAME_SYNC_CELLS:
    case FRAME_SYNC_SCOPE:
        return ends_as_told(type, payload, len);
    case FRAME_TREE_PRUNE:
    case FRAME_PACKET:
    case FRAME_RECORD:
    case FRAME_RECORDS:
    case FRAME_LARGE_BEGIN:
        break;
    }
    return true;
}

void frame_hello_write(struct cursor *c, const struct frame_hello *hello)
{
    cursor_put_u64(c, hello->cluster);
    cursor_put_u8(c, hello->version_min);
    cursor_put_u8(c, hello->version_max);
    cursor_put_u64(c, hello->token);
    cursor_put_u8(c, hello->flags);
    cursor_put_u64(c, hello->clock_us);
    cursor_put_u64(c, hello->value_max);
    cursor_put_u64(c, hello->ttl_min_ms);
    cursor_put_u64(c, hello->ttl_max_ms);
    addr_write(c, &hello->seen_as);
    member_card_write(c, &hello->card);
}

bool frame_hello_is_ours(const struct frame_hello *hello)
{
    return hello->version_min <= PROTOCOL_VERSION_MAX && hello->version_max >= PROTOCOL_VERSION_MIN;
}

void frame_hello_read(struct cursor *c, struct frame_hello *ret_hello)
{
    ret_hello->cluster = cursor_u64(c);
    ret_hello->version_min = cursor_u8(c);
    ret_hello->version_max = cursor_u8(c);
    if (ret_hello->version_min > ret_hello->version_max) {
        cursor_fail(c);
    }
    if (!frame_hello_is_ours(ret_hello)) {
        return;
    }
    ret_hello->token = cursor_u64(c);
    ret_hello->flags = cursor_u8(c);
    ret_hello->clock_us = cursor_u64(c);
    ret_hello->value_max = cursor_u64(c);
    ret_hello->ttl_min_ms = cursor_u64(c);
    ret_hello->ttl_max_ms = cursor_u64(c);
    ret_hello->seen_as = addr_read(c);
    member_card_read(c, &ret_hello->card);
}

void frame_role_write(struct cursor *c, const struct frame_role *role)
{
    cursor_put_u8(c, role->flags);
    cursor_put_u32(c, role->rings);
}

void frame_role_read(struct cursor *c, struct frame_role *ret_role)
{
    ret_role->flags = cursor_u8(c);
    ret_role->rings = cursor_u32(c);
}

void frame_tree_write(struct cursor *c, const struct frame_tree *entry)
{
    cursor_put_u8(c, entry->kind);
    cursor_put_u8(c, entry->tree);
    cursor_put_u64(c, entry->id);
}

void frame_tree_read(struct cursor *c, struct frame_tree *ret_entry)
{
    ret_entry->kind = cursor_u8(c);
    ret_entry->tree = cursor_u8(c);
    ret_entry->id = cursor_u64(c);
    if (ret_entry->kind > TREE_GONE || ret_entry->tree >= TREE_COUNT) {
        cursor_fail(c);
    }
}

void frame_record_write(struct cursor *c, const struct record *r, uint8_t kind, bool is_large)
{
    kind |= r->guard_ms > 0 ? RECORD_HAS_GUARD : 0;
    kind |= r->is_shadow ? RECORD_IS_SHADOW : 0;
    /* A frame that only raises a guard does not say when the record was written. */
    kind |= r->ahead_ms > 0 && (kind & RECORD_IS_GUARD) == 0 ? RECORD_HAS_AHEAD : 0;
    cursor_put_u8(c, kind);
    cursor_put_u64(c, r->version.stamp);
    cursor_put_uuid(c, &r->version.origin);
    cursor_put_u64(c, r->expiry_ms);
    if (kind & RECORD_HAS_GUARD) {
        cursor_put_u64(c, r->guard_ms);
    }
    if (kind & RECORD_HAS_AHEAD) {
        cursor_put_u16(c, r->ahead_ms);
    }
    if (is_large) {
        cursor_put_u32(c, (uint32_t)r->value_len);
    }
    cursor_put_u16(c, (uint16_t)r->key_len);
    cursor_put_bytes(c, r->key, r->key_len);
}

void frame_record_read(struct cursor *c, bool is_large, struct frame_record *ret_record)
{
    struct record *r = &ret_record->record;
    *ret_record = (struct frame_record){.kind = cursor_u8(c)};
    r->version.stamp = cursor_u64(c);
    r->version.origin = cursor_uuid(c);
    r->expiry_ms = cursor_u64(c);
    r->guard_ms = ret_record->kind & RECORD_HAS_GUARD ? cursor_u64(c) : 0;
    r->ahead_ms = ret_record->kind & RECORD_HAS_AHEAD ? cursor_u16(c) : 0;
    r->value_len = is_large ? cursor_u32(c) : 0;
    r->key_len = cursor_u16(c);
    r->key = cursor_bytes(c, r->key_len);
    r->is_shadow = (ret_record->kind & RECORD_IS_SHADOW) != 0;
    if (!is_large) {
        r->value_len = cursor_left(c);
        r->value = cursor_bytes(c, r->value_len);
    }
    /* A large value comes later: what stands here is checked without it. */
    struct record head = *r;
    head.value_len = is_large ? 0 : r->value_len;
    const bool has_no_value = r->is_shadow || (ret_record->kind & RECORD_IS_GUARD) != 0;
    if (cursor_ok(c) && (ret_record->kind > RECORD_KINDS_ALL || record_check(&head) != RC_OK ||
                         r->value_len > RECORD_VALUE_MAX || (has_no_value && r->value_len > 0))) {
        cursor_fail(c);
    }
}
