/* Past 600 lines, because finding, changing, merging, expiring and walking all rest on a few
 * functions that link an entry into its indexes. Nobody else has a use for those. */
#include "core/store/store.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/store/calendar.h"
#include "core/store/entry.h"
#include "core/store/keyhash.h"
#include "core/store/keymap.h"
#include "core/store/keytree.h"
#include "core/store/merge.h"
#include "core/store/pagepool.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    /* What the indexes take for an entry: its share of the table, the order and its epoch's set. */
    INDEX_BYTES = 14,
    /* Entries of a bucket. Each costs a look 12 ns and saves the table 2 bytes, then 0.7, 0.3. */
    TABLE_LOAD = 2,
    /* Empty pages that one trimming moves to the pool: 32 MiB. */
    TRIM_PAGES_MAX = 512,
};

struct store {
    struct store_config config;
    struct pagepool *own_pages; /* NULL when they are somebody else's */
    struct entries entries;
    struct keyhash hash;
    struct keymap map;
    struct keytree crowd; /* entries whose bucket was full already */
    struct keytree tree;
    struct calendar calendar;
    uint64_t keys;
    uint64_t shadows;
    uint64_t shadow_bytes;
    uint64_t guards;
    uint64_t entry_bytes;
    uint64_t expired_total;
    struct store_observer observer; /* zeroes: nobody */
};

static uint32_t hash_of_entry(const void *arg, const void *slot)
{
    const struct entry *e = slot;
    return keyhash_of(arg, e->tail, e->key_len);
}

struct store *store_new(const struct store_config *config)
{
    struct store *s = mem_new(1, sizeof(*s));
    s->config = *config;
    if (config->pages == NULL) {
        s->own_pages = pagepool_new();
        s->config.pages = s->own_pages;
    }
    entry_init(&s->entries, s->config.pages, config->table_seed);
    keyhash_init(&s->hash, config->table_seed);
    keymap_init(&s->map, &s->entries.slab, TABLE_LOAD, hash_of_entry, &s->hash);
    keytree_init(&s->crowd, &s->entries);
    keytree_init(&s->tree, &s->entries);
    calendar_init(&s->calendar, &s->entries, config->digest_seed);
    return s;
}

static void free_entries(struct store *s)
{
    uint64_t epoch = 0;
    struct digest digest;
    struct store_walk walk;
    s->calendar.walk_count = 0;
    for (; calendar_next_epoch(&s->calendar, UINT64_MAX, &epoch, &digest) == RC_OK; epoch++) {
        if (calendar_walk_begin(&s->calendar, epoch, &walk) != RC_OK) {
            return;
        }
        for (uint32_t h = calendar_walk_next(&s->calendar, &walk); h != 0;
             h = calendar_walk_next(&s->calendar, &walk)) {
            entry_free(&s->entries, h);
        }
        calendar_walk_end(&s->calendar, &walk);
    }
}

void store_free(struct store *s)
{
    if (s == NULL) {
        return;
    }
    free_entries(s);
    calendar_fini(&s->calendar);
    keytree_fini(&s->tree);
    keytree_fini(&s->crowd);
    keymap_fini(&s->map);
    entry_fini(&s->entries);
    pagepool_free(s->own_pages);
    free(s);
}

/* ---- Finding ---- */

static uint32_t hash_of(const struct store *s, const struct record *r)
{
    return keyhash_of(&s->hash, r->key, r->key_len);
}

/* Keys that meet in one bucket are no more than a nuisance: beyond KEYMAP_CHAIN_MAX they stand in a
 * tree, and are found in as many steps as a listing takes to begin. */
static uint32_t lookup_tree(const struct store *s, const struct keytree *tree, const uint8_t *key,
                            size_t key_len)
{
    struct keytree_cursor cursor;
    const uint32_t handle = keytree_seek(tree, key, key_len, false, &cursor);
    const bool is_match = handle != 0 && entry_has_key(entry_at(&s->entries, handle), key, key_len);
    return is_match ? handle : 0;
}

/* The entry of a key, live or shadow; 0 when there is none. */
static uint32_t lookup(const struct store *s, uint32_t hash, const uint8_t *key, size_t key_len)
{
    uint32_t handle = keymap_first(&s->map, hash);
    while (handle != 0 && !entry_has_key(entry_at(&s->entries, handle), key, key_len)) {
        handle = keymap_next(&s->map, handle);
    }
    return handle != 0 || s->crowd.count == 0 ? handle : lookup_tree(s, &s->crowd, key, key_len);
}

enum rc store_get(const struct store *s, const uint8_t *key, size_t key_len, uint64_t now_ms,
                  struct record *ret_record)
{
    const uint32_t handle = lookup(s, keyhash_of(&s->hash, key, key_len), key, key_len);
    if (handle == 0) {
        return RC_NOT_FOUND;
    }
    const struct entry *e = entry_at(&s->entries, handle);
    if (e->is_shadow || entry_expiry_ms(e) <= now_ms) {
        return RC_NOT_FOUND;
    }
    *ret_record = entry_record(&s->entries, e);
    return RC_OK;
}

static bool is_version(const struct store *s, const struct entry *e, const struct version *version)
{
    const struct version held = entry_version(&s->entries, e);
    return version_compare(&held, version) == 0;
}

uint32_t store_find(const struct store *s, const struct record *r)
{
    const uint32_t handle = lookup(s, hash_of(s, r), r->key, r->key_len);
    return handle != 0 && is_version(s, entry_at(&s->entries, handle), &r->version) ? handle : 0;
}

enum rc store_at(const struct store *s, uint32_t handle, const struct version *version,
                 uint64_t now_ms, struct record *ret_record)
{
    const struct entry *e = entry_find(&s->entries, handle);
    if (e == NULL || !is_version(s, e, version) || entry_expiry_ms(e) <= now_ms) {
        return RC_NOT_FOUND;
    }
    *ret_record = entry_record(&s->entries, e);
    return RC_OK;
}

/* ---- Changing ---- */

static uint64_t used_bytes(const struct store *s)
{
    return s->entry_bytes + ORIGIN_BYTES * origin_count(&s->entries.origins);
}

static void count_in(struct store *s, const struct entry *e)
{
    const uint64_t bytes = entry_cost(e) + INDEX_BYTES;
    s->entry_bytes += bytes;
    s->keys += !e->is_shadow;
    s->shadows += e->is_shadow;
    s->shadow_bytes += e->is_shadow ? bytes : 0;
    s->guards += entry_guard_ms(e) > 0;
}

static void count_out(struct store *s, const struct entry *e)
{
    const uint64_t bytes = entry_cost(e) + INDEX_BYTES;
    s->entry_bytes -= bytes;
    s->keys -= !e->is_shadow;
    s->shadows -= e->is_shadow;
    s->shadow_bytes -= e->is_shadow ? bytes : 0;
    s->guards -= entry_guard_ms(e) > 0;
}

/* Takes an entry out of the figures and the calendar; it stays in the table and the tree. */
static void unlink_entry(struct store *s, uint32_t handle, uint64_t second)
{
    count_out(s, entry_at(&s->entries, handle));
    calendar_remove(&s->calendar, handle, second);
}

static void link_entry(struct store *s, uint32_t handle, uint64_t second)
{
    count_in(s, entry_at(&s->entries, handle));
    calendar_add(&s->calendar, handle, second);
}

/* Puts an entry where its key is looked for. */
static void index_entry(struct store *s, uint32_t handle, uint32_t hash)
{
    struct entry *e = entry_at(&s->entries, handle);
    e->is_crowded = keymap_is_crowded(&s->map, hash);
    if (e->is_crowded) {
        keytree_insert(&s->crowd, handle);
    } else {
        keymap_insert(&s->map, hash, handle);
    }
}

static void deindex_entry(struct store *s, uint32_t handle, uint32_t hash)
{
    if (entry_at(&s->entries, handle)->is_crowded) {
        keytree_remove(&s->crowd, handle);
    } else {
        keymap_remove(&s->map, hash, handle);
    }
}

/* Shadows have no place in the order: listings do not show them. */
static void order_entry(struct store *s, uint32_t handle)
{
    if (!entry_at(&s->entries, handle)->is_shadow) {
        keytree_insert(&s->tree, handle);
    }
}

static void disorder_entry(struct store *s, uint32_t handle)
{
    if (!entry_at(&s->entries, handle)->is_shadow) {
        keytree_remove(&s->tree, handle);
    }
}

static void remove_entry(struct store *s, uint32_t handle, uint32_t hash, uint64_t second)
{
    unlink_entry(s, handle, second);
    disorder_entry(s, handle);
    deindex_entry(s, handle, hash);
    entry_free(&s->entries, handle);
}

/* Only what grows the store is refused. */
static bool has_room(const struct store *s, uint32_t old, const struct record *next)
{
    const size_t old_size = old == 0 ? 0 : entry_cost(entry_at(&s->entries, old)) + INDEX_BYTES;
    const size_t size = entry_cost_of(next) + INDEX_BYTES;
    return size <= old_size || used_bytes(s) - old_size + size <= s->config.bytes_max;
}

/* Writes over an entry whose slot is just as large. A live record that follows a live one has its
 * key, and with it its place in the order. */
static void rewrite(struct store *s, uint32_t handle, const struct record *next, uint32_t origin,
                    uint64_t second)
{
    const bool keeps_place = !entry_at(&s->entries, handle)->is_shadow && !next->is_shadow;
    const struct calendar_mark mark = calendar_mark(&s->calendar, handle);
    count_out(s, entry_at(&s->entries, handle));
    if (!keeps_place) {
        disorder_entry(s, handle);
    }
    entry_rewrite(&s->entries, handle, next, origin);
    count_in(s, entry_at(&s->entries, handle));
    calendar_move(&s->calendar, handle, &mark, second);
    if (!keeps_place) {
        order_entry(s, handle);
    }
}

/* Makes `next` the key's entry, in place of `old` (0: none). */
static enum rc place(struct store *s, uint32_t old, const struct record *next, uint32_t hash,
                     uint32_t *ret_handle)
{
    if (!has_room(s, old, next)) {
        return RC_FULL;
    }
    const uint32_t origin = origin_hold(&s->entries.origins, &next->version.origin);
    if (origin == 0) {
        return RC_NO_MEMORY;
    }
    const uint64_t second = version_ms(&next->version) / 1000;
    const struct entry *e = old == 0 ? NULL : entry_at(&s->entries, old);
    /* Not over itself: a record that the store lent out has its key here. */
    if (e != NULL && entry_slot_size(next, origin) == entry_size(e) && next->key != e->tail) {
        rewrite(s, old, next, origin, second);
        *ret_handle = old;
        return RC_OK;
    }
    const uint32_t handle = entry_new(&s->entries, next, origin);
    if (handle == 0) {
        origin_release(&s->entries.origins, origin);
        return RC_NO_MEMORY;
    }
    if (old != 0) {
        remove_entry(s, old, hash, second);
    }
    index_entry(s, handle, hash);
    link_entry(s, handle, second);
    order_entry(s, handle);
    *ret_handle = handle;
    return RC_OK;
}

/* The entry is over and its guard is not: it becomes its shadow, whose handle is returned. That
 * never fails: where there is no smaller slot to be had the shadow keeps the one it has. */
static uint32_t shade(struct store *s, uint32_t handle)
{
    struct entry *e = entry_at(&s->entries, handle);
    struct record r = entry_record(&s->entries, e);
    const uint64_t second = entry_second(e);
    merge_shadow(&r);
    const uint32_t origin = entry_origin(e);
    const uint32_t smaller =
        entry_slot_size(&r, origin) < entry_size(e) ? entry_new(&s->entries, &r, origin) : 0;
    if (smaller != 0) {
        const uint32_t held = origin_hold(&s->entries.origins, &r.version.origin);
        ASSERT(held == origin); /* one more holder of what is held */
        const uint32_t hash = hash_of(s, &r);
        remove_entry(s, handle, hash, second);
        index_entry(s, smaller, hash);
        link_entry(s, smaller, second);
        return smaller;
    }
    unlink_entry(s, handle, second);
    disorder_entry(s, handle);
    entry_shade(&s->entries, handle);
    link_entry(s, handle, second);
    return handle;
}

/* The entry's time is over: it becomes its shadow, whose handle is returned, or goes, 0. */
static uint32_t retire(struct store *s, uint32_t handle, uint64_t now_ms)
{
    const struct entry *e = entry_at(&s->entries, handle);
    const struct record r = entry_record(&s->entries, e);
    s->expired_total += !r.is_shadow;
    if (s->observer.expired != NULL && !r.is_shadow) {
        s->observer.expired(s->observer.arg, &r);
    }
    if (r.guard_ms <= now_ms) {
        remove_entry(s, handle, hash_of(s, &r), entry_second(e));
        return 0;
    }
    return shade(s, handle);
}

/* The key's entry after what is over by now was retired. */
static uint32_t lookup_now(struct store *s, uint32_t hash, const struct record *r, uint64_t now_ms)
{
    const uint32_t handle = lookup(s, hash, r->key, r->key_len);
    const bool is_over = handle != 0 && entry_expiry_ms(entry_at(&s->entries, handle)) <= now_ms;
    return is_over ? retire(s, handle, now_ms) : handle;
}

/* ---- Merging ---- */

/* Lets the entry refuse earlier versions until `guard_ms`. True when that made a difference. */
static bool raise_guard(struct store *s, uint32_t handle, uint64_t guard_ms)
{
    struct entry *e = entry_at(&s->entries, handle);
    const struct record held = entry_record(&s->entries, e);
    if (guard_ms <= merge_reach_ms(&held)) {
        return false;
    }
    /* All nodes make the same shadow within their clocks' error of each other. They learn of the
     * same guard within a write's time to travel. Both are booked in the version's second, and
     * digests may differ for that moment. */
    const uint64_t second = entry_second(e);
    if (!e->is_shadow) {
        s->guards -= held.guard_ms > 0;
        calendar_set_guard(&s->calendar, handle, guard_ms, second);
        s->guards += entry_guard_ms(e) > 0;
        return true;
    }
    calendar_remove(&s->calendar, handle, second);
    entry_set_expiry(e, guard_ms);
    calendar_add(&s->calendar, handle, second);
    return true;
}

/* A large value that came as plain bytes is made a blob; *ret_blob is the caller's to release. */
static enum rc build_blob(const struct store *s, struct record *r, struct blob **ret_blob)
{
    if (r->value_len <= VALUE_INLINE_MAX || r->blob != NULL) {
        return RC_OK;
    }
    struct blob *blob = blob_new(s->config.pages, r->value_len);
    const enum rc rc = blob == NULL ? RC_NO_MEMORY : blob_append(blob, r->value, r->value_len);
    if (rc != RC_OK) {
        blob_release(blob);
        return rc;
    }
    r->value = NULL;
    r->blob = blob;
    *ret_blob = blob;
    return RC_OK;
}

static void tell_put(const struct store *s, uint32_t handle)
{
    if (s->observer.put != NULL) {
        const struct record r = entry_record(&s->entries, entry_at(&s->entries, handle));
        if (!r.is_shadow) {
            s->observer.put(s->observer.arg, &r);
        }
    }
}

/* A live record has given way to a later one whose time is over, the entry at `handle`, which has
 * its key. Where its own key and value were, there is nothing any more. */
static void tell_displaced(const struct store *s, uint32_t handle, const struct record *held)
{
    if (s->observer.expired != NULL) {
        const struct record later = entry_record(&s->entries, entry_at(&s->entries, handle));
        const struct record gone = {.key = later.key,
                                    .key_len = later.key_len,
                                    .value_len = held->value_len,
                                    .version = held->version,
                                    .expiry_ms = held->expiry_ms};
        s->observer.expired(s->observer.arg, &gone);
    }
}

static enum rc merge_whole(struct store *s, const struct record *r, uint64_t now_ms,
                           enum merge_outcome *ret_outcome)
{
    const uint32_t hash = hash_of(s, r);
    uint32_t handle = lookup_now(s, hash, r, now_ms);
    struct record held = {.key = NULL};
    struct record next;
    if (handle != 0) {
        held = entry_record(&s->entries, entry_at(&s->entries, handle));
    }
    const bool was_live = handle != 0 && !held.is_shadow;
    const enum merge_outcome outcome = merge_records(handle == 0 ? NULL : &held, r, now_ms, &next);
    if (outcome == MERGE_APPLIED) {
        const enum rc rc = place(s, handle, &next, hash, &handle);
        if (rc != RC_OK) {
            return rc;
        }
        if (was_live && next.is_shadow) {
            tell_displaced(s, handle, &held);
        }
        tell_put(s, handle);
    } else if (outcome == MERGE_SAME || outcome == MERGE_GUARDED) {
        (void)raise_guard(s, handle, merge_reach_ms(&next));
    }
    *ret_outcome = outcome;
    return RC_OK;
}

enum rc store_merge(struct store *s, const struct record *r, uint64_t now_ms,
                    enum merge_outcome *ret_outcome)
{
    calendar_advance(&s->calendar, now_ms);
    struct record whole = *r;
    struct blob *blob = NULL;
    enum rc rc = build_blob(s, &whole, &blob);
    if (rc != RC_OK) {
        return rc;
    }
    rc = merge_whole(s, &whole, now_ms, ret_outcome);
    blob_release(blob);
    return rc;
}

enum merge_outcome store_guard(struct store *s, const struct record *r, uint64_t now_ms)
{
    calendar_advance(&s->calendar, now_ms);
    const uint32_t handle = lookup_now(s, hash_of(s, r), r, now_ms);
    if (handle == 0) {
        return MERGE_ABSENT;
    }
    const struct version held = entry_version(&s->entries, entry_at(&s->entries, handle));
    const int order = version_compare(&r->version, &held);
    if (order > 0) {
        return MERGE_ABSENT;
    }
    if (raise_guard(s, handle, order < 0 ? merge_reach_ms(r) : r->guard_ms)) {
        return MERGE_GUARDED;
    }
    return order == 0 ? MERGE_SAME : MERGE_OLDER;
}

/* ---- Expiry ---- */

size_t store_expire(struct store *s, uint64_t now_ms, size_t budget)
{
    calendar_advance(&s->calendar, now_ms);
    calendar_sweep(&s->calendar);
    size_t left = budget;
    while (left > 0) {
        const uint32_t handle = calendar_due(&s->calendar, now_ms, &left);
        if (handle == 0) {
            break;
        }
        (void)retire(s, handle, now_ms);
        left--;
    }
    return budget - left;
}

uint64_t store_deadline(const struct store *s)
{
    return calendar_deadline(&s->calendar);
}

void store_observe(struct store *s, const struct store_observer *observer)
{
    s->observer = observer == NULL ? (struct store_observer){.arg = NULL} : *observer;
    s->calendar.is_exact = observer != NULL;
}

bool store_trim(struct store *s)
{
    bool has_more = true;
    for (uint32_t i = 0; i < TRIM_PAGES_MAX && has_more; i++) {
        has_more = slab_trim(&s->entries.slab);
    }
    has_more |= slab_tighten(&s->entries.slab);
    return pagepool_trim(s->config.pages) || has_more;
}

bool store_has_spare(const struct store *s)
{
    return s->entries.slab.empty != 0 || pagepool_has_idle(s->config.pages) ||
           pagepool_is_loose(s->config.pages);
}

struct pagepool *store_pages(const struct store *s)
{
    return s->config.pages;
}

/* ---- Listing ---- */

enum rc store_next_key(const struct store *s, const uint8_t *prefix, size_t prefix_len,
                       const uint8_t *after, size_t after_len, uint64_t now_ms,
                       struct record *ret_record)
{
    const size_t common = prefix_len < after_len ? prefix_len : after_len;
    const int order = common == 0 ? 0 : memcmp(after, prefix, common);
    /* `after` lies before everything with the prefix when it sorts before the prefix itself. */
    const bool is_before = after_len == 0 || order < 0 || (order == 0 && after_len < prefix_len);
    struct keytree_cursor cursor;
    uint32_t handle = is_before ? keytree_seek(&s->tree, prefix, prefix_len, false, &cursor)
                                : keytree_seek(&s->tree, after, after_len, true, &cursor);
    for (; handle != 0; handle = keytree_next(&s->tree, &cursor)) {
        const struct entry *e = entry_at(&s->entries, handle);
        const bool has_prefix = e->key_len >= prefix_len &&
                                (prefix_len == 0 || memcmp(e->tail, prefix, prefix_len) == 0);
        if (!has_prefix) {
            break;
        }
        if (entry_expiry_ms(e) > now_ms) {
            *ret_record = entry_record(&s->entries, e);
            return RC_OK;
        }
    }
    return RC_NOT_FOUND;
}

/* ---- Digests ---- */

uint32_t store_digest_short(const struct digest *digest, uint64_t key)
{
    const uint64_t both[2] = {digest->sum, digest->count};
    uint8_t bytes[sizeof(both)];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(both[i / 8] >> (8 * (i % 8)));
    }
    return (uint32_t)(XXH3_64bits_withSeed(bytes, sizeof(bytes), key) >> 32);
}

uint64_t store_first_epoch(uint64_t cut_s)
{
    return calendar_first_epoch(cut_s);
}

enum rc store_root(struct store *s, uint64_t cut_s, struct digest *ret_root)
{
    return calendar_root(&s->calendar, cut_s, ret_root);
}

enum rc store_next_group(const struct store *s, uint64_t cut_s, uint64_t *group,
                         struct digest *ret_digest)
{
    return calendar_next_group(&s->calendar, cut_s, group, ret_digest);
}

enum rc store_next_epoch(const struct store *s, uint64_t cut_s, uint64_t *epoch,
                         struct digest *ret_digest)
{
    return calendar_next_epoch(&s->calendar, cut_s, epoch, ret_digest);
}

/* ---- Walks ---- */

enum rc store_walk_begin(struct store *s, uint64_t epoch, struct store_walk *walk)
{
    return calendar_walk_begin(&s->calendar, epoch, walk);
}

enum rc store_walk_next(struct store *s, struct store_walk *walk, uint64_t now_ms,
                        struct record *ret_record)
{
    for (;;) {
        const uint32_t handle = calendar_walk_next(&s->calendar, walk);
        if (handle == 0) {
            return RC_NOT_FOUND;
        }
        const struct entry *e = entry_at(&s->entries, handle);
        if (entry_expiry_ms(e) > now_ms) {
            *ret_record = entry_record(&s->entries, e);
            return RC_OK;
        }
    }
}

void store_walk_end(struct store *s, struct store_walk *walk)
{
    calendar_walk_end(&s->calendar, walk);
}

size_t store_walk_ids(struct store *s, struct store_walk *walk, uint64_t now_ms, uint64_t cut_s,
                      uint64_t key, size_t budget, uint64_t *ret_ids, uint32_t *ret_handles,
                      bool *ret_is_over)
{
    size_t count = 0;
    for (; budget > 0; budget--) {
        const uint32_t handle = calendar_walk_next(&s->calendar, walk);
        if (handle == 0) {
            break;
        }
        const struct entry *e = entry_at(&s->entries, handle);
        if (entry_expiry_ms(e) <= now_ms || entry_second(e) > cut_s) {
            continue;
        }
        const struct record r = entry_record(&s->entries, e);
        ret_ids[count] = record_id(&r, key);
        ret_handles[count++] = handle;
    }
    *ret_is_over = budget > 0;
    return count;
}

enum rc store_by_id(const struct store *s, uint32_t handle, uint64_t id, uint64_t key,
                    uint64_t now_ms, struct record *ret_record)
{
    const struct entry *e = entry_find(&s->entries, handle);
    if (e == NULL || entry_expiry_ms(e) <= now_ms) {
        return RC_NOT_FOUND;
    }
    *ret_record = entry_record(&s->entries, e);
    const bool may_have_risen = ret_record->guard_ms > 0 || ret_record->is_shadow;
    return may_have_risen || record_id(ret_record, key) == id ? RC_OK : RC_NOT_FOUND;
}

/* ---- Figures ---- */

struct store_stats store_stats(const struct store *s)
{
    return (struct store_stats){
        .keys = s->keys,
        .shadows = s->shadows,
        .shadow_bytes = s->shadow_bytes,
        .guards = s->guards,
        .bytes_used = used_bytes(s),
        .bytes_max = s->config.bytes_max,
        .order_bytes = s->tree.memory + s->crowd.memory,
        .table_bytes = keymap_memory(&s->map),
        .page_bytes = s->entries.slab.mapped * PAGEPOOL_PAGE_BYTES,
        .expired_total = s->expired_total,
    };
}

uint64_t store_epoch_bytes(const struct store *s)
{
    return calendar_memory(&s->calendar);
}

uint64_t store_digest_seed(const struct store *s)
{
    return s->config.digest_seed;
}

struct census {
    const struct store *store;
    uint64_t keys;
    uint64_t shadows;
    uint64_t shadow_bytes;
    uint64_t guards;
    uint64_t bytes;
};

static void check_entry(void *arg, uint32_t handle)
{
    struct census *census = arg;
    const struct store *s = census->store;
    const struct entry *e = entry_find(&s->entries, handle);
    ASSERT(e != NULL);
    const struct record r = entry_record(&s->entries, e);
    const uint32_t hash = hash_of(s, &r);
    ASSERT(lookup(s, hash, r.key, r.key_len) == handle);
    ASSERT(r.is_shadow || lookup_tree(s, &s->tree, r.key, r.key_len) == handle);
    ASSERT(r.guard_ms == 0 || (r.guard_ms > r.expiry_ms && !r.is_shadow));
    ASSERT(record_check(&r) == RC_OK);
    census->keys += !r.is_shadow;
    census->shadows += r.is_shadow;
    census->shadow_bytes += r.is_shadow ? entry_cost(e) + INDEX_BYTES : 0;
    census->guards += r.guard_ms > 0;
    census->bytes += entry_cost(e) + INDEX_BYTES;
}

static void check_crowd(const struct store *s, struct census *census)
{
    struct keytree_cursor cursor;
    keytree_check(&s->crowd);
    for (uint32_t h = keytree_seek(&s->crowd, NULL, 0, false, &cursor); h != 0;
         h = keytree_next(&s->crowd, &cursor)) {
        ASSERT(entry_at(&s->entries, h)->is_crowded);
        check_entry(census, h);
    }
}

void store_check(const struct store *s)
{
    struct census census = {.store = s};
    slab_check(&s->entries.slab);
    origin_check(&s->entries.origins);
    keymap_check(&s->map, check_entry, &census);
    check_crowd(s, &census);
    keytree_check(&s->tree);
    calendar_check(&s->calendar);
    ASSERT(census.keys == s->keys && census.shadows == s->shadows);
    ASSERT(census.shadow_bytes == s->shadow_bytes && census.guards == s->guards);
    ASSERT(census.bytes == s->entry_bytes);
    ASSERT(s->tree.count == s->keys);
    ASSERT(s->calendar.count == s->keys + s->shadows);
    ASSERT(s->entries.slab.used_count == s->keys + s->shadows);
}
