/*
 * column: one side's entries of a scope as a dense column of ids, and their cells (core/base/iblt).
 *
 * A session collects its ids once, in slices, under its own key; each entry takes 16 bytes while
 * the session lasts. All later work (cells, more cells, cells of a part of the ids, the entries
 * behind ids that the peer wants) walks this column. A walk through the store would take ten times
 * as long.
 *
 * Only entries up to the session's cut are in it, so that writes under way are no differences. Both
 * sides walk the same epochs in the same order at about the same time. An overwrite may arrive on
 * one side before the walk gets there, and on the other side after. That is a difference that leads
 * to nothing: the replaced version is not found any more, and not sent. There are as many of these
 * as overwrites that arrive between the two visits, a few dozen at 5,000 a second.
 *
 * Beyond COLUMN_ENTRIES_MAX entries it holds only a share of them, chosen by the id's high bits.
 * Ids are keyed for the session, so it is another share each time.
 *
 * Left out: frames, and whose turn it is (gossip/repair/cells).
 */
#ifndef GOSSIP_REPAIR_COLUMN_H
#define GOSSIP_REPAIR_COLUMN_H

#include "core/base/iblt.h"
#include "core/base/idset.h"
#include "core/store/store.h"
#include "gossip/repair/scope.h"

enum {
    COLUMN_ENTRIES_MAX = 4 << 20, /* 64 MiB */
    COLUMN_WALK_STEP = 2048,      /* entries collected in a step: about 0.3 ms */
    COLUMN_CODE_STEP = 8192,      /* entries coded in a step: 0.8 ms at most */
    COLUMN_BLOCK_ENTRIES = 4096,  /* a multiple of what is collected at once */
    COLUMN_SHED_STEP = 16, /* blocks freed in a step: a page given back takes a microsecond */
    COLUMN_SHARE_BITS_MAX = 12,
    COLUMN_SLICE_BITS_MAX = 16,
};

/* Entries of a column. In blocks, since freeing or moving all of it at once would take 5 ms. */
struct column_block {
    uint64_t ids[COLUMN_BLOCK_ENTRIES];
    uint32_t handles[COLUMN_BLOCK_ENTRIES];
    uint32_t places[COLUMN_BLOCK_ENTRIES]; /* in the table's cells */
};

struct column {
    uint64_t key, cut_s;
    uint32_t share_bits;
    struct scope scope; /* what is still to be collected */
    uint64_t epoch;     /* to be walked next, when has_epoch */
    bool has_epoch;
    struct store_walk walk;
    bool is_collected;
    struct column_block **blocks;
    size_t block_count, block_size; /* in use; allocated pointers */
    size_t count;                   /* entries */
    struct iblt table; /* of the ids whose `slice_bits` bits after the share's are `slice` */
    uint32_t slice_bits, slice;
    size_t coded; /* entries that are in all cells of the table */
    size_t looked_at;
};

/* The share that keeps so many entries within the maximum. */
uint32_t column_share_bits(uint64_t entries);

/* Takes the scope over and leaves an empty one. */
void column_init(struct column *c, uint64_t key, uint64_t cut_s, uint32_t share_bits,
                 struct scope *scope);
void column_fini(struct column *c, struct store *store);

/* Frees some of its entries, and when all are gone returns RC_OK, else RC_AGAIN. Nothing but this
 * and column_fini() may be called afterwards. */
MUST_USE enum rc column_shed(struct column *c);

/* The id and the entry's handle at a place below `count`. */
uint64_t column_id(const struct column *c, size_t at);
uint32_t column_handle(const struct column *c, size_t at);

/* A step of collecting. RC_OK: all is there. RC_AGAIN: there is more. RC_TOO_LONG: more entries
 * than twice the maximum. */
MUST_USE enum rc column_collect(struct column *c, struct store *store, uint64_t now_ms);

/* Begins cells anew, of another slice. */
void column_select(struct column *c, uint32_t slice_bits, uint32_t slice);

/* Makes it `count` cells (at most IBLT_CELLS_MAX; fewer than there are changes nothing), to be
 * worked out by column_code(). */
void column_grow(struct column *c, uint32_t count);

/* A step of coding. RC_OK: every cell is complete. RC_AGAIN. */
MUST_USE enum rc column_code(struct column *c);

/* Looks for the next entry whose id is in `ids` and takes it out of there. RC_OK: its number to
 * *ret_at. RC_AGAIN: not among the next COLUMN_CODE_STEP. RC_NOT_FOUND: at the end, and the next
 * search begins anew. */
MUST_USE enum rc column_search(struct column *c, struct idset *ids, size_t *ret_at);

#endif
