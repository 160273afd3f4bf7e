#include "core/store/entry.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Of the bit fields. */
enum { KEY_LEN_MASK = (1 << 11) - 1, VALUE_LEN_MASK = (1 << 12) - 1 };

_Static_assert(offsetof(struct entry, tail) == 20, "the layout is what its picture says");
_Static_assert((int)KEY_BYTES_MAX <= (int)KEY_LEN_MASK, "key lengths fit their bits");
_Static_assert((int)VALUE_INLINE_MAX <= (int)VALUE_LEN_MASK, "value lengths fit their bits");

/* What is optional. */
enum { AHEAD_BYTES = 2, GUARD_BYTES = 4, ORIGIN_HANDLE_BYTES = 4, OPTIONAL_MAX = 10 };

_Static_assert(offsetof(struct entry, tail) + KEY_BYTES_MAX + VALUE_INLINE_MAX + OPTIONAL_MAX <=
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

/* What has no room in an entry whose guard came late. */
struct annex {
    uint64_t stamp;
    uint32_t guard_after_ms;
    uint32_t origin;
};

_Static_assert(sizeof(struct annex *) <= sizeof(uint64_t), "an annex is named in a stamp's place");

/* 1 to ENTRY_ORIGINS_SHORT for what stands first in the origins' first page. */
static uint32_t short_origin(uint32_t origin)
{
    const uint32_t at = origin - (UINT32_C(1) << SLAB_SLOT_BITS);
    return at < ENTRY_ORIGINS_SHORT ? at + 1 : ENTRY_ORIGIN_WIDE;
}

/* The key and the value, or the pointer to its blob, and what the stamp ran ahead. */
static size_t content_size(const struct record *r)
{
    const bool is_inline = r->value_len <= VALUE_INLINE_MAX;
    return r->key_len + (is_inline ? r->value_len : sizeof(struct blob *)) +
           (r->ahead_ms != 0 ? AHEAD_BYTES : 0);
}

static bool needs_guard(const struct record *r)
{
    return r->guard_ms > r->expiry_ms;
}

static size_t whole_size(const struct record *r, uint32_t origin)
{
    return offsetof(struct entry, tail) + content_size(r) + (needs_guard(r) ? GUARD_BYTES : 0) +
           (short_origin(origin) == ENTRY_ORIGIN_WIDE ? ORIGIN_HANDLE_BYTES : 0);
}

size_t entry_slot_size(const struct record *r, uint32_t origin)
{
    return slab_slot_size(whole_size(r, origin));
}

static size_t cost(size_t content, bool is_shadow)
{
    return slab_slot_size(offsetof(struct entry, tail) + content + ORIGIN_HANDLE_BYTES +
                          (is_shadow ? 0 : GUARD_BYTES));
}

size_t entry_cost_of(const struct record *r)
{
    return cost(content_size(r), r->is_shadow) +
           (r->value_len > VALUE_INLINE_MAX ? blob_memory(r->blob) : 0);
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

static bool has_annex(const struct entry *e)
{
    return e->origin == 0;
}

static struct annex *annex_of(const struct entry *e)
{
    struct annex *annex = NULL;
    memcpy(&annex, &e->stamp, sizeof(void *));
    return annex;
}

static uint64_t stamp_of(const struct entry *e)
{
    return has_annex(e) ? annex_of(e)->stamp : e->stamp;
}

/* Where the optional parts are. They stand in this order. */
static size_t ahead_at(const struct entry *e)
{
    return e->key_len + value_size(e);
}

static size_t guard_at(const struct entry *e)
{
    return ahead_at(e) + (e->has_ahead ? AHEAD_BYTES : 0);
}

static size_t origin_at_tail(const struct entry *e)
{
    return guard_at(e) + (e->has_guard ? GUARD_BYTES : 0);
}

static size_t tail_size(const struct entry *e)
{
    const uint32_t origin = has_annex(e) ? short_origin(annex_of(e)->origin) : e->origin;
    return origin_at_tail(e) + (origin == ENTRY_ORIGIN_WIDE ? ORIGIN_HANDLE_BYTES : 0);
}

static uint32_t guard_after_ms(const struct entry *e)
{
    uint32_t after_ms = 0;
    if (e->has_guard) {
        memcpy(&after_ms, e->tail + guard_at(e), sizeof(after_ms));
    } else if (has_annex(e)) {
        after_ms = annex_of(e)->guard_after_ms;
    }
    return after_ms;
}

uint32_t entry_origin(const struct entry *e)
{
    if (has_annex(e)) {
        return annex_of(e)->origin;
    }
    if (e->origin != ENTRY_ORIGIN_WIDE) {
        return (UINT32_C(1) << SLAB_SLOT_BITS) + e->origin - 1;
    }
    uint32_t origin = 0;
    memcpy(&origin, e->tail + origin_at_tail(e), sizeof(origin));
    return origin;
}

/* To be called when everything before it stands. */
static void put_origin(struct entry *e, uint32_t origin)
{
    e->origin = short_origin(origin) & 15;
    if (e->origin == ENTRY_ORIGIN_WIDE) {
        memcpy(e->tail + origin_at_tail(e), &origin, sizeof(origin));
    }
}

/* Everything but the link. */
static void fill(struct entry *e, const struct record *r, uint32_t origin)
{
    ASSERT(r->key_len > 0 && r->key_len <= KEY_BYTES_MAX);
    const bool is_inline = r->value_len <= VALUE_INLINE_MAX;
    e->stamp = r->version.stamp;
    e->expiry_after_ms = after_version(r, r->expiry_ms);
    e->key_len = (uint32_t)r->key_len & KEY_LEN_MASK;
    e->value_len = is_inline ? (uint32_t)r->value_len & VALUE_LEN_MASK : 0;
    e->is_shadow = r->is_shadow;
    e->has_blob = !is_inline;
    e->has_ahead = r->ahead_ms != 0;
    e->has_guard = needs_guard(r);
    memcpy(e->tail, r->key, r->key_len);
    if (is_inline) {
        copy_value(e->tail + r->key_len, r);
    } else {
        ASSERT(r->blob != NULL && blob_len(r->blob) == r->value_len);
        struct blob *blob = blob_hold(r->blob);
        memcpy(e->tail + r->key_len, &blob, sizeof(struct blob *));
    }
    if (e->has_ahead) {
        memcpy(e->tail + ahead_at(e), &r->ahead_ms, AHEAD_BYTES);
    }
    if (e->has_guard) {
        const uint32_t after_ms = after_version(r, r->guard_ms);
        memcpy(e->tail + guard_at(e), &after_ms, GUARD_BYTES);
    }
    put_origin(e, origin);
}

uint32_t entry_new(struct entries *entries, const struct record *r, uint32_t origin)
{
    const uint32_t handle = slab_alloc(&entries->slab, whole_size(r, origin));
    if (handle != 0) {
        fill(entry_at(entries, handle), r, origin);
    }
    return handle;
}

size_t entry_size(const struct entry *e)
{
    return slab_slot_size(offsetof(struct entry, tail) + tail_size(e));
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

size_t entry_cost(const struct entry *e)
{
    return cost(guard_at(e), e->is_shadow) + (e->has_blob ? blob_memory(held_blob(e)) : 0);
}

/* What it holds is to be read, or written anew, by whoever calls. */
static void drop_annex(struct entry *e)
{
    if (has_annex(e)) {
        struct annex *annex = annex_of(e);
        e->stamp = annex->stamp;
        free(annex);
    }
}

void entry_rewrite(struct entries *entries, uint32_t handle, const struct record *r,
                   uint32_t origin)
{
    struct entry *e = entry_at(entries, handle);
    struct blob *old_blob = held_blob(e);
    const uint32_t old_origin = entry_origin(e);
    const size_t size = entry_size(e);
    ASSERT(entry_slot_size(r, origin) == size);
    mem_wipe(e->tail, size - offsetof(struct entry, tail));
    drop_annex(e);
    fill(e, r, origin);
    origin_release(&entries->origins, old_origin);
    blob_release(old_blob);
}

void entry_shade(struct entries *entries, uint32_t handle)
{
    struct entry *e = entry_at(entries, handle);
    struct blob *blob = held_blob(e);
    const uint32_t origin = entry_origin(e);
    const uint32_t after_ms = guard_after_ms(e);
    ASSERT(!e->is_shadow && after_ms > 0);
    mem_wipe(e->tail + e->key_len, tail_size(e) - e->key_len);
    drop_annex(e);
    e->expiry_after_ms = after_ms;
    e->value_len = 0;
    e->has_blob = 0;
    e->has_ahead = 0;
    e->has_guard = 0;
    e->is_shadow = 1;
    put_origin(e, origin);
    blob_release(blob);
}

void entry_free(struct entries *entries, uint32_t handle)
{
    struct entry *e = entry_at(entries, handle);
    struct blob *blob = held_blob(e);
    const uint32_t origin = entry_origin(e);
    drop_annex(e);
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
        memcpy(&r.ahead_ms, e->tail + ahead_at(e), AHEAD_BYTES);
    }
    return r;
}

struct version entry_version(const struct entries *entries, const struct entry *e)
{
    return (struct version){stamp_of(e), *origin_at(&entries->origins, entry_origin(e))};
}

static uint64_t instant(const struct entry *e)
{
    return stamp_of(e) >> VERSION_COUNTER_BITS;
}

uint64_t entry_expiry_ms(const struct entry *e)
{
    return instant(e) + e->expiry_after_ms;
}

uint64_t entry_guard_ms(const struct entry *e)
{
    const uint32_t after_ms = guard_after_ms(e);
    return after_ms == 0 ? 0 : instant(e) + after_ms;
}

void entry_set_expiry(struct entry *e, uint64_t expiry_ms)
{
    ASSERT(e->is_shadow && expiry_ms - instant(e) <= RECORD_LIFETIME_MAX_MS);
    e->expiry_after_ms = (uint32_t)(expiry_ms - instant(e));
}

/* Where the slot has room for 4 bytes more, what stands behind the guard moves. */
static bool make_guard(struct entry *e)
{
    const uint32_t origin = entry_origin(e);
    const size_t size = offsetof(struct entry, tail) + tail_size(e);
    if (size + GUARD_BYTES > slab_slot_size(size)) {
        return false;
    }
    e->has_guard = 1;
    put_origin(e, origin);
    return true;
}

static void add_annex(struct entry *e, uint32_t after_ms)
{
    struct annex *annex = mem_new(1, sizeof(*annex));
    *annex = (struct annex){e->stamp, after_ms, entry_origin(e)};
    e->origin = 0;
    memcpy(&e->stamp, &annex, sizeof(void *));
}

void entry_set_guard(struct entry *e, uint64_t guard_ms)
{
    ASSERT(!e->is_shadow);
    uint32_t after_ms = 0;
    if (guard_ms > entry_expiry_ms(e)) {
        ASSERT(guard_ms - instant(e) <= RECORD_LIFETIME_MAX_MS);
        after_ms = (uint32_t)(guard_ms - instant(e));
    }
    if (has_annex(e)) {
        annex_of(e)->guard_after_ms = after_ms;
    } else if (e->has_guard || (after_ms != 0 && make_guard(e))) {
        memcpy(e->tail + guard_at(e), &after_ms, GUARD_BYTES);
    } else if (after_ms != 0) {
        add_annex(e, after_ms);
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

bool entry_has_key(const struct entry *e, const uint8_t *key, size_t key_len)
{
    return e->key_len == key_len && memcmp(e->tail, key, key_len) == 0;
}
