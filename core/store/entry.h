/*
 * entry: how one record or shadow lies in memory.
 *
 *   link 4 | stamp 8 | expiry 4 | lengths, flags and origin 4 | key
 * | value, or a pointer to its blob | [how far the stamp ran ahead 2] | [guard 4] | [origin 4]
 *
 * 20 bytes before the key, at any even address. What is in brackets is there where it is needed.
 * Of the origins that came first 14 are named by 4 bits; the handle of any other has its 4 bytes.
 * Instants are kept as milliseconds after the version's own, which the protocol bounds to 30 days,
 * so that 32 bits do. A shadow has no value, and its expiry is the guard: it is never larger than
 * the entry it came from.
 *
 * An entry counts for the slot that it takes with a guard and with 4 bytes for its origin. So no
 * guard and no other writer makes it grow, and a full store takes them. A guard that comes when the
 * entry lies already, in a slot without room for it, gets an annex: 32 bytes of the allocator's, of
 * which 8 count. The entry stays where it is, since links hold its handle. Such guards are those of
 * older writes that came after later ones.
 *
 * The lengths make an entry's slot recognisable: key_len is 0 in a free one and nowhere else.
 *
 * Left out: which table, list or tree an entry is in. The store links and unlinks.
 */
#ifndef CORE_STORE_ENTRY_H
#define CORE_STORE_ENTRY_H

#include "core/store/keymap.h"
#include "core/store/origin.h"
#include "core/store/record.h"
#include "core/store/slab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry {
    struct keymap_link link;  /* first: keymap asks for it */
    uint64_t stamp;           /* or where the annex is, which has it then */
    uint32_t expiry_after_ms; /* after the version's instant */
    uint32_t key_len : 11;
    uint32_t value_len : 12; /* of an inline value */
    uint32_t is_shadow : 1;
    uint32_t has_blob : 1;
    uint32_t has_ahead : 1;  /* its 2 bytes are there */
    uint32_t has_guard : 1;  /* its 4 bytes are there: ms after the version's instant, or 0 */
    uint32_t is_crowded : 1; /* the store's: found by its crowd and not by its table */
    uint32_t origin : 4;     /* ENTRY_ORIGIN_WIDE: its 4 bytes are there; 0: in the annex */
    uint8_t tail[]; /* the key; the inline value or a struct blob pointer; what is optional */
} __attribute__((packed, aligned(2)));

/* Origins whose handles are short; and how an entry says that its own is not. */
enum { ENTRY_ORIGINS_SHORT = 14, ENTRY_ORIGIN_WIDE = 15 };

struct entries {
    struct slab slab;
    struct origins origins;
};

/* Slots are cut from pages of `pool`, as slab_init(). The struct must not be moved afterwards. */
void entry_init(struct entries *entries, struct pagepool *pool, uint64_t table_seed);

/* Releases every origin and blob with the memory; the caller has freed every entry before. */
void entry_fini(struct entries *entries);

struct entry *entry_at(const struct entries *entries, uint32_t handle);

/* NULL when no entry is behind the handle (any more). */
struct entry *entry_find(const struct entries *entries, uint32_t handle);

/* The memory a record's entry takes in its slot, blobs not counted. */
size_t entry_slot_size(const struct record *r, uint32_t origin);

/* The memory of an entry's slot. */
size_t entry_size(const struct entry *e);

/* What a record's entry counts for, and what an entry does; blobs included. */
size_t entry_cost_of(const struct record *r);
size_t entry_cost(const struct entry *e);

/*
 * An entry with the record's content, in no list. The key and a small value are copied, the blob is
 * held; a record with value_len above VALUE_INLINE_MAX must come as a blob. `origin` is the held
 * handle of the version's origin, and is taken over. 0: no memory, the origin is still the
 * caller's.
 */
uint32_t entry_new(struct entries *entries, const struct record *r, uint32_t origin);

/* Rewrites an entry whose slot has just the size that the record needs; links are kept, and the
 * origin is taken over. */
void entry_rewrite(struct entries *entries, uint32_t handle, const struct record *r,
                   uint32_t origin);

/* Makes a live entry its shadow where it lies, whatever its slot has room for: the value is wiped,
 * the guard becomes its end. The calendar must not hold it meanwhile. */
void entry_shade(struct entries *entries, uint32_t handle);

/* Wipes and frees; lets go of the origin and the blob. */
void entry_free(struct entries *entries, uint32_t handle);

/* The entry as a record, its pointers into the entry. */
struct record entry_record(const struct entries *entries, const struct entry *e);

struct version entry_version(const struct entries *entries, const struct entry *e);
uint64_t entry_expiry_ms(const struct entry *e);

/* 0 when no guard outlives the expiry. */
uint64_t entry_guard_ms(const struct entry *e);

/* Moves a shadow's end. The calendar must not hold it meanwhile. */
void entry_set_expiry(struct entry *e, uint64_t expiry_ms);

/* Sets a live record's guard; one that does not outlive the expiry is stored as 0. */
void entry_set_guard(struct entry *e, uint64_t guard_ms);

/* The handle of its origin, which it holds. */
uint32_t entry_origin(const struct entry *e);

/* The second of the version, by which changes are booked. */
uint64_t entry_second(const struct entry *e);

/* <0, 0 or >0 as the entry's key is before, equal to or after `key` in byte order. */
int entry_compare(const struct entry *e, const uint8_t *key, size_t key_len);

/* Whether the entry has this key. */
bool entry_has_key(const struct entry *e, const uint8_t *key, size_t key_len);

#endif
