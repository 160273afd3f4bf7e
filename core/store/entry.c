#include "core/store/entry.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <string.h>

/* Of the bit fields. */
enum { KEY_LEN_MASK = (1 << 11) - 1, VALUE_LEN_MASK = (1 << 12) - 1 };

_Static_assert(offsetof(struct entry, tail) == 40, "the layout is what its picture says");
_Static_assert((int)KEY_BYTES_MAX <= (int)KEY_LEN_MASK, "key lengths fit their bits");
_Static_assert((int)VALUE_INLINE_MAX <= (int)VALUE_LEN_MASK, "value lengths fit their bits");
_Static_assert(offsetof(struct entry, tail) + KEY_BYTES_MAX + VALUE_INLINE_MAX + sizeof(uint16_t) <=
                   SLAB_SLOT_MAX,
               "the largest entry has a slot");

void entry_init(struct entries *entries, struct pagepool *pool, uint64_t table_seed)
{
    slab_init(&entries->slab, pool);
    origin_init(&entries->origins, table_seed);
}

void entry_fini(struct entries *entries)
{
    ASSERT(entries->slab.used_count == 0);
    slab_fini(&entries->slab);
    origin_fini(&entries->origins);
}

struct entry *entry_at(const struct entries *entries, uint32_t handle)
{
    return slab_at(&entries->slab, handle);
}

struct entry *entry_find(const struct entries *entries, uint32_t handle)
{
    struct entry *e = slab_find(&entries->slab, handle);
    return e != NULL && e->key_len != 0 ? e : NULL;
}

static size_t tail_size(const struct record *r)
{
    const bool is_inline = r->value_len <= VALUE_INLINE_MAX;
    return r->key_len + (is_inline ? r->value_len : sizeof(struct blob *)) +
           (r->ahead_ms != 0 ? sizeof(r->ahead_ms) : 0);
}

size_t entry_slot_size(const struct record *r)
{
    return slab_slot_size(offsetof(struct entry, tail) + tail_size(r));
}

static void copy_value(uint8_t *to, const struct record *r)
{
    if (r->blob == NULL) {
        if (r->value_len > 0) {
            memcpy(to, r->value, r->value_len);
        }
        return;
    }
    const uint8_t *run = NULL;
    size_t done = 0;
    while (done < r->value_len) {
        const size_t len = blob_run(r->blob, done, &run);
        ASSERT(len > 0 && len <= r->value_len - done);
        memcpy(to + done, run, len);
        done += len;
    }
}

static uint32_t after_version(const struct record *r, uint64_t at_ms)
{
    const uint64_t from = version_ms(&r->version);
    ASSERT(at_ms >= from && at_ms - from <= RECORD_LIFETIME_MAX_MS);
    return (uint32_t)(at_ms - from);
}

/* The part behind the key: the value, or the pointer to its blob. */
static size_t value_size(const struct entry *e)
{
    return e->has_blob ? sizeof(struct blob *) : e->value_len;
}

/* Everything but the link, the list and the origin. */
static void fill(struct entry *e, const struct record *r)
{
    ASSERT(r->key_len > 0 && r->key_len <= KEY_BYTES_MAX);
    const bool is_inline = r->value_len <= VALUE_INLINE_MAX;
    e->stamp = r->version.stamp;
    e->expiry_after_ms = after_version(r, r->expiry_ms);
    e->guard_after_ms = r->guard_ms > r->expiry_ms ? after_version(r, r->guard_ms) : 0;
    e->key_len = (uint32_t)r->key_len & KEY_LEN_MASK;
    e->value_len = is_inline ? (uint32_t)r->value_len & VALUE_LEN_MASK : 0;
    e->is_shadow = r->is_shadow;
    e->has_blob = !is_inline;
    e->has_ahead = r->ahead_ms != 0;
    memcpy(e->tail, r->key, r->key_len);
    if (is_inline) {
        copy_value(e->tail + r->key_len, r);
    } else {
        ASSERT(r->blob != NULL && blob_len(r->blob) == r->value_len);
        struct blob *blob = blob_hold(r->blob);
        memcpy(e->tail + r->key_len, &blob, sizeof(struct blob *));
    }
    if (e->has_ahead) {
        memcpy(e->tail + e->key_len + value_size(e), &r->ahead_ms, sizeof(r->ahead_ms));
    }
}

uint32_t entry_new(struct entries *entries, const struct record *r, uint32_t origin)
{
    const uint32_t handle = slab_alloc(&entries->slab, offsetof(struct entry, tail) + tail_size(r));
    if (handle != 0) {
        struct entry *e = entry_at(entries, handle);
        fill(e, r);
        e->origin = origin;
    }
    return handle;
}

size_t entry_size(const struct entry *e)
{
    return slab_slot_size(offsetof(struct entry, tail) + e->key_len + value_size(e) +
                          (e->has_ahead ? sizeof(uint16_t) : 0));
}

/* NULL when the value stands inline. */
static struct blob *held_blob(const struct entry *e)
{
    struct blob *blob = NULL;
    if (e->has_blob) {
        memcpy(&blob, e->tail + e->key_len, sizeof(struct blob *));
    }
    return blob;
}

size_t entry_memory(const struct entry *e)
{
    return entry_size(e) + (e->has_blob ? blob_memory(held_blob(e)) : 0);
}

void entry_rewrite(struct entries *entries, uint32_t handle, const struct record *r,
                   uint32_t origin)
{
    struct entry *e = entry_at(entries, handle);
    struct blob *old_blob = held_blob(e);
    const size_t size = entry_size(e);
    ASSERT(entry_slot_size(r) == size);
    origin_release(&entries->origins, e->origin);
    mem_wipe(e->tail, size - offsetof(struct entry, tail));
    fill(e, r);
    e->origin = origin;
    blob_release(old_blob);
}

void entry_shade(struct entries *entries, uint32_t handle)
{
    struct entry *e = entry_at(entries, handle);
    struct blob *blob = held_blob(e);
    ASSERT(!e->is_shadow && e->guard_after_ms > 0);
    mem_wipe(e->tail + e->key_len, value_size(e) + (e->has_ahead ? sizeof(uint16_t) : 0));
    e->expiry_after_ms = e->guard_after_ms;
    e->guard_after_ms = 0;
    e->value_len = 0;
    e->has_blob = 0;
    e->has_ahead = 0;
    e->is_shadow = 1;
    blob_release(blob);
}

void entry_free(struct entries *entries, uint32_t handle)
{
    const struct entry *e = entry_at(entries, handle);
    struct blob *blob = held_blob(e);
    const uint32_t origin = e->origin;
    slab_free(&entries->slab, handle);
    blob_release(blob);
    origin_release(&entries->origins, origin);
}

struct record entry_record(const struct entries *entries, const struct entry *e)
{
    struct blob *blob = held_blob(e);
    struct record r = {
        .key = e->tail,
        .key_len = e->key_len,
        .blob = blob,
        .value_len = blob != NULL ? blob_len(blob) : e->value_len,
        .version = entry_version(entries, e),
        .expiry_ms = entry_expiry_ms(e),
        .guard_ms = entry_guard_ms(e),
        .is_shadow = e->is_shadow,
    };
    if (blob == NULL && r.value_len > 0) {
        r.value = e->tail + e->key_len;
    }
    if (e->has_ahead) {
        memcpy(&r.ahead_ms, e->tail + e->key_len + value_size(e), sizeof(r.ahead_ms));
    }
    return r;
}

struct version entry_version(const struct entries *entries, const struct entry *e)
{
    return (struct version){e->stamp, *origin_at(&entries->origins, e->origin)};
}

static uint64_t instant(const struct entry *e)
{
    return e->stamp >> VERSION_COUNTER_BITS;
}

uint64_t entry_expiry_ms(const struct entry *e)
{
    return instant(e) + e->expiry_after_ms;
}

uint64_t entry_guard_ms(const struct entry *e)
{
    return e->guard_after_ms == 0 ? 0 : instant(e) + e->guard_after_ms;
}

void entry_set_expiry(struct entry *e, uint64_t expiry_ms)
{
    ASSERT(e->is_shadow && expiry_ms - instant(e) <= RECORD_LIFETIME_MAX_MS);
    e->expiry_after_ms = (uint32_t)(expiry_ms - instant(e));
}

void entry_set_guard(struct entry *e, uint64_t guard_ms)
{
    ASSERT(!e->is_shadow);
    e->guard_after_ms = 0;
    if (guard_ms > entry_expiry_ms(e)) {
        ASSERT(guard_ms - instant(e) <= RECORD_LIFETIME_MAX_MS);
        e->guard_after_ms = (uint32_t)(guard_ms - instant(e));
    }
}

uint64_t entry_second(const struct entry *e)
{
    return instant(e) / 1000;
}

int entry_compare(const struct entry *e, const uint8_t *key, size_t key_len)
{
    const size_t common = e->key_len < key_len ? e->key_len : key_len;
    const int order = common == 0 ? 0 : memcmp(e->tail, key, common);
    if (order != 0) {
        return order;
    }
    return (e->key_len > key_len) - (e->key_len < key_len);
}
