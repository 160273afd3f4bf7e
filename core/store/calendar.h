/*
 * calendar: entries by the 64-second epoch in which they expire; what is due, and what anti-entropy
 * compares.
 *
 * An epoch has the set of its entries' handles, in order (core/store/keytree), and a digest: the
 * count and the sum of their record ids. Epochs come in pages, one for each group of 64 that has
 * entries; the pages stand in an array sorted by group, at most about 640 for the protocol's 30
 * days. Each epoch and each page books its changes of the last seconds in a ledger, from which its
 * digest as of a cut is worked out.
 *
 * The present epoch gets an agenda, and so does the next one when its begin is near. Their entries
 * are noted by slots of 64 ms, some at each call. So an entry that is due is found without a look
 * at the rest. Noting and walking go up the handles, and so through memory in its order. Where they
 * have come to is a number, which no change of the set moves.
 *
 * Invariants: an entry is in the set of its expiry's epoch; digests are those of the sets; an entry
 * of an epoch with an agenda is in the agenda, or ahead of its noting.
 *
 * A change is booked in the second of the version that made it. Taking an entry out because its
 * time is over books the opposite in its own second. So as of an earlier cut it was never there,
 * and as of a later one it is gone. A change in a second older than CUT_SECONDS changes the total
 * only, and cuts before that second are refused from then on.
 *
 * Left out: freeing, merging, the entries' other indexes.
 */
#ifndef CORE_STORE_CALENDAR_H
#define CORE_STORE_CALENDAR_H

#include "core/store/agenda.h"
#include "core/store/entry.h"
#include "core/store/epoch.h"
#include "core/store/keytree.h"
#include "core/store/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long before an epoch begins its agenda is made: time for a million entries in slices. */
enum { CALENDAR_LEAD_MS = 8000 };

struct calendar_page;

struct calendar_agenda {
    uint64_t epoch;
    uint32_t noted; /* the handles up to this one are noted */
    bool is_noted;  /* all are */
    bool is_active;
    struct agenda agenda;
};

struct calendar {
    const struct entries *entries; /* borrowed */
    uint64_t seed;                 /* of record ids */
    struct calendar_page **pages;  /* ascending by group */
    size_t page_count;
    size_t page_slots;
    size_t sweep_at;                   /* the page that calendar_sweep() looks at next */
    uint64_t count;                    /* entries */
    uint64_t now_s;                    /* the latest that the caller gave */
    uint64_t floor_s;                  /* cuts before this are not remembered */
    struct calendar_agenda agendas[2]; /* by epoch & 1 */
    uint32_t walk_count;               /* open ones */
    bool is_exact;                     /* calendar_deadline() looks into the next slot */
};

void calendar_init(struct calendar *c, const struct entries *entries, uint64_t seed);

/* The entries themselves stay. */
void calendar_fini(struct calendar *c);

/* Tells the time; earlier ones are ignored. */
void calendar_advance(struct calendar *c, uint64_t now_ms);

/* Puts an entry into the set of its epoch and books it in `second`. */
void calendar_add(struct calendar *c, uint32_t handle, uint64_t second);

/* Takes it out and books that in `second`. */
void calendar_remove(struct calendar *c, uint32_t handle, uint64_t second);

/* Before an entry is written over where it lies: what is to be told afterwards. */
struct calendar_mark {
    uint64_t expiry_ms;
    uint64_t id;
};
struct calendar_mark calendar_mark(const struct calendar *c, uint32_t handle);

/* Afterwards: moves it to its epoch, if that is another, and books the change in `second`. */
void calendar_move(struct calendar *c, uint32_t handle, const struct calendar_mark *before,
                   uint64_t second);

/* Sets a live entry's guard, which its digest counts, and books that in `second`. */
void calendar_set_guard(struct calendar *c, uint32_t handle, uint64_t guard_ms, uint64_t second);

/*
 * An entry whose expiry is at or before now; it stays in the calendar. 0 when there is none, or
 * when *budget ran out. Looking at an entry that is not due, and noting one in an agenda, takes 1
 * from *budget. Where many come due in one slot of 64 ms they are found at its end.
 */
uint32_t calendar_due(struct calendar *c, uint64_t now_ms, size_t *budget);

/* As store_deadline(). */
uint64_t calendar_deadline(const struct calendar *c);

/* Looks at one page: forgets changes that were booked too long ago, and frees the page when it is
 * empty. One call a turn goes round all pages. */
void calendar_sweep(struct calendar *c);

/* As store_first_epoch(). */
uint64_t calendar_first_epoch(uint64_t cut_s);

/* As store_root(), store_next_group(), store_next_epoch(). */
MUST_USE enum rc calendar_root(const struct calendar *c, uint64_t cut_s, struct digest *ret_root);
MUST_USE enum rc calendar_next_group(const struct calendar *c, uint64_t cut_s, uint64_t *group,
                                     struct digest *ret_digest);
MUST_USE enum rc calendar_next_epoch(const struct calendar *c, uint64_t cut_s, uint64_t *epoch,
                                     struct digest *ret_digest);

/* As store_walk_begin() and store_walk_end(); calendar_walk_next() returns 0 at the end. */
MUST_USE enum rc calendar_walk_begin(struct calendar *c, uint64_t epoch, struct store_walk *walk);
uint32_t calendar_walk_next(const struct calendar *c, struct store_walk *walk);
void calendar_walk_end(struct calendar *c, struct store_walk *walk);

/* Bytes of its sets. */
size_t calendar_memory(const struct calendar *c);

/* Walks the invariants and asserts them. Slow; for tests. */
void calendar_check(const struct calendar *c);

#endif
