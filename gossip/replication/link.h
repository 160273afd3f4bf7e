/*
 * link: one peer link's state: frames in, frames out, what waits and what is not acknowledged yet.
 *
 * Live writes wait as (handle, version), never as values: a write that was replaced meanwhile is
 * not sent. Control frames wait as bytes. The owner of the socket pulls output, so a slow peer
 * fills a bounded queue here and nothing else. Counted records are numbered by the order of their
 * last byte on the wire. Both sides count, and no number travels with them.
 *
 * Left out on purpose: which links there should be (gossip/replication/mesh, gossip/wiring), what
 * frames mean (gossip/inbound, gossip/repair/sync), who waits for an acknowledgement
 * (gossip/replication/quorum).
 */
#ifndef GOSSIP_REPLICATION_LINK_H
#define GOSSIP_REPLICATION_LINK_H

#include "core/base/addr.h"
#include "core/base/buf.h"
#include "core/store/blobrefs.h"
#include "core/store/store.h"
#include "gossip/replication/tree.h"
#include "gossip/wire/batch.h"
#include "gossip/wire/frame.h"
#include "gossip/wire/outbox.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LINK_QUEUE_MAX = 32768, /* live writes waiting; beyond, the link overflows and reconciles */
    LINK_CONTROL_BYTES_MAX = 1 << 20, /* control bytes waiting; beyond, the peer is not reading */
    LINK_UNACKED_MAX = 65536, /* as many writes can wait; of a peer that never acks the oldest go */
    LINK_BULK_BYTES_MAX = 512 << 10, /* reconciliation's frames */
    LINK_BULK_ROOM_BYTES = 32 << 10, /* they are made only while there are fewer */
    LINK_REFS_BYTES = 512 << 10,     /* of large values in one filling, by reference */
    LINK_NEWS_BYTES_MAX = 80 << 10,  /* announcements waiting; more are left out */
};

enum link_state {
    LINK_FREE,
    LINK_DIALING, /* ACTION_DIAL was given out */
    LINK_HELLO,   /* up, the other's HELLO has not come */
    LINK_RIVAL,   /* its HELLO names a member that is linked already: see gossip/rival.c */
    LINK_OPEN,
    LINK_CLOSING, /* CLOSE was sent, ACTION_CLOSE given out: nothing is taken in any more */
};

struct queued_write {
    uint32_t handle;
    uint32_t waiter; /* gossip/replication/quorum's name for the write that waits; 0 none */
    struct version version;
    uint8_t kind; /* enum record_kind; RECORD_IS_GUARD sends only the guard */
};

/* A ring of queued writes that grows up to LINK_QUEUE_MAX. */
struct write_queue {
    struct queued_write *items;
    size_t size; /* power of two, 0 before the first */
    size_t head, count;
};

/* A counted record on the wire that somebody waits for. */
struct unacked {
    uint64_t number;
    uint32_t waiter;
};

struct unacked_queue {
    struct unacked *items;
    size_t size, head, count;
};

/* A large value on its way, out or in. */
struct large {
    bool is_active;
    bool is_refused; /* in: the bytes are counted and dropped */
    uint32_t waiter;
    uint8_t kind;
    size_t offset;              /* value bytes sent or received */
    struct blob *blob;          /* held; NULL when is_refused */
    struct record record;       /* in: everything but the value */
    uint8_t key[KEY_BYTES_MAX]; /* in: record.key points here */
};

/* What an owner above keeps on a link stands in a struct of its own, which nobody else writes. */

/* gossip/hello.c's: what the two HELLOs have said. */
struct link_terms {
    bool has_said;     /* ours is on it, or on its way */
    bool said_ready;   /* in it */
    bool said_records; /* likewise: that we have some */
    bool is_only_word; /* the member's: it has answered no ping of ours since it was last dead */
    uint64_t value_max, ttl_min_ms, ttl_max_ms; /* the member's, from its own */
};

/* gossip/apart.c's: whether the peer's clock lets data pass. */
struct link_clock {
    bool is_agreed;   /* it is known, and is ours */
    bool is_conflict; /* it is known, and more than a minute off: no data */
    bool is_told;     /* and the operator knows */
};

/* Why a link is to be reconciled, as bits. */
enum repair_reason {
    REPAIR_NEW_LINK = 1,   /* what passed before it was there */
    REPAIR_TAKEN_OVER = 2, /* the member's other link has ended, with what was under way */
    REPAIR_NO_ROOM = 4,    /* a write found no room to be queued, announced or sent */
    REPAIR_MISSED = 8,     /* a write that was announced has not come */
    REPAIR_CLOCK = 16,     /* no data passed while the clocks were apart */
    REPAIR_CUT_SHORT = 32, /* a session that one of these began was not finished */
    REPAIR_ROOT = 64,      /* the member's root differs: a session as of a cut will do */
};

/* gossip/repair/reconcile's. Others ask, by link_ask_repair(). */
struct link_repair {
    uint32_t reasons;   /* enum repair_reason; a session begins as soon as it may */
    uint32_t differing; /* times in a row that the peer's root differed from ours */
};

/* gossip/owed.c's: the writes that the member has put off and clients wait for. */
struct link_owed {
    bool is_owed;      /* they are sent again when it can take them, */
    uint64_t at_us;    /* but not before then */
    uint64_t pause_us; /* for so long after it has put off what it seemed to be able to take */
};

/* gossip/rival.c's: a second link of one member, and the question on the one that it has. */
struct link_rival {
    struct uuid claimed; /* of a rival: the member that its HELLO names */
    bool is_granted;     /* the link that the member had is silent */
    bool is_cut;         /* a rival: more has come than is kept */
    bool is_claimed;     /* an open one: some rival has come for it */
    bool has_answered;   /* likewise: a ping on this link */
    uint32_t asked_seq;  /* of the ping on an open link in doubt; 0: none is out */
    uint64_t asked_us;   /* when it was sent */
};

/* gossip/wiring.c's: what the link is to either side. */
struct link_role {
    uint32_t rings, peer_rings; /* on which they are neighbours, as this side and the other say */
    uint8_t flags, peer_flags;  /* enum role_flags, as sent and as received */
    bool is_told, is_heard;
};

/* gossip/spread.c's: what it announces instead of sending the write itself. */
struct link_news {
    struct buf entries; /* of the next TREE_HAVE */
};

/* gossip/tree_links.c's: its part in the broadcast trees. */
struct link_trees {
    bool is_tree;  /* was of one once, and stays so: what is too much is pruned */
    bool is_left;  /* the trees have left it, as it is needless */
    uint32_t lazy; /* the trees, as bits, in which ids go out and not writes */
    uint64_t trial_until_us[TREE_COUNT];   /* grafted lately */
    uint64_t refused_until_us[TREE_COUNT]; /* pruned lately, from this side */
};

struct link {
    uint32_t id; /* never 0 */
    uint32_t slot;
    enum link_state state;
    bool is_dialed;
    bool is_sought;        /* dialed because discovery named the address */
    bool is_output_asked;  /* an ACTION_OUTPUT is under way */
    uint16_t key_id;       /* of gossip/sealing/keyring: made, or being dialed, with it; 0: plain */
    uint8_t keys_tried;    /* by a dial */
    struct member *member; /* NULL before HELLO */
    struct addr addr;      /* dialed, or accepted from */
    uint64_t begun_us;     /* dialed, or accepted */
    uint64_t since_us;     /* of the state */
    uint64_t input_us;     /* when bytes came last */
    struct buf in;         /* an unfinished frame; of a rival all that came */
    size_t data_left;      /* of the payload of a LARGE_DATA frame that has begun to come */
    struct buf control;
    struct buf bulk;
    struct batch *batch; /* records that follow what is in `bulk`; NULL until needed */
    struct write_queue live;
    struct write_queue big;        /* live writes and reconciled records whose value is large */
    uint64_t big_queued, big_done; /* writes ever put into `big`; of these, sent or dropped */
    uint64_t progress; /* counts records of reconciliation and pieces of large values, both ways */
    struct unacked_queue unacked;
    uint64_t sent_count, acked_count;    /* counted records out */
    uint64_t received_count, told_count; /* counted records in; acknowledged so far */
    struct large *out_large, *in_large;  /* allocated when first needed */
    uint64_t bulk_frames_bytes;          /* of frames put into `bulk` that are no records */
    uint64_t bytes_in, bytes_out, records_in, records_out;
    size_t unsent_bytes;  /* waiting for the socket, as the caller last said */
    uint64_t held_bytes;  /* gossip/repair/holdings': its memory as last counted */
    uint64_t used_us;     /* when something else than its role last passed */
    struct session *sync; /* gossip/repair/sync's; NULL until it is needed */
    struct link_terms terms;
    struct link_clock clock;
    struct link_repair repair;
    struct link_owed owed;
    struct link_rival rival;
    struct link_role role;
    struct link_trees trees;
    struct link_news news;
};

/* Makes a free slot usable. */
void link_init(struct link *l, uint32_t id, uint32_t slot, enum link_state state, bool is_dialed,
               const struct addr *addr, uint64_t now_us);

/* Releases everything but the sync side, which its owner has taken away before. */
void link_fini(struct link *l);

/* Bytes of memory that wait on it or for it, but for the values of records, which count in the
 * store, and what its session holds. */
uint64_t link_memory(const struct link *l);

/* Whether our HELLO is on it, or on its way. */
static inline bool link_has_said_hello(const struct link *l)
{
    return l->terms.has_said && l->state != LINK_CLOSING;
}

/* The link is to be reconciled. */
static inline void link_ask_repair(struct link *l, enum repair_reason why)
{
    l->repair.reasons |= (uint32_t)why;
}

/* Whether something may have passed it by, so that a session as of a cut will not do. */
static inline bool link_needs_repair(const struct link *l)
{
    return (l->repair.reasons & ~(uint32_t)REPAIR_ROOT) != 0;
}

/* Appends a whole frame to the control bytes. RC_FULL: the peer does not read; end the link. */
MUST_USE enum rc link_control(struct link *l, enum frame_type type, uint8_t flags,
                              const void *payload, size_t len);

/* The same to the bulk bytes. The caller asks for room first: as many as the socket takes at once
 * are enough. RC_FULL beyond LINK_BULK_BYTES_MAX; RC_NO_MEMORY. */
MUST_USE enum rc link_bulk(struct link *l, enum frame_type type, const void *payload, size_t len);
bool link_bulk_has_room(const struct link *l);

/* No more bulk comes for a while: gives back the memory for it. */
void link_bulk_rest(struct link *l);

/* A record of reconciliation: small ones into a batch, large ones queued. RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc link_bulk_record(struct link *l, const struct record *r, uint32_t handle);

/* Queues a write. RC_FULL: LINK_QUEUE_MAX are waiting. */
MUST_USE enum rc link_enqueue(struct link *l, const struct queued_write *w, bool is_big);

/* Drops the queued small or large writes. */
void link_clear_queue(struct link *l, bool is_big);

/* Moves queued writes to another link of the same member, as far as there is room. That link needs
 * a reconciliation in any case, for writes that were under way. */
void link_move_queue(struct link *from, struct link *to);

bool link_has_output(const struct link *l);

/* Where link_fill() finds the records, and asks about waiting writes whose version is gone.
 */
struct link_source {
    const struct store *store;
    uint64_t now_ms;
    struct blobrefs *refs; /* what takes pieces of large values; NULL: they are copied to `out` */
    void *arg;
    /* The version `w->waiter` waits for was replaced or is gone: fills the key's present record and
     * its handle, or returns false. */
    bool (*replacement)(void *arg, const struct queued_write *w, struct record *ret_record);
};

/*
 * Appends frames to `out` until it holds about `len_max` more bytes or nothing is left; small
 * writes pass between the chunks of a large value. Returns the bytes appended. Of large values a
 * chunk is copied, or some are noted in source->refs, up to LINK_REFS_BYTES together.
 */
size_t link_fill(struct link *l, const struct link_source *source, struct buf *out, size_t len_max);

/* Takes the waiters of the counted records up to `number` out, oldest first: true and one waiter,
 * or false. */
bool link_pop_acked(struct link *l, uint64_t number, uint32_t *ret_waiter);

/* Removes and returns the waiter of exactly this number; 0 when nobody waits for it. */
uint32_t link_take_refused(struct link *l, uint64_t number);

#endif
