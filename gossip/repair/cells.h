/*
 * cells: finds and settles the differences of two sides by one stream of cells (core/base/iblt).
 *
 * The source, which began the session, sends the cells of its column; the sink subtracts its own
 * and peels. The sink says how many cells it wants. At first it goes by the sums of the epochs,
 * then by the counts of the cells that came, so that one more round is usually enough. When there
 * are too many differences for one table, they are settled slice by slice of the ids. Then the sink
 * asks for the records whose ids only the source has, and sends those that only it has itself.
 *
 * How large a table may be is the sink's to say: where links may hold little, more slices take more
 * rounds, and no link ends for what it holds. A sink that has to wait for its turn holds the source
 * back, which would send the first cells at once.
 *
 * A source may also be a list of few entries: their ids go as they are, and a job answers them.
 *
 * An id is 64 bits of a hash under the session's random key. In one of 37 million sessions two of a
 * million entries have the same id. Both are left out of the cells then. They still differ, and
 * have other ids the next time.
 *
 * Every step is bounded; memory is the column's and 16 bytes a cell.
 */
#ifndef GOSSIP_REPAIR_CELLS_H
#define GOSSIP_REPAIR_CELLS_H

#include "gossip/repair/column.h"
#include "gossip/repair/epoch_sender.h"

enum {
    CELLS_FIRST_MIN = 32,       /* asked for at first: the difference of an unlucky record or two */
    CELLS_WANTED_MAX = 3 << 15, /* of one table; beyond, the ids are divided */
    /* What a sink holds at most for each cell of one table: theirs, ours, the difference of both,
     * ids found, and those of them that are ours. All arrays grow by doubling. */
    CELLS_SINK_CELL_BYTES = 128,
    CELLS_SOURCE_WISHES_MAX =
        4096, /* SYNC_MOREs of one session; an honest sink sends a few a slice */
};

struct cells_source {
    struct column column;
    bool is_list;
    bool is_answering; /* all that is wanted for now is known */
    bool is_last;      /* and is all that will ever be */
    uint8_t session;
    uint32_t until;   /* cells that the sink wants */
    uint32_t emitted; /* cells or ids sent */
    uint32_t wishes;
    struct idset wanted;
    uint64_t sent, big_until;
};

/* The scope is taken over. `first`: cells to begin with; 0 makes it a list. Never NULL. */
struct cells_source *cells_source_new(uint8_t session, uint64_t key, uint64_t cut_s,
                                      uint32_t share_bits, struct scope *scope, uint32_t first);
void cells_source_free(struct cells_source *s, struct store *store);

/* SYNC_MORE and SYNC_WANT came, past their session. RC_MALFORMED. */
MUST_USE enum rc cells_source_more(struct cells_source *s, struct cursor *c);
MUST_USE enum rc cells_source_want(struct cells_source *s, uint8_t flags, struct cursor *c);

/* Does a step. RC_OK: all is settled. RC_AGAIN: it wants another. RC_FULL: it waits for room or for
 * the peer. */
MUST_USE enum rc cells_source_step(struct cells_source *s, const struct epoch_sender_env *env);

enum cells_sink_phase { CELLS_SINK_DECODES, CELLS_SINK_WANTS, CELLS_SINK_SENDS, CELLS_SINK_ENDS };

struct cells_sink {
    struct column column;
    struct iblt_decoder decoder;
    enum cells_sink_phase phase;
    uint8_t session;
    uint32_t slice_bits, slice;
    uint32_t until;     /* cells asked for */
    uint32_t cells_max; /* of one table */
    bool is_held;       /* the source waits until this one has its turn, */
    uint64_t share;     /* and there are about so many differences in a slice then */
    struct iblt_cell *theirs;
    uint32_t their_count, their_size;
    struct idset ours; /* found to be ours only, and not sent yet */
    size_t emitted;    /* items looked at for what is wanted */
    bool is_failed;
    uint64_t sent, big_until;
};

/* The scope is taken over. The source sends `first` cells unless it is held; one table has up to
 * `cells_max`, at least 2 * CELLS_FIRST_MIN. Never NULL. */
struct cells_sink *cells_sink_new(uint8_t session, uint64_t key, uint64_t cut_s,
                                  uint32_t share_bits, struct scope *scope, uint32_t first,
                                  uint32_t cells_max);
void cells_sink_free(struct cells_sink *k, struct store *store);

/* Tells the source to send nothing before the sink's first step. RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc cells_sink_hold(struct cells_sink *k, struct link *l);

/* SYNC_CELLS came, past its session. RC_MALFORMED. */
MUST_USE enum rc cells_sink_cells(struct cells_sink *k, struct cursor *c);

/* As cells_source_step(). */
MUST_USE enum rc cells_sink_step(struct cells_sink *k, const struct epoch_sender_env *env);

/* So many cells for about so many differences, estimated from `known` cells; 0: well known. */
uint32_t cells_for(uint64_t differences, uint32_t known);

#endif
