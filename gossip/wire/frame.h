/*
 * frame: what travels on a peer link, byte by byte.
 *
 * Every frame is a type, flags, a length and a payload of that many bytes:
 *
 *    0       1       2       3       4       5       6
 *   +-------+-------+-------+-------+-------+-------+---------
 *   | type  | flags |            length             | payload
 *   +-------+-------+-------+-------+-------+-------+---------
 *
 * Unknown frames are skipped and counted; unknown frames with the critical flag end the link. A
 * length beyond frame_payload_max() ends it before anything is allocated. Numbers are big-endian.
 *
 * HELLO and CLOSE are said before both sides know which version they share. So bytes of later
 * versions may stand behind them, and are not looked at. Every other frame is of the version that
 * the two share: it ends where its picture ends, and a byte more or less ends the link.
 */
#ifndef GOSSIP_WIRE_FRAME_H
#define GOSSIP_WIRE_FRAME_H

#include "core/base/cursor.h"
#include "core/store/record.h"
#include "gossip/wire/member.h"

enum {
    FRAME_HEADER_BYTES = 6,
    FRAME_PAYLOAD_MAX = 68 * 1024, /* of all but LARGE_DATA, which is taken as it comes */
    /* Of a large value in one frame. Small records wait behind it: a fifth of a millisecond on a
     * fast link. Smaller ones have a receiver read their headers apart from what lies between. */
    FRAME_LARGE_DATA_MAX = 256 * 1024,
    FRAME_LARGE_COPY_MAX = 64 * 1024, /* the same where it is copied to be sent */
    FRAME_CRITICAL = 1, /* flag: a receiver that does not know the type must end the link */
};

enum frame_type {
    FRAME_HELLO = 1,
    FRAME_CLOSE = 2,
    FRAME_PACKET = 3, /* a swim packet, as it would stand in a datagram */
    FRAME_RECORD = 4,
    FRAME_LARGE_BEGIN = 5,
    FRAME_LARGE_DATA = 6,
    FRAME_ACK = 7,
    FRAME_NACK = 8,
    FRAME_ROLE = 9,
    FRAME_CLOCK = 10,
    FRAME_STATE = 11,
    FRAME_SYNC_GROUPS = 16,
    FRAME_SYNC_EPOCHS = 17,
    FRAME_SYNC_SCOPE = 18,
    FRAME_SYNC_LIST = 19,
    FRAME_SYNC_CELLS = 20,
    FRAME_SYNC_MORE = 21,
    FRAME_SYNC_WANT = 22,
    FRAME_SYNC_DONE = 23,
    FRAME_SYNC_ROOT = 24,
    FRAME_JOIN = 25,
    FRAME_JOIN_DONE = 26,
    FRAME_RECORDS = 27, /* gossip/wire/batch */
    FRAME_TREE_HAVE = 32,
    FRAME_TREE_GRAFT = 33,
    FRAME_TREE_PRUNE = 34,
    FRAME_TREE_HELD = 35,
};

/*
 * HELLO, the first frame in both directions; nothing else is accepted before it.
 *
 *   cluster 8 | version min 1 | version max 1 | token 8 | vitals flags 1 | clock_us 8 |
 *   value max 8 | ttl min 8 | ttl max 8 | seen as (address) | card
 *
 * Who was dialed says it first, with a token. Who has dialed says it then, with that token, by
 * which it shows that it reads there. `seen as` is how the sender sees the receiver. The versions
 * are those of the card, at a place where every version of the protocol has them.
 */
struct frame_hello {
    uint64_t cluster;
    uint8_t version_min, version_max;
    uint64_t token;
    uint8_t flags;     /* enum member_flags */
    uint64_t clock_us; /* the cluster's clock as the sender has it; 0 without MEMBER_HAS_CLOCK */
    uint64_t value_max, ttl_min_ms, ttl_max_ms;
    struct addr seen_as;
    struct member_card card;
};

/*
 * CLOCK: clock_us 8, the cluster's clock as the sender has it from now on. It is sent when the
 * clock is set or jumps. So a receiver knows by whose clock the records behind it were stamped.
 */

/* CLOSE: reason 1. The sender writes no more; the end of the stream that follows is no death. */
enum close_reason {
    CLOSE_DUPLICATE = 1, /* another link between the two stays */
    CLOSE_STRANGER = 3,
    CLOSE_VERSION = 4,
    CLOSE_SELF = 5,
    CLOSE_MALFORMED = 6,
    CLOSE_IDLE = 7, /* neither side wants the link any more */
    CLOSE_FULL = 8, /* the sender's table of members has no room for the receiver */
    CLOSE_KEY = 9,  /* the sender has removed the key that the link was made with; it dials anew */
};

/*
 * ROLE, after HELLO and whenever it changes: what the link is to the sender.
 *
 *   flags 1 (enum role_flags) | rings 4
 *
 * `rings` are those on which the receiver is the sender's neighbour (gossip/replication/overlay),
 * as bits: the link is one of the enclave's broadcast trees when either side says so. A link that
 * neither side keeps ends when it is idle.
 */
enum role_flags {
    ROLE_KEEPS = 1,
    ROLE_IS_LARGE = 2, /* the sender holds the enclave for a large one */
};

struct frame_role {
    uint8_t flags;
    uint32_t rings;
};

/*
 * STATE, after HELLO whenever one of MEMBER_STATE_FLAGS changes: what the sender can take and give.
 * Unlike datagrams, it comes in order with the NACKs.
 *
 *   flags 1 (enum member_flags)
 *
 * RECORD: one record whose value is small, or what a guard says.
 *
 *   kind 1 | stamp 8 | origin 16 | expiry 8 | [guard 8] | [ahead 2] | key length 2 | key |
 *   value (the rest)
 *
 * `ahead` is by how many milliseconds the stamp ran ahead of its origin's clock.
 *
 * LARGE_BEGIN: the same with the value's length (4) before the key's and no value; the value
 * follows in LARGE_DATA frames, whose payload is nothing but value bytes, until it is whole. One at
 * a time on a link; RECORD frames may pass between.
 */
enum record_kind {
    RECORD_HAS_GUARD = 1,
    RECORD_IS_SHADOW = 2,
    RECORD_IS_GUARD = 4,    /* no value: only raises the guard of what is held */
    RECORD_IS_COUNTED = 8,  /* takes the link's next sequence number and is acknowledged */
    RECORD_IS_FORWARD = 16, /* came along the trees of a large enclave: pass it on */
    RECORD_IS_REPEAT = 32,  /* the receiver may well have it, which says nothing about the trees: it
                               is sent again for its guard, or came on a detour itself */
    RECORD_HAS_AHEAD = 64,
    RECORD_KINDS_ALL = 127,
};

enum { RECORD_WIRE_OVERHEAD_MAX = 1 + 8 + 16 + 8 + 8 + 2 + 4 + 2 };

struct frame_record {
    struct record record; /* borrows from the payload */
    uint8_t kind;         /* set of enum record_kind */
};

/*
 * ACK: count 8. All counted records up to that number, of this link, since HELLO, are applied here
 * or no newer than what is held, but for those refused by a NACK before.
 * NACK: number 8 | reason 1 (enum nack_reason). A record that was refused for the clock is sent
 * again when the member can take it; one for which there is no room is not.
 */
enum nack_reason { NACK_FULL = 1, NACK_CLOCK = 2, NACK_INVALID = 3 };

/*
 * Reconciliation. The initiator, I, sends its groups as of a cut. The responder, R, answers with
 * its epochs of the groups that differ. I sorts the epochs that differ. It sends those of which R
 * has nothing. It settles those of which it has few or no entries itself by a list of ids, and all
 * others together by one stream of cells (gossip/repair/cells). SCOPE names the two sets and begins
 * both. R sends the records that I lacks and WANTs those it lacks itself, I sends these, and DONE.
 *
 *   I  SYNC_GROUPS  session 1 | cut 8 | key 8 | (group 4 | sum 4)*
 *   R  SYNC_EPOCHS  session 1 | last 1 | (group 4 | whole 1 | epochs 8 | (sum 4 | count varint)*)*
 *   I  SYNC_SCOPE   session 1 | cells 4 | share 1 | scope of the list | scope of the stream
 *   I  SYNC_LIST    session 1 | last 1 | id 8 *
 *   I  SYNC_CELLS   session 1 | slice bits 1 | slice 4 | first 4 | (id 8 | check 4 | count signed)*
 *   R  SYNC_MORE    session 1 | slice bits 1 | slice 4 | cells 4
 *   R  SYNC_WANT    session 1 | flags 1 (enum want_flags) | records sent 4 | id 8 *
 *   I  SYNC_DONE    session 1 | records sent 4
 *
 * `session` is I's number for it, by which frames of a session that was given up are recognised.
 * Sums are the high half of a hash of the whole sum under the session's key. A pair agrees by
 * chance once in 2^32, and then differs under the next key. `epochs` has a bit for each epoch of
 * the group that R has. Where naming them would take more bytes than it saves, `whole` says to
 * compare the group as one. A cell's count is sent as its difference from an even spread of cell
 * 0's count.
 *
 * When records have come by reconciliation a node sends its root to its other links, so that those
 * records travel on at once:
 *
 *   SYNC_ROOT    cut 8 | sum 8
 *
 * Joining, from an empty side: JOIN asks for the epochs whose number modulo `of` is `part`, longest
 * lived first, and JOIN_DONE ends them.
 *
 *   JOIN         part 1 | of 1
 *   JOIN_DONE    part 1 | of 1 | records sent 8
 */
enum { SYNC_LIST_MAX = 4096 }; /* ids in one SYNC_LIST or SYNC_WANT frame */

enum want_flags {
    WANT_OF_LIST = 1,  /* answers the list, else the stream */
    WANT_IS_WHOLE = 2, /* with the frames before, all of a slice: send it */
    WANT_IS_LAST = 4,  /* and no more will come */
};

/*
 * The broadcast trees of a large enclave (gossip/replication/tree). Ids are record_write_id().
 *
 *   TREE_HAVE    (kind 1 | tree 1 | id 8)*
 *   TREE_GRAFT   (kind 1 | tree 1 | id 8)*
 *   TREE_PRUNE   (tree 1)*
 *   TREE_HELD    id 8 | stamp 8
 *
 * HAVE announces; a large value is only ever announced. GRAFT asks for a write and for all further
 * ones of its tree, or (TREE_DIRECT) for that one alone, or (TREE_NO_ID) for the further ones
 * alone. PRUNE asks for announcements only. HELD acknowledges a large value of the receiver's own
 * that came by another link: its origin may wait for that.
 */
#define TREE_NO_ID UINT64_C(0)

enum tree_kind {
    TREE_SMALL = 0,
    TREE_LARGE = 1,  /* fetch it */
    TREE_DIRECT = 2, /* the same, by the origin itself, outside of the tree */
    TREE_LATE = 3,   /* a large one again, on a lazy link, after it had time to come */
    TREE_GONE = 4,   /* the write that was asked for was replaced: a later one is on its way */
};

/* Load evens out with their number, each needs some writes to settle. */
enum { TREE_COUNT = 8 };

enum { TREE_ENTRY_BYTES = 10, TREE_ENTRIES_MAX = 4096 }; /* in one HAVE or GRAFT frame */

struct frame_tree {
    uint8_t kind; /* enum tree_kind */
    uint8_t tree;
    uint64_t id;
};

/*
 * Whether a frame of that type may have this payload, as far as its length says. That is all that
 * is judged of a frame that nobody reads, as it is of a session that was given up. Records, packets
 * and announcements are read in any case, and their readers find out. Of a type that is not known
 * nothing is wrong.
 */
bool frame_fits(uint8_t type, const uint8_t *payload, size_t len);

/* The most bytes of payload that a frame of that type may have. */
static inline size_t frame_payload_max(uint8_t type)
{
    return type == FRAME_LARGE_DATA ? FRAME_LARGE_DATA_MAX : FRAME_PAYLOAD_MAX;
}

void frame_header_write(struct cursor *c, enum frame_type type, uint8_t flags, size_t payload_len);

void frame_hello_write(struct cursor *c, const struct frame_hello *hello);
/* Fails the cursor on what member_card_read() refuses and on a range of versions that is empty. Of
 * one with which this node has no version in common only cluster and versions are read. */
void frame_hello_read(struct cursor *c, struct frame_hello *ret_hello);

/* Whether it names a version that this node speaks. */
bool frame_hello_is_ours(const struct frame_hello *hello);

void frame_role_write(struct cursor *c, const struct frame_role *role);
void frame_role_read(struct cursor *c, struct frame_role *ret_role);

/* One entry of HAVE or GRAFT. Reading fails the cursor on an unknown kind or tree. */
void frame_tree_write(struct cursor *c, const struct frame_tree *entry);
void frame_tree_read(struct cursor *c, struct frame_tree *ret_entry);

/* Writes everything but the value. `kind` as given, but for what the record itself says of it:
 * guard, ahead, shadow. */
void frame_record_write(struct cursor *c, const struct record *r, uint8_t kind, bool is_large);
/* The rest of the cursor is the value unless `is_large`. Fails the cursor on what record_check()
 * refuses. */
void frame_record_read(struct cursor *c, bool is_large, struct frame_record *ret_record);

#endif
