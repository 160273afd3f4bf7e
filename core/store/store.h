/*
 * store: every live record and shadow of one node, bounded in bytes, with exact expiry.
 *
 * One record per key. Entries live in slabs and are addressed by 32-bit handles; a linear-hashing
 * table finds them by key, an ordered tree lists them, a calendar of 64-second expiry epochs
 * expires them and carries the sums that anti-entropy compares. Nothing here ever stops for a
 * rehash, an expiry storm or a large free. Whatever could take long takes a budget and says how far
 * it got.
 *
 * Invariants (store_check() walks them): every entry is in the table, in its epoch's list and, when
 * it is live, in the tree; an epoch's count and sum are those of its list; bytes_used is the sum of
 * what the entries take.
 *
 * Left out on purpose: clocks (the time is an argument of every call that needs it), replication,
 * limits that bind clients only. Pointers in a struct record that the store filled in are valid
 * until the next call that is not const; a blob may be kept with blob_hold().
 */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include "core/base/rc.h"
#include "core/store/epoch.h"
#include "core/store/merge.h"
#include "core/store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store_config {
    uint64_t bytes_max;     /* keys, values and bookkeeping; more is refused with RC_FULL */
    uint64_t table_seed;    /* per process and unpredictable: clients choose the keys */
    uint64_t digest_seed;   /* the cluster's: equal content must sum alike on every node */
    struct pagepool *pages; /* borrowed: memory for entries and large values; NULL: its own */
};

/* A copy of the configuration is kept. Never NULL. */
struct store *store_new(const struct store_config *config);
void store_free(struct store *s);

/*
 * Merges a record that passed record_check(); keys, values and blobs are copied or held.
 * Commutative, associative and idempotent: the same set of records leaves the same store, whatever
 * the order. The later version wins, of equal ones the later expiry; the guard becomes the latest
 * of both guards and the loser's expiry. A live record whose expiry has passed at `now_ms` but
 * whose guard has not is kept as a shadow. RC_FULL, RC_NO_MEMORY: nothing changed. A write that
 * does not grow the store is taken even when it is full.
 */
MUST_USE enum rc store_merge(struct store *s, const struct record *r, uint64_t now_ms,
                             enum merge_outcome *ret_outcome);

/*
 * Merges only what a record says about the past: `r` passed record_check() and has key, version,
 * expiry and guard, and no value. MERGE_GUARDED when a guard was raised, MERGE_ABSENT when neither
 * that version nor a later one is held, else MERGE_OLDER or MERGE_SAME.
 */
enum merge_outcome store_guard(struct store *s, const struct record *r, uint64_t now_ms);

/* Finds the live record of a key. RC_NOT_FOUND also in the millisecond of its expiry and later. */
MUST_USE enum rc store_get(const struct store *s, const uint8_t *key, size_t key_len,
                           uint64_t now_ms, struct record *ret_record);

/* The handle of the live or shadow entry that holds exactly this version of this key; 0 when there
 * is none. */
uint32_t store_find(const struct store *s, const struct record *r);

/* The entry behind a handle if it still holds that very version, RC_NOT_FOUND when it was replaced
 * or freed. A handle and a version together name one write for ever. Expired entries not yet freed
 * are RC_NOT_FOUND too. */
MUST_USE enum rc store_at(const struct store *s, uint32_t handle, const struct version *version,
                          uint64_t now_ms, struct record *ret_record);

/*
 * Frees what is due at `now_ms`, at most `budget` entries, wiping their bytes; turns records with a
 * later guard into shadows. Returns how many were handled; fewer than `budget` means that nothing
 * more is due.
 */
size_t store_expire(struct store *s, uint64_t now_ms, size_t budget);

/* When store_expire() has something to do next: milliseconds, NEVER when the store is empty.
 * May be early, never more than 64 ms late. While somebody observes it is the millisecond itself,
 * but for times when more than AGENDA_PEEK_MAX (core/store/agenda.h) expire within 64 ms. */
uint64_t store_deadline(const struct store *s);

/* Hears of each change as it happens, whichever call makes it. Records are borrowed for the call;
 * the store must not be called from within. */
struct store_observer {
    void *arg;
    void (*put)(void *arg, const struct record *r); /* it is its key's live record now */
    /* A live record goes: its time is over, or that of a later one which takes its place unseen; of
     * such a one the value is gone already. */
    void (*expired)(void *arg, const struct record *r);
};

/* At most one, copied; NULL: nobody any more. */
void store_observe(struct store *s, const struct store_observer *observer);

/* Hands memory that nobody wanted for a while back to the system, a few milliseconds' worth a
 * call. To be called ten times a second while it returns true: there is more to do, now or later.
 */
bool store_trim(struct store *s);

/* Whether store_trim() has something to do. */
bool store_has_spare(const struct store *s);

/* Where large values get their segments from. */
struct pagepool *store_pages(const struct store *s);

/* ---- Listing ---- */

/* The first live key in byte order that has `prefix` and is greater than `after` (after_len 0: from
 * the start). RC_NOT_FOUND at the end. */
MUST_USE enum rc store_next_key(const struct store *s, const uint8_t *prefix, size_t prefix_len,
                                const uint8_t *after, size_t after_len, uint64_t now_ms,
                                struct record *ret_record);

/* ---- Digests ----
 * Of epochs and their groups, as of a cut: see core/store/epoch.h. Epochs that begin before
 * store_first_epoch(cut_s) are about to expire and left out.
 */
/* A short number for a digest, under a key that both sides have. Equal digests give equal numbers.
 * Different ones do so once in 2^32, and not again under another key. */
uint32_t store_digest_short(const struct digest *digest, uint64_t key);

/* The first epoch that a comparison as of `cut_s` looks at. */
uint64_t store_first_epoch(uint64_t cut_s);

/* The sum and count of everything as of `cut_s`. RC_RANGE when the cut is older than is remembered.
 */
MUST_USE enum rc store_root(struct store *s, uint64_t cut_s, struct digest *ret_root);

/* The next group at or after *group that has records as of the cut: its number to *group.
 * RC_NOT_FOUND: none. */
MUST_USE enum rc store_next_group(const struct store *s, uint64_t cut_s, uint64_t *group,
                                  struct digest *ret_digest);

/* The next epoch at or after *epoch, likewise. With cut_s = UINT64_MAX every epoch counts, with all
 * it holds. */
MUST_USE enum rc store_next_epoch(const struct store *s, uint64_t cut_s, uint64_t *epoch,
                                  struct digest *ret_digest);

/* ---- Walks ---- A walk visits the records and shadows of one epoch, in no order: those that were
 * there when it began and still are when their turn comes. It may miss those that arrive meanwhile,
 * and visits one again that changed after its turn if that gave it a place further on. Open walks
 * are bounded by STORE_WALKS_MAX.
 */
/* RC_FULL when STORE_WALKS_MAX are open. */
MUST_USE enum rc store_walk_begin(struct store *s, uint64_t epoch, struct store_walk *walk);

/* The next entry, RC_NOT_FOUND at the end. Expired ones are skipped. */
MUST_USE enum rc store_walk_next(struct store *s, struct store_walk *walk, uint64_t now_ms,
                                 struct record *ret_record);
void store_walk_end(struct store *s, struct store_walk *walk);

/*
 * Ids under a key of the caller's, with the handles of their entries, for comparing many at once.
 * Visits up to `budget` entries of the walk and writes those whose version's second is at most
 * `cut_s` to `ret_ids` and `ret_handles`, which have room for `budget`. Returns how many;
 * *ret_is_over tells that the walk is at its end.
 */
size_t store_walk_ids(struct store *s, struct store_walk *walk, uint64_t now_ms, uint64_t cut_s,
                      uint64_t key, size_t budget, uint64_t *ret_ids, uint32_t *ret_handles,
                      bool *ret_is_over);

/* The record behind such a handle if it has that id still; RC_NOT_FOUND. A record that has a guard
 * now is taken for the same. Its id covers the guard, which the peer that asks may itself have
 * raised since. */
MUST_USE enum rc store_by_id(const struct store *s, uint32_t handle, uint64_t id, uint64_t key,
                             uint64_t now_ms, struct record *ret_record);

/* ---- Figures ---- */
struct store_stats {
    uint64_t keys; /* live records, expired ones not yet freed included */
    uint64_t shadows;
    uint64_t shadow_bytes; /* of bytes_used */
    uint64_t guards;       /* live records that refuse older versions beyond their own time */
    uint64_t bytes_used;
    uint64_t bytes_max;
    /* Where the memory is: bytes_used has a share of these for each entry. */
    uint64_t order_bytes;   /* the ordered index */
    uint64_t table_bytes;   /* the table's buckets */
    uint64_t page_bytes;    /* pages of entries, with what is free in them */
    uint64_t expired_total; /* live records freed at the end of their time */
};

struct store_stats store_stats(const struct store *s);

/* Bytes of the epochs' sets. Goes over every epoch: for tests and benches. */
uint64_t store_epoch_bytes(const struct store *s);
uint64_t store_digest_seed(const struct store *s);

/* Walks every invariant and asserts it. Slow; for tests. */
void store_check(const struct store *s);

#endif
